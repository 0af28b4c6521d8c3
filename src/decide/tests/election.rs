//! Who asks to be promoted while there is no primary.

use super::scene::{END, Scene, position};
use super::verdicts::asks_to_be_promoted;
use crate::model::cluster::{ClusterRole, Membership};
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::wal::Lsn;

#[test]
fn the_standby_with_the_newest_data_asks_to_be_promoted() {
    let mut first = Scene::standby(Sync, "pm01");
    assert!(asks_to_be_promoted(&mut first), "equals: the first of node_list");
    let mut second = Scene::standby(Sync, "pm02");
    assert!(!asks_to_be_promoted(&mut second));

    let mut ahead = Scene::standby(Sync, "pm02");
    ahead.standby_report().wal_end = Lsn(END.0 + 8);
    assert!(asks_to_be_promoted(&mut ahead));

    let mut later = Scene::standby(Sync, "pm02");
    later.node("pm03").wal_position = Some(position(2, 1));
    later.standby_report().wal_end = Lsn(END.0 + 8);
    assert!(!asks_to_be_promoted(&mut later), "the later timeline was promoted last");
}

#[test]
fn stale_data_never_asks_to_be_promoted() {
    for (mode, status) in [
        (Sync, DataStatus::Disconnected),
        (Sync, DataStatus::StreamingAsync),
        (Sync, DataStatus::StreamingPotential),
        (Async, DataStatus::Disconnected),
        (Async, DataStatus::Other("CATCHUP|ASYNC".into())),
    ] {
        let mut scene = Scene::standby(mode, "pm01");
        scene.standby_report().wal_end = Lsn(u64::MAX);
        scene.node("pm01").data_status = Some(status.clone());
        assert!(!asks_to_be_promoted(&mut scene), "{mode:?} {status}");
    }
}

#[test]
fn an_election_waits_for_those_who_may_know_better() {
    let mut silent = Scene::standby(Sync, "pm01");
    silent.node("pm02").wal_position = None;
    assert!(!asks_to_be_promoted(&mut silent), "pm02 runs and has not said how far it is");
    silent.next_action();
    silent.node("pm02").membership = Membership::Down;
    assert!(asks_to_be_promoted(&mut silent), "pm02 is known to be down");

    let mut starting = Scene::standby(Async, "pm01");
    starting.node("pm01").data_status = Some(DataStatus::StreamingAsync);
    let last_primary = starting.node("pm02");
    last_primary.data_status = Some(DataStatus::Latest);
    last_primary.role = ClusterRole::Stopped;
    assert!(!asks_to_be_promoted(&mut starting), "the last primary is still to start");
    starting.next_action();
    starting.node("pm02").standby = true;
    starting.node("pm02").wal_position = None;
    assert!(asks_to_be_promoted(&mut starting), "the operator does not want it to start");
    starting.next_action();
    starting.node("pm01").score = Some(PromotionScore::Never);
    starting.node("pm02").standby = false;
    starting.next_action();
    starting.node("pm02").role = ClusterRole::StartFailed;
    starting.node("pm02").wal_position = None;
    assert!(asks_to_be_promoted(&mut starting), "the last primary cannot start");
}

#[test]
fn nobody_is_elected_beside_a_primary() {
    for by_attribute in [true, false] {
        let mut scene = Scene::standby(Sync, "pm02");
        let primary = scene.node("pm01");
        match by_attribute {
            true => primary.status = Some(InstanceStatus::Primary),
            false => primary.role = ClusterRole::Promoted,
        }
        scene.standby_report().wal_end = Lsn(u64::MAX);
        assert!(!asks_to_be_promoted(&mut scene));
    }
}
