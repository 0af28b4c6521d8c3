//! Primaries that the agent has not promoted.

use super::history_relation::primary;
use super::scene::{Scene, node, position};
use super::verdicts::primary_report;
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership};
use crate::model::instance::Lock;
use crate::model::notification::{NotificationType, NotifiedOperation};
use crate::model::rejoin::Evidence;
use crate::model::settings::ReplicationMode::Sync;
use crate::model::status::DataStatus::{self, Disconnected, Latest, StreamingAsync, StreamingSync};
use crate::model::status::{InstanceStatus, PromotionScore};
use crate::model::step::{ShutdownMode, Step};
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use crate::model::wal::Timeline;
use crate::model::warning::Warning;

const RUNNING: Verdict = Verdict::Done(Outcome::RunningPromoted);

/// pm02, on record as this, was promoted by hand; pm01 is the old primary, of which this is known.
fn by_hand(recorded: Option<DataStatus>, old: (DataStatus, ClusterRole)) -> Scene {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.seen.instance.answer = primary_report();
    scene.seen.files.standby_signal = false;
    scene.node("pm02").data_status = recorded;
    scene.node("pm03").data_status = Some(StreamingAsync);
    let pm01 = scene.node("pm01");
    (pm01.data_status, pm01.role) = (Some(old.0), old.1);
    // What a killed primary leaves.
    pm01.status = Some(InstanceStatus::Primary);
    scene
}

#[test]
fn only_a_recorded_later_promotion_deposes_a_primary() {
    use ClusterRole::{Promoted, StartFailed, Stopped, Unknown, Unpromoted};
    // (own record, the old primary's, what Pacemaker knows of it) -> deposed
    for (recorded, theirs, role, deposed) in [
        // It may have been stopped by hand, and nobody has looked since.
        (Some(StreamingSync), Latest, Promoted, false),
        (Some(StreamingSync), Latest, Unpromoted, false),
        (Some(StreamingSync), Latest, Unknown, false),
        (Some(StreamingSync), Latest, Stopped, false),
        (Some(StreamingSync), Latest, StartFailed, false),
        (Some(StreamingSync), Disconnected, Promoted, false),
        // Its data lacks what was acknowledged, and another has it.
        (Some(StreamingAsync), Latest, Stopped, true),
        (Some(StreamingAsync), Disconnected, Stopped, false),
        (Some(Disconnected), Latest, Stopped, true),
        (Some(Disconnected), Disconnected, Stopped, true),
        (Some(Latest), Latest, Promoted, false),
        (None, Latest, Promoted, true),
        (None, Latest, Stopped, true),
        (None, Disconnected, Stopped, false),
    ] {
        let mut scene = by_hand(recorded.clone(), (theirs.clone(), role));
        let (_, end) = scene.run(Action::Monitor);
        let failed =
            matches!(end, Verdict::Done(Outcome::Failed(Failure::SupersededPrimary { .. })));
        assert_eq!(failed, deposed, "{recorded:?} {theirs:?} {role:?}: {end:?}");
    }
    let mut gone = by_hand(Some(StreamingSync), (Latest, Promoted));
    gone.node("pm01").membership = Membership::Down;
    assert_eq!(gone.run(Action::Monitor).1, RUNNING, "a host that is gone is no rival");
}

/// pm01, a primary that Pacemaker has promoted, and of which an older copy of the record says that pm02 came later.
fn restored() -> Scene {
    let mut scene = Scene::primary(Sync);
    for (name, status) in [("pm01", Disconnected), ("pm02", Latest), ("pm03", StreamingSync)] {
        scene.node(name).data_status = Some(status);
    }
    scene
}

#[test]
fn a_restored_record_deposes_no_primary_that_the_cluster_runs() {
    // What the older copy says of the primary does not matter.
    for status in [Disconnected, StreamingAsync] {
        let mut scene = restored();
        scene.node("pm01").data_status = Some(status.clone());
        assert_eq!(scene.run(Action::Monitor).1, RUNNING, "{status}");
        assert_eq!(scene.node("pm01").data_status, Some(Latest), "{status}");
    }
    let mut scene = restored();
    let (steps, end) = scene.run(Action::Monitor);
    let place = |wanted: &Step| steps.iter().position(|step| step == wanted);
    let record = |name, status| Step::SetDataStatus(node(name), status);
    let claim = place(&record("pm01", Latest));
    for name in ["pm02", "pm03"] {
        let revoked = place(&record(name, Disconnected));
        assert!(revoked.is_some() && revoked < claim, "{name}: {steps:?}");
    }
    assert!(place(&Step::Warn(Warning::OldRecord)).is_some(), "{steps:?}");
    assert_eq!(end, RUNNING);
    assert_eq!(scene.node("pm01").data_status, Some(Latest));
}

#[test]
fn without_all_the_evidence_the_record_deposes() {
    type Disturb = fn(&mut Scene);
    let table: [(&str, Disturb); 11] = [
        ("fenced since", |s| s.seen.files.lock_since_cluster_start = false),
        ("no lock", |s| s.seen.files.lock = None),
        ("lock of another timeline", |s| {
            s.seen.files.lock = Some(Lock { timeline: Some(Timeline(7)) });
        }),
        ("lock of the stock agent", |s| s.seen.files.lock = Some(Lock { timeline: None })),
        ("demoted since", |s| s.node("pm01").role = ClusterRole::Unpromoted),
        ("stopped since", |s| s.node("pm01").role = ClusterRole::Stopped),
        ("its own word is that it stopped", |s| {
            s.node("pm01").status = Some(InstanceStatus::Stopped);
        }),
        ("it has stepped down", |s| s.node("pm01").score = Some(PromotionScore::Never)),
        ("no fencing", |s| s.cluster().fencing = false),
        ("another is promoted", |s| s.node("pm02").role = ClusterRole::Promoted),
        ("another says it is", |s| s.node("pm03").status = Some(InstanceStatus::Primary)),
    ];
    for (what, disturb) in table {
        let mut scene = restored();
        disturb(&mut scene);
        let (steps, end) = scene.run(Action::Monitor);
        let failed =
            matches!(end, Verdict::Done(Outcome::Failed(Failure::SupersededPrimary { .. })));
        assert!(failed, "{what}: {end:?}");
        assert!(!steps.iter().any(|s| matches!(s, Step::SetDataStatus(..))), "{what}: {steps:?}");
    }
}

#[test]
fn beside_a_rival_on_record_a_primary_by_hand_records_nothing() {
    let mut scene = by_hand(Some(StreamingSync), (Latest, ClusterRole::Promoted));
    for action in [Action::Monitor, Action::Notify] {
        scene.seen.notification.event = Some((NotificationType::Post, NotifiedOperation::Start));
        let (steps, _) = scene.clone().run(action);
        let said = |step: &Step| matches!(step, Step::Warn(_));
        assert!(steps.iter().all(said), "{action:?}: {steps:?}");
    }
    assert_eq!(scene.run(Action::Monitor).1, RUNNING);
}

/// Pacemaker takes it for a standby and would restart it; with its score it promotes it.
#[test]
fn the_monitor_of_a_standby_does_not_fail_a_primary_by_hand() {
    let mut scene = by_hand(Some(StreamingSync), (Latest, ClusterRole::Stopped));
    scene.seen.of_standby = true;
    let (steps, end) = scene.run(Action::Monitor);
    let score = Step::SetScore(node("pm02"), PromotionScore::PROMOTE_ME);
    assert!(steps.contains(&score), "{steps:?}");
    assert_eq!(end, Verdict::Done(Outcome::Success));
    // Beside the old primary's record it asks whether that one lives.
    let mut beside = by_hand(Some(StreamingSync), (Latest, ClusterRole::Promoted));
    beside.seen.of_standby = true;
    assert_eq!(beside.run(Action::Monitor).1, Verdict::Wait(Reason::HistoryOf(node("pm01"))));
    for (theirs, end) in
        [(Err("nobody answers".into()), Verdict::Done(Outcome::Success)), (Ok(primary(1)), RUNNING)]
    {
        let own = Err("not read".into());
        beside.seen.evidence = Some(Evidence { own, primary: theirs });
        assert_eq!(beside.run(Action::Monitor).1, end);
    }
    // One that was deposed fails, and one that node_list does not name is restarted as a standby.
    let mut deposed = by_hand(Some(Disconnected), (Latest, ClusterRole::Promoted));
    let mut outside = by_hand(Some(StreamingSync), (Disconnected, ClusterRole::Stopped));
    outside.node("pm03").data_status = Some(Disconnected);
    outside.settings.node_list.retain(|name| *name != node("pm02"));
    for scene in [&mut deposed, &mut outside] {
        scene.seen.of_standby = true;
        let (_, end) = scene.run(Action::Monitor);
        assert_ne!(end, Verdict::Done(Outcome::Success));
    }
}

#[test]
fn a_primary_by_hand_outside_of_node_list_records_nothing() {
    let first = || {
        let mut scene = by_hand(None, (Latest, ClusterRole::Stopped));
        scene.cluster().nodes.iter_mut().for_each(|node| node.data_status = None);
        scene
    };
    // An old copy with its lock, too.
    let locked = || {
        let mut scene = by_hand(None, (Latest, ClusterRole::Stopped));
        scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(2)) });
        scene
    };
    let recorded = || by_hand(Some(StreamingSync), (Latest, ClusterRole::Stopped));
    for mut scene in [recorded(), first(), locked()] {
        scene.settings.node_list.retain(|name| *name != node("pm02"));
        scene.seen.notification.event = Some((NotificationType::Post, NotifiedOperation::Start));
        for (action, probe) in
            [(Action::Monitor, false), (Action::Monitor, true), (Action::Notify, false)]
        {
            let mut scene = scene.clone();
            scene.seen.probe = probe;
            let (steps, end) = scene.run(action);
            let own = Step::SetScore(node("pm02"), PromotionScore::Never);
            let harmless = |step: &Step| matches!(step, Step::Warn(_)) || *step == own;
            assert!(steps.iter().all(harmless), "{action:?}: {steps:?}");
            // It is deposed, for another node may be promoted; a probe only says what runs.
            let right = if probe { end == RUNNING } else { end != RUNNING };
            assert!(action == Action::Notify || right, "{action:?} {probe}: {end:?}");
        }
    }
}

#[test]
fn a_probe_keeps_a_primary_by_hand_from_being_demoted() {
    for (role, asks) in [(ClusterRole::Stopped, true), (ClusterRole::Promoted, false)] {
        let mut scene = by_hand(Some(StreamingSync), (Latest, role));
        scene.seen.probe = true;
        scene.node("pm02").score = Some(PromotionScore::CAN_PROMOTE);
        let (steps, end) = scene.run(Action::Monitor);
        let score = Step::SetScore(node("pm02"), PromotionScore::PROMOTE_ME);
        assert_eq!(steps.contains(&score), asks, "{role:?}: {steps:?}");
        assert_eq!(end, RUNNING);
    }
}

#[test]
fn a_primary_by_hand_takes_over_as_a_promotion_does() {
    let mut scene = by_hand(Some(StreamingSync), (Latest, ClusterRole::Stopped));
    let (steps, end) = scene.run(Action::Monitor);
    let place = |wanted: &Step| steps.iter().position(|step| step == wanted);
    let record = |name, status| Step::SetDataStatus(node(name), status);
    let claim = place(&record("pm02", Latest));
    for name in ["pm01", "pm03"] {
        let revoked = place(&record(name, Disconnected));
        assert!(revoked.is_some() && revoked < claim, "{name}: {steps:?}");
    }
    assert!(claim.is_some() && claim < place(&Step::CreateLock(Timeline(2))), "{steps:?}");
    assert_eq!(end, RUNNING);
    scene.next_action();
    let again = scene.run(Action::Monitor).0;
    assert!(!again.iter().any(|step| matches!(step, Step::SetDataStatus(..))), "{again:?}");

    // Where the record binds nobody, or cannot be written, nothing is claimed.
    let mut split = by_hand(Some(StreamingSync), (Latest, ClusterRole::Stopped));
    split.cluster().quorum = false;
    let mut mute = by_hand(Some(StreamingSync), (Latest, ClusterRole::Stopped));
    mute.fail(record("pm01", Disconnected));
    for mut scene in [split, mute] {
        let (steps, end) = scene.run(Action::Monitor);
        assert!(!steps.iter().any(|step| matches!(step, Step::SetDataStatus(..))), "{steps:?}");
        assert_eq!(end, RUNNING);
    }
}

#[test]
fn a_primary_by_hand_is_on_record_before_it_is_demoted_or_stopped() {
    let claim = Step::SetDataStatus(node("pm02"), Latest);
    let mut scene = by_hand(Some(StreamingSync), (Latest, ClusterRole::Stopped));
    let before = scene.clone();
    // Pacemaker, which has not promoted it, may only stop it.
    for action in [Action::Demote, Action::Stop] {
        scene = before.clone();
        let (steps, _) = scene.run(action);
        let place = |wanted: &Step| steps.iter().position(|step| step == wanted);
        let stopped = place(&Step::Shutdown(ShutdownMode::Fast));
        assert!(place(&claim).is_some() && place(&claim) < stopped, "{action:?} {steps:?}");
        assert!(place(&Step::CreateLock(Timeline(2))) < stopped, "{action:?} {steps:?}");
    }
    // Not where the others may have been promoted, nor the one that was deposed.
    let mut split = by_hand(Some(StreamingSync), (Latest, ClusterRole::Stopped));
    split.cluster().quorum = false;
    let mut deposed = by_hand(Some(Disconnected), (Latest, ClusterRole::Promoted));
    for scene in [&mut split, &mut deposed] {
        let (steps, _) = scene.run(Action::Demote);
        assert!(!steps.iter().any(|s| matches!(s, Step::SetDataStatus(..))), "{steps:?}");
    }
}

#[test]
fn a_primary_that_is_deposed_is_stopped_with_a_lock_of_its_timeline() {
    for action in [Action::Demote, Action::Stop] {
        for (recorded, noted, locks) in [
            (Some(Disconnected), None, true),
            (Some(Disconnected), Some(None), true),
            (Some(Disconnected), Some(Some(Timeline(1))), false),
            (None, None, true),
            // One that could not be put on record gives no right up.
            (Some(StreamingSync), None, false),
            (Some(Latest), None, false),
        ] {
            let mut scene = Scene::primary(Sync);
            scene.node("pm01").data_status = recorded.clone();
            scene.node("pm02").data_status = Some(Latest);
            scene.node("pm02").role = ClusterRole::Promoted;
            scene.seen.files.lock = noted.map(|timeline| Lock { timeline });
            let what = format!("{action:?} {recorded:?} {noted:?}");
            let (steps, _) = scene.run(action);
            let lock = steps.iter().position(|step| *step == Step::CreateLock(Timeline(1)));
            let ended = steps.iter().position(|step| matches!(step, Step::Shutdown(_)));
            assert_eq!(lock.is_some(), locks, "{what}: {steps:?}");
            assert!(lock < ended, "{what}: {steps:?}");
        }
    }
}

#[test]
fn whoever_is_to_be_promoted_over_a_primary_by_hand_learns_of_its_timeline() {
    let mut scene = by_hand(Some(StreamingSync), (Latest, ClusterRole::Stopped));
    scene.seen.notification.event = Some((NotificationType::Pre, NotifiedOperation::Promote));
    scene.seen.notification.promote = vec![node("pm01")];
    let (steps, _) = scene.run(Action::Notify);
    assert_eq!(steps, [Step::SetPosition(Some(position(2, 0x300_0060)))]);

    let mut old = Scene::standby(Sync, "pm01");
    old.node("pm01").data_status = Some(Latest);
    old.node("pm02").wal_position = Some(position(2, 0x300_0060));
    let (steps, end) = old.run(Action::Promote);
    assert!(!steps.contains(&Step::PromoteServer), "{steps:?}");
    assert!(matches!(end, Verdict::Done(Outcome::Failed(Failure::PeerAhead(..)))), "{end:?}");
}
