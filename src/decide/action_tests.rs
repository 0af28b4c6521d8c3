//! Each action's decision, as a table or a short story.

use std::path::PathBuf;
use std::time::Duration;

use super::testing::{END, Scene, node, position};
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership};
use crate::model::instance::{
    Answer, ControlData, ControlState, DataDirectory, Lock, Postmaster, PrimaryReport, Refusal,
};
use crate::model::notification::{NotificationType, NotifiedOperation};
use crate::model::observation::ClusterView;
use crate::model::settings::ReplicationMode::{self, Async, Sync};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::{ShutdownMode, Step};
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use crate::model::wal::{Lsn, Timeline};

const SUCCESS: Verdict = Verdict::Done(Outcome::Success);
const NOT_RUNNING: Verdict = Verdict::Done(Outcome::NotRunning);
const STARTING: Verdict = Verdict::Wait(Reason::ServerStarts);

fn failed(failure: Failure) -> Verdict {
    Verdict::Done(Outcome::Failed(failure))
}

fn out_of_time(scene: &mut Scene) {
    scene.seen.time.elapsed = Duration::from_secs(60);
    scene.seen.time.remaining = Duration::ZERO;
}

fn primary_report() -> Answer {
    Answer::Primary(PrimaryReport {
        timeline: Timeline(2),
        wal_end: END,
        standbys: Vec::new(),
        synchronous_standby_names: String::new(),
        slots: Vec::new(),
    })
}

// --- monitor ---------------------------------------------------------------------------------

#[test]
fn monitor_answers_by_what_it_finds() {
    use Refusal::{Other, ShuttingDown, StartingUp};
    let up = Postmaster::Running { pid: 1 };
    let wait = |reason| Verdict::Wait(reason);
    let refused = |why: &str| failed(Failure::NotAccepting(why.into()));
    // (postmaster, answer, is a standby by its mark, verdict)
    let table = [
        (Postmaster::Absent, Answer::NotAsked, false, NOT_RUNNING),
        (Postmaster::Orphans { count: 2 }, Answer::NotAsked, false, NOT_RUNNING),
        (up, Answer::Refused(StartingUp), true, SUCCESS),
        (up, Answer::Refused(StartingUp), false, wait(Reason::ServerStarts)),
        (up, Answer::Refused(ShuttingDown), true, wait(Reason::ServerStops)),
        (up, Answer::Refused(Other("no".into())), false, refused("no")),
        (up, Answer::Silent("late".into()), false, failed(Failure::Silent("late".into()))),
        (
            up,
            Answer::MonitorSqlFailed("42P01".into()),
            false,
            failed(Failure::MonitorSql("42P01".into())),
        ),
    ];
    for (postmaster, answer, mark, verdict) in table {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.seen.instance.postmaster = postmaster;
        scene.seen.instance.answer = answer.clone();
        scene.seen.files.standby_mark = mark;
        assert_eq!(scene.decide(Action::Monitor), verdict, "{postmaster:?} {answer:?} {mark}");
    }
}

#[test]
fn a_primary_does_not_fail_for_a_silent_cluster() {
    let mut scene = Scene::primary(Sync);
    scene.seen.cluster = ClusterView::Unavailable("timed out".into());
    assert_eq!(scene.decide(Action::Monitor), Verdict::Done(Outcome::RunningPromoted));
}

#[test]
fn an_unreadable_data_directory_is_broken_and_not_merely_absent() {
    let mut scene = Scene::stopped(Sync, "pm02");
    scene.seen.instance.data_directory = DataDirectory::Unreadable("EIO".into());
    let broken = failed(Failure::DataDirectoryUnreadable(PathBuf::from("/data"), "EIO".into()));
    assert_eq!(scene.decide(Action::Monitor), broken);
    scene.seen.probe = true;
    assert_eq!(scene.decide(Action::Monitor), NOT_RUNNING, "a probe may run anywhere");
}

#[test]
fn an_instance_without_replication_needs_no_cluster() {
    for mode in [ReplicationMode::None, ReplicationMode::Slave] {
        for mut scene in [Scene::primary(mode), Scene::standby(mode, "pm01")] {
            scene.seen.cluster = ClusterView::NotAsked;
            assert_eq!(scene.decide(Action::Monitor), SUCCESS);
        }
    }
}

#[test]
fn lost_scores_and_records_are_made_again() {
    let mut scene = Scene::primary(Async);
    let me = scene.node("pm01");
    (me.score, me.status, me.data_status) = (None, None, None);
    let (steps, _) = scene.run(Action::Monitor);
    assert_eq!(
        steps,
        [
            Step::SetDataStatus(node("pm01"), DataStatus::Latest),
            Step::SetStatus(node("pm01"), InstanceStatus::Primary),
            Step::SetScore(node("pm01"), PromotionScore::PROMOTE_ME),
        ]
    );
}

#[test]
fn a_streaming_standby_on_a_later_timeline_needs_no_lock() {
    for (own, received, removed) in [(Some(1), 2, true), (Some(2), 2, false), (None, 2, false)] {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.node("pm01").role = ClusterRole::Promoted;
        scene.seen.files.lock = Some(Lock { timeline: own.map(Timeline) });
        scene.stream_from(received);
        let (steps, end) = scene.run(Action::Monitor);
        assert_eq!(steps.contains(&Step::RemoveLock), removed, "{own:?} {received}");
        assert_eq!(end, SUCCESS);
    }
}

// --- election --------------------------------------------------------------------------------

fn asks_to_be_promoted(scene: &mut Scene) -> bool {
    let local = scene.seen.local.clone();
    let (steps, end) = scene.run(Action::Monitor);
    assert_eq!(end, SUCCESS);
    steps.contains(&Step::SetScore(local, PromotionScore::PROMOTE_ME))
}

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

    let mut starting = Scene::standby(Sync, "pm01");
    starting.node("pm01").data_status = Some(DataStatus::StreamingSync);
    let last_primary = starting.node("pm02");
    last_primary.data_status = Some(DataStatus::Latest);
    last_primary.role = ClusterRole::Stopped;
    assert!(!asks_to_be_promoted(&mut starting), "the last primary is still to start");
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

// --- start -----------------------------------------------------------------------------------

#[test]
fn start_makes_a_standby_of_a_stopped_instance() {
    let mut scene = Scene::stopped(Sync, "pm02");
    scene.seen.files.standby_settings = false;
    scene.seen.files.sync_names = None;
    let (steps, end) = scene.run(Action::Start);
    assert_eq!(
        steps,
        [
            Step::SetStatus(node("pm02"), InstanceStatus::Stopped),
            Step::SetScore(node("pm02"), PromotionScore::Never),
            Step::PrepareDirectories,
            Step::WriteSyncNames(SyncNames::nobody()),
            Step::WriteStandbySettings,
            Step::Launch,
        ]
    );
    assert_eq!(end, STARTING);

    scene.seen.instance = Scene::standby(Sync, "pm02").seen.instance;
    let (steps, end) = scene.run(Action::Start);
    let said = Step::SetPosition(Some(position(1, END.0)));
    assert_eq!(steps, [Step::SetStatus(node("pm02"), InstanceStatus::Alone), said]);
    assert_eq!(end, SUCCESS);
}

#[test]
fn start_fails_at_once_when_the_server_dies() {
    let mut scene = Scene::stopped(ReplicationMode::None, "pm01");
    assert_eq!(scene.run(Action::Start).1, STARTING);
    scene.seen.instance.last_fatal = Some("FATAL:  no".into());
    let died = failed(Failure::ServerDied(Some("FATAL:  no".into())));
    assert_eq!(scene.decide(Action::Start), died);
    scene.seen.instance.last_fatal = None;
    scene.seen.time.elapsed = Duration::from_secs(1);
    assert_eq!(scene.decide(Action::Start), failed(Failure::ServerDied(None)));
}

#[test]
fn start_does_not_end_a_standby_that_still_recovers() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.seen.instance.answer = Answer::Refused(Refusal::StartingUp);
    assert_eq!(scene.decide(Action::Start), STARTING);
    out_of_time(&mut scene);
    assert_eq!(scene.decide(Action::Start), SUCCESS);
}

#[test]
fn a_locked_node_starts_only_as_the_last_primary_with_everybody_in_sight() {
    // (own record, primary, membership of pm03) -> starts
    let table = [
        (Some(DataStatus::Latest), None, Membership::Member, true),
        (Some(DataStatus::Latest), Some("pm03"), Membership::Member, false),
        (Some(DataStatus::Disconnected), None, Membership::Member, false),
        (None, None, Membership::Member, false),
        (Some(DataStatus::Latest), None, Membership::Down, true),
    ];
    for (status, primary, membership, starts) in table {
        let mut scene = Scene::stopped(Sync, "pm01");
        scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
        scene.node("pm01").data_status = status.clone();
        if let Some(name) = primary {
            scene.node(name).role = ClusterRole::Promoted;
        }
        scene.node("pm03").membership = membership;
        let (steps, end) = scene.run(Action::Start);
        assert_eq!(steps.contains(&Step::Launch), starts, "{status:?} {primary:?}");
        let locked = failed(Failure::Locked {
            lock: "/tmpdir/PGSQL.lock".into(),
            data_status: status,
            primary: primary.map(node),
        });
        assert_eq!(end, if starts { STARTING } else { locked });
    }
}

#[test]
fn of_two_nodes_the_last_primary_starts_only_beside_the_other() {
    for (membership, starts) in [(Membership::Member, true), (Membership::Lost, false)] {
        let mut scene = Scene::stopped(Sync, "pm01");
        scene.settings.node_list.truncate(2);
        scene.cluster().nodes.truncate(2);
        scene.seen.files.lock = Some(Lock { timeline: None });
        scene.node("pm01").data_status = Some(DataStatus::Latest);
        scene.node("pm02").membership = membership;
        let (steps, _) = scene.run(Action::Start);
        assert_eq!(steps.contains(&Step::Launch), starts, "{membership:?}");
    }
}

#[test]
fn start_refuses_what_defeats_the_agents_settings() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.standby_report().synchronous_standby_names = "other".into();
    assert_eq!(scene.run(Action::Start).1, failed(Failure::ForeignSyncNames("other".into())));
    let mut scene = Scene::standby(Sync, "pm02");
    scene.standby_report().primary_conninfo = Some("host=elsewhere".into());
    scene.standby_report().conninfo_overridden = true;
    let overridden = failed(Failure::ConninfoOverridden("host=elsewhere".into()));
    assert_eq!(scene.run(Action::Start).1, overridden);
    let scene = Scene::primary(Sync);
    assert_eq!(scene.decide(Action::Start), failed(Failure::AlreadyPrimary));
}

// --- stop ------------------------------------------------------------------------------------

#[test]
fn stop_climbs_the_ladder_within_its_time() {
    let mut scene = Scene::standby(Async, "pm02");
    scene.seen.time.remaining = Duration::from_secs(100);
    scene.settings.stop_escalate_in_slave = Duration::from_secs(90);
    let at = |scene: &mut Scene, elapsed: u64| {
        scene.seen.time.elapsed = Duration::from_secs(elapsed);
        scene.seen.time.remaining = Duration::from_secs(100 - elapsed);
        scene.decide(Action::Stop)
    };
    let shutdown = |mode| Verdict::Do(Step::Shutdown(mode));
    let attempt = |scene: &mut Scene, mode| {
        let instance = scene.seen.instance.clone();
        scene.take(Step::Shutdown(mode));
        scene.seen.instance = instance;
    };
    assert_eq!(at(&mut scene, 0), Verdict::Do(Step::SetPosition(None)));
    scene.take(Step::SetPosition(None));
    assert_eq!(at(&mut scene, 0), shutdown(ShutdownMode::Fast));
    attempt(&mut scene, ShutdownMode::Fast);
    assert_eq!(at(&mut scene, 59), Verdict::Wait(Reason::ServerStops));
    assert_eq!(at(&mut scene, 60), shutdown(ShutdownMode::Immediate));
    attempt(&mut scene, ShutdownMode::Immediate);
    assert_eq!(at(&mut scene, 79), Verdict::Wait(Reason::ServerStops));
    assert_eq!(at(&mut scene, 80), shutdown(ShutdownMode::Kill));
    attempt(&mut scene, ShutdownMode::Kill);
    assert_eq!(at(&mut scene, 99), shutdown(ShutdownMode::Kill));
    attempt(&mut scene, ShutdownMode::Kill);
    assert_eq!(at(&mut scene, 100), failed(Failure::CannotStop));
}

#[test]
fn stop_succeeds_without_cluster_or_data_directory_and_kills_what_was_left() {
    let mut scene = Scene::stopped(Sync, "pm02");
    scene.seen.cluster = ClusterView::Unavailable("down".into());
    scene.seen.instance.data_directory = DataDirectory::Missing;
    assert_eq!(scene.decide(Action::Stop), SUCCESS);
    scene.seen.instance.postmaster = Postmaster::Orphans { count: 3 };
    assert_eq!(scene.decide(Action::Stop), Verdict::Do(Step::Shutdown(ShutdownMode::Kill)));
}

// --- promote ---------------------------------------------------------------------------------

#[test]
fn promote_records_the_others_before_it_touches_the_server() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.settings.replication_slot_name = "s".into();
    scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm03").data_status = Some(DataStatus::StreamingAsync);
    scene.node("pm01").membership = Membership::Down;
    scene.node("pm01").data_status = Some(DataStatus::Latest);
    scene.node("pm01").score = None;
    let (steps, end) = scene.run(Action::Promote);
    assert_eq!(
        steps,
        [
            Step::SetDataStatus(node("pm01"), DataStatus::Disconnected),
            Step::SetDataStatus(node("pm03"), DataStatus::Disconnected),
            Step::CreateLock(Timeline(2)),
            Step::SetBaseline(Some(END)),
            Step::PromoteServer,
        ]
    );
    assert_eq!(end, Verdict::Wait(Reason::PromotionEnds));

    scene.seen.instance.answer = primary_report();
    let (steps, end) = scene.run(Action::Promote);
    let slots = steps.iter().filter(|step| matches!(step, Step::CreateSlot(_))).count();
    assert_eq!(slots, 2);
    assert_eq!(
        steps[slots..],
        [
            Step::SetDataStatus(node("pm02"), DataStatus::Latest),
            Step::SetScore(node("pm02"), PromotionScore::PROMOTE_ME),
            Step::SetStatus(node("pm02"), InstanceStatus::Primary),
        ]
    );
    assert_eq!(end, SUCCESS);
}

#[test]
fn promote_refuses_data_that_is_not_fit() {
    for status in [DataStatus::Disconnected, DataStatus::StreamingAsync] {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.node("pm02").data_status = Some(status.clone());
        assert_eq!(scene.decide(Action::Promote), failed(Failure::DataOutOfDate(status)));
    }
}

#[test]
fn promote_fetches_wal_that_a_peer_has_beyond_ours() {
    let ahead = position(1, END.0 + 800);
    let mut scene = Scene::standby(Sync, "pm02");
    scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm03").data_status = Some(DataStatus::StreamingPotential);
    scene.node("pm03").wal_position = Some(ahead);
    let follow = Step::FollowPeer(node("pm03"));
    assert_eq!(scene.decide(Action::Promote), Verdict::Do(follow.clone()));
    scene.take(follow);
    let waits = Verdict::Wait(Reason::WalOfPeer(node("pm03"), ahead));
    assert_eq!(scene.decide(Action::Promote), waits);
    scene.standby_report().wal_end = ahead.lsn;
    let (steps, _) = scene.run(Action::Promote);
    assert_eq!(steps.last(), Some(&Step::PromoteServer));
}

#[test]
fn before_postgresql_13_a_candidate_restarts_to_fetch_wal_and_only_then() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.seen.instance.conninfo_reloads = false;
    scene.node("pm03").wal_position = Some(position(1, END.0 + 800));
    let instance = scene.seen.instance.clone();
    let (steps, end) = scene.run(Action::Promote);
    let follow = Step::FollowPeer(node("pm03"));
    assert_eq!(steps, [follow, Step::Shutdown(ShutdownMode::Fast), Step::Launch]);
    assert_eq!(end, STARTING);
    scene.seen.instance = instance;
    scene.standby_report().wal_end = Lsn(END.0 + 800);
    let (steps, _) = scene.run(Action::Promote);
    assert_eq!(steps.last(), Some(&Step::PromoteServer));
}

#[test]
fn promote_gives_up_only_where_acknowledged_wal_would_be_lost() {
    let ahead = position(1, END.0 + 800);
    for (mode, status, refuses) in
        [(Sync, DataStatus::StreamingPotential, false), (Async, DataStatus::StreamingAsync, true)]
    {
        let mut scene = Scene::standby(mode, "pm02");
        scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
        scene.node("pm03").data_status = Some(status);
        scene.node("pm03").wal_position = Some(ahead);
        scene.take(Step::FollowPeer(node("pm03")));
        scene.seen.time.elapsed = Duration::from_secs(30);
        let refusal = failed(Failure::PeerAhead(node("pm03"), ahead, position(1, END.0)));
        assert_eq!(scene.decide(Action::Promote) == refusal, refuses, "{mode:?}");
    }
}

#[test]
fn promote_needs_the_record_of_the_others() {
    let mut scene = Scene::standby(Sync, "pm02");
    let record = Step::SetDataStatus(node("pm01"), DataStatus::Disconnected);
    scene.fail(record.clone());
    assert_eq!(scene.decide(Action::Promote), Verdict::Do(record), "it tries again");
    scene.seen.cluster = ClusterView::Unavailable("late".into());
    assert_eq!(scene.decide(Action::Promote), Verdict::Wait(Reason::ClusterAnswers));
}

#[test]
fn promote_and_demote_need_a_replication_mode() {
    for action in [Action::Promote, Action::Demote] {
        let scene = Scene::primary(ReplicationMode::None);
        assert_eq!(scene.decide(action), failed(Failure::NoReplication));
    }
}

// --- demote ----------------------------------------------------------------------------------

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
fn the_last_primary_leaves_no_lock_when_nobody_is_out_of_sight() {
    for (membership, removed) in [(Membership::Member, true), (Membership::Lost, false)] {
        let mut scene = Scene::primary(Sync);
        scene.seen.notification.present = true;
        scene.seen.notification.stop = vec![node("pm01")];
        scene.node("pm03").membership = membership;
        shut_down_cleanly(&mut scene);
        let (steps, _) = scene.run(Action::Demote);
        assert_eq!(steps.contains(&Step::RemoveLock), removed, "{membership:?}");
    }
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

// --- notify ----------------------------------------------------------------------------------

fn notified(mut scene: Scene, kind: NotificationType, operation: NotifiedOperation) -> Vec<Step> {
    scene.seen.notification.event = Some((kind, operation));
    scene.seen.notification.promote = vec![node("pm01")];
    scene.seen.notification.demote = vec![node("pm01")];
    scene.run(Action::Notify).0
}

#[test]
fn notifications_do_little() {
    use NotificationType::{Post, Pre};
    use NotifiedOperation::{Demote, Promote, Start, Stop};
    let standby = Scene::standby(Sync, "pm02");
    let here = position(1, END.0);
    assert_eq!(notified(standby.clone(), Pre, Promote), [Step::SetPosition(Some(here))]);
    assert_eq!(notified(standby.clone(), Post, Promote), [Step::SetPosition(None), Step::Reload]);
    assert_eq!(notified(standby.clone(), Post, Demote), [Step::SetBaseline(Some(END))]);
    for operation in [Start, Stop, Demote] {
        assert_eq!(notified(standby.clone(), Pre, operation), []);
    }
    assert_eq!(notified(Scene::primary(Sync), Post, Stop), []);
}

#[test]
fn after_a_promotion_a_standby_leaves_the_old_primarys_connection() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.stream_from(1);
    let steps = notified(scene, NotificationType::Post, NotifiedOperation::Promote);
    assert_eq!(steps, [Step::SetPosition(None), Step::RestartReceiver]);
}

#[test]
fn a_recovering_old_primary_does_not_hold_up_a_failover() {
    let mut scene = Scene::standby(Sync, "pm01");
    scene.seen.instance.answer = Answer::Refused(Refusal::StartingUp);
    scene.seen.notification.promote = vec![node("pm02")];
    assert_eq!(scene.decide(Action::Start), STARTING);
    scene.seen.time.elapsed = Duration::from_secs(4);
    assert_eq!(scene.decide(Action::Start), SUCCESS);
    scene.seen.notification.promote = vec![node("pm01")];
    assert_eq!(scene.decide(Action::Start), STARTING, "nobody else is to be promoted");
}

#[test]
fn a_primary_hears_at_once_that_a_standby_has_stopped() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys.clear();
    let steps = notified(scene, NotificationType::Post, NotifiedOperation::Stop);
    assert!(steps.contains(&Step::WriteSyncNames(SyncNames::nobody())), "{steps:?}");
}

#[test]
fn after_the_first_starts_the_standbys_elect_without_waiting_for_a_monitor() {
    let scene = Scene::standby(Sync, "pm01");
    let steps = notified(scene, NotificationType::Post, NotifiedOperation::Start);
    assert!(steps.contains(&Step::SetScore(node("pm01"), PromotionScore::PROMOTE_ME)));
}
