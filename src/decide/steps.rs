//! How a decision becomes a verdict: the next of several steps, and what a failed one means.

use crate::model::observation::{ClusterView, Observation};
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};

pub(in crate::decide) const SUCCESS: Verdict = Verdict::Done(Outcome::Success);

pub(in crate::decide) fn fail(failure: Failure) -> Verdict {
    Verdict::Done(Outcome::Failed(failure))
}

/// Returns the first step that has not been tried: for what is wanted, but must not fail the action.
///
/// A cluster that has refused one write, or taken too long for it, is not asked for another; only for the record,
/// on which commits may wait, it is asked although other attributes fail, which are another daemon's.
pub(in crate::decide) fn best_effort(
    seen: &Observation,
    steps: impl IntoIterator<Item = Step>,
) -> Option<Verdict> {
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

/// Returns the first step that has not been tried, whatever else has failed.
pub(in crate::decide) fn best_effort_anyway(
    seen: &Observation,
    steps: impl IntoIterator<Item = Step>,
) -> Option<Verdict> {
    let mut steps = steps.into_iter().filter(|_| !seen.time.remaining.is_zero());
    steps.find(|step| !seen.taken.tried(step)).map(Verdict::Do)
}

/// Gives up bookkeeping whose time is over: what it would still do, or wait for, is left to the next monitor.
/// An instance that has answered is well, whatever the record lacks.
pub(in crate::decide) fn in_time(
    seen: &Observation,
    bookkeeping: Option<Verdict>,
) -> Option<Verdict> {
    bookkeeping.filter(|verdict| match verdict {
        Verdict::Do(_) | Verdict::Wait(_) => !seen.time.remaining.is_zero(),
        Verdict::Done(_) => true,
    })
}

/// Returns the first step that has not succeeded: for what the action cannot do without.
pub(in crate::decide) fn require(
    seen: &Observation,
    steps: impl IntoIterator<Item = Step>,
) -> Option<Verdict> {
    steps.into_iter().find(|step| !seen.taken.done(step)).map(Verdict::Do)
}

/// Returns the verdict for an action that cannot go on without the cluster.
pub(in crate::decide) fn without_cluster(seen: &Observation) -> Verdict {
    match &seen.cluster {
        ClusterView::Unavailable(error) if seen.time.remaining.is_zero() => {
            fail(Failure::ClusterUnavailable(error.clone()))
        }
        ClusterView::Unavailable(_) | ClusterView::NotAsked | ClusterView::Seen(_) => {
            Verdict::Wait(Reason::ClusterAnswers)
        }
    }
}

/// Takes the steps in order; one that failed fails the action, for it would fail again.
pub(in crate::decide) fn require_once(
    seen: &Observation,
    steps: impl IntoIterator<Item = Option<Step>>,
) -> Option<Verdict> {
    for step in steps.into_iter().flatten() {
        match seen.taken.last(&step) {
            None => return Some(Verdict::Do(step)),
            Some(attempt) => {
                if let Some(error) = &attempt.error {
                    return Some(fail(Failure::StepFailed(Box::new(step), error.clone())));
                }
            }
        }
    }
    None
}
