//! The decisions: pure functions from one observation to one step.
//!
//! Nothing here does I/O, reads a clock or logs; only `model` is imported. Each file is one
//! action's decision, or a rule that several of them share.

mod by_hand;
mod candidacy;
mod candidate;
mod catch_up;
mod claim;
mod demote;
mod election;
mod grants;
mod held_back;
mod isolated;
mod ladder;
mod monitor;
mod names;
mod notify;
mod old_slots;
mod promote;
mod publish;
mod quorum;
mod rejoin;
mod slots;
mod start;
mod stop;
mod sync_policy;
#[cfg(test)]
mod tests;
mod unasked;
mod unproven;
mod voters;

use crate::model::action::Action;
use crate::model::observation::{ClusterView, Observation};
use crate::model::settings::Settings;
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};

/// Decides the next step of an action.
#[must_use]
pub fn decide(action: Action, settings: &Settings, seen: &Observation) -> Verdict {
    match action {
        Action::Start => start::start(settings, seen),
        Action::Stop => stop::stop(settings, seen),
        Action::Status => monitor::status(seen),
        Action::Monitor => monitor::monitor(settings, seen),
        Action::Promote => promote::promote(settings, seen),
        Action::Demote => demote::demote(settings, seen),
        Action::Notify => notify::notify(settings, seen),
    }
}

const SUCCESS: Verdict = Verdict::Done(Outcome::Success);

fn fail(failure: Failure) -> Verdict {
    Verdict::Done(Outcome::Failed(failure))
}

/// Returns the first step that has not been tried: for what is wanted, but must not fail the action.
///
/// A cluster that has refused one write, or taken too long for it, is not asked for another; only for the record,
/// on which commits may wait, it is asked although other attributes fail, which are another daemon's.
fn try_once(seen: &Observation, steps: impl IntoIterator<Item = Step>) -> Option<Verdict> {
    if seen.time.remaining.is_zero() {
        return None;
    }
    let failed = |kind: fn(&Step) -> bool| {
        seen.taken.0.iter().any(|attempt| attempt.error.is_some() && kind(&attempt.step))
    };
    let may = |step: &Step| match step.changes_record() {
        true => !failed(Step::changes_record),
        false => !step.writes_cluster() || !failed(Step::writes_cluster),
    };
    let tried = |step: &Step| {
        seen.taken.0.iter().any(|done| done.step == *step || step.says_anew(&done.step))
    };
    steps.into_iter().filter(may).find(|step| !tried(step)).map(Verdict::Do)
}

/// Gives up bookkeeping whose time is over: what it would still do, or wait for, is left to the next monitor.
/// An instance that has answered is well, whatever the record lacks.
fn in_time(seen: &Observation, bookkeeping: Option<Verdict>) -> Option<Verdict> {
    bookkeeping.filter(|verdict| match verdict {
        Verdict::Do(_) | Verdict::Wait(_) => !seen.time.remaining.is_zero(),
        Verdict::Done(_) => true,
    })
}

/// Returns the first step that has not succeeded: for what the action cannot do without.
fn insist(seen: &Observation, steps: impl IntoIterator<Item = Step>) -> Option<Verdict> {
    steps.into_iter().find(|step| !seen.taken.done(step)).map(Verdict::Do)
}

/// Returns the verdict for an action that cannot go on without the cluster.
fn without_cluster(seen: &Observation) -> Verdict {
    match &seen.cluster {
        ClusterView::Unavailable(error) if seen.time.remaining.is_zero() => {
            fail(Failure::ClusterUnavailable(error.clone()))
        }
        ClusterView::Unavailable(_) | ClusterView::NotAsked | ClusterView::Seen(_) => {
            Verdict::Wait(Reason::ClusterAnswers)
        }
    }
}
