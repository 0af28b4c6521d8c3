//! Quorum commits: the order of writes on the primary, and who may be promoted afterwards.

use super::scene::{END, Scene, node, position};
use super::sync_policy::written;
use super::verdicts::{SUCCESS, failed};
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership};
use crate::model::notification::{NotificationType, NotifiedOperation};
use crate::model::settings::ReplicationMode::Sync;
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::{SyncMethod, SyncNames};
use crate::model::sync_quorum::SyncQuorum;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use crate::model::wal::{Lsn, Timeline};
use std::time::Duration;

const PROMOTED: Verdict = Verdict::Done(Outcome::RunningPromoted);

fn quorum(timeline: u32, count: usize, voters: &[&str]) -> SyncQuorum {
    let voters = voters.iter().map(|name| (*name).to_owned()).collect();
    SyncQuorum { timeline: Timeline(timeline), count, voters }
}

fn any(mut scene: Scene) -> Scene {
    scene.settings.policy.sync_method = SyncMethod::Any;
    scene
}

#[test]
fn a_quorum_is_recorded_before_and_after_the_names() {
    let mut scene = any(Scene::primary(Sync));
    let (steps, end) = scene.run(Action::Monitor);
    assert_eq!(
        steps,
        [
            // pm02 was waited for alone: from now on it may lack something.
            Step::SetSyncQuorum(Some(quorum(1, 0, &["pm02"]))),
            Step::SetDataStatus(node("pm02"), DataStatus::StreamingQuorum),
            Step::WriteSyncNames(SyncNames::parse("ANY 1 (pm02, pm03)")),
            Step::Reload,
            Step::NoteSyncBaseline(node("pm01"), END),
            Step::SetSyncQuorum(Some(quorum(1, 1, &["pm02", "pm03"]))),
            Step::SetDataStatus(node("pm03"), DataStatus::StreamingQuorum),
            Step::SetScore(node("pm03"), PromotionScore::CAN_PROMOTE),
            Step::SetStatus(node("pm03"), InstanceStatus::Sync),
        ]
    );
    assert_eq!(end, PROMOTED);
    scene.next_action();
    assert_eq!(scene.run(Action::Monitor), (vec![], PROMOTED));
    scene.report().standbys.remove(0);
    let (steps, _) = scene.run(Action::Monitor);
    assert_eq!(
        steps,
        [
            Step::SetDataStatus(node("pm02"), DataStatus::Disconnected),
            Step::SetScore(node("pm02"), PromotionScore::Never),
            Step::WriteSyncNames(SyncNames::parse("ANY 1 (pm03)")),
            Step::Reload,
            Step::NoteSyncBaseline(node("pm01"), END),
            Step::SetSyncQuorum(Some(quorum(1, 1, &["pm03"]))),
        ]
    );
}

#[test]
fn a_quorum_is_promised_when_no_wal_sender_goes_by_older_names() {
    let mut scene = any(Scene::primary(Sync));
    while let Verdict::Do(step) = scene.decide(Action::Monitor) {
        let reloaded = step == Step::Reload;
        scene.take(step);
        if reloaded {
            break;
        }
    }
    let reloaded = scene.seen.taken.last(&Step::Reload).expect("the names were new").ended;
    let note = Verdict::Do(Step::NoteSyncBaseline(node("pm01"), END));
    for (after, expected) in [(499, Verdict::Wait(Reason::ReloadTakesEffect)), (500, note)] {
        scene.seen.time.elapsed = reloaded + Duration::from_millis(after);
        assert_eq!(scene.decide(Action::Monitor), expected, "{after} ms");
    }
}

#[test]
fn a_promise_of_which_nothing_was_heard_is_overwritten_before_the_names_hold_less() {
    let mut scene = any(Scene::primary(Sync));
    scene.node("pm02").data_status = Some(DataStatus::StreamingQuorum);
    scene.report().synchronous_standby_names = "ANY 1 (pm02)".into();
    scene.seen.files.sync_names = Some(SyncNames::parse("ANY 1 (pm02)"));
    let (steps, _) = scene.run(Action::Monitor);
    assert_eq!(
        steps[..2],
        [
            Step::SetSyncQuorum(Some(quorum(1, 0, &[]))),
            Step::WriteSyncNames(SyncNames::parse("ANY 1 (pm02, pm03)")),
        ]
    );
    // After the cluster has refused, the names stay.
    scene.next_action();
    scene.report().synchronous_standby_names = "ANY 2 (pm02, pm03)".into();
    scene.seen.files.sync_names = Some(SyncNames::parse("ANY 2 (pm02, pm03)"));
    scene.node("pm01").sync_quorum = Some(quorum(1, 1, &["pm02", "pm03"]));
    scene.fail(Step::SetSyncQuorum(Some(quorum(1, 2, &["pm02", "pm03"]))));
    assert_eq!(written(&scene.run(Action::Monitor).0), [""; 0]);
    scene.next_action();
    assert_eq!(written(&scene.run(Action::Monitor).0), ["ANY 1 (\"pm02\", \"pm03\")"]);
}

#[test]
fn a_quorum_is_not_given_up_while_a_voter_may_be_promoted_elsewhere() {
    for (quorum_holds, relaxed) in [(true, true), (false, false)] {
        let mut scene = any(Scene::primary(Sync));
        scene.run(Action::Monitor);
        scene.next_action();
        scene.report().standbys.clear();
        scene.cluster().quorum = quorum_holds;
        let (steps, _) = scene.run(Action::Monitor);
        assert_eq!(written(&steps).contains(&String::new()), relaxed, "{steps:?}");
        let warned = steps.iter().any(|step| matches!(step, Step::Warn(_)));
        assert_eq!(warned, !relaxed, "{steps:?}");
    }
}

/// Standby pm02, a voter of timeline 1 with pm03, and what pm03 has published.
fn voter(count: usize, theirs: Option<u64>, is_final: bool) -> Scene {
    let mut scene = any(Scene::standby(Sync, "pm02"));
    for name in ["pm02", "pm03"] {
        scene.node(name).data_status = Some(DataStatus::StreamingQuorum);
    }
    let old = scene.node("pm01");
    old.data_status = Some(DataStatus::Latest);
    old.membership = Membership::Down;
    old.sync_quorum = Some(quorum(1, count, &["pm02", "pm03"]));
    let peer = scene.node("pm03");
    peer.wal_position = theirs.map(|lsn| position(1, lsn));
    peer.position_is_final = is_final;
    scene
}

#[test]
fn a_voter_is_promoted_only_when_enough_are_seen() {
    let promoted = |mut scene: Scene| {
        scene.seen.time.elapsed = Duration::from_secs(5);
        let (steps, end) = scene.run(Action::Promote);
        (steps.contains(&Step::PromoteServer), end)
    };
    let unseen = failed(Failure::QuorumUnseen("pm03".into()));
    for (count, theirs, is_final, promotes) in [
        (1, Some(END.0), true, true),
        (1, Some(END.0 - 8), true, true),
        (1, Some(END.0), false, false),
        (1, None, false, false),
        (2, None, false, true),
        (0, Some(END.0), true, false),
    ] {
        let (done, end) = promoted(voter(count, theirs, is_final));
        assert_eq!(done, promotes, "{count} {theirs:?} {is_final}");
        assert!(promotes || count == 0 || end == unseen, "{end:?}");
    }
    let mut gone = voter(1, Some(END.0), true);
    gone.node("pm03").membership = Membership::Lost;
    assert_eq!(promoted(gone), (false, unseen));
    let mut void = voter(1, Some(END.0), true);
    void.node("pm01").sync_quorum = Some(quorum(7, 1, &["pm02"]));
    let unfit = failed(Failure::DataOutOfDate(DataStatus::StreamingQuorum));
    assert_eq!(promoted(void), (false, unfit.clone()), "a record of another reign");
    let mut two = voter(1, Some(END.0), true);
    two.node("pm03").sync_quorum = Some(quorum(1, 1, &["pm02"]));
    assert_eq!(promoted(two), (false, unfit), "one of them is of a partition that lost");
}

#[test]
fn a_voter_fetches_what_another_has_beyond_it_or_is_not_promoted() {
    // A voter is one before its right is on record, and may have lost that.
    for recorded in [Some(DataStatus::StreamingQuorum), Some(DataStatus::Disconnected), None] {
        let mut scene = voter(1, Some(END.0 + 800), true);
        scene.node("pm03").data_status = recorded;
        let follow = Step::FollowPeer(node("pm03"), "pm03".into());
        assert_eq!(scene.decide(Action::Promote), Verdict::Do(follow.clone()));
        scene.take(follow);
        scene.seen.time.elapsed = Duration::from_secs(30);
        let refusal =
            Failure::PeerAhead(node("pm03"), position(1, END.0 + 800), position(1, END.0));
        assert_eq!(scene.decide(Action::Promote), failed(refusal));
        scene.standby_report().wal_end = Lsn(END.0 + 800);
        assert!(scene.run(Action::Promote).0.contains(&Step::PromoteServer));
    }
}

#[test]
fn a_voter_asks_to_be_promoted_when_enough_are_seen() {
    for (count, theirs, asks) in
        [(1, Some(END.0), true), (1, Some(END.0 + 8), false), (1, None, false), (2, None, true)]
    {
        let mut scene = voter(count, theirs, false);
        if theirs.is_none() {
            scene.node("pm03").membership = Membership::Down;
        }
        let (steps, end) = scene.run(Action::Monitor);
        let asked = Step::SetScore(node("pm02"), PromotionScore::PROMOTE_ME);
        assert_eq!(steps.contains(&asked), asks, "{count} {theirs:?} {steps:?}");
        assert_eq!(end, SUCCESS);
    }
}

#[test]
fn a_voter_says_its_last_word_when_it_has_read_its_own_wal() {
    let mut scene = voter(1, None, false);
    let event = Some((NotificationType::Pre, NotifiedOperation::Promote));
    scene.seen.notification.event = event;
    let here = position(1, END.0);
    assert_eq!(scene.run(Action::Notify), (vec![Step::SetFinalPosition(here)], SUCCESS));
    scene.next_action();
    scene.standby_report().local_wal_exhausted = false;
    assert_eq!(scene.run(Action::Notify), (vec![], Verdict::Wait(Reason::ServerStarts)));
    scene.seen.time.elapsed = Duration::from_secs(3);
    assert_eq!(scene.run(Action::Notify), (vec![Step::SetPosition(Some(here))], SUCCESS));
    // Once there is a primary again, it is taken back.
    scene.next_action();
    scene.node("pm02").position_is_final = true;
    scene.node("pm03").role = ClusterRole::Promoted;
    assert!(scene.run(Action::Monitor).0.contains(&Step::SetPosition(None)));
    // Without a quorum on record it is as ever.
    scene.next_action();
    scene.node("pm01").sync_quorum = None;
    assert_eq!(scene.run(Action::Notify), (vec![Step::SetPosition(Some(here))], SUCCESS));
}
