//! Faults of the primary and of its synchronous standby under write load through the virtual address.

use std::time::{Duration, SystemTime};

use testbed::{Ledger, LedgerReport, PrimariesProbe, Signal, two_primaries};

use crate::site::{CLIENT_VIP, SOON, Site};

/// Runs a fault under load and lets the ledger go on for a moment after `wait`.
fn under_load(site: &Site, fault: impl FnOnce(), wait: impl FnOnce()) -> LedgerReport {
    let probe = PrimariesProbe::start(&site.cluster).expect("the probe starts");
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    let rows = |count: usize| {
        let before = ledger.acknowledged();
        site.cluster.wait_for("acknowledged rows", SOON, || {
            (ledger.acknowledged() >= before + count).then_some(())
        });
    };
    rows(100);
    let began = SystemTime::now();
    fault();
    wait();
    rows(100);
    let report = ledger.stop();
    eprintln!("longest outage {:?}, from {began:?}", report.longest_outage());
    let both = two_primaries(&probe.stop());
    assert!(both.is_empty(), "two hosts accepted writes at once: {both:?}");
    report
}

#[test]
fn a_killed_postmaster_costs_no_acknowledged_row() {
    let site = Site::three_hosts();
    let primary = site.cluster.host("pm01");
    let report = under_load(
        &site,
        || primary.kill_postmaster(Signal::SIGKILL),
        || drop(site.settled("pm02", &["pm01", "pm03"])),
    );
    site.assert_sound(&report, "pm02");
}

#[test]
fn a_host_without_power_costs_no_acknowledged_row() {
    let site = Site::three_hosts();
    let primary = site.cluster.host("pm01");
    let report =
        under_load(&site, || primary.power_off(), || drop(site.settled("pm02", &["pm03"])));
    site.assert_sound(&report, "pm02");

    primary.power_on().expect("the old primary's host boots");
    // Under load it may have written what nobody received; only then is it held back.
    let state = site.cluster.wait_until("the old primary returns or is refused", SOON, |state| {
        let refused = state.failures.iter().any(|failure| failure.node == "pm01");
        refused || site.record(state, "pm01")[1].starts_with("STREAMING|")
    });
    if state.failures.is_empty() {
        site.settled("pm02", &["pm01", "pm03"]);
        return;
    }
    assert_eq!(site.record(&state, "pm01")[1], "DISCONNECT");
    let reasons: Vec<_> = state.failures.iter().map(|failure| failure.reason.clone()).collect();
    let told = reasons.iter().any(|reason| {
        ["pm02", "bytes past the fork", "pg_rewind"].iter().all(|word| reason.contains(word))
    });
    assert!(told, "the refusal must name its evidence and its remedy: {reasons:?}");
    site.settled("pm02", &["pm03"]);
}

#[test]
fn a_cut_link_costs_no_acknowledged_row() {
    let site = Site::three_hosts();
    let primary = site.cluster.host("pm01");
    let inside = Ledger::start_on(&primary).expect("the inner ledger starts");
    let report = under_load(&site, || primary.cut_link(), || drop(site.settled("pm02", &["pm03"])));
    site.assert_sound(&report, "pm02");
    site.assert_sound(&inside.stop(), "pm02");
    let fenced = site.cluster.fenced();
    assert!(!fenced.is_empty(), "the isolated primary was not fenced");
}

#[test]
fn a_stopped_sync_standby_holds_commits_up_briefly_and_comes_back() {
    let site = Site::three_hosts();
    let standby = site.cluster.host("pm02");
    let report = under_load(
        &site,
        || {
            standby.run_ok(&["crm", "--wait", "node", "standby", "pm02"]).expect("crmsh");
            site.cluster.wait_until("pm03 is synchronous", SOON, |state| {
                site.record(state, "pm03")[0] == "HS:sync"
                    && site.record(state, "pm02")[1] == "DISCONNECT"
            });
        },
        || {
            standby.run_ok(&["crm", "node", "online", "pm02"]).expect("crmsh");
            site.settled("pm01", &["pm02", "pm03"]);
        },
    );
    site.assert_sound(&report, "pm01");
    assert!(report.longest_outage() < Duration::from_secs(10), "{:?}", report.longest_outage());
}

#[test]
fn a_move_leaves_the_old_primary_as_a_streaming_standby() {
    let site = Site::three_hosts();
    let host = site.cluster.host("pm01");
    let report = under_load(
        &site,
        || {
            let target =
                ["crm_resource", "--move", "-r", "pgsql-clone", "--promoted", "-N", "pm02"];
            host.run_ok(&target).expect("the move is accepted");
        },
        || drop(site.settled("pm02", &["pm01", "pm03"])),
    );
    site.assert_sound(&report, "pm02");
    site.cluster.wait_for("the lock goes once the old primary streams", SOON, || {
        let lock = host.run(&["test", "-e", "/var/lib/pgsql/tmp/PGSQL.lock"]);
        lock.is_ok_and(|output| !output.success()).then_some(())
    });
    assert!(site.cluster.state().expect("answers").failures.is_empty());
}

#[test]
fn maintenance_mode_disturbs_nothing() {
    let site = Site::three_hosts();
    let host = site.cluster.host("pm01");
    let before = host.postmaster();
    let deeds =
        || site.cluster.actions().iter().filter(|action| action.action != "monitor").count();
    let done = deeds();
    let report = under_load(
        &site,
        || {
            let set = |value: &str| {
                let name = ["crm_attribute", "-t", "crm_config", "-n", "maintenance-mode", "-v"];
                host.run_ok(&[&name[..], &[value]].concat()).expect("the property is set");
            };
            set("true");
            site.cluster.wait_until("maintenance mode", SOON, |state| state.maintenance);
            site.cluster.wait_until_idle(SOON);
            set("false");
        },
        || drop(site.settled("pm01", &["pm02", "pm03"])),
    );
    site.assert_sound(&report, "pm01");
    assert_eq!(host.postmaster(), before, "the primary was restarted");
    assert_eq!(deeds(), done, "something was started, stopped or notified");
}
