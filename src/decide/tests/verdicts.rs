//! What tests expect: verdicts, and a question that many of them ask.

use std::time::Duration;

use super::scene::{END, Scene};
use crate::model::action::Action;
use crate::model::instance::{Answer, PrimaryReport};
use crate::model::status::PromotionScore;
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use crate::model::wal::Timeline;

/// The verdicts that tests expect most.
pub(super) const SUCCESS: Verdict = Verdict::Done(Outcome::Success);
pub(super) const PROMOTED: Verdict = Verdict::Done(Outcome::RunningPromoted);
pub(super) const NOT_RUNNING: Verdict = Verdict::Done(Outcome::NotRunning);
pub(super) const STARTING: Verdict = Verdict::Wait(Reason::ServerStarts);

pub(super) fn failed(failure: Failure) -> Verdict {
    Verdict::Done(Outcome::Failed(failure))
}

/// What a server says that has just been promoted.
pub(super) fn primary_report() -> Answer {
    Answer::Primary(PrimaryReport {
        asked_as: "postgres".into(),
        timeline: Timeline(2),
        wal_end: END,
        standbys: Vec::new(),
        synchronous_standby_names: String::new(),
        slots: Vec::new(),
        sync_config_applied: true,
    })
}

/// Lets the action's time be over.
pub(super) fn out_of_time(scene: &mut Scene) {
    scene.seen.time.elapsed = Duration::from_secs(60);
    scene.seen.time.remaining = Duration::ZERO;
}

/// Tells whether a monitor of this scene asks to be promoted.
pub(super) fn asks_to_be_promoted(scene: &mut Scene) -> bool {
    let local = scene.seen.local.clone();
    let (steps, end) = scene.run(Action::Monitor);
    assert_eq!(end, Verdict::Done(Outcome::Success));
    steps.contains(&Step::SetScore(local, PromotionScore::PROMOTE_ME))
}
