//! Demote.

use super::scene::{END, Scene, node};
use super::verdicts::{STARTING, SUCCESS, primary_report};
use crate::model::action::Action;
use crate::model::cluster::Membership;
use crate::model::instance::{Answer, ControlData, ControlState, Lock, Postmaster, Refusal};
use crate::model::settings::ReplicationMode::Sync;
use crate::model::status::{DataStatus, InstanceStatus};
use crate::model::step::{ShutdownMode, Step};
use crate::model::sync_names::SyncNames;
use crate::model::verdict::Verdict;
use crate::model::wal::{Timeline, WalLayout};
use crate::model::warning::Warning;
use std::time::Duration;

fn shut_down_cleanly(scene: &mut Scene) {
    let fast = Step::Shutdown(ShutdownMode::Fast);
    while let Verdict::Do(step) = scene.decide(Action::Demote) {
        let is_last = step == fast;
        scene.take(step);
        if is_last {
            break;
        }
    }
    scene.seen.instance.control = Some(ControlData {
        min_recovery: None,
        can_rewind: true,
        layout: WalLayout::USUAL,
        system_identifier: 1,
        state: ControlState::ShutDown,
        timeline: Timeline(1),
        checkpoint: END,
    });
}

#[test]
fn a_demoted_primary_comes_back_as_a_standby() {
    let mut scene = Scene::primary(Sync);
    scene.settings.stop_escalate = Duration::ZERO;
    scene.seen.files.standby_settings = false;
    shut_down_cleanly(&mut scene);
    let (steps, end) = scene.run(Action::Demote);
    assert_eq!(
        steps,
        [
            Step::PrepareDirectories,
            Step::WriteSyncNames(SyncNames::nobody()),
            Step::WriteStandbySettings,
            Step::Launch,
        ]
    );
    assert_eq!(end, STARTING);
    scene.seen.instance = Scene::standby(Sync, "pm01").seen.instance;
    let (steps, end) = scene.run(Action::Demote);
    assert_eq!(steps, [Step::SetStatus(node("pm01"), InstanceStatus::Alone)]);
    assert_eq!(end, SUCCESS);
}

#[test]
fn a_demoted_primary_stays_stopped_when_it_is_stopped_anyway() {
    let mut scene = Scene::primary(Sync);
    scene.seen.notification.present = true;
    scene.seen.notification.stop = vec![node("pm01")];
    scene.seen.notification.unpromoted = vec![node("pm02")];
    shut_down_cleanly(&mut scene);
    let (steps, end) = scene.run(Action::Demote);
    assert!(!steps.contains(&Step::Launch), "{steps:?}");
    assert!(!steps.contains(&Step::RemoveLock), "pm02 may be promoted: {steps:?}");
    assert_eq!(end, SUCCESS);
}

#[test]
fn a_primary_that_is_restarted_runs_as_a_standby_after_its_demotion() {
    let mut scene = Scene::primary(Sync);
    scene.seen.notification.present = true;
    scene.seen.notification.stop = vec![node("pm01"), node("pm02")];
    scene.seen.notification.start = vec![node("pm01"), node("pm02")];
    shut_down_cleanly(&mut scene);
    let (steps, _) = scene.run(Action::Demote);
    assert!(steps.contains(&Step::Launch), "{steps:?}");
}

#[test]
fn the_last_primary_leaves_no_lock_when_nobody_is_out_of_sight() {
    use DataStatus::{Disconnected, StreamingAsync, StreamingQuorum, StreamingSync};
    for (membership, recorded, removed) in [
        (Membership::Member, Disconnected, true),
        (Membership::Down, Disconnected, true),
        (Membership::Member, StreamingAsync, true),
        (Membership::Lost, Disconnected, false),
        // They may come back and be promoted.
        (Membership::Down, StreamingSync, false),
        (Membership::Member, StreamingQuorum, false),
    ] {
        let mut scene = Scene::primary(Sync);
        scene.seen.notification.present = true;
        scene.seen.notification.stop = vec![node("pm01")];
        scene.node("pm02").data_status = Some(Disconnected);
        (scene.node("pm03").membership, scene.node("pm03").data_status) =
            (membership, Some(recorded.clone()));
        shut_down_cleanly(&mut scene);
        let (steps, _) = scene.run(Action::Demote);
        assert_eq!(steps.contains(&Step::RemoveLock), removed, "{membership:?} {recorded:?}");
    }
}

#[test]
fn a_shutdown_of_which_nothing_is_known_is_not_called_clean() {
    let mut scene = Scene::primary(Sync);
    shut_down_cleanly(&mut scene);
    scene.seen.instance.control = None;
    let (steps, end) = scene.run(Action::Demote);
    assert_eq!(steps[0], Step::Warn(Warning::EndUnknown));
    assert!(!steps.contains(&Step::Launch), "{steps:?}");
    assert_eq!(end, SUCCESS);
}

#[test]
fn a_dead_primary_is_demoted_without_being_started() {
    let mut scene = Scene::primary(Sync);
    scene.seen.instance.postmaster = Postmaster::Absent;
    scene.seen.instance.answer = Answer::NotAsked;
    let (steps, end) = scene.run(Action::Demote);
    assert!(!steps.contains(&Step::Launch), "{steps:?}");
    assert!(steps.contains(&Step::SetStatus(node("pm01"), InstanceStatus::Stopped)));
    assert_eq!(end, SUCCESS);
}

#[test]
fn a_standby_that_cannot_start_does_not_fail_the_demotion() {
    let mut scene = Scene::primary(Sync);
    shut_down_cleanly(&mut scene);
    scene.run(Action::Demote);
    scene.seen.instance.last_fatal = Some("FATAL:  no".into());
    let (steps, end) = scene.run(Action::Demote);
    assert_eq!(steps, [Step::SetStatus(node("pm01"), InstanceStatus::Stopped)]);
    assert_eq!(end, SUCCESS);
}

#[test]
fn a_promotion_that_was_begun_does_not_end_after_the_demotion() {
    // The lock's timeline -> whether the server is stopped
    for (timeline, stopped) in [(None, false), (Some(1), true), (Some(2), true)] {
        let mut scene = Scene::standby(Sync, "pm01");
        scene.seen.files.lock = timeline.map(|id| Lock { timeline: Some(Timeline(id)) });
        let (steps, _) = scene.run(Action::Demote);
        let shutdown = steps.contains(&Step::Shutdown(ShutdownMode::Fast));
        assert_eq!(shutdown, stopped, "{timeline:?}: {steps:?}");
    }
}

#[test]
fn a_demoted_standby_with_its_lock_is_a_running_standby_after_another_demotion() {
    let mut scene = Scene::standby(Sync, "pm01");
    scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
    shut_down_cleanly(&mut scene);
    if let Some(control) = &mut scene.seen.instance.control {
        control.state = ControlState::ShutDownInRecovery;
    }
    let (steps, _) = scene.run(Action::Demote);
    assert!(steps.contains(&Step::Launch), "{steps:?}");
    assert!(!steps.contains(&Step::RemoveLock), "{steps:?}");
}

#[test]
fn a_server_that_was_to_come_back_as_a_standby_and_is_a_primary_ends() {
    // (what it answers, whether it has a standby's mark) -> ends
    for (answer, mark, ends) in [
        (primary_report(), true, true),
        (primary_report(), false, true),
        (Answer::Refused(Refusal::StartingUp), false, true),
        (Answer::Refused(Refusal::StartingUp), true, false),
        (Scene::standby(Sync, "pm01").seen.instance.answer, true, false),
    ] {
        let mut scene = Scene::primary(Sync);
        shut_down_cleanly(&mut scene);
        let (steps, _) = scene.run(Action::Demote);
        assert!(steps.contains(&Step::Launch), "{steps:?}");
        scene.seen.instance.postmaster = Postmaster::Running { pid: 43, held: None };
        scene.seen.instance.answer = answer.clone();
        scene.seen.files.standby_signal = mark;
        let (steps, end) = scene.run(Action::Demote);
        let stopped = steps.contains(&Step::Shutdown(ShutdownMode::Immediate));
        assert_eq!(stopped, ends, "{answer:?} {mark}: {steps:?}");
        if ends {
            assert!(!steps.contains(&Step::Launch), "{steps:?}");
            assert!(steps.contains(&Step::SetStatus(node("pm01"), InstanceStatus::Stopped)));
            assert_eq!(end, SUCCESS);
        }
    }
}
