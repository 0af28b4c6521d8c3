//! Whom commits wait for, and what the slots on the standbys are for.

use testbed::{Ledger, LedgerReport, Signal, State};

use crate::site::{CLIENT_VIP, SOON, Site};

/// Three hosts with further parameters, `pm01` being the primary.
fn three_hosts(parameters: &str) -> Site {
    let site = Site::boot(crate::site::with_agent(testbed::Cluster::builder()), "pgsql");
    let more = format!("rep_mode=\"sync\" {parameters}");
    site.load_changed("three-hosts.crm", |text| text.replace("rep_mode=\"sync\"", &more));
    site
}

fn rows(site: &Site, ledger: &Ledger, count: usize) {
    let before = ledger.acknowledged();
    site.cluster.wait_for("acknowledged rows", SOON, || {
        (ledger.acknowledged() >= before + count).then_some(())
    });
}

fn node(site: &Site, name: &str, state: &str) {
    site.cluster.host("pm01").run_ok(&["crm", "--wait", "node", state, name]).expect("crmsh");
}

fn names(site: &Site, host: &str) -> String {
    let answer = site.cluster.host(host).psql("show synchronous_standby_names");
    answer.expect("the primary answers").trim().to_owned()
}

#[test]
fn a_strict_primary_acknowledges_nothing_alone() {
    let site = three_hosts("sync_availability=\"strict\"");
    site.settled("pm01", &["pm02", "pm03"]);
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    rows(&site, &ledger, 100);
    node(&site, "pm02", "standby");
    rows(&site, &ledger, 10);
    node(&site, "pm03", "standby");
    // crmsh may come back before Pacemaker has begun; the last standby's receiver says when the primary is alone.
    site.cluster.wait_for("the primary is alone", SOON, || {
        let receivers = site.cluster.host("pm01").psql("select count(*) from pg_stat_replication");
        (receivers.ok()?.trim() == "0").then_some(())
    });
    let alone = ledger.acknowledged();
    site.cluster.wait_until("both are recorded as gone", SOON, |state| {
        ["pm02", "pm03"].iter().all(|name| site.record(state, name)[1] == "DISCONNECT")
    });
    // Some monitors of the primary later nothing has changed.
    for _ in 0..3 {
        let check = ["crm_resource", "--force-check", "--resource", "pgsql"];
        site.cluster.host("pm01").run(&check).expect("the agent runs");
    }
    assert_ne!(names(&site, "pm01"), "");
    // The answer to a commit that the last standby confirmed may still have been on its way to the one writer.
    let more = ledger.acknowledged() - alone;
    assert!(more <= 1, "{more} rows were acknowledged without a standby");

    node(&site, "pm03", "online");
    rows(&site, &ledger, 100);
    node(&site, "pm02", "online");
    site.settled("pm01", &["pm02", "pm03"]);

    // A promotion in place: names are there before the first commit.
    site.cluster.host("pm01").kill_postmaster(Signal::SIGKILL);
    let survivor = site.cluster.wait_for("a new primary", SOON, || {
        let state = site.cluster.state().ok()?;
        ["pm02", "pm03"].into_iter().find(|name| state.is_promoted_only_on(name))
    });
    rows(&site, &ledger, 100);
    assert_ne!(names(&site, survivor), "");
    site.assert_sound(&ledger.stop(), survivor);
}

const VOTER: [&str; 3] = ["HS:sync", "STREAMING|QUORUM", "100"];

fn any_of_two(site: &Site, primary: &str, standbys: [&str; 2]) -> State {
    let what = format!("{primary} is primary, {standbys:?} vote");
    site.cluster.wait_until(&what, SOON, |state| {
        let record = state.permanent(primary, "pgsql-sync-quorum").unwrap_or_default();
        state.is_promoted_only_on(primary)
            && standbys.iter().all(|name| site.record(state, name) == VOTER)
            && standbys.iter().all(|name| record.contains(name))
            && record.contains("any=1")
    })
}

#[test]
fn with_a_quorum_a_killed_primary_costs_no_acknowledged_row() {
    let site = three_hosts("sync_method=\"any\"");
    any_of_two(&site, "pm01", ["pm02", "pm03"]);
    assert_eq!(names(&site, "pm01"), "ANY 1 (\"pm02\", \"pm03\")");
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    rows(&site, &ledger, 300);
    site.cluster.host("pm01").kill_postmaster(Signal::SIGKILL);
    let survivor = site.cluster.wait_for("a new primary", SOON, || {
        let state = site.cluster.state().ok()?;
        ["pm02", "pm03"].into_iter().find(|name| state.is_promoted_only_on(name))
    });
    rows(&site, &ledger, 100);
    let other = if survivor == "pm02" { "pm03" } else { "pm02" };
    any_of_two(&site, survivor, ["pm01", other]);

    // One standby away: commits go on, and the other one alone may be promoted.
    node(&site, "pm01", "standby");
    site.cluster.wait_until("one voter", SOON, |state| {
        let record = state.permanent(survivor, "pgsql-sync-quorum").unwrap_or_default();
        record.ends_with(&format!("any=1 of={other}"))
    });
    rows(&site, &ledger, 100);
    let report: LedgerReport = ledger.stop();
    eprintln!("longest outage {:?}", report.longest_outage());
    site.assert_sound(&report, survivor);
}

#[test]
fn after_a_failover_a_node_that_was_away_finds_its_wal() {
    let site = three_hosts("");
    site.settled("pm01", &["pm02", "pm03"]);
    let standby = site.cluster.host("pm02");
    site.cluster.wait_for("the standbys keep slots for the others", SOON, || {
        let slots =
            "select string_agg(slot_name, ' ' order by slot_name) from pg_replication_slots";
        (standby.psql(slots).ok()?.trim() == "pgsql_pm01 pgsql_pm03").then_some(())
    });
    node(&site, "pm03", "standby");
    let primary = site.cluster.host("pm01");
    let oldest = "select min(name) from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'";
    let segment =
        |sql: &str| standby.psql(sql).expect("the standby answers").trim()[8..].to_owned();
    let kept = segment(oldest);
    // Far more than a standby keeps without a slot.
    for _ in 0..6 {
        let write = "select pg_logical_emit_message(false, 'x', repeat('x', 1000000)) from generate_series(1, 20)";
        primary.psql(write).expect("written");
        primary.psql("select pg_switch_wal()").expect("switched");
        primary.psql("checkpoint").expect("checkpoint");
        standby.psql("checkpoint").expect("restartpoint");
    }
    assert_eq!(segment(oldest), kept, "the slot has not kept the WAL");
    primary.kill_postmaster(Signal::SIGKILL);
    site.cluster.wait_until("pm02 is primary", SOON, |state| state.is_promoted_only_on("pm02"));
    site.cluster.host("pm02").run_ok(&["crm", "node", "online", "pm03"]).expect("crmsh");
    site.cluster.wait_for("pm03 streams", SOON, || {
        let sql = "select count(*) from pg_stat_replication where application_name = 'pm03' and state = 'streaming'";
        (standby.psql(sql).ok()?.trim() == "1").then_some(())
    });
}
