//! Data that has not been compared: how it starts, and what a monitor makes of it.

use super::history_relation::{FORK, history, lock, own, primary};
use super::rejoin::evidence;
use super::scene::{END, Scene, node, position};
use super::verdicts::{STARTING, SUCCESS, failed};
use crate::model::action::Action;
use crate::model::cluster::ClusterRole;
use crate::model::instance::{Answer, ControlState, Lock, Postmaster, Refusal};
use crate::model::recovery_timeline::RecoveryTimeline::{self, Latest, Own};
use crate::model::rejoin::{Evidence, OwnData, PrimaryData};
use crate::model::settings::Rejoin;
use crate::model::settings::ReplicationMode::Sync;
use crate::model::status::DataStatus;
use crate::model::step::{ShutdownMode, Step};
use crate::model::timeline_history::TimelineHistory;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use crate::model::wal::{Lsn, Timeline};
use crate::model::warning::Warning;

const FIRST: RecoveryTimeline = Own(Some(Timeline(1)));
const STOP: Step = Step::Shutdown(ShutdownMode::Fast);

pub(super) fn unasked() -> Option<Evidence> {
    Some(Evidence { own: Ok(own()), primary: Err("no pg_hba.conf entry".into()) })
}

/// Which timeline the server recovers to after this step.
pub(super) const fn written(step: &Step) -> RecoveryTimeline {
    match step {
        Step::StayOnTimeline(own) => Own(*own),
        _ => Latest,
    }
}

fn told_of(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Warn(Warning::NotCompared(..))))
}

#[test]
fn a_start_that_cannot_ask_waits_for_nothing_and_has_no_right() {
    let disconnects = Step::SetDataStatus(node("pm01"), DataStatus::Disconnected);
    // (own record, that of pm02, which is the primary) -> gives its right up itself
    for (recorded, theirs, gives_up) in [
        (Some(DataStatus::Disconnected), Some(DataStatus::Latest), false),
        (Some(DataStatus::StreamingSync), Some(DataStatus::Latest), true),
        (Some(DataStatus::Latest), Some(DataStatus::Latest), true),
        (Some(DataStatus::Latest), Some(DataStatus::StreamingSync), false),
        (None, Some(DataStatus::Latest), true),
    ] {
        for rejoin in [Rejoin::Verify, Rejoin::Rewind] {
            let mut scene = Scene::stopped(Sync, "pm01");
            scene.settings.rejoin = rejoin;
            scene.seen.files.lock = lock(1);
            scene.seen.evidence = unasked();
            scene.seen.instance.own_timeline = Some(Timeline(1));
            scene.node("pm01").data_status = recorded.clone();
            scene.node("pm02").data_status = theirs.clone();
            scene.node("pm02").role = ClusterRole::Promoted;
            let (steps, end) = scene.run(Action::Start);
            assert_eq!(end, STARTING, "{recorded:?}");
            assert!(steps.contains(&Step::StayOnTimeline(Some(Timeline(1)))), "{steps:?}");
            assert!(steps.contains(&Step::Launch) && told_of(&steps), "{steps:?}");
            assert!(!steps.contains(&Step::RemoveLock), "{steps:?}");
            assert_eq!(steps.contains(&disconnects), gives_up, "{recorded:?}: {steps:?}");
        }
    }
}

#[test]
fn only_what_is_proven_or_a_standbys_starts_on_the_latest_timeline() {
    use ControlState::{InArchiveRecovery, InProduction, Other, ShutDown};
    let crash = || Other("in crash recovery".into());
    // (lock, pg_control's state, copy, parameter, evidence) -> stays on its own timeline
    for (lock, state, is_copy, rejoin, evidence, stays) in [
        (lock(1), InProduction, false, Rejoin::Verify, None, true),
        (lock(1), InArchiveRecovery, false, Rejoin::Verify, None, true),
        (lock(1), InProduction, false, Rejoin::Verify, unasked(), true),
        (lock(1), InProduction, false, Rejoin::Verify, evidence(own(), primary(2)), false),
        (None, InProduction, false, Rejoin::Verify, None, true),
        (None, crash(), false, Rejoin::Rewind, unasked(), true),
        (None, InProduction, true, Rejoin::Verify, None, false),
        (None, ShutDown, false, Rejoin::Verify, None, false),
        (None, InArchiveRecovery, false, Rejoin::Verify, unasked(), false),
        (None, InProduction, false, Rejoin::Off, None, false),
    ] {
        let mut scene = Scene::stopped(Sync, "pm01");
        scene.settings.rejoin = rejoin;
        scene.seen.files.lock = lock;
        scene.seen.files.recovers_to = Some(if stays { Latest } else { Own(None) });
        scene.seen.instance.control = Some(own().control);
        scene.seen.instance.control.as_mut().expect("some").state = state.clone();
        scene.seen.instance.is_copy = is_copy;
        scene.seen.instance.own_timeline = Some(Timeline(1));
        scene.node("pm01").data_status = Some(DataStatus::Disconnected);
        if evidence.is_some() {
            scene.node("pm02").role = ClusterRole::Promoted;
        }
        scene.seen.evidence = evidence;
        let (steps, end) = scene.run(Action::Start);
        let case = format!("{lock:?} {state:?} {is_copy} {rejoin:?}: {steps:?}");
        assert_eq!(end, STARTING, "{case}");
        assert_eq!(steps.contains(&Step::StayOnTimeline(Some(Timeline(1)))), stays, "{case}");
        assert_eq!(steps.contains(&Step::WriteStandbySettings), !stays, "{case}");
    }
}

/// A standby beside the primary pm01, with a lock perhaps, and what its settings let it recover to.
fn running(lock: Option<Lock>, recovers_to: RecoveryTimeline) -> Scene {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.node("pm01").role = ClusterRole::Promoted;
    scene.seen.files.lock = lock;
    scene.seen.files.recovers_to = Some(recovers_to);
    scene
}

fn own_until(end: u64) -> OwnData {
    let mut own = OwnData { wal_end: Some(Ok(Lsn(end))), stays_on: Some(Timeline(1)), ..own() };
    own.control.state = ControlState::InArchiveRecovery;
    own
}

#[test]
fn unproven_data_is_asked_about_until_it_is_proven_and_follows_then() {
    let mut scene = running(lock(1), FIRST);
    assert_eq!(scene.run(Action::Monitor).1, Verdict::Wait(Reason::HistoryOf(node("pm01"))));
    scene.seen.evidence = unasked();
    let (steps, end) = scene.run(Action::Monitor);
    assert!(told_of(&steps) && !steps.contains(&STOP), "{steps:?}");
    assert_eq!(end, SUCCESS);

    // What its receiver asked for proves nothing.
    scene.next_action();
    scene.stream_from(2);
    scene.seen.evidence = None;
    assert_eq!(scene.run(Action::Monitor).1, Verdict::Wait(Reason::HistoryOf(node("pm01"))));

    scene.next_action();
    scene.seen.evidence = evidence(own_until(FORK.0), primary(2));
    let (steps, end) = scene.run(Action::Monitor);
    let place = |wanted: &Step| steps.iter().position(|step| step == wanted);
    let order = [Step::RemoveLock, STOP, Step::WriteStandbySettings, Step::Launch];
    let places: Vec<_> = order.iter().map(place).collect();
    assert!(places.is_sorted() && places[0].is_some(), "{steps:?}");
    assert_eq!(end, STARTING);
    scene.seen.instance.postmaster = Postmaster::Running { pid: 43, held: None };
    scene.seen.instance.answer = Answer::Refused(Refusal::StartingUp);
    assert_eq!(scene.run(Action::Monitor).1, STARTING);
    let answer = running(None, Latest).seen.instance.answer;
    scene.seen.instance.answer = answer;
    assert_eq!(scene.run(Action::Monitor).1, SUCCESS);
}

#[test]
fn what_a_running_standby_is_found_to_be() {
    let beyond = FORK.0 + 800;
    let unread = || {
        let wal_end = Some(Err("not read to the end".into()));
        OwnData { wal_end, ..own_until(FORK.0) }
    };
    let foreign = || {
        let history = TimelineHistory::parse(Timeline(3), "2\t0/5000000\tx").expect("a history");
        PrimaryData { history, ..primary(3) }
    };
    let second = |stays_on: Option<u32>| {
        let mut own = OwnData { stays_on: stays_on.map(Timeline), ..own_until(FORK.0) };
        own.control.timeline = Timeline(2);
        own.history = Some(history(2));
        own
    };
    let on_second = Own(Some(Timeline(2)));
    // (lock, settings, own data, primary) -> failed, lock goes, server is restarted
    for (case, lock, recovers_to, own, theirs, fails, unlocked, restarted) in [
        ("prefix", lock(1), FIRST, own_until(FORK.0), primary(2), false, true, true),
        ("followed", lock(1), on_second, second(Some(2)), primary(2), false, false, true),
        ("followed, latest", lock(1), Latest, second(None), primary(2), false, true, false),
        ("no lock", None, FIRST, own_until(FORK.0), primary(2), false, false, true),
        ("latest", lock(1), Latest, own_until(FORK.0), primary(2), false, true, false),
        ("diverged", lock(1), FIRST, own_until(beyond), primary(2), true, false, false),
        ("diverged, latest", lock(1), Latest, own_until(beyond), primary(2), true, false, false),
        ("unread", lock(1), FIRST, unread(), primary(2), false, false, false),
        ("same timeline", lock(1), FIRST, own_until(FORK.0), primary(1), false, false, false),
        ("foreign", lock(1), FIRST, own_until(FORK.0), foreign(), true, false, false),
    ] {
        let mut scene = running(lock, recovers_to);
        scene.seen.evidence = evidence(own, theirs);
        let (steps, end) = scene.run(Action::Monitor);
        let failed = matches!(
            end,
            Verdict::Done(Outcome::Failed(Failure::Diverged(..) | Failure::HistoryMismatch(_)))
        );
        assert_eq!(failed, fails, "{case}: {end:?}");
        assert_eq!(steps.contains(&Step::RemoveLock), unlocked, "{case}: {steps:?}");
        assert_eq!(steps.contains(&STOP), restarted, "{case}: {steps:?}");
    }
}

#[test]
fn a_healthy_standby_asks_nothing() {
    // (lock, whether it streams) on timeline 2 -> asks
    for (lock, streams, asks) in [
        (None, true, false),
        (None, false, false),
        (lock(1), true, true),
        (lock(2), true, false),
        (Some(Lock { timeline: None }), true, false),
        (Some(Lock { timeline: None }), false, true),
        (lock(2), false, true),
    ] {
        let mut scene = running(lock, Latest);
        scene.standby_report().timeline = Timeline(2);
        if streams {
            scene.stream_from(2);
        }
        let end = scene.run(Action::Monitor).1;
        let asked = end == Verdict::Wait(Reason::HistoryOf(node("pm01")));
        assert_eq!(asked, asks, "{lock:?} {streams}: {end:?}");
        scene.settings.rejoin = Rejoin::Off;
        scene.next_action();
        assert_eq!(scene.run(Action::Monitor).1, SUCCESS);
    }
}

#[test]
fn a_standby_that_can_never_follow_its_primary_fails_and_no_archive_makes_another_fail() {
    let fork = |timeline, lsn| {
        let text = format!("1\t{}\tx\n", Lsn(lsn));
        TimelineHistory::parse(Timeline(timeline), &text).expect("a history")
    };
    let theirs = |history| PrimaryData { history, ..primary(2) };
    let before = END.0 - 8;
    let other = PrimaryData { system_identifier: 8, ..theirs(fork(2, before)) };
    // (where a history file left this timeline, what the primary's history says) -> fails
    for (left_at, theirs, fails) in [
        (Some(before), Some(theirs(fork(2, before))), true),
        // Somebody else's history file in the same archive.
        (Some(before), Some(primary(1)), false),
        (Some(before), Some(theirs(fork(2, END.0))), false),
        (Some(before), Some(other), false),
        (Some(before), None, false),
        (Some(END.0), Some(theirs(fork(2, END.0))), false),
        (None, None, false),
    ] {
        let mut scene = running(None, Latest);
        scene.standby_report().left_at = left_at.map(|lsn| position(9, lsn));
        let own = OwnData { history: Some(history(1)), ..own() };
        scene.seen.evidence = match &theirs {
            Some(theirs) => evidence(own, theirs.clone()),
            None => unasked(),
        };
        let diverged = Failure::Diverged(node("pm01"), position(1, END.0), position(2, before));
        let end = if fails { failed(diverged) } else { SUCCESS };
        assert_eq!(scene.run(Action::Monitor).1, end, "{left_at:?} {theirs:?}");
        // While it streams, nobody is asked.
        scene.next_action();
        scene.seen.evidence = None;
        scene.stream_from(1);
        assert_eq!(scene.run(Action::Monitor).1, SUCCESS);
    }
}
