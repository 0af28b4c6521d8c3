//! Monitor: what it answers, and what it records.

use super::scene::{Scene, node};
use super::verdicts::{NOT_RUNNING, SUCCESS, failed};
use crate::model::action::Action;
use crate::model::instance::{Answer, DataDirectory, Postmaster, Refusal};
use crate::model::observation::ClusterView;
use crate::model::settings::ReplicationMode::{self, Async, Sync};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore, ReceiverStatus};
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use std::path::PathBuf;
use std::time::Duration;

#[test]
fn monitor_answers_by_what_it_finds() {
    use Refusal::{Full, Other, ShuttingDown, StartingUp};
    let up = Postmaster::Running { pid: 1, held: None };
    let wait = |reason| Verdict::Wait(reason);
    let refused = |why: &str| failed(Failure::NotAccepting(why.into()));
    // (postmaster, answer, is a standby by its mark, verdict)
    let table = [
        (Postmaster::Absent, Answer::NotAsked, false, NOT_RUNNING),
        (Postmaster::Orphans { count: 2 }, Answer::NotAsked, false, NOT_RUNNING),
        (Postmaster::Unknown, Answer::NotAsked, false, wait(Reason::ServerAnswers)),
        (up, Answer::Refused(StartingUp), true, SUCCESS),
        (up, Answer::Refused(StartingUp), false, wait(Reason::ServerStarts)),
        (up, Answer::Refused(ShuttingDown), true, wait(Reason::ServerStops)),
        (up, Answer::Refused(Other("no".into())), false, wait(Reason::ServerAnswers)),
        (up, Answer::Silent("late".into()), false, wait(Reason::ServerAnswers)),
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
        scene.seen.files.standby_signal = mark;
        assert_eq!(scene.decide(Action::Monitor), verdict, "{postmaster:?} {answer:?} {mark}");
    }
    let mut scene = Scene::standby(Sync, "pm02");
    scene.seen.time.elapsed = Duration::from_secs(6);
    scene.seen.instance.answer = Answer::Refused(Other("no".into()));
    assert_eq!(scene.decide(Action::Monitor), refused("no"), "no hiccup any more");
    scene.seen.instance.answer = Answer::Refused(Full);
    assert_eq!(scene.run(Action::Monitor).1, SUCCESS, "busy is alive");
    scene.seen.files.standby_signal = false;
    assert_eq!(scene.decide(Action::Monitor), Verdict::Done(Outcome::RunningPromoted));
    scene.seen.instance.answer = Answer::Silent("late".into());
    assert_eq!(scene.decide(Action::Monitor), failed(Failure::Silent("late".into())));
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
fn the_wal_receiver_is_recorded_as_the_stock_agent_does() {
    let (standby, primary) = (Scene::standby(Sync, "pm02"), Scene::primary(Sync));
    let mut streaming = standby.clone();
    streaming.stream_from(1);
    // (scene, what is recorded, what is to be recorded)
    let table = [
        (&standby, None, Some(ReceiverStatus::Error)),
        (&standby, Some("normal"), Some(ReceiverStatus::Error)),
        (&standby, Some("ERROR"), None),
        (&streaming, Some("ERROR"), Some(ReceiverStatus::Normal)),
        (&streaming, Some("normal"), None),
        (&primary, Some("ERROR"), Some(ReceiverStatus::NormalPrimary)),
        (&primary, Some("normal (master)"), None),
    ];
    for (scene, recorded, step) in table {
        let mut scene = scene.clone();
        scene.settings.check_wal_receiver = true;
        let me = scene.seen.local.clone();
        scene.node(me.as_str()).receiver_status = recorded.map(str::to_owned);
        let step = step.map(|status| Step::SetReceiverStatus(Some(status)));
        let written = |step: &Step| matches!(step, Step::SetReceiverStatus(_));
        let (steps, _) = scene.run(Action::Monitor);
        assert_eq!(steps.into_iter().find(written), step, "{recorded:?}");
    }
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

/// A primary that the cluster does not know of, as after Pacemaker's controller was restarted beside it, goes on
/// writing.
#[test]
fn an_action_says_once_how_far_its_wal_goes_although_more_arrives() {
    for action in [Action::Monitor, Action::Start, Action::Promote] {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.stream_from(1);
        scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
        scene.node("pm01").data_status = Some(DataStatus::Latest);
        let says = |step: &Step| matches!(step, Step::SetPosition(_) | Step::SetBaseline(_));
        let mut said = 0;
        for _ in 0..40 {
            scene.standby_report().wal_end.0 += 0x100;
            let Verdict::Do(step) = scene.decide(action) else { break };
            said += usize::from(says(&step));
            scene.take(step);
        }
        assert_eq!(said, 1, "{action:?}");
        let asks = Some(PromotionScore::PROMOTE_ME);
        assert_ne!(scene.node("pm02").score, asks, "{action:?}: a primary lives");
    }
}
