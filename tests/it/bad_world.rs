//! A cluster that makes no sense or does not answer: no action panics, none
//! outlives its timeout, a primary's monitor answers 8, and a stop that answers 0 has ended the server.

use std::time::Duration;

use crate::agent::{GENERIC, NOT_RUNNING, PROMOTED, SUCCESS};
use crate::broken_cluster::{ANSWERS, LOAD, Paper, TIMEOUT, for_each_of};

/// What `cibadmin` does instead of printing the CIB (`$CIB`): nothing can be read of it.
const UNREADABLE: [(&str, &str); 16] = [
    ("missing", ""),
    ("silent", "exit 0"),
    ("failing", "echo 'Could not connect: Transport endpoint' >&2; exit 102"),
    ("failing with a cib", "cat $CIB; exit 1"),
    ("killed", "kill -9 $$"),
    ("hanging", "$HANG"),
    ("hanging in a child", "cat $CIB; ($HANG) & wait"),
    ("stopping in the middle", "head -c 300 $CIB; $HANG"),
    ("truncated", "head -c 300 $CIB"),
    ("not xml", "echo 'Call cib_query failed (-62): Timer expired'"),
    ("bytes", "head -c 100000 /dev/urandom"),
    ("utf-16", "iconv -t UTF-16 $CIB"),
    ("entities", "printf '<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]>'; cat $CIB"),
    ("another root", "echo '<crm_mon version=\"2.1.5\"/>'"),
    ("no nodes", "sed 's/<node id.*//' $CIB"),
    ("without this node", "sed 's/uname=.pm01./uname=\"pm09\"/' $CIB"),
];

/// A CIB that can be read, and what it says is absurd.
const ABSURD: [(&str, &str); 6] = [
    ("attributes", "sed 's|^<node_state uname=.pm01.[^/]*/>|$STATE|' $CIB"),
    ("states", "sed 's/in_ccm=\"true\"/in_ccm=\"-5\"/; s/crmd=\"online\"/crmd=\"x\"/' $CIB"),
    (
        "a quorum",
        "sed 's/have-quorum=\"1\"/have-quorum=\"maybe\"/; s/value=\"true\"/value=\"q\"/' $CIB",
    ),
    (
        "nodes twice",
        "sed 's|^<nodes>.*<.nodes>|<nodes><node/><node uname=\"pm01\"/><node uname=\"PM01\"/><node uname=\"\"/></nodes>|' $CIB",
    ),
    ("history", "sed 's|^</status>|$HISTORY&|' $CIB"),
    (
        "size",
        "head -n -1 $CIB; for i in $(seq 20000); do echo \"<node_state uname='x$i' in_ccm='true'/>\"; done; tail -n 1 $CIB",
    ),
];

fn all() -> Vec<(&'static str, &'static str)> {
    UNREADABLE.into_iter().chain(ABSURD).collect()
}

#[test]
fn a_primary_whose_cluster_makes_no_sense_is_a_primary() {
    let paper = Paper::primary();
    for_each_of(&all(), |(what, script)| {
        let agent = paper.with("cibadmin", script);
        let seen = agent.clone().recurring().run("monitor").exits_one_of(&ANSWERS);
        let seen = seen.within(TIMEOUT + LOAD);
        assert!(seen.code() == PROMOTED, "{what}: monitor {}: {}", seen.code(), seen.stderr);
        agent.run("monitor").exits(PROMOTED).within(TIMEOUT + LOAD);
        for (kind, operation) in [("pre", "promote"), ("post", "start"), ("post", "demote")] {
            let notify =
                agent.clone().meta("notify_type", kind).meta("notify_operation", operation);
            notify.run("notify").exits(SUCCESS).within(TIMEOUT + LOAD);
        }
    });
    paper.assert_nothing_hangs();
    paper.assert_stops(&paper.agent, "after all");
}

#[test]
fn a_primary_whose_record_is_no_record_is_a_primary() {
    let paper = Paper::primary();
    let record =
        "<instance_attributes id=\"a\"><nvpair id=\"d\" name=\"pgsql-data-status\" value=\"x\"/>";
    let edit = format!(
        "s|uname=\"pm01\"/><node |uname=\"pm01\">{record}</instance_attributes></node><node |"
    );
    let agent = paper.with("cibadmin", &format!("sed '{edit}' $CIB")).recurring();
    agent.run("monitor").exits(PROMOTED);
}

#[test]
fn a_cib_as_deep_as_the_sea_fails_no_primary() {
    let paper = Paper::primary();
    let deep =
        "echo '<cib>'; yes '<a>' | head -n 300000; yes '</a>' | head -n 300000; echo '</cib>'";
    paper.with("cibadmin", deep).recurring().run("monitor").exits(PROMOTED);
}

#[test]
fn a_cibadmin_that_never_ends_takes_no_memory() {
    let paper = Paper::primary();
    let agent =
        paper.with("cibadmin", "exec yes '<nvpair id=\"x\" name=\"y\" value=\"z\"/>'").recurring();
    let agent = agent.under(&["prlimit", "--as=500000000"]).timeout(Duration::from_secs(60));
    agent.run("monitor").exits(PROMOTED);
}

#[test]
fn a_standby_whose_cluster_makes_no_sense_is_a_standby_and_not_promoted() {
    let paper = Paper::standby();
    for_each_of(&all(), |(what, script)| {
        let agent = paper.with("cibadmin", script);
        let seen = agent.clone().recurring().run("monitor").exits_one_of(&ANSWERS);
        assert!(seen.code() == SUCCESS, "{what}: monitor {}: {}", seen.code(), seen.stderr);
    });
    for_each_of(&UNREADABLE, |(_, script)| {
        let promoted = paper.with("cibadmin", script).run("promote").exits(GENERIC);
        promoted.within(TIMEOUT + LOAD).reason("the cluster does not answer: ");
    });
    assert_eq!(paper.server.sql("select pg_is_in_recovery()"), "t");
    paper.assert_nothing_hangs();
}

#[test]
fn a_start_without_a_readable_cluster_says_so_and_starts_nothing() {
    let paper = Paper::new();
    for_each_of(&UNREADABLE, |(_, script)| {
        let agent = paper.with("cibadmin", script);
        let started = agent.run("start").exits(GENERIC).within(TIMEOUT + LOAD);
        started.reason("the cluster does not answer: ");
        agent.run("monitor").exits(NOT_RUNNING);
        agent.run("stop").exits(SUCCESS).within(TIMEOUT + LOAD);
    });
    assert!(paper.server.processes().is_empty(), "{:?}", paper.server.processes());
}

#[test]
fn a_start_in_an_absurd_cluster_starts_a_standby() {
    let paper = Paper::new();
    for (what, script) in ABSURD {
        let agent = paper.with("cibadmin", script).timeout(Duration::from_secs(20));
        agent.run("start").exits(SUCCESS);
        agent.clone().recurring().run("monitor").exits(SUCCESS);
        assert_eq!(paper.server.sql("select pg_is_in_recovery()"), "t", "{what}");
        paper.assert_stops(&agent, what);
    }
}

#[test]
fn a_stop_needs_no_cluster() {
    let paper = Paper::new();
    for (what, script) in all().into_iter().step_by(2) {
        paper.server.agent().run("start").exits(SUCCESS);
        paper.assert_stops(&paper.with("cibadmin", script), what);
    }
    for script in ["$HANG", "exit 1", "", "kill -9 $$"] {
        paper.server.agent().run("start").exits(SUCCESS);
        let tools = ["cibadmin", "attrd_updater", "crm_attribute", "crm_node"];
        paper.assert_stops(&paper.with_all(&tools, script), script);
    }
    paper.assert_nothing_hangs();
}

#[test]
fn a_cluster_that_takes_no_attributes_fails_no_monitor_and_no_stop() {
    let paper = Paper::primary();
    for_each_of(&["$HANG", "exit 1", "", "yes | head -c 100000; exit 6"], |script| {
        for tools in
            [&["attrd_updater"][..], &["crm_attribute"], &["attrd_updater", "crm_attribute"]]
        {
            let agent = paper.with_all(tools, script);
            agent.clone().recurring().run("monitor").exits(PROMOTED).within(TIMEOUT + LOAD);
            let notify = agent.meta("notify_type", "post").meta("notify_operation", "start");
            notify.run("notify").exits(SUCCESS).within(TIMEOUT + LOAD);
        }
    });
    let hanging = paper.with_all(&["attrd_updater", "crm_attribute"], "$HANG");
    let demoted = hanging.run("demote").exits_one_of(&[SUCCESS, GENERIC]);
    drop(demoted.within(TIMEOUT + LOAD));
    paper.assert_stops(&hanging, "hanging");
    hanging.run("start").exits(GENERIC).within(TIMEOUT + LOAD);
    paper.assert_stops(&hanging, "hanging");
}
