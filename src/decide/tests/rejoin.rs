//! The return of an old primary, step by step.

use super::history_relation::{FORK, lock, own, primary};
use super::scene::{Scene, node, position};
use super::verdicts::{STARTING, failed};
use crate::model::action::Action;
use crate::model::cluster::ClusterRole;
use crate::model::instance::{ControlState, Postmaster};
use crate::model::rejoin::{
    Evidence, HistoryRelation, LostWal, OwnData, PrimaryData, Refusal, Resync, RewindSource,
};
use crate::model::settings::ReplicationMode::Sync;
use crate::model::settings::{Rejoin, Settings};
use crate::model::status::DataStatus;
use crate::model::step::{ShutdownMode, Step};
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use crate::model::wal::{Lsn, Timeline, WalLayout};
use crate::model::warning::Warning;

fn returning(rejoin: Rejoin, evidence: Option<Evidence>) -> Scene {
    let mut scene = Scene::stopped(Sync, "pm01");
    scene.settings = Settings { rejoin, ..scene.settings };
    scene.seen.files.lock = lock(1);
    scene.seen.files.standby_signal = false;
    scene.node("pm01").data_status = Some(DataStatus::Disconnected);
    scene.node("pm02").role = ClusterRole::Promoted;
    scene.seen.evidence = evidence;
    scene
}

pub(super) fn evidence(own: OwnData, primary: PrimaryData) -> Option<Evidence> {
    Some(Evidence { own: Ok(own), primary: Ok(primary) })
}

fn diverged() -> OwnData {
    OwnData { wal_end: Some(Ok(Lsn(FORK.0 + 800))), ..own() }
}

fn refusal(end: &Verdict) -> &Refusal {
    match end {
        Verdict::Done(Outcome::Failed(Failure::HistoryMismatch(refusal))) => refusal,
        other => panic!("no refusal: {other:?}"),
    }
}

#[test]
fn a_start_asks_and_a_proven_prefix_starts_without_its_lock() {
    let mut scene = returning(Rejoin::Verify, None);
    let (steps, end) = scene.run(Action::Start);
    assert!(!steps.contains(&Step::Launch), "{steps:?}");
    assert_eq!(end, Verdict::Wait(Reason::HistoryOf(node("pm02"))));

    scene.seen.evidence = evidence(own(), primary(2));
    let (steps, end) = scene.run(Action::Start);
    let place = |wanted: &Step| steps.iter().position(|step| step == wanted);
    assert!(place(&Step::RemoveLock) < place(&Step::Launch), "{steps:?}");
    assert!(steps.iter().any(|s| matches!(s, Step::Warn(Warning::PartOfHistory(..)))), "{steps:?}");
    assert!(place(&Step::RemoveLock).is_some(), "{steps:?}");
    assert_eq!(end, STARTING);
}

#[test]
fn data_that_has_diverged_does_not_start_with_the_lock_nor_without() {
    for lock in [lock(1), None] {
        let mut scene = returning(Rejoin::Verify, evidence(diverged(), primary(2)));
        scene.seen.files.lock = lock;
        let (steps, end) = scene.run(Action::Start);
        assert!(!steps.contains(&Step::Launch) && !steps.contains(&Step::RemoveLock), "{steps:?}");
        assert_eq!(refusal(&end).resync, Resync::Rewind);
        assert!(end_text(&end).contains("800 bytes past"), "{}", end_text(&end));
    }
}

fn end_text(end: &Verdict) -> String {
    refusal(end).to_string()
}

#[test]
fn without_the_lock_only_proof_of_the_contrary_holds_back() {
    let unproven = OwnData { wal_end: Some(Err("no pg_waldump".into())), ..own() };
    let unread = Some(Evidence { own: Err("EIO".into()), primary: Ok(primary(2)) });
    for evidence in [evidence(own(), primary(1)), evidence(unproven, primary(2)), unread] {
        let mut locked = returning(Rejoin::Verify, evidence.clone());
        let (steps, end) = locked.run(Action::Start);
        assert!(!steps.contains(&Step::Launch), "{evidence:?}");
        assert_eq!(refusal(&end).primary, node("pm02"));
        let mut free = returning(Rejoin::Verify, evidence.clone());
        free.seen.files.lock = None;
        assert!(free.run(Action::Start).0.contains(&Step::Launch), "{evidence:?}");
    }
    let mut other = own();
    other.control.system_identifier = 8;
    let mut free = returning(Rejoin::Rewind, evidence(other, primary(2)));
    free.seen.files.lock = None;
    assert!(matches!(
        refusal(&free.run(Action::Start).1).kinship,
        HistoryRelation::OtherSystem(8, 7)
    ));
}

#[test]
fn with_off_the_lock_alone_decides() {
    for own_record in [DataStatus::Disconnected, DataStatus::Latest, DataStatus::StreamingSync] {
        let mut scene = returning(Rejoin::Off, evidence(own(), primary(2)));
        scene.node("pm01").data_status = Some(own_record);
        let (steps, end) = scene.run(Action::Start);
        assert!(!steps.contains(&Step::Launch));
        assert!(matches!(end, Verdict::Done(Outcome::Failed(Failure::Locked { .. }))), "{end:?}");
    }
    let mut scene = returning(Rejoin::Off, evidence(diverged(), primary(2)));
    scene.seen.files.lock = None;
    assert!(scene.run(Action::Start).0.contains(&Step::Launch));
}

#[test]
fn after_promotions_by_restart_nothing_is_proven() {
    let mut scene = returning(Rejoin::Rewind, evidence(own(), primary(2)));
    scene.settings.restart_on_promote = true;
    let (steps, end) = scene.run(Action::Start);
    assert!(!steps.contains(&Step::Launch));
    assert!(matches!(end, Verdict::Done(Outcome::Failed(Failure::Locked { .. }))), "{end:?}");
}

fn source(timeline: u32) -> PrimaryData {
    let source = RewindSource { readable: true, control_timeline: Timeline(timeline) };
    PrimaryData { source: Some(Ok(source)), ..primary(2) }
}

fn rewind() -> Step {
    Step::Rewind(node("pm02"), "192.0.2.1".into())
}

#[test]
fn a_crashed_primary_is_recovered_then_rewound_then_started() {
    let mut scene = returning(Rejoin::Rewind, evidence(diverged(), source(2)));
    let mut steps = Vec::new();
    loop {
        match scene.decide(Action::Start) {
            Verdict::Do(step) => {
                steps.push(step.clone());
                scene.take(step);
            }
            end @ (Verdict::Wait(_) | Verdict::Done(_)) => {
                assert_eq!(end, STARTING);
                break;
            }
        }
        if steps.last() == Some(&rewind()) {
            scene.seen.files.lock = None;
        }
    }
    let lost = LostWal {
        timeline: Timeline(1),
        from: FORK,
        to: Lsn(FORK.0 + 800),
        layout: WalLayout::USUAL,
    };
    let order: Vec<_> = [Step::KeepWal(lost), Step::RecoverAlone, rewind(), Step::Launch]
        .iter()
        .map(|wanted| steps.iter().position(|step| step == wanted))
        .collect();
    assert!(order.is_sorted() && order[0].is_some(), "{steps:?}");
    assert!(steps.iter().any(|s| matches!(s, Step::Warn(Warning::Rewinds(..)))), "{steps:?}");
}

#[test]
fn a_rewind_waits_for_the_new_primarys_first_checkpoint() {
    let mut clean = diverged();
    clean.control.state = ControlState::ShutDown;
    let mut scene = returning(Rejoin::Rewind, evidence(clean.clone(), source(1)));
    let (steps, end) = scene.run(Action::Start);
    assert!(steps.contains(&Step::CheckpointPrimary("192.0.2.1".into())), "{steps:?}");
    assert!(!steps.contains(&rewind()) && !steps.contains(&Step::RecoverAlone), "{steps:?}");
    assert_eq!(end, Verdict::Wait(Reason::CheckpointOf(node("pm02"))));
    scene.seen.evidence = evidence(clean, source(2));
    assert_eq!(scene.decide(Action::Start), Verdict::Do(rewind()));
}

#[test]
fn what_cannot_be_kept_is_not_rewound_unless_nothing_is_to_be_kept() {
    let mut scene = returning(Rejoin::Rewind, evidence(diverged(), source(2)));
    let keeps = |step: &Step| matches!(step, Step::KeepWal(_));
    let keep = loop {
        match scene.decide(Action::Start) {
            Verdict::Do(step) if keeps(&step) => break step,
            Verdict::Do(step) => scene.take(step),
            end @ (Verdict::Wait(_) | Verdict::Done(_)) => panic!("{end:?}"),
        }
    };
    scene.fail(keep.clone());
    let (steps, end) = scene.run(Action::Start);
    assert_eq!(steps, [], "nothing is touched");
    assert_eq!(end, failed(Failure::StepFailed(Box::new(keep), "refused".into())));

    let mut scene = returning(Rejoin::Rewind, evidence(diverged(), source(2)));
    scene.settings.policy.rewind_keep_size = 0;
    let (steps, _) = scene.run(Action::Start);
    assert!(steps.contains(&rewind()) && !steps.iter().any(keeps), "{steps:?}");
}

#[test]
fn a_start_removes_what_was_kept_long_enough() {
    let mut scene = Scene::standby(Sync, "pm01");
    scene.seen.files.expired_wal = vec!["/data.PGSQL.rewound/wal-1".into()];
    let (steps, end) = scene.run(Action::Start);
    assert!(steps.contains(&Step::RemoveKeptWal("/data.PGSQL.rewound/wal-1".into())), "{steps:?}");
    assert_eq!(end, Verdict::Done(Outcome::Success));
}

#[test]
fn what_pg_rewind_cannot_do_is_refused_with_its_reason() {
    let mut bare = diverged();
    bare.control.can_rewind = false;
    let mut crashed_standby = diverged();
    crashed_standby.control.state = ControlState::InArchiveRecovery;
    crashed_standby.control.min_recovery = Some(position(1, 0x900_0000));
    let mut forbidden = source(2);
    forbidden.source = Some(Ok(RewindSource { readable: false, control_timeline: Timeline(2) }));
    let mut deaf = source(2);
    deaf.source = Some(Err("pg_hba.conf".into()));
    for (own, primary, why, resync) in [
        (bare, source(2), "wal_log_hints", Resync::Copy),
        (crashed_standby, source(2), "WAL is not all here", Resync::Rewind),
        (diverged(), forbidden, "repuser", Resync::Rewind),
        (diverged(), deaf, "pg_hba.conf", Resync::Rewind),
        (diverged(), primary(2), "not asked", Resync::Rewind),
    ] {
        let mut scene = returning(Rejoin::Rewind, evidence(own, primary));
        let (steps, end) = scene.run(Action::Start);
        assert!(!steps.contains(&rewind()) && !steps.contains(&Step::Launch), "{why}: {steps:?}");
        let refusal = refusal(&end);
        assert!(refusal.no_rewind.as_ref().is_some_and(|text| text.contains(why)), "{refusal:?}");
        assert_eq!(refusal.resync, resync, "{why}");
    }
}

#[test]
fn a_standby_that_crashed_with_all_its_wal_is_rewound() {
    let mut crashed = diverged();
    crashed.control.state = ControlState::InArchiveRecovery;
    crashed.control.min_recovery = Some(position(1, FORK.0 + 800));
    let mut scene = returning(Rejoin::Rewind, evidence(crashed, source(2)));
    scene.seen.files.standby_signal = true;
    let (steps, _) = scene.run(Action::Start);
    let place = |wanted: &Step| steps.iter().position(|step| step == wanted);
    let alone = place(&Step::RecoverAlone);
    assert!(place(&Step::RemoveStandbyMark) < alone && alone < place(&rewind()), "{steps:?}");
    assert!(place(&rewind()).is_some(), "{steps:?}");
}

#[test]
fn half_rewound_data_is_started_by_nobody() {
    for rejoin in [Rejoin::Verify, Rejoin::Rewind, Rejoin::Off] {
        for action in [Action::Start, Action::Promote, Action::Demote] {
            let mut scene = returning(rejoin, evidence(own(), source(2)));
            scene.seen.files.rewinding = Some("pg_rewind from pm02".into());
            scene.seen.files.lock = None;
            let (steps, end) = scene.run(action);
            assert!(!steps.contains(&Step::Launch), "{rejoin:?} {action:?}: {steps:?}");
            assert!(!steps.contains(&rewind()), "{rejoin:?} {action:?}: {steps:?}");
            if action == Action::Start {
                let marker = "/data.PGSQL.rewind".into();
                assert_eq!(end, failed(Failure::HalfRewound(marker, "pg_rewind from pm02".into())));
            }
        }
    }
    let mut running = Scene::standby(Sync, "pm02");
    running.seen.files.rewinding = Some("pg_rewind from pm01".into());
    let (steps, end) = running.run(Action::Promote);
    assert!(!steps.contains(&Step::PromoteServer), "{steps:?}");
    assert!(matches!(end, Verdict::Done(Outcome::Failed(Failure::HalfRewound(..)))), "{end:?}");
}

#[test]
fn what_a_dead_postmaster_left_ends_before_the_data_is_judged() {
    let mut scene = returning(Rejoin::Verify, evidence(diverged(), primary(2)));
    scene.seen.instance.postmaster = Postmaster::Orphans { count: 2 };
    assert_eq!(scene.decide(Action::Start), Verdict::Do(Step::Shutdown(ShutdownMode::Kill)));
    let (steps, end) = scene.run(Action::Start);
    assert!(!steps.contains(&Step::Launch), "{steps:?}");
    assert_eq!(refusal(&end).primary, node("pm02"));
}

#[test]
fn a_failed_rewind_is_not_tried_again_and_nothing_starts() {
    let mut clean = diverged();
    clean.control.state = ControlState::ShutDown;
    let mut scene = returning(Rejoin::Rewind, evidence(clean, source(2)));
    scene.fail(rewind());
    let (steps, end) = scene.run(Action::Start);
    assert!(!steps.contains(&Step::Launch) && !steps.contains(&rewind()), "{steps:?}");
    assert_eq!(end, failed(Failure::StepFailed(Box::new(rewind()), "refused".into())));
}
