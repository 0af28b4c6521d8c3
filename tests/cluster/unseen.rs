//! What the cluster cannot ask, or has lost sight of: a standby into which nobody can log in, and a primary beside which
//! Pacemaker's daemons were restarted.

use std::time::Duration;

use testbed::{Fencing, Ledger};

use crate::site::{CLIENT_VIP, SOON, SYNC, Site};

const LOCK: &str =
    "begin; lock table pg_catalog.pg_authid in access exclusive mode; select pg_sleep(600)";

/// A lock on the catalog is in the WAL: the standby holds it as long as there is no primary that gives it back.
#[test]
fn a_synchronous_standby_into_which_nobody_can_log_in_is_promoted() {
    let site = Site::three_hosts();
    let state = site.settled("pm01", &["pm02", "pm03"]);
    let synchronous =
        ["pm02", "pm03"].into_iter().find(|name| site.record(&state, name)[1] == "STREAMING|SYNC");
    let heir = synchronous.expect("one is synchronous");
    let (primary, standby) = (site.cluster.host("pm01"), site.cluster.host(heir));
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    site.cluster.wait_for("rows", SOON, || (ledger.acknowledged() > 50).then_some(()));
    let as_postgres = ["runuser", "-u", "postgres", "--", "psql", "-X", "-c"];
    let words = |sql| as_postgres.iter().copied().chain([sql]).collect::<Vec<_>>();
    let mut session = primary.spawn(&words(LOCK)).expect("psql runs");
    site.cluster.wait_for("nobody can log in on the standby", SOON, || {
        let limited = ["timeout", "2"].into_iter().chain(words("select 1"));
        let tried = standby.run(&limited.collect::<Vec<_>>()).expect("runs");
        (!tried.success()).then_some(())
    });
    primary.power_off();
    let _ = session.wait();
    let state = site.settled_somewhere(&["pm02", "pm03"]);
    assert!(state.is_promoted_only_on(heir), "{state:?}");
    let before = ledger.acknowledged();
    site.cluster.wait_for("rows", SOON, || (ledger.acknowledged() > before + 50).then_some(()));
    let report = ledger.stop();
    let missing = site.cluster.verify_ledger(&report, &standby).expect("the ledger can be read");
    assert!(missing.is_empty(), "{missing:?} are lost");
}

/// Pacemaker forgets what ran beside its controller, and fencing is slower than the controller's return: until the server is
/// found again, it goes on writing, and its standbys see no primary.
#[test]
fn a_primary_that_the_cluster_has_lost_sight_of_is_found_again() {
    let slow = Fencing::After(Duration::from_secs(20));
    let site = Site::three_hosts_with(|builder| builder.fencing(slow));
    let primary = site.cluster.host("pm01");
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    let more = |count: usize| {
        let before = ledger.acknowledged();
        let grown = || (ledger.acknowledged() >= before + count).then_some(());
        site.cluster.wait_for("acknowledged rows", SOON, grown);
    };
    more(100);
    let pid = |name: &str| {
        let processes = primary.processes();
        processes.iter().find(|process| process.command_line.contains(name)).map(|found| found.pid)
    };
    let controller = pid("pacemaker-controld");
    primary.signal(pid("pacemaker-based").expect("it runs"), "KILL").expect("killed");
    site.cluster.wait_for("the controller has gone, or come back", SOON, || {
        (pid("pacemaker-controld") != controller).then_some(())
    });
    let state = site.settled_somewhere(&["pm01", "pm02", "pm03"]);
    let now = state.promoted().first().map(|name| (*name).to_owned()).expect("a primary");
    more(100);
    if now != "pm01" {
        // Fenced or not: Pacemaker's attribute daemon may stay deaf there until all of Pacemaker begins anew.
        primary.power_off();
        primary.power_on().expect("the host boots");
    }
    // An old primary that was fenced may have written what nobody received: it is refused then, as it should be.
    site.cluster.wait_until("a synchronous standby is on record", SOON, |state| {
        let is_synchronous = |name: &&str| site.record(state, name) == SYNC;
        state.is_promoted_only_on(&now) && ["pm01", "pm02", "pm03"].iter().any(is_synchronous)
    });
    let report = ledger.stop();
    let host = site.cluster.host(&now);
    let missing = site.cluster.verify_ledger(&report, &host).expect("the ledger can be read");
    assert!(missing.is_empty(), "{missing:?} are lost");
}
