//! Two hosts that go on without quorum, as in the seed: where agents lose acknowledged writes.

use std::time::Duration;

use testbed::{Fencing, Ledger, Signal};

use crate::site::{CLIENT_VIP, SOON, Site};

#[test]
fn an_isolated_primary_acknowledges_nothing_that_is_lost_while_fencing_is_slow() {
    let site = Site::two_hosts(Fencing::After(Duration::from_secs(15)));
    let primary = site.cluster.host("pm01");
    let inside = Ledger::start_on(&primary).expect("the inner ledger starts");
    let outside = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    site.cluster.wait_for("rows", SOON, || (outside.acknowledged() > 100).then_some(()));
    primary.cut_link();
    let survivor =
        site.cluster.wait_for("one side is fenced and the other serves", SOON * 2, || {
            let fenced = site.cluster.fenced();
            let name = fenced.first().map(|fenced| fenced.host.clone())?;
            Some(if name == "pm01" { "pm02" } else { "pm01" })
        });
    site.settled(survivor, &[]);
    site.cluster.heal_network().expect("the link is whole again");
    let (inside, outside) = (inside.stop(), outside.stop());
    site.assert_sound(&inside, survivor);
    site.assert_sound(&outside, survivor);
}

#[test]
fn a_killed_postmaster_moves_the_addresses_to_the_standby() {
    let site = Site::two_hosts(Fencing::Immediate);
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    site.cluster.wait_for("rows", SOON, || (ledger.acknowledged() > 100).then_some(()));
    site.cluster.host("pm01").kill_postmaster(Signal::SIGKILL);
    site.settled("pm02", &[]);
    let state = site.cluster.wait_until("all addresses are on pm02", SOON, |state| {
        ["vip-master", "vip-rep", "vip-slave"].iter().all(|vip| state.active(vip) == ["pm02"])
    });
    assert!(state.is_online("pm01"), "the old primary's host was fenced for nothing");
    site.assert_sound(&ledger.stop(), "pm02");
}
