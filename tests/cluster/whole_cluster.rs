//! The whole cluster stops and starts, in the order that used to cost a copy of the database.

use std::time::Duration;

use testbed::Ledger;

use crate::site::{CLIENT_VIP, SOON, Site};

#[test]
fn a_cluster_that_was_stopped_in_the_wrong_order_starts_again() {
    let site = Site::three_hosts();
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    site.cluster.wait_for("rows", SOON, || (ledger.acknowledged() > 100).then_some(()));
    let report = ledger.stop();
    // Standbys first, the primary last: with the stock agent the primary keeps its lock if any
    // standby is still known to run.
    for name in ["pm02", "pm03", "pm01"] {
        site.cluster.host(name).stop_cluster(Duration::from_secs(60)).expect("the node stops");
    }
    for name in ["pm01", "pm02", "pm03"] {
        site.cluster.host(name).start_cluster().expect("the node starts");
    }
    site.settled("pm01", &["pm02", "pm03"]);
    site.assert_sound(&report, "pm01");
}

#[test]
fn a_cluster_that_was_stopped_at_once_starts_again() {
    let site = Site::three_hosts();
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    site.cluster.wait_for("rows", SOON, || (ledger.acknowledged() > 100).then_some(()));
    let report = ledger.stop();
    site.cluster
        .on_every_host(|host| host.stop_cluster(Duration::from_secs(60)))
        .expect("all nodes stop");
    site.cluster.on_every_host(|host| host.start_cluster()).expect("all nodes start");
    let state = site.cluster.wait_until("somebody is promoted", SOON, |state| {
        state.promoted().len() == 1 && state.unpromoted().len() == 2
    });
    let primary = state.promoted()[0].to_owned();
    let standbys: Vec<_> = ["pm01", "pm02", "pm03"].into_iter().filter(|n| *n != primary).collect();
    site.settled(&primary, &standbys);
    site.assert_sound(&report, &primary);
}
