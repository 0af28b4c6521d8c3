//! `check_wal_receiver`, `stop_escalate_in_slave`, `crm_attr_timeout` and `restart_on_promote`, in one cluster.

use std::time::Duration;

use testbed::{Cluster, Ledger, Signal};

use crate::instance::{BINDIR, Instance};
use crate::site::{SOON, Site};

const DATA: &str = "/var/lib/pgsql/data";

/// Puts a tool in place of `crm_attribute` that hangs while a file is there.
const HESITANT_TOOL: &str = r#"
    mv /usr/sbin/crm_attribute /usr/sbin/crm_attribute.real
    printf '%s\n' '#!/bin/sh' '[ ! -e /run/hesitate ] || exec sleep 600' \
        'exec /usr/sbin/crm_attribute.real "$@"' > /usr/sbin/crm_attribute
    chmod 755 /usr/sbin/crm_attribute
"#;

fn instance() -> Instance {
    Instance::usual().with(&[
        ("check_wal_receiver", "true"),
        ("stop_escalate_in_slave", "0"),
        ("crm_attr_timeout", "1"),
        ("restart_on_promote", "true"),
        ("pghost", "0.0.0.0"),
    ])
}

/// The standby is stopped in immediate mode, in spite of a transaction that would go on for an hour.
fn stop_of_a_standby_is_immediate(site: &Site, instance: &Instance) {
    let (host, standby) = (site.host("pm01"), site.host("pm02"));
    let psql = format!("{BINDIR}/psql");
    let sleep =
        ["-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-c", "select pg_sleep(3600)"];
    let words = [&[psql.as_str()][..], &sleep].concat();
    let mut reader = standby.spawn(&words).expect("the reader starts");
    let sleeping = "select count(*) from pg_stat_activity where query like '%pg_sleep(3600)' and state = 'active'";
    site.answers(instance, &standby, sleeping, "1");
    host.run_ok(&["crm", "--wait", "node", "standby", "pm02"]).expect("crmsh");
    reader.wait().expect("the reader has lost its server");
    let log = standby.read_file(instance.logfile).expect("the server has a log");
    assert!(log.contains("received immediate shutdown request"), "{log}");
    assert!(!log.contains("received fast shutdown request"), "{log}");
    let state = site.cluster.wait_until("nothing is received on pm02", SOON, |state| {
        instance.receiver(state, "pm02").is_none()
    });
    assert_eq!(instance.receiver(&state, "pm01"), Some("normal (master)"));
    host.run_ok(&["crm", "node", "online", "pm02"]).expect("crmsh");
    site.settled(instance, "pm01", &["pm02"]);
}

/// The write of a permanent attribute is given up after a second, commits wait until it is done, and then go on.
fn a_hanging_attribute_update_ends_in_time(site: &Site, instance: &Instance) {
    let (primary, standby) = (site.host("pm01"), site.host("pm02"));
    primary.run_ok(&["sh", "-euc", HESITANT_TOOL]).expect("the tool is replaced");
    primary.write_file("/run/hesitate", "").expect("the tool hangs");
    standby.kill_postmaster(Signal::SIGKILL);
    let given_up = || {
        let lines = site.cluster.agent_lines();
        let mut lines = lines.into_iter().filter(|event| event.host == "pm01");
        lines
            .any(|event| event.line.text.contains("crm_attribute did not end in time"))
            .then_some(())
    };
    site.cluster.wait_for("the update is given up", SOON, given_up);
    let names = instance.ask(&primary, "show synchronous_standby_names");
    assert_eq!(names, "\"pm02\"", "commits stopped waiting before the record was written");
    primary.run_ok(&["rm", "/run/hesitate"]).expect("the tool works again");
    site.settled(instance, "pm01", &["pm02"]);
    // A second for the update, the rest for everything else; the default alone would take five.
    let slow = site.cluster.actions_slower_than(Duration::from_secs(5));
    let slow: Vec<_> = slow.into_iter().filter(|action| action.host == "pm01").collect();
    assert!(slow.is_empty(), "{slow:#?}");
}

/// A standby that receives nothing says so, and takes it back.
fn a_standby_without_a_receiver_is_an_error(site: &Site, instance: &Instance) {
    let primary = site.host("pm01");
    site.cut_replication(&primary);
    site.cluster.wait_until("pm02 has no WAL receiver", SOON, |state| {
        instance.receiver(state, "pm02") == Some("ERROR")
    });
    site.mend_replication(&primary);
    site.cluster.wait_until("pm02 receives again", SOON, |state| {
        instance.receiver(state, "pm02") == Some("normal")
    });
    site.settled(instance, "pm01", &["pm02"]);
}

#[test]
fn the_small_print_of_replication_does_what_it_says() {
    let site = Site::boot(Cluster::builder().hosts(2).two_node().pg_log(Instance::usual().logfile));
    site.fill(DATA, &[]);
    let instance = instance();
    site.configure(&instance.crm(&["pm01", "pm02"], ""));
    site.settled(&instance, "pm01", &["pm02"]);
    site.cluster.wait_until("the receivers are as they should be", SOON, |state| {
        instance.receiver(state, "pm01") == Some("normal (master)")
            && instance.receiver(state, "pm02") == Some("normal")
    });
    a_standby_without_a_receiver_is_an_error(&site, &instance);
    stop_of_a_standby_is_immediate(&site, &instance);
    a_hanging_attribute_update_ends_in_time(&site, &instance);

    let ledger = Ledger::start(&site.cluster, instance.client_vip).expect("the ledger starts");
    site.cluster.wait_for("rows", SOON, || (ledger.acknowledged() > 100).then_some(()));
    // What came before has cost pm02 its place; only a synchronous standby takes over.
    site.settled(&instance, "pm01", &["pm02"]);
    let before = site.host("pm02").postmaster();
    site.host("pm01").kill_postmaster(Signal::SIGKILL);
    site.cluster.wait_until("pm02 is the primary", SOON, |state| {
        instance.promoted(state) == ["pm02"] && instance.record(state, "pm02")[0] == "PRI"
    });
    let rows = ledger.acknowledged();
    site.cluster.wait_for("rows", SOON, || (ledger.acknowledged() > rows + 100).then_some(()));
    site.assert_complete(&ledger.stop(), "pm02");
    assert_ne!(site.host("pm02").postmaster(), before, "it was not promoted by a restart");
    let timeline = "select timeline_id from pg_control_checkpoint()";
    assert_eq!(instance.ask(&site.host("pm02"), timeline), "1");
    // A promotion by restart keeps the timeline, so that nothing would show whether the old primary
    // went another way: it is refused, and only a new copy helps.
    site.cluster.wait_until("the old primary is refused", SOON, |state| {
        let refused = |reason: &str| reason.contains("My data ");
        state.failures.iter().any(|failure| failure.node == "pm01" && refused(&failure.reason))
            && instance.receiver(state, "pm02") == Some("normal (master)")
    });
    assert_eq!(instance.ask(&site.host("pm02"), "show listen_addresses"), "0.0.0.0");
}
