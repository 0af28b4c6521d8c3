//! Notify.

use super::scene::{END, Scene, node, position};
use super::verdicts::{STARTING, SUCCESS};
use crate::model::action::Action;
use crate::model::instance::{Answer, Refusal};
use crate::model::notification::{NotificationType, NotifiedOperation};
use crate::model::policy::SyncAvailability;
use crate::model::settings::ReplicationMode::Sync;
use crate::model::status::{DataStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use std::time::Duration;

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
    assert_eq!(notified(standby.clone(), Post, Demote), [Step::SetBaseline(Some(END))]);
    for operation in [Start, Stop, Demote] {
        assert_eq!(notified(standby.clone(), Pre, operation), []);
    }
    assert_eq!(notified(Scene::primary(Sync), Post, Stop), []);
}

#[test]
fn a_strict_candidate_is_told_who_has_read_all_its_wal() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.settings.policy.sync_availability = SyncAvailability::Strict;
    let here = position(1, END.0);
    let (pre, promote) = (NotificationType::Pre, NotifiedOperation::Promote);
    assert_eq!(notified(scene.clone(), pre, promote), [Step::SetFinalPosition(here)]);
    scene.standby_report().local_wal_exhausted = false;
    assert_eq!(notified(scene.clone(), pre, promote), []);
    scene.seen.time.elapsed = Duration::from_secs(3);
    assert_eq!(notified(scene, pre, promote), [Step::SetPosition(Some(here))]);
}

#[test]
fn after_a_promotion_a_standby_leaves_the_old_primarys_connection() {
    // One that is still connecting is not seen.
    for streams in [true, false] {
        let mut scene = Scene::standby(Sync, "pm02");
        if streams {
            scene.stream_from(1);
        }
        let steps = notified(scene, NotificationType::Post, NotifiedOperation::Promote);
        assert_eq!(steps, [Step::SetPosition(None), Step::RestartReceiver], "{streams}");
    }
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

#[test]
fn an_old_primary_does_not_contend_with_a_standby_that_may_be_promoted() {
    let mut scene = Scene::standby(Sync, "pm01");
    scene.node("pm01").data_status = Some(DataStatus::Latest);
    scene.node("pm02").score = Some(PromotionScore::CAN_PROMOTE);
    let steps = notified(scene, NotificationType::Post, NotifiedOperation::Start);
    assert_eq!(steps, []);
}
