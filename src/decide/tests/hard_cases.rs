//! The interleavings in which agents of this kind lose data or fail for nothing.

use std::time::Duration;

use super::scene::{END, Scene, node, position, row};
use super::verdicts::{
    NOT_RUNNING, STARTING, SUCCESS, asks_to_be_promoted, out_of_time, primary_report,
};
use crate::decide::primary::grants::data_status;
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership, NoQuorumPolicy};
use crate::model::instance::{Answer, Postmaster, Refusal};
use crate::model::settings::ReplicationMode::Sync;
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::verdict::{Outcome, Reason, Verdict};

#[test]
fn a_returning_old_primary_does_not_overwrite_the_living_ones_record() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys.clear();
    let me = scene.node("pm01");
    (me.role, me.status, me.score) = (ClusterRole::Promoted, None, None);
    me.data_status = Some(DataStatus::Disconnected);
    let living = scene.node("pm02");
    living.role = ClusterRole::Promoted;
    living.status = Some(InstanceStatus::Primary);
    living.data_status = Some(DataStatus::Latest);
    living.score = Some(PromotionScore::PROMOTE_ME);
    let mut probe = scene.clone();
    probe.seen.probe = true;
    let (steps, _) = probe.run(Action::Monitor);
    let (recurring, _) = scene.run(Action::Monitor);
    let own_score = [Step::SetScore(node("pm01"), PromotionScore::Never)];
    assert_eq!((steps, recurring), (own_score.to_vec(), own_score.to_vec()));
}

#[test]
fn slow_writes_do_not_fail_a_primary() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys.clear();
    out_of_time(&mut scene);
    assert_eq!(scene.decide(Action::Monitor), Verdict::Done(Outcome::RunningPromoted));
}

#[test]
fn a_promotion_that_did_not_end_does_not_lock_out_the_only_candidate() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm01").data_status = Some(DataStatus::Latest);
    let (_, end) = scene.run(Action::Promote);
    assert_eq!(end, Verdict::Wait(Reason::PromotionEnds));
    out_of_time(&mut scene);
    scene.next_action();
    scene.seen.time.elapsed = Duration::ZERO;
    scene.seen.time.remaining = Duration::from_secs(60);
    scene.seen.instance.postmaster = Postmaster::Absent;
    scene.seen.instance.answer = Answer::NotAsked;
    scene.node("pm02").role = ClusterRole::Stopped;
    let (_, end) = scene.run(Action::Start);
    assert_eq!(end, STARTING);
}

#[test]
fn a_slot_that_cannot_be_made_does_not_fail_the_promotion() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.settings.replication_slot_name = "s".into();
    scene.seen.instance.answer = primary_report();
    let mut last = None;
    for _ in 0..20 {
        match scene.decide(Action::Promote) {
            Verdict::Do(step @ Step::CreateSlot(_)) => scene.fail(step),
            Verdict::Do(step) => scene.take(step),
            end => {
                last = Some(end);
                break;
            }
        }
    }
    assert_eq!(last, Some(SUCCESS));
}

#[test]
fn nobody_is_first_beside_a_member_on_a_later_timeline() {
    let mut scene = Scene::standby(Sync, "pm01");
    scene.node("pm01").data_status = Some(DataStatus::Latest);
    scene.node("pm02").data_status = Some(DataStatus::Disconnected);
    scene.node("pm02").wal_position = Some(position(2, END.0 + 800));
    assert!(!asks_to_be_promoted(&mut scene));
    scene.next_action();
    let (steps, _) = scene.run(Action::Promote);
    assert!(!steps.contains(&Step::PromoteServer), "{steps:?}");
}

#[test]
fn a_process_table_that_cannot_be_read_is_not_absence() {
    let mut scene = Scene::primary(Sync);
    scene.seen.instance.postmaster = Postmaster::Unknown;
    scene.seen.instance.answer = Answer::NotAsked;
    assert_ne!(scene.decide(Action::Monitor), NOT_RUNNING);
}

#[test]
fn a_lost_connection_is_asked_again_before_a_primary_fails() {
    for answer in [
        Answer::Silent("connection closed".into()),
        Answer::Refused(Refusal::Other("FATAL: sorry, too many clients already".into())),
    ] {
        let mut scene = Scene::primary(Sync);
        scene.seen.instance.answer = answer.clone();
        assert!(matches!(scene.decide(Action::Monitor), Verdict::Wait(_)), "{answer:?}");
    }
}

#[test]
fn a_last_primary_that_stays_stopped_does_not_hold_up_a_synchronous_standby_for_ever() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm03").data_status = Some(DataStatus::StreamingAsync);
    let last = scene.node("pm01");
    last.data_status = Some(DataStatus::Latest);
    last.role = ClusterRole::Stopped;
    last.wal_position = None;
    assert!(asks_to_be_promoted(&mut scene));
}

#[test]
fn a_failed_catch_up_does_not_leave_the_standby_behind_its_peer() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.seen.files.standby_settings = false; // FollowPeer rewrote recovery.conf
    scene.node("pm01").role = ClusterRole::Promoted;
    scene.node("pm01").status = Some(InstanceStatus::Primary);
    scene.stream_from(1);
    let (steps, _) = scene.run(Action::Monitor);
    assert!(steps.contains(&Step::WriteStandbySettings), "{steps:?}");
}
#[test]
fn a_node_that_boots_alone_waits_for_the_last_primary() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.keep_hosts(2);
    scene.cluster().no_quorum_policy = NoQuorumPolicy::Ignore;
    scene.cluster().startup_fencing = false;
    scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
    let last = scene.node("pm01");
    (last.membership, last.role) = (Membership::NeverSeen, ClusterRole::Unknown);
    (last.data_status, last.wal_position) = (Some(DataStatus::Latest), None);
    assert!(!asks_to_be_promoted(&mut scene));
}
#[test]
fn one_of_several_is_not_every_acknowledged_commit() {
    let quorum = row("pm02", "streaming", "quorum", END);
    assert_ne!(data_status(Some(&quorum)), DataStatus::StreamingSync);
}

#[test]
fn a_standby_is_not_synchronous_before_commits_are_seen_to_wait() {
    let mut scene = Scene::primary(Sync);
    scene.node("pm02").data_status = Some(DataStatus::Disconnected);
    scene.node("pm02").score = Some(PromotionScore::Never);
    scene.report().sync_config_applied = false;
    assert_eq!(scene.decide(Action::Monitor), Verdict::Wait(Reason::ReloadTakesEffect));
    scene.seen.time.elapsed = Duration::from_secs(5);
    let (steps, end) = scene.run(Action::Monitor);
    assert!(steps.is_empty(), "a checkpoint is under way: the next monitor looks again: {steps:?}");
    assert_eq!(end, Verdict::Done(Outcome::RunningPromoted));
    scene.report().sync_config_applied = true;
    let (steps, _) = scene.run(Action::Monitor);
    assert!(steps.contains(&Step::SetDataStatus(node("pm02"), DataStatus::StreamingSync)));
}

#[test]
fn after_one_refused_write_the_cluster_is_left_alone() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys.clear();
    scene.fail(Step::SetDataStatus(node("pm02"), DataStatus::Disconnected));
    let (steps, end) = scene.run(Action::Monitor);
    assert!(steps.iter().all(|step| matches!(step, Step::Warn(_))), "{steps:?}");
    assert_eq!(end, Verdict::Done(Outcome::RunningPromoted));
}
