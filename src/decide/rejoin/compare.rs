//! Whether an old primary may start beside the present one, and what makes it fit to.
//!
//! A node with the lock follows the primary only if its data is proven to be part of the primary's history;
//! one without it is held back only by proof of the contrary. What the cluster has recorded is
//! `start_gate`'s business, and what runs unproven `unproven`'s.

use crate::decide::rejoin::unproven::{not_compared, without_right};
use crate::decide::rules::history::{known_end, relation_to};
use crate::decide::steps::{best_effort, fail, require, require_once};
use crate::model::instance::ControlState;
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::rejoin::{
    Evidence, HistoryRelation, LostWal, OwnData, PrimaryData, Refusal, Resync, RewindSource,
};
use crate::model::settings::{Rejoin, Settings};
use crate::model::step::Step;
use crate::model::verdict::{Failure, Reason, Verdict};
use crate::model::warning::Warning;

/// Decides whether the node may start beside this primary; `None`: it may. `streamed`: a primary has
/// recorded since that it streams.
pub(in crate::decide) fn beside(
    settings: &Settings,
    seen: &Observation,
    primary: &NodeName,
    streamed: bool,
) -> Option<Verdict> {
    if let Some(rewound) = seen.taken.0.iter().find(|a| matches!(a.step, Step::Rewind(..))) {
        let error = rewound.error.clone()?;
        return Some(fail(Failure::StepFailed(Box::new(rewound.step.clone()), error)));
    }
    let Some(evidence) = &seen.evidence else {
        return Some(Verdict::Wait(Reason::HistoryOf(primary.clone())));
    };
    let refused = |kinship, address: &str, no_rewind: Option<String>, resync| {
        let (primary, pgdata) = (primary.clone(), settings.pgdata.clone());
        let address = address.to_owned();
        let lock = seen.files.lock.is_some().then(|| settings.lock_file());
        let refusal = Refusal { primary, address, kinship, resync, no_rewind, pgdata, lock };
        Some(fail(Failure::HistoryMismatch(Box::new(refusal))))
    };
    let (own, theirs) = match evidence {
        Evidence { own: Ok(own), primary: Ok(theirs) } => (own, theirs),
        // Without the lock nothing speaks against this node.
        Evidence { .. } if seen.files.lock.is_none() => return None,
        Evidence { own: Err(error), .. } if streamed => {
            return not_compared(seen, primary, HistoryRelation::Unproven(error.clone()));
        }
        Evidence { own: Err(error), .. } => {
            let unproven = HistoryRelation::Unproven(error.clone());
            return refused(unproven, &settings.master_ip, None, Resync::Copy);
        }
        // It may have been promoted a moment ago, and its address is still to come. While this start waited,
        // nobody could be promoted should that primary die; monitors ask on.
        Evidence { primary: Err(error), .. } => {
            return without_right(seen, primary, HistoryRelation::Unasked(error.clone()));
        }
    };
    let kinship = relation_to(own, theirs, seen.files.lock);
    match &kinship {
        HistoryRelation::Prefix { .. } | HistoryRelation::Followed(_) => {
            release(seen, primary, kinship)
        }
        HistoryRelation::Unproven(_) if seen.files.lock.is_none() => None,
        // What a later primary has recorded is no proof, and no less than before.
        HistoryRelation::Unproven(_) if streamed => not_compared(seen, primary, kinship),
        HistoryRelation::Diverged { .. } => match settings.rejoin {
            Rejoin::Rewind => match unkept(settings, own).or_else(|| obstacle(own, theirs)) {
                None => rewind(settings, seen, primary, own, theirs, kinship),
                Some(why) => refused(kinship, &theirs.address, Some(why), resync(own)),
            },
            Rejoin::Verify | Rejoin::Off => refused(kinship, &theirs.address, None, resync(own)),
        },
        HistoryRelation::Unproven(_)
        | HistoryRelation::Unasked(_)
        | HistoryRelation::OtherSystem(..)
        | HistoryRelation::Foreign(..) => refused(kinship, &theirs.address, None, Resync::Copy),
    }
}

/// Removes the lock, if there is one, and says why.
fn release(seen: &Observation, primary: &NodeName, kinship: HistoryRelation) -> Option<Verdict> {
    seen.files.lock?;
    let said = Step::Warn(Warning::PartOfHistory(primary.clone(), kinship));
    best_effort(seen, [said]).or_else(|| require(seen, [Step::RemoveLock]))
}

fn resync(own: &OwnData) -> Resync {
    if own.control.can_rewind { Resync::Rewind } else { Resync::Copy }
}

/// Returns why the WAL that is about to be lost could not be kept whole.
fn unkept(settings: &Settings, own: &OwnData) -> Option<String> {
    let unknown = match &own.wal_end {
        Some(Ok(_)) => return None,
        Some(Err(why)) => why.as_str(),
        None => "it was not looked for",
    };
    let keeps = settings.policy.rewind_keep_size > 0;
    keeps.then(|| {
        format!("the end of the WAL to keep is not known ({unknown}): see rewind_keep_size")
    })
}

/// Returns why `pg_rewind` is not possible.
fn obstacle(own: &OwnData, primary: &PrimaryData) -> Option<String> {
    if !own.control.can_rewind {
        return Some("neither data checksums nor wal_log_hints, or no full_page_writes".into());
    }
    match &own.control.state {
        ControlState::ShutDown | ControlState::ShutDownInRecovery | ControlState::InProduction => {}
        // Recovery alone replays what is in the WAL directory, and nobody checks that pages are not beyond it.
        ControlState::InArchiveRecovery => match &own.wal_end {
            Some(Ok(end)) if *end >= known_end(&own.control) => {}
            Some(Ok(_) | Err(_)) | None => {
                return Some("a standby that crashed, and whose WAL is not all here".into());
            }
        },
        // Both are states of a primary that died.
        ControlState::Other(state)
            if ["in crash recovery", "shutting down"].contains(&&**state) => {}
        ControlState::Other(state) => return Some(format!("the data is in state \"{state}\"")),
    }
    match &primary.source {
        Some(Ok(source)) if source.readable => None,
        Some(Ok(_)) => {
            Some("repuser may not read files on the primary: see parameter rejoin".into())
        }
        Some(Err(error)) => Some(error.clone()),
        None => Some("the primary was not asked whether it permits it".into()),
    }
}

/// Keeps what only this node has, recovers what crashed, has the primary's `pg_control` show its timeline, and
/// rewinds. The recovery ends with checkpoints, which let go of WAL: so the first comes first.
///
/// In sync mode none of what is lost was acknowledged to a client, for that waits for a standby, and so for
/// whoever was promoted since; except to sessions with `synchronous_commit` local or off, which do not wait.
fn rewind(
    settings: &Settings,
    seen: &Observation,
    primary: &NodeName,
    own: &OwnData,
    theirs: &PrimaryData,
    kinship: HistoryRelation,
) -> Option<Verdict> {
    let clean = match own.control.state {
        ControlState::ShutDown | ControlState::ShutDownInRecovery => true,
        ControlState::InProduction | ControlState::InArchiveRecovery | ControlState::Other(_) => {
            false
        }
    };
    let said = Step::Warn(Warning::Rewinds(primary.clone(), kinship.clone(), settings.rep_mode));
    let recover = [
        // A server in single-user mode refuses to be a standby.
        seen.files.standby_signal.then_some(Step::RemoveStandbyMark),
        Some(Step::RecoverAlone),
    ];
    let told = !seen.taken.tried(&Step::RecoverAlone);
    if told && let Some(verdict) = best_effort(seen, [said]) {
        return Some(verdict);
    }
    if let Some(verdict) = keep(settings, seen, own, &kinship) {
        return Some(verdict);
    }
    let alone = seen.taken.last(&Step::RecoverAlone);
    if alone.is_some_and(|attempt| attempt.error.is_some())
        && let Some(verdict) = best_effort(
            seen,
            seen.taken.done(&Step::RemoveStandbyMark).then_some(Step::WriteStandbySettings),
        )
    {
        return Some(verdict);
    }
    if !clean && let Some(verdict) = require_once(seen, recover) {
        return Some(verdict);
    }
    let behind = |source: &RewindSource| source.control_timeline < theirs.history.timeline;
    if theirs.source.as_ref().is_some_and(|source| source.as_ref().is_ok_and(behind)) {
        let checkpoint = Step::CheckpointPrimary(theirs.address.clone());
        return best_effort(seen, [checkpoint])
            .or_else(|| Some(Verdict::Wait(Reason::CheckpointOf(primary.clone()))));
    }
    // One that is cut off leaves data that only a new copy replaces; what was done so far is not done again.
    if seen.time.remaining < (seen.time.elapsed + seen.time.remaining) / 3 {
        return Some(fail(Failure::Deadline(Box::new(Reason::TimeToRewind))));
    }
    // The shell agent, to which this node may be given back, knows nothing but the lock. With the timeline that is left
    // here, a copy of the primary is known for one.
    let lock = seen.files.lock.is_none().then(|| Step::CreateLock(own.timeline()));
    require(seen, lock)
        .or_else(|| Some(Verdict::Do(Step::Rewind(primary.clone(), theirs.address.clone()))))
}

/// Keeps the WAL that is about to be lost, once; without it nothing is rewound.
fn keep(
    settings: &Settings,
    seen: &Observation,
    own: &OwnData,
    kinship: &HistoryRelation,
) -> Option<Verdict> {
    let HistoryRelation::Diverged { end, fork } = kinship else { return None };
    if settings.policy.rewind_keep_size == 0 {
        return None;
    }
    let kept = seen.taken.0.iter().find(|attempt| matches!(attempt.step, Step::KeepWal(_)));
    let Some(kept) = kept else {
        let layout = own.control.layout;
        let lost = LostWal { timeline: end.timeline, from: *fork, to: end.lsn, layout };
        return Some(Verdict::Do(Step::KeepWal(lost)));
    };
    let error = kept.error.clone()?;
    Some(fail(Failure::StepFailed(Box::new(kept.step.clone()), error)))
}
