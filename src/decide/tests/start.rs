//! Start.

use super::scene::{END, Scene, node, position};
use super::unproven::unasked;
use super::verdicts::{STARTING, SUCCESS, failed, out_of_time};
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership};
use crate::model::instance::{Answer, Lock, Refusal};
use crate::model::rejoin::Resync;
use crate::model::settings::ReplicationMode::{self, Sync};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Failure, Verdict};
use crate::model::wal::Timeline;
use crate::model::warning::Warning;
use std::time::Duration;

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
    let line = "FATAL:  could not create any TCP/IP sockets".to_owned();
    scene.seen.instance.last_fatal = Some(line.clone());
    assert_eq!(scene.decide(Action::Start), failed(Failure::ServerDied(Some(line.clone()))));
    scene.settings.pghost = "192.0.2.1".into();
    let nowhere = Failure::CannotListen { pghost: "192.0.2.1".into(), line };
    assert_eq!(scene.decide(Action::Start), failed(nowhere));
}

#[test]
fn a_server_may_be_deaf_right_after_its_launch_and_no_longer() {
    let mut scene = Scene::stopped(ReplicationMode::None, "pm01");
    assert_eq!(scene.run(Action::Start).1, STARTING);
    scene.seen.instance = Scene::standby(Sync, "pm01").seen.instance;
    let deaf = "error connecting to server: No such file or directory".to_owned();
    scene.seen.instance.answer = Answer::Refused(Refusal::Other(deaf.clone()));
    assert_eq!(scene.decide(Action::Start), STARTING);
    scene.seen.time.elapsed = Duration::from_secs(1);
    assert_eq!(scene.decide(Action::Start), failed(Failure::NotAccepting(deaf)));
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
fn no_start_of_a_standby_holds_the_cluster_until_its_server_answers() {
    let silent = Answer::Silent("the server does not answer a connection".into());
    for (answer, seconds, ends) in [
        (Answer::Refused(Refusal::StartingUp), 2, false),
        (Answer::Refused(Refusal::StartingUp), 4, true),
        (silent.clone(), 9, false),
        (silent, 11, true),
    ] {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.seen.files.standby_signal = true;
        scene.seen.instance.answer = answer.clone();
        scene.seen.time.elapsed = Duration::from_secs(seconds);
        let end = scene.decide(Action::Start);
        assert_eq!(end == SUCCESS, ends, "{answer:?} {seconds}: {end:?}");
    }
}

#[test]
fn a_locked_node_without_a_primary_starts_as_the_last_one_or_when_it_cannot_be_promoted() {
    // (own record, primary, membership of pm03) -> starts
    let table = [
        (Some(DataStatus::Latest), None, Membership::Member, true),
        (Some(DataStatus::Disconnected), None, Membership::Member, true),
        (None, None, Membership::Member, false),
        (Some(DataStatus::Latest), None, Membership::Down, true),
        (Some(DataStatus::StreamingAsync), Some("pm03"), Membership::Member, true),
        (Some(DataStatus::Other("STARTUP|ASYNC".into())), None, Membership::Member, true),
    ];
    for (status, primary, membership, starts) in table {
        let mut scene = Scene::stopped(Sync, "pm01");
        scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
        scene.node("pm01").data_status = status.clone();
        if let Some(name) = primary {
            scene.node(name).role = ClusterRole::Promoted;
            scene.seen.evidence = unasked();
        }
        scene.node("pm03").membership = membership;
        let (steps, end) = scene.run(Action::Start);
        assert_eq!(steps.contains(&Step::Launch), starts, "{status:?} {primary:?}");
        assert_eq!(steps.contains(&Step::StayOnTimeline(None)), starts, "{status:?} {primary:?}");
        let locked = failed(Failure::Locked {
            lock: "/data/tmp/PGSQL.lock".into(),
            data_status: status,
            primary: None,
            resync: Resync::Rewind,
        });
        assert_eq!(end, if starts { STARTING } else { locked });
    }
}

#[test]
fn of_two_nodes_the_last_primary_starts_and_is_promoted_when_the_other_cannot_have_been() {
    use Membership::{Down, Lost, Member, NeverSeen};
    // (fencing, peer, whether this node has been there since it was promoted) -> asks to be promoted
    for (fencing, membership, was_here, asks) in [
        (true, Member, false, true),
        (true, Lost, false, false),
        (true, Lost, true, false),
        (true, Down, false, false),
        (true, Down, true, true),
        (true, NeverSeen, false, false),
        (true, NeverSeen, true, false),
        (false, Member, false, true),
        (false, Down, false, false),
        (false, Down, true, true),
        (false, Lost, true, false),
        (false, NeverSeen, true, false),
    ] {
        let two = |mut scene: Scene| {
            scene.cluster().fencing = fencing;
            scene.keep_hosts(2);
            scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
            scene.seen.files.lock_since_cluster_start = was_here;
            scene.node("pm01").data_status = Some(DataStatus::Latest);
            scene.node("pm02").data_status = Some(DataStatus::Disconnected);
            scene.node("pm02").membership = membership;
            scene
        };
        let (steps, _) = two(Scene::stopped(Sync, "pm01")).run(Action::Start);
        assert!(steps.contains(&Step::Launch), "{fencing} {membership:?} {was_here}");
        assert!(!steps.contains(&Step::RemoveLock), "{fencing} {membership:?} {was_here}");
        let (steps, _) = two(Scene::standby(Sync, "pm01")).run(Action::Monitor);
        let score = Step::SetScore(node("pm01"), PromotionScore::PROMOTE_ME);
        assert_eq!(steps.contains(&score), asks, "{fencing} {membership:?} {was_here}: {steps:?}");
        let overtaken = Step::Warn(Warning::MayBeOvertaken(vec![node("pm02")]));
        assert_eq!(
            steps.contains(&overtaken),
            !asks,
            "{fencing} {membership:?} {was_here}: {steps:?}"
        );
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

#[test]
fn beside_a_promotion_by_restart_an_old_primary_does_not_start() {
    for (by_restart, starts) in [(false, true), (true, false)] {
        let mut scene = Scene::stopped(Sync, "pm01");
        scene.settings.restart_on_promote = by_restart;
        scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
        scene.node("pm01").data_status = Some(DataStatus::Latest);
        scene.seen.notification.promote = vec![node("pm02")];
        let (steps, _) = scene.run(Action::Start);
        assert_eq!(steps.contains(&Step::Launch), starts, "by restart: {by_restart}");
    }
}

#[test]
fn what_the_cluster_remembers_of_this_node_is_no_rival() {
    let mut scene = Scene::stopped(Sync, "pm01");
    scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
    let me = scene.node("pm01");
    me.data_status = Some(DataStatus::Latest);
    me.role = ClusterRole::Promoted;
    assert!(scene.run(Action::Start).0.contains(&Step::Launch));
}

#[test]
fn a_node_that_started_without_proof_is_not_promoted_and_keeps_its_lock() {
    let mut scene = Scene::stopped(Sync, "pm01");
    scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
    scene.node("pm01").data_status = Some(DataStatus::Disconnected);
    let (steps, _) = scene.run(Action::Start);
    assert!(steps.contains(&Step::Warn(Warning::NobodyToAsk)), "{steps:?}");
    assert!(!steps.contains(&Step::RemoveLock), "{steps:?}");
    let mut unprovable = Scene::stopped(Sync, "pm01");
    unprovable.settings.restart_on_promote = true;
    unprovable.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
    unprovable.node("pm01").data_status = Some(DataStatus::Disconnected);
    assert!(!unprovable.run(Action::Start).0.contains(&Step::Launch));

    let mut running = Scene::standby(Sync, "pm01");
    running.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
    running.node("pm01").data_status = Some(DataStatus::Disconnected);
    let (steps, _) = running.run(Action::Monitor);
    assert!(!steps.iter().any(|step| matches!(step, Step::SetScore(..))), "{steps:?}");
    let (_, end) = running.run(Action::Promote);
    assert_eq!(end, failed(Failure::DataOutOfDate(DataStatus::Disconnected)));
}

#[test]
fn a_majority_knows_of_every_promotion_with_and_without_fencing() {
    for fencing in [true, false] {
        let mut scene = Scene::standby(Sync, "pm01");
        scene.cluster().fencing = fencing;
        scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
        scene.node("pm01").data_status = Some(DataStatus::Latest);
        scene.node("pm03").membership = Membership::Down;
        let (steps, _) = scene.run(Action::Monitor);
        let score = Step::SetScore(node("pm01"), PromotionScore::PROMOTE_ME);
        assert!(steps.contains(&score), "{fencing}: {steps:?}");
    }
}

#[test]
fn a_start_whose_record_the_cluster_does_not_take_is_given_up() {
    let mut scene = Scene::stopped(Sync, "pm02");
    let status = Step::SetStatus(node("pm02"), InstanceStatus::Stopped);
    scene.fail(status.clone());
    assert_eq!(scene.decide(Action::Start), Verdict::Do(status.clone()), "it is tried again");
    scene.seen.time.elapsed = Duration::from_secs(21);
    let given_up = failed(Failure::StepFailed(Box::new(status), "refused".into()));
    assert_eq!(scene.decide(Action::Start), given_up);
}
