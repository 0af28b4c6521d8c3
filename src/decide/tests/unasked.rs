//! A standby that runs and cannot be asked.

use std::time::Duration;

use super::scene::{Scene, node, position};
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership};
use crate::model::instance::{Answer, Lock, LockedOut, Postmaster};
use crate::model::policy::SyncAvailability;
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::status::DataStatus::{
    Disconnected, Latest, StreamingAsync, StreamingPotential, StreamingQuorum, StreamingSync,
};
use crate::model::status::PromotionScore;
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use crate::model::wal::Timeline;
use crate::model::warning::Warning;

/// pm01, the primary, is gone; pm02 was its synchronous standby and lets nobody log in.
fn deaf() -> Scene {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.seen.instance.answer = Answer::Silent("no log-in".into());
    scene.seen.instance.locked_out = Some(LockedOut { timeline: Timeline(1), receives: false });
    scene.seen.files.standby_signal = true;
    scene.seen.time.elapsed = Duration::from_secs(11);
    let recorded = [("pm01", Latest), ("pm02", StreamingSync), ("pm03", StreamingAsync)];
    for (name, status) in recorded {
        scene.node(name).data_status = Some(status);
    }
    let pm01 = scene.node("pm01");
    (pm01.membership, pm01.role) = (Membership::Down, ClusterRole::Stopped);
    scene
}

#[test]
fn a_standby_that_has_everything_is_promoted_unasked() {
    let mut scene = deaf();
    let (steps, end) = scene.run(Action::Monitor);
    let score = Step::SetScore(node("pm02"), PromotionScore::PROMOTE_ME);
    assert!(steps.contains(&score), "{steps:?}");
    assert_eq!(end, Verdict::Done(Outcome::Success));

    scene.next_action();
    scene.seen.time.elapsed = Duration::from_secs(9);
    assert!(matches!(scene.decide(Action::Promote), Verdict::Wait(_)), "an answer may come");
    scene.seen.time.elapsed = Duration::from_secs(11);
    let (steps, _) = scene.run(Action::Promote);
    let place = |wanted: &Step| steps.iter().position(|step| step == wanted);
    let promoted = place(&Step::PromoteServer);
    for earlier in [
        Step::SetDataStatus(node("pm01"), Disconnected),
        Step::SetDataStatus(node("pm03"), Disconnected),
        Step::SetDataStatus(node("pm02"), Latest),
        Step::CreateLock(Timeline(2)),
    ] {
        assert!(place(&earlier).is_some() && place(&earlier) < promoted, "{earlier:?}: {steps:?}");
    }
    let said = |step: &Step| matches!(step, Step::Warn(Warning::CannotBeAsked(_)));
    assert!(steps.iter().any(said), "{steps:?}");
}

#[test]
fn the_last_primary_needs_no_answer_in_any_mode() {
    for mode in [Sync, Async] {
        let mut scene = deaf();
        scene.settings.rep_mode = mode;
        scene.node("pm02").data_status = Some(Latest);
        for name in ["pm01", "pm03"] {
            scene.node(name).data_status = Some(Disconnected);
        }
        let (steps, _) = scene.run(Action::Promote);
        assert!(steps.contains(&Step::PromoteServer), "{mode:?}: {steps:?}");
    }
    let mut strict = deaf();
    strict.settings.policy.sync_availability = SyncAvailability::Strict;
    strict.seen.files.sync_names = Some(strict.settings.names_of_nobody());
    let (steps, _) = strict.run(Action::Promote);
    assert!(steps.contains(&Step::PromoteServer), "commits wait: {steps:?}");
}

#[test]
fn where_its_answer_matters_it_is_not_promoted() {
    type Disturb = fn(&mut Scene);
    let table: [(&str, Disturb); 12] = [
        ("async", |s| s.node("pm02").data_status = Some(StreamingAsync)),
        ("a quorum", |s| s.node("pm02").data_status = Some(StreamingQuorum)),
        ("potential", |s| s.node("pm02").data_status = Some(StreamingPotential)),
        ("another candidate", |s| s.node("pm03").data_status = Some(StreamingSync)),
        ("strict, and commits may not wait", |s| {
            s.settings.policy.sync_availability = SyncAvailability::Strict;
        }),
        ("held", |s| {
            let held = Some(Duration::from_secs(9));
            s.seen.instance.postmaster = Postmaster::Running { pid: 42, held };
        }),
        ("a primary", |s| s.seen.files.standby_signal = false),
        ("no log-in waits", |s| s.seen.instance.locked_out = None),
        ("WAL arrives", |s| {
            s.seen.instance.locked_out = Some(LockedOut { timeline: Timeline(1), receives: true });
        }),
        ("later timeline", |s| s.node("pm03").wal_position = Some(position(2, 8))),
        ("restart_on_promote", |s| s.settings.restart_on_promote = true),
        ("unlisted", |s| s.settings.node_list.retain(|name| *name != node("pm02"))),
    ];
    for (what, disturb) in table {
        let mut scene = deaf();
        disturb(&mut scene);
        let (steps, end) = scene.clone().run(Action::Monitor);
        // One that is locked out is no better for a restart; what is not seen to be so is asked again, or fails.
        let locked_out =
            scene.seen.files.standby_signal && scene.seen.instance.locked_out.is_some();
        let right = match &end {
            Verdict::Done(Outcome::Success) => locked_out,
            Verdict::Done(Outcome::Failed(Failure::Silent(_)))
            | Verdict::Wait(Reason::ServerAnswers) => !locked_out,
            _ => false,
        };
        let score = |step: &Step| matches!(step, Step::SetScore(_, PromotionScore::Points(_)));
        assert!(right && !steps.iter().any(score), "{what}: {steps:?} {end:?}");
        let (steps, _) = scene.run(Action::Promote);
        assert!(!steps.contains(&Step::PromoteServer), "{what}: {steps:?}");
        assert!(!steps.iter().any(|s| matches!(s, Step::SetDataStatus(..))), "{what}: {steps:?}");
    }
}

#[test]
fn beside_a_primary_or_one_that_may_have_been_promoted_it_does_not_ask() {
    type Disturb = fn(&mut Scene);
    let table: [(&str, Disturb); 3] = [
        ("a primary", |s| {
            let pm01 = s.node("pm01");
            (pm01.membership, pm01.role) = (Membership::Member, ClusterRole::Promoted);
        }),
        ("a probe", |s| s.seen.probe = true),
        ("it was away", |s| {
            s.node("pm02").data_status = Some(Latest);
            s.node("pm01").data_status = Some(Disconnected);
            s.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
            s.cluster().quorum = false;
        }),
    ];
    for (what, disturb) in table {
        let mut scene = deaf();
        disturb(&mut scene);
        let (steps, end) = scene.run(Action::Monitor);
        assert!(
            !steps.iter().any(|s| matches!(s, Step::SetScore(..))),
            "{what}: {steps:?} {end:?}"
        );
    }
}

#[test]
fn a_promotion_that_another_can_have_does_not_wait_for_an_answer() {
    let mut other = deaf();
    other.node("pm03").data_status = Some(StreamingSync);
    other.node("pm03").wal_position = Some(position(1, 8));
    let mut unlisted = deaf();
    unlisted.settings.node_list.retain(|name| *name != node("pm02"));
    // It waits for the last primary, or for another that has everything.
    let mut asynchronous = deaf();
    asynchronous.settings.rep_mode = Async;
    asynchronous.node("pm02").data_status = Some(StreamingAsync);
    for mut scene in [other, unlisted, asynchronous] {
        let (steps, end) = scene.run(Action::Promote);
        assert!(matches!(end, Verdict::Done(Outcome::Failed(_))), "{steps:?} {end:?}");
    }
}

#[test]
fn at_the_end_of_its_time_a_monitor_of_one_that_is_locked_out_does_nothing_more() {
    let mut scene = deaf();
    scene.seen.time.remaining = Duration::ZERO;
    let (steps, end) = scene.run(Action::Monitor);
    assert_eq!((steps, end), (Vec::new(), Verdict::Done(Outcome::Success)));
}
