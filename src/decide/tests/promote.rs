//! Promote.

use super::scene::{END, Scene, node, position};
use super::verdicts::{STARTING, SUCCESS, failed, primary_report};
use crate::model::action::Action;
use crate::model::cluster::Membership;
use crate::model::instance::{Lock, Postmaster};
use crate::model::observation::ClusterView;
use crate::model::settings::ReplicationMode::{self, Async, Sync};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::{ShutdownMode, Step};
use crate::model::verdict::{Failure, Reason, Verdict};
use crate::model::wal::{Lsn, Timeline};
use std::time::Duration;

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
            Step::SetDataStatus(node("pm02"), DataStatus::Latest),
            Step::SetBaseline(Some(END)),
            Step::CreateLock(Timeline(2)),
            Step::PromoteServer,
        ]
    );
    assert_eq!(end, Verdict::Wait(Reason::PromotionEnds));

    scene.seen.instance.answer = primary_report();
    let (steps, end) = scene.run(Action::Promote);
    let slots = steps.iter().filter(|step| matches!(step, Step::CreateSlot(_))).count();
    assert_eq!(slots, 2);
    assert!(matches!(&steps[0], Step::RecordSlots(made) if made.len() == slots), "{steps:?}");
    assert_eq!(
        steps[1 + slots..],
        [
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
    let follow = Step::FollowPeer(node("pm03"), "pm03".into());
    assert_eq!(scene.decide(Action::Promote), Verdict::Do(follow.clone()));
    scene.take(follow);
    let waits = Verdict::Wait(Reason::WalOfPeer(node("pm03"), ahead));
    assert_eq!(scene.decide(Action::Promote), waits);
    scene.standby_report().wal_end = ahead.lsn;
    let first = Step::SetDataStatus(node("pm01"), DataStatus::Disconnected);
    assert_eq!(scene.decide(Action::Promote), Verdict::Do(first.clone()));
    scene.take(first);
    scene.standby_report().wal_end = END;
    let (steps, _) = scene.run(Action::Promote);
    assert_eq!(steps.last(), Some(&Step::PromoteServer), "a restarted receiver forgets");
}

#[test]
fn promote_fetches_from_a_peer_that_this_transition_has_restarted_and_not_from_one_that_it_stops() {
    for (restarted, fetches) in [(true, true), (false, false)] {
        let mut scene = Scene::standby(Sync, "pm01");
        scene.node("pm03").wal_position = Some(position(1, END.0 + 8));
        scene.seen.notification.stop = vec![node("pm03")];
        scene.seen.notification.start = if restarted { vec![node("pm03")] } else { Vec::new() };
        let (steps, _) = scene.run(Action::Promote);
        assert_eq!(
            steps.contains(&Step::FollowPeer(node("pm03"), "pm03".into())),
            fetches,
            "{steps:?}"
        );
    }
}

#[test]
fn before_postgresql_13_a_candidate_restarts_to_fetch_wal_and_only_then() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.seen.instance.conninfo_reloads = false;
    scene.node("pm03").wal_position = Some(position(1, END.0 + 800));
    let instance = scene.seen.instance.clone();
    let (steps, end) = scene.run(Action::Promote);
    let follow = Step::FollowPeer(node("pm03"), "pm03".into());
    assert_eq!(steps, [follow, Step::Shutdown(ShutdownMode::Fast), Step::Launch]);
    assert_eq!(end, STARTING);
    scene.seen.instance = instance;
    scene.standby_report().wal_end = Lsn(END.0 + 800);
    let (steps, _) = scene.run(Action::Promote);
    assert_eq!(steps.last(), Some(&Step::PromoteServer));
}

#[test]
fn before_postgresql_13_a_replay_that_is_paused_goes_on_before_the_promotion() {
    for (reloads, resumes) in [(false, true), (true, false)] {
        for refused in [false, true] {
            let mut scene = Scene::standby(Sync, "pm02");
            scene.seen.instance.conninfo_reloads = reloads;
            let mut steps = Vec::new();
            while let Verdict::Do(step) = scene.decide(Action::Promote) {
                match refused && step == Step::ResumeReplay {
                    true => scene.fail(step.clone()),
                    false => scene.take(step.clone()),
                }
                steps.push(step);
            }
            let place = |step: &Step| steps.iter().position(|taken| taken == step);
            let promoted = place(&Step::PromoteServer).expect("it is promoted");
            let resumed = place(&Step::ResumeReplay);
            assert_eq!(resumed, resumes.then(|| promoted - 1), "{steps:?}");
        }
    }
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
        scene.take(Step::FollowPeer(node("pm03"), "pm03".into()));
        scene.seen.time.elapsed = Duration::from_secs(30);
        let refusal = failed(Failure::PeerAhead(node("pm03"), ahead, position(1, END.0)));
        assert_eq!(scene.decide(Action::Promote) == refusal, refuses, "{mode:?}");
    }
}

#[test]
fn a_synchronous_candidate_has_all_that_was_acknowledged_and_is_never_refused_for_a_peer() {
    use DataStatus::{Latest, StreamingQuorum, StreamingSync};
    let ahead = position(1, END.0 + 800);
    // (own record, peer's record, refuses)
    for (mine, theirs, refuses) in [
        (StreamingSync, StreamingSync, false),
        (StreamingSync, StreamingQuorum, false),
        (Latest, StreamingSync, true),
    ] {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.node("pm02").data_status = Some(mine.clone());
        scene.node("pm03").data_status = Some(theirs.clone());
        scene.node("pm03").wal_position = Some(ahead);
        scene.take(Step::FollowPeer(node("pm03"), "pm03".into()));
        scene.seen.time.elapsed = Duration::from_secs(30);
        let refusal = failed(Failure::PeerAhead(node("pm03"), ahead, position(1, END.0)));
        assert_eq!(scene.decide(Action::Promote) == refusal, refuses, "{mine:?} {theirs:?}");
    }
}

#[test]
fn a_peer_is_sought_at_the_address_that_it_has_published_and_then_under_its_name() {
    let mut scene = Scene::standby(Async, "pm02");
    let mut tried = |reloads: bool, streams: bool| {
        scene.next_action();
        scene.seen.time.elapsed = Duration::ZERO;
        scene.seen.instance.conninfo_reloads = reloads;
        let peer = scene.node("pm03");
        peer.data_status = Some(DataStatus::StreamingAsync);
        peer.wal_position = Some(position(1, END.0 + 800));
        peer.address = "192.0.2.13".parse().ok();
        scene.node("pm02").data_status = Some(DataStatus::StreamingAsync);
        let mut hosts = Vec::new();
        while let Verdict::Do(Step::FollowPeer(peer, host)) = scene.decide(Action::Promote) {
            assert_eq!(peer, node("pm03"));
            hosts.push(host.clone());
            scene.take(Step::FollowPeer(peer, host));
            if streams {
                scene.stream_from(1);
            }
            if reloads {
                let waits =
                    Verdict::Wait(Reason::WalOfPeer(node("pm03"), position(1, END.0 + 800)));
                assert_eq!(scene.decide(Action::Promote), waits);
            }
            scene.seen.time.elapsed += Duration::from_secs(41);
        }
        hosts
    };
    assert_eq!(tried(true, false), ["192.0.2.13", "pm03"]);
    assert_eq!(tried(false, false), ["192.0.2.13"]);
    assert_eq!(tried(true, true), ["192.0.2.13"], "it streams from there");
}

#[test]
fn promote_needs_the_record_of_the_others() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
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

#[test]
fn a_promotion_by_restart_records_the_same_and_ends_as_primary() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.settings.restart_on_promote = true;
    scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
    let (steps, end) = scene.run(Action::Promote);
    let record = Step::SetDataStatus(node("pm02"), DataStatus::Latest);
    let place = |step: &Step| steps.iter().position(|taken| taken == step);
    let restart = [Step::Shutdown(ShutdownMode::Fast), Step::RemoveStandbyMark, Step::Launch];
    assert_eq!(steps[steps.len() - 3..], restart);
    assert!(place(&record) < place(&restart[0]), "{steps:?}");
    assert_eq!(end, STARTING);
    scene.seen.instance.postmaster = Postmaster::Running { pid: 43, held: None };
    scene.seen.instance.answer = primary_report();
    assert_eq!(scene.run(Action::Promote).1, SUCCESS);
}

#[test]
fn a_promotion_in_a_cluster_that_splits_meanwhile_waits_for_the_others_to_be_accounted_for() {
    use Membership::{Down, Lost, Member};
    // (nodes, quorum, membership of pm03 or, of two, pm02) -> promotes
    let table = [
        (3, true, Lost, true),
        (3, false, Lost, false),
        (2, true, Member, true),
        (2, true, Down, true),
        (2, true, Lost, false),
    ];
    for (nodes, quorum, membership, promotes) in table {
        let mut scene = Scene::standby(Sync, "pm01");
        scene.keep_hosts(nodes);
        scene.cluster().quorum = quorum;
        scene.cluster().nodes[nodes - 1].membership = membership;
        let (steps, end) = scene.run(Action::Promote);
        assert_eq!(steps.contains(&Step::PromoteServer), promotes, "{nodes} {membership:?}");
        let recorded = Step::SetDataStatus(node("pm02"), DataStatus::Disconnected);
        assert_eq!(steps.contains(&recorded), promotes, "{nodes} {membership:?}");
        assert_eq!(matches!(end, Verdict::Wait(Reason::RecordBinds(_))), !promotes);
    }
}

/// pm02 streams at its promotion, and its last word before was this position.
fn streams(said: Option<u64>) -> Scene {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.stream_from(1);
    scene.node("pm01").data_status = Some(DataStatus::Latest);
    let pm02 = scene.node("pm02");
    pm02.data_status = Some(DataStatus::StreamingSync);
    pm02.wal_position = said.map(|lsn| position(1, lsn));
    scene
}

#[test]
fn nobody_is_promoted_while_wal_arrives_from_a_primary() {
    // A receiver whose primary is gone says that it streams, and receives nothing.
    for said in [None, Some(END.0), Some(END.0 + 8)] {
        let (steps, _) = streams(said).run(Action::Promote);
        assert!(steps.contains(&Step::PromoteServer), "{said:?}: {steps:?}");
    }
    let mut scene = streams(Some(END.0 - 8));
    let wait = Verdict::Wait(Reason::PrimaryWrites);
    let revoked = |scene: &mut Scene| {
        let (steps, end) = scene.run(Action::Promote);
        assert!(!steps.contains(&Step::PromoteServer), "{steps:?}");
        assert!(!steps.iter().any(|s| matches!(s, Step::SetDataStatus(..))), "{steps:?}");
        end
    };
    assert_eq!(revoked(&mut scene), wait);
    scene.standby_report().wal_end.0 += 8;
    scene.seen.time.elapsed = Duration::from_secs(2);
    assert_eq!(revoked(&mut scene), wait, "more has arrived since");
    let mut goes_on = scene.clone();
    goes_on.standby_report().wal_end.0 += 8;
    goes_on.seen.time.elapsed = Duration::from_secs(11);
    let lost = failed(Failure::Deadline(Box::new(Reason::PrimaryWrites)));
    assert_eq!(revoked(&mut goes_on), lost);
    scene.seen.time.elapsed = Duration::from_secs(4);
    let (steps, _) = scene.run(Action::Promote);
    assert!(steps.contains(&Step::PromoteServer), "it has ended: {steps:?}");
}
