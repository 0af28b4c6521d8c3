//! The return of an old primary: by itself when its data is part of the new primary's history, by
//! `pg_rewind` when that is permitted, and not at all otherwise.

use testbed::{Failure, Host, State};

use crate::site::{SOON, Site};

const LOCK: &str = "/var/lib/pgsql/tmp/PGSQL.lock";
const MARKER: &str = "/var/lib/pgsql/tmp/PGSQL.rewind";
const PG_REWIND: &str = "/usr/lib/postgresql/15/bin/pg_rewind";

/// What the documentation of `rejoin` tells to grant.
const GRANT: &str = "grant execute on function pg_ls_dir(text, boolean, boolean), \
    pg_stat_file(text, boolean), pg_read_binary_file(text), \
    pg_read_binary_file(text, bigint, bigint, boolean) to repuser";

/// Permits `repuser` to read the primary's files, on whichever node that is.
fn grant(host: &Host) {
    let granted = host.run_as("postgres", &["psql", "-d", "postgres", "-c", GRANT]);
    let granted = granted.expect("psql runs");
    assert!(granted.success(), "{granted:?}");
}

fn exists(host: &Host, path: &str) -> bool {
    host.run(&["test", "-e", path]).is_ok_and(|output| output.success())
}

/// Changes the parameter, for which Pacemaker restarts the resource everywhere.
fn set_rejoin(host: &Host, value: &str) {
    let words = ["crm_resource", "-r", "pgsql", "--set-parameter", "rejoin", "--parameter-value"];
    host.run_ok(&[&words[..], &[value]].concat()).expect("the parameter is set");
}

/// Takes the power of a primary that has nothing the standbys lack, and gives it back.
fn power_off_at_rest(site: &Site, old: &str, new: &str, standbys: &[&str]) {
    let host = site.cluster.host(old);
    site.cluster.wait_for("the standbys to have everything", SOON, || {
        let behind = "select count(*) from pg_stat_replication \
                      where flush_lsn is distinct from pg_current_wal_insert_lsn()";
        (host.psql(behind).ok()? == "0").then_some(())
    });
    host.power_off();
    site.settled(new, standbys);
    host.power_on().expect("the host boots");
}

/// Lets an isolated primary write what nobody receives, and brings its host back after the failover.
fn diverge(site: &Site, old: &str, new: &str, standbys: &[&str]) {
    let host = site.cluster.host(old);
    host.cut_link();
    for sql in [
        "set synchronous_commit = local; create table if not exists lonely (i int, t text)",
        "set synchronous_commit = local; insert into lonely select i, repeat('x', 200) \
         from generate_series(1, 5000) i",
    ] {
        host.psql(sql).expect("the isolated primary writes");
    }
    site.cluster.wait_for("the isolated host is fenced", SOON, || (!host.is_on()).then_some(()));
    site.settled(new, standbys);
    site.cluster.heal_network().expect("the link is whole again");
    let row = "insert into ledger (number) select coalesce(min(number), 0) - 1 from ledger";
    site.cluster.host(new).psql(row).expect("the new primary writes");
    host.power_on().expect("the host boots");
}

/// Waits until a start is refused on this node, and returns the reason.
fn refused(site: &Site, node: &str) -> String {
    let is_refused = |failure: &Failure| {
        failure.node == node && failure.operation == "pgsql_start_0" && !failure.reason.is_empty()
    };
    let state: State = site
        .cluster
        .wait_until("the start is refused", SOON, |state| state.failures.iter().any(is_refused));
    let host = site.cluster.host(node);
    assert_eq!(host.postmaster(), None, "the refused server runs");
    let reasons = state.failures.iter().filter(|failure| is_refused(failure));
    reasons.map(|failure| failure.reason.clone()).collect::<Vec<_>>().join("\n")
}

fn cleanup(host: &Host) {
    host.run_ok(&["crm_resource", "--cleanup", "-r", "pgsql"]).expect("the failure is forgotten");
}

#[track_caller]
fn assert_names(reason: &str, words: &[&str]) {
    for word in words {
        assert!(reason.contains(word), "the reason must name {word}: {reason}");
    }
}

#[test]
fn an_old_primary_returns_without_a_hand_unless_its_data_has_diverged() {
    let site = Site::three_hosts_with_parameter("rejoin=\"verify\"");
    let first = site.cluster.host("pm01");

    // Stopped in good order, and started beside the new primary.
    first.run_ok(&["crm", "--wait", "node", "standby", "pm01"]).expect("crmsh");
    site.settled("pm02", &["pm03"]);
    assert!(exists(&first, LOCK), "a node that was primary and stopped has its lock");
    first.run_ok(&["crm", "node", "online", "pm01"]).expect("crmsh");
    site.settled("pm02", &["pm01", "pm03"]);
    assert!(!exists(&first, LOCK), "the lock of proven data goes");

    // Dead at once, and back.
    power_off_at_rest(&site, "pm02", "pm03", &["pm01"]);
    site.settled("pm03", &["pm01", "pm02"]);
    assert!(!exists(&site.cluster.host("pm02"), LOCK));
    let state = site.cluster.state().expect("the cluster answers");
    assert!(state.failures.is_empty(), "{:?}", state.failures);
    let lines = site.cluster.agent_lines();
    let told = lines.iter().filter(|line| line.line.text.contains("is part of")).count();
    assert!(told >= 2, "the log says why the lock goes");

    // With WAL that nobody received it does not return.
    diverge(&site, "pm03", "pm01", &["pm02"]);
    assert_names(&refused(&site, "pm03"), &["pm01", "bytes past the fork", "pg_rewind"]);
    assert!(exists(&site.cluster.host("pm03"), LOCK), "the lock of diverged data stays");

    // With rejoin=off the lock alone decides, as with the stock agent.
    set_rejoin(&first, "off");
    site.cluster.wait_until("the lock alone refuses the start", SOON, |state| {
        let of_the_lock = |reason: &str| reason.contains("My data may be inconsistent");
        state.failures.iter().any(|failure| failure.node == "pm03" && of_the_lock(&failure.reason))
    });
    assert!(exists(&site.cluster.host("pm03"), LOCK));
}

#[test]
fn diverged_data_is_rewound_when_that_is_permitted() {
    let site = Site::three_hosts_with_parameter("rejoin=\"rewind\"");
    let first = site.cluster.host("pm01");
    diverge(&site, "pm01", "pm02", &["pm03"]);
    // `repuser` may not read files yet.
    assert_names(&refused(&site, "pm01"), &["pm02", "bytes past the fork"]);
    assert!(exists(&first, LOCK) && !exists(&first, MARKER));

    let second = site.cluster.host("pm02");
    grant(&second);
    cleanup(&second);
    site.settled("pm02", &["pm01", "pm03"]);
    assert!(!exists(&first, LOCK) && !exists(&first, MARKER));
    let rows = "select count(*), min(number) from ledger";
    let theirs = second.psql(rows).expect("the primary answers");
    site.cluster.wait_for("the rewound node holds the primary's rows", SOON, || {
        (first.psql(rows).ok()? == theirs).then_some(())
    });
    let lonely = first.psql("select to_regclass('lonely') is null").expect("the standby answers");
    assert_eq!(lonely, "t", "what only the old primary had is gone");
    assert!(site.cluster.state().expect("answers").failures.is_empty());
}

#[test]
fn diverged_data_is_rewound_without_a_hand_and_what_is_lost_by_it_is_kept() {
    let site = Site::three_hosts();
    let first = site.cluster.host("pm01");
    grant(&first);
    diverge(&site, "pm01", "pm02", &["pm03"]);
    // Fenced, booted, rewound, streaming.
    site.settled("pm02", &["pm01", "pm03"]);
    assert!(!exists(&first, LOCK) && !exists(&first, MARKER));
    assert!(site.cluster.state().expect("answers").failures.is_empty());
    let told = site.cluster.agent_lines().into_iter().map(|line| line.line.text);
    let told =
        told.filter_map(|text| Some(text.split_once("To see what was in it: ")?.1.to_owned()));
    let commands: Vec<_> = told.collect();
    let [command] = &commands[..] else { panic!("the log says where it is: {commands:?}") };
    assert!(command.contains(" -p /var/lib/pgsql/tmp/PGSQL.rewound/wal-"), "{command}");
    let words: Vec<_> = command.split(' ').collect();
    let dump = first.run_as("postgres", &words).expect("pg_waldump runs");
    // It ends where the WAL does, with an error that says so.
    assert!(dump.stdout.matches("INSERT").count() >= 5000, "{command}: {}", dump.stderr);
}

#[test]
fn a_rewind_that_was_cut_off_leaves_data_that_nobody_starts() {
    let site = Site::three_hosts_with_parameter("rejoin=\"rewind\"");
    let first = site.cluster.host("pm01");
    grant(&first);
    // Stands in for the program: its dry run is the real one, its real run dies on the way.
    first.run_ok(&["mv", PG_REWIND, &format!("{PG_REWIND}.real")]).expect("moved");
    let script = format!(
        "#!/bin/sh\n\
         case \"$*\" in *--dry-run*) exec {PG_REWIND}.real \"$@\" ;; esac\n\
         {PG_REWIND}.real \"$@\" & child=$!\n\
         sleep 0.05; kill -9 $child; touch /tmp/cut-off; exec sleep 600\n"
    );
    first.write_file(PG_REWIND, &script).expect("written");
    first.run_ok(&["chmod", "755", PG_REWIND]).expect("executable");

    diverge(&site, "pm01", "pm02", &["pm03"]);
    site.cluster
        .wait_for("the rewind is half done", SOON, || exists(&first, "/tmp/cut-off").then_some(()));
    assert!(exists(&first, MARKER));
    first.power_off();
    // Otherwise the fencing would meet the host when it has booted again.
    site.cluster.wait_until("the dead host is fenced", SOON, |state| {
        state.nodes.iter().any(|node| node.name == "pm01" && !node.online && !node.unclean)
    });
    site.settled("pm02", &["pm03"]);
    first.power_on().expect("the host boots");
    let words = ["pg_rewind from pm02", "pg_basebackup", "PGSQL.rewind"];
    assert_names(&refused(&site, "pm01"), &words);

    // Not even with the lock gone.
    first.run_ok(&["rm", "-f", LOCK]).expect("removed");
    let refusals = || {
        let lines = site.cluster.agent_lines();
        lines.iter().filter(|l| l.host == "pm01" && l.line.text.contains("was cut off")).count()
    };
    let before = refusals();
    cleanup(&first);
    site.cluster.wait_for("another refusal", SOON, || (refusals() > before).then_some(()));
    assert_names(&refused(&site, "pm01"), &words);
    site.settled("pm02", &["pm03"]);
}

/// Keeps a host from asking or following whoever runs here.
fn refuse_replication_from(host: &Host, other: &Host) {
    let path = "/var/lib/pgsql/data/pg_hba.conf";
    let rules = host.read_file(path).expect("read");
    let rule = format!("host replication all {}/32 reject\n", other.address());
    host.write_file(path, &(rule + &rules)).expect("written");
    host.psql("select pg_reload_conf()").expect("reloaded");
}

#[test]
fn an_old_primary_that_cannot_ask_holds_nobody_up_and_follows_once_it_can() {
    let site = Site::three_hosts();
    let (first, second) = (site.cluster.host("pm01"), site.cluster.host("pm02"));
    first.power_off();
    site.settled("pm02", &["pm03"]);
    refuse_replication_from(&second, &first);
    first.power_on().expect("the host boots");
    site.cluster.wait_until("it runs without a right", SOON, |state| {
        site.record(state, "pm01")[1..] == ["DISCONNECT", "-INFINITY"]
            && first.postmaster().is_some()
    });
    site.cluster.wait_for("a monitor has asked again", SOON, || {
        let lines = site.cluster.agent_lines();
        let told = lines.iter().filter(|line| line.line.text.contains("is not compared"));
        (told.count() >= 2).then_some(())
    });
    assert!(exists(&first, LOCK), "the lock of unproven data stays");

    // The primary dies meanwhile: the other one is promoted, and can be asked.
    second.power_off();
    site.settled("pm03", &["pm01"]);
    assert!(!exists(&first, LOCK), "the lock of proven data goes");
    let state = site.cluster.state().expect("the cluster answers");
    assert!(state.failures.is_empty(), "{:?}", state.failures);
    for action in site.cluster.actions() {
        assert!(action.took < std::time::Duration::from_secs(20), "{action:?}");
    }
}
