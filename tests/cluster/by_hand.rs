//! What operators do behind the cluster's back: a promotion by hand, and an older copy of its records.

use testbed::{Host, Signal};

use crate::site::{SOON, Site};

const PG_CTL: &str = "/usr/lib/postgresql/15/bin/pg_ctl";
const DATA: &str = "/var/lib/pgsql/data";

fn property(host: &Host, name: &str, value: &str) {
    host.run_ok(&["crm_attribute", "-t", "crm_config", "-n", name, "-v", value]).expect("set");
}

fn promote_by_hand(host: &Host) {
    let promoted = host.run_as("postgres", &[PG_CTL, "promote", "-w", "-D", DATA]).expect("runs");
    assert!(promoted.success(), "{promoted:?}");
    for sql in [
        "create table by_hand as select generate_series(1, 1000) i",
        "insert into by_hand select generate_series(1, 1000)",
    ] {
        host.psql(&format!("set synchronous_commit = local; {sql}")).expect("written");
    }
}

fn rows(host: &Host) -> Option<String> {
    host.psql("select count(*) from by_hand").ok()
}

/// The old primary dies in maintenance mode, or its host for good, and the operator promotes its synchronous
/// standby. Whose monitor comes first when the mode ends is open; the server goes on without a restart.
fn promoted_in_maintenance(threshold: &str, for_good: bool) {
    let text = |text: String| {
        text.replacen("migration-threshold=3", &format!("migration-threshold={threshold}"), 1)
    };
    let site = Site::three_hosts_changed(text);
    let state = site.settled("pm01", &["pm02", "pm03"]);
    let synchronous =
        ["pm02", "pm03"].into_iter().find(|name| site.record(&state, name)[1] == "STREAMING|SYNC");
    let new = synchronous.expect("one is synchronous");
    let third = if new == "pm02" { "pm03" } else { "pm02" };
    let (first, second) = (site.cluster.host("pm01"), site.cluster.host(new));
    property(&first, "maintenance-mode", "true");
    site.cluster.wait_until("maintenance", SOON, |state| state.maintenance);
    // A monitor that is still under way would find the primary by hand and be counted as failed.
    site.cluster.wait_for("no action is under way", SOON, || {
        let acts = |host: &Host| {
            host.processes().iter().any(|process| process.command_line.contains("/resource.d/"))
        };
        (!acts(&first) && !acts(&second)).then_some(())
    });
    match for_good {
        true => {
            first.power_off();
            site.cluster.wait_until("the host is gone", SOON, |state| !state.is_online("pm01"));
        }
        false => first.kill_postmaster(Signal::SIGKILL),
    }
    promote_by_hand(&second);
    let postmaster = second.postmaster();
    property(&second, "maintenance-mode", "false");
    site.cluster.wait_until("the primary by hand is on record", SOON * 2, |state| {
        state.is_promoted_only_on(new) && site.record(state, new)[..2] == ["PRI", "LATEST"]
    });
    assert_eq!(rows(&second).as_deref(), Some("2000"), "rows of the primary by hand are lost");
    assert_eq!(second.postmaster(), postmaster, "the primary by hand was stopped for nothing");
    second.run_ok(&["crm_resource", "--cleanup", "-r", "pgsql"]).expect("failures are forgotten");
    match for_good {
        true => site.settled(new, &[third]),
        false => site.settled(new, &["pm01", third]),
    };
    assert_eq!(rows(&second).as_deref(), Some("2000"));
}

#[test]
fn a_standby_that_was_promoted_in_maintenance_mode_becomes_the_primary() {
    promoted_in_maintenance("3", false);
}

#[test]
fn a_standby_that_was_promoted_in_maintenance_mode_becomes_the_primary_at_the_first_failure() {
    promoted_in_maintenance("1", false);
}

#[test]
fn a_standby_that_was_promoted_by_hand_for_a_host_that_is_gone_for_good_stays_the_primary() {
    promoted_in_maintenance("1", true);
}

#[test]
fn records_from_an_older_file_promote_no_older_data() {
    let site = Site::three_hosts();
    let first = site.cluster.host("pm01");
    let nodes = first.run_ok(&["cibadmin", "-Q", "-o", "nodes"]).expect("read");
    first.write_file("/tmp/nodes.xml", &nodes).expect("written");
    first.run_ok(&["crm", "--wait", "node", "standby", "pm01"]).expect("crmsh");
    let state = site.settled_somewhere(&["pm02", "pm03"]);
    let new = state.promoted().first().map(|name| (*name).to_owned()).expect("a primary");
    let second = site.cluster.host(&new);
    second.psql("create table by_hand as select generate_series(1, 2000) i").expect("written");
    // pm01 is the latest again, on record, and may start.
    second.write_file("/tmp/nodes.xml", &nodes).expect("written");
    second.run_ok(&["cibadmin", "--replace", "-o", "nodes", "-x", "/tmp/nodes.xml"]).expect("cib");
    let third = if new == "pm02" { "pm03" } else { "pm02" };
    site.settled(&new, &["pm01", third]);
    assert_eq!(rows(&second).as_deref(), Some("2000"));

    // The same, and the primary dies before it has corrected the record.
    second.run_ok(&["cibadmin", "--replace", "-o", "nodes", "-x", "/tmp/nodes.xml"]).expect("cib");
    second.kill_postmaster(Signal::SIGKILL);
    let state = site.settled_somewhere(&["pm01", "pm02", "pm03"]);
    let now = state.promoted().first().map(|name| (*name).to_owned()).expect("a primary");
    assert_eq!(rows(&site.cluster.host(&now)).as_deref(), Some("2000"));
}
