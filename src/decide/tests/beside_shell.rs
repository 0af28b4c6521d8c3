//! Beside the shell agent, which elects by `<rsc>-xlog-loc` without a timeline, looks at no record when it is told to promote,
//! and counts whoever is connected.

use super::scene::{END, Scene, node, position};
use super::verdicts::{asks_to_be_promoted, failed, primary_report};
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership};
use crate::model::instance::{Files, Lock};
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::verdict::Failure;
use crate::model::wal::{Lsn, Timeline};
use crate::model::warning::Warning;

/// `pm02` runs the shell agent, and stands for election.
fn candidate_of_the_shell_agent(scene: &mut Scene, location: Lsn) {
    let peer = scene.node("pm02");
    (peer.wal_position, peer.xlog_location) = (None, Some(location));
}

fn never(name: &str) -> Step {
    Step::SetScore(node(name), PromotionScore::Never)
}

#[test]
fn only_who_stands_for_election_says_where_its_wal_ends_without_a_timeline() {
    let says = |scene: &mut Scene| {
        scene.run(Action::Monitor);
        scene.node("pm01").xlog_location
    };
    let mut fit = Scene::standby(Async, "pm01");
    fit.node("pm01").data_status = Some(DataStatus::StreamingAsync);
    assert_eq!(says(&mut fit), Some(END));

    let mut unfit = Scene::standby(Async, "pm01");
    unfit.node("pm01").data_status = Some(DataStatus::Disconnected);
    unfit.node("pm01").xlog_location = Some(END);
    assert_eq!(says(&mut unfit), None, "its end may be beyond that of the right one");
    assert!(unfit.node("pm01").wal_position.is_some(), "of this agent all say it");

    let mut behind = Scene::standby(Async, "pm01");
    behind.node("pm03").wal_position = Some(position(2, 1));
    assert_eq!(says(&mut behind), None);
}

#[test]
fn a_candidate_that_says_no_timeline_comes_first_where_it_may_have_more() {
    use DataStatus::{Latest, StreamingAsync, StreamingSync};
    let (less, more) = (Lsn(END.0 - 8), Lsn(END.0 + 8));
    for (mode, mine, theirs, location, asks) in [
        (Async, StreamingAsync, StreamingAsync, less, true),
        (Async, StreamingAsync, StreamingAsync, END, true),
        (Async, StreamingAsync, StreamingAsync, more, false),
        (Async, StreamingAsync, Latest, less, false),
        (Async, Latest, StreamingAsync, more, true),
        (Sync, StreamingSync, Latest, more, true),
    ] {
        let mut scene = Scene::standby(mode, "pm01");
        candidate_of_the_shell_agent(&mut scene, location);
        scene.node("pm01").data_status = Some(mine.clone());
        scene.node("pm02").data_status = Some(theirs.clone());
        let what = format!("{mode:?} {mine} beside {theirs} at {location}");
        assert_eq!(asks_to_be_promoted(&mut scene), asks, "{what}");
    }
}

#[test]
fn a_promotion_takes_the_scores_of_others_although_the_cluster_has_refused_something() {
    let mut scene = Scene::standby(Sync, "pm01");
    candidate_of_the_shell_agent(&mut scene, END);
    scene.node("pm03").score = Some(PromotionScore::CAN_PROMOTE);
    scene.fail(Step::SetDataStatus(node("pm01"), DataStatus::Latest));
    let (before, _) = scene.run(Action::Promote);
    let promoted = before.iter().position(|step| *step == Step::PromoteServer);
    for peer in ["pm02", "pm03"] {
        let taken = before.iter().position(|step| *step == never(peer));
        assert!(taken.is_some() && taken < promoted, "{peer}: {before:?}");
    }
    scene.seen.instance.answer = primary_report();
    let (after, _) = scene.run(Action::Promote);
    assert!(after.contains(&never("pm02")), "it may have asked meanwhile: {after:?}");
    assert!(!after.contains(&never("pm03")), "this agent looks at the record: {after:?}");
}

/// `pm01` has its lock, and stays on its own timeline; a later primary has recorded that it streams.
fn counted_visitor() -> Scene {
    let mut scene = Scene::standby(Sync, "pm01");
    scene.seen.files = Files {
        lock: Some(Lock { timeline: Some(Timeline(1)) }),
        recovers_to: Some(RecoveryTimeline::Own(Some(Timeline(1)))),
        ..scene.seen.files
    };
    scene.node("pm01").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm02").data_status = Some(DataStatus::Latest);
    scene.node("pm02").membership = Membership::Down;
    scene
}

#[test]
fn what_stays_on_its_own_timeline_has_earned_no_right() {
    let mut scene = counted_visitor();
    assert_eq!(scene.decide(Action::Promote), failed(Failure::Uncompared));
    let (steps, _) = scene.run(Action::Monitor);
    assert!(steps.contains(&Step::Warn(Warning::Uncompared)), "{steps:?}");
    let disclaimed = Step::SetDataStatus(node("pm01"), DataStatus::Disconnected);
    assert!(steps.contains(&disclaimed), "{steps:?}");

    // The shell agent records itself only once it has promoted: the record may be older than the lock.
    let mut own = counted_visitor();
    own.node("pm02").data_status = Some(DataStatus::Disconnected);
    assert!(asks_to_be_promoted(&mut own));
    let mut proven = counted_visitor();
    proven.seen.files.lock = None;
    assert!(asks_to_be_promoted(&mut proven));
}

#[test]
fn what_was_copied_since_has_earned_its_right_although_the_lock_was_left() {
    let mut scene = counted_visitor();
    scene.seen.files.recovers_to = Some(RecoveryTimeline::Own(Some(Timeline(2))));
    scene.standby_report().timeline = Timeline(2);
    assert!(asks_to_be_promoted(&mut scene));
    let mut unknown = counted_visitor();
    unknown.seen.files.lock = Some(Lock { timeline: None });
    assert!(!asks_to_be_promoted(&mut unknown), "the shell agent's lock says nothing");
}

#[test]
fn nobody_waits_for_a_candidate_of_the_shell_agent_that_does_not_run() {
    let mut scene = Scene::standby(Async, "pm01");
    candidate_of_the_shell_agent(&mut scene, Lsn(END.0 + 8));
    scene.node("pm01").data_status = Some(DataStatus::StreamingAsync);
    scene.node("pm02").data_status = Some(DataStatus::StreamingAsync);
    let (steps, _) = scene.run(Action::Monitor);
    let waits = Step::Warn(Warning::ElectionAwaits(vec![node("pm02")]));
    assert!(steps.contains(&waits), "{steps:?}");
    scene.next_action();
    scene.node("pm02").role = ClusterRole::Stopped;
    assert!(asks_to_be_promoted(&mut scene));
}

#[test]
fn a_standby_that_goes_loses_its_score_although_the_cluster_has_refused_something() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys.clear();
    scene.fail(Step::SetStatus(node("pm01"), InstanceStatus::Primary));
    let (steps, _) = scene.run(Action::Monitor);
    let taken = steps.iter().position(|step| *step == never("pm02"));
    let named = steps.iter().position(|step| matches!(step, Step::WriteSyncNames(_)));
    assert!(taken.is_some() && (named.is_none() || taken < named), "{steps:?}");
}

#[test]
fn a_start_disclaims_such_a_right() {
    let mut scene = Scene::stopped(Sync, "pm01");
    scene.seen.files = counted_visitor().seen.files;
    scene.node("pm01").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm02").data_status = Some(DataStatus::Latest);
    let (steps, _) = scene.run(Action::Start);
    let disclaimed = Step::SetDataStatus(node("pm01"), DataStatus::Disconnected);
    let first = steps.iter().position(|step| *step == disclaimed);
    let launched = steps.iter().position(|step| *step == Step::Launch);
    assert!(first.is_some() && first < launched, "{steps:?}");
}
