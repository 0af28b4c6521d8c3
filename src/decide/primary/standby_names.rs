//! `synchronous_standby_names`: what is in force, and how another value comes into force.
//!
//! Whom it should name is `sync_policy`'s and `quorum_commit`'s business.

use crate::decide::steps::best_effort;
use crate::model::instance::PrimaryReport;
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Reason, Verdict};
use crate::model::wal::Lsn;
use crate::model::warning::Warning;
use std::time::Duration;

/// How long one round of publishing waits for a reload. What is not done then is done by the next
/// monitor.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long one round waits for a standby to have all earlier WAL, which under load takes as long as
/// its lag.
const CATCHING_UP: Duration = Duration::from_secs(4);

/// How long after a reload the checkpointer is given to notice it at all.
pub(in crate::decide) const SIGNAL: Duration = Duration::from_millis(100);

/// How long after a reload the WAL senders are given to finish the round in which they noticed it. One that
/// still goes by older names counts all that others already name, and may release commits for fewer of them
/// (`SyncRepReleaseWaiters` in syncrep.c). It looks at the signal before it takes replies (`WalSndLoop` in
/// walsender.c), so that a round is all that it takes.
const ROUND: Duration = Duration::from_millis(500);

/// Returns whom commits wait for at present. A server that waits for nobody may be about to read the
/// agent's file.
#[must_use]
pub(in crate::decide) fn in_force(seen: &Observation, report: &PrimaryReport) -> SyncNames {
    let effective = SyncNames::parse(&report.synchronous_standby_names);
    match effective.is_nobody() {
        true => seen.files.sync_names.clone().unwrap_or_default(),
        false => effective,
    }
}

/// Writes the names that are wanted and lets the server read them; says so if another source
/// overrides them. `None`: nothing is left to do, or to be waited for.
#[must_use]
pub(in crate::decide) fn apply_names(
    seen: &Observation,
    report: &PrimaryReport,
    wanted: &SyncNames,
) -> Option<Verdict> {
    let effective = SyncNames::parse(&report.synchronous_standby_names);
    if seen.files.sync_names.as_ref().unwrap_or(&effective) != wanted {
        return best_effort(seen, [Step::WriteSyncNames(wanted.clone())]);
    }
    let unread = are_unread(seen, wanted);
    let reloaded = seen.taken.last(&Step::Reload).map(|reload| reload.ended);
    if effective == *wanted && !unread {
        return None;
    }
    match reloaded {
        Some(at) if !unread => match seen.time.elapsed < at + PATIENCE {
            true => Some(Verdict::Wait(Reason::ReloadTakesEffect)),
            false => {
                let value = report.synchronous_standby_names.clone();
                best_effort(seen, [Step::Warn(Warning::NamesOverridden(value))])
            }
        },
        Some(_) | None => Some(Verdict::Do(Step::Reload)),
    }
}

/// Tells whether this action has written these names and not let the server read them since.
#[must_use]
pub(in crate::decide) fn are_unread(seen: &Observation, names: &SyncNames) -> bool {
    let written = seen.taken.last(&Step::WriteSyncNames(names.clone())).map(|write| write.ended);
    let reloaded = seen.taken.last(&Step::Reload).map(|reload| reload.ended);
    written.is_some() && reloaded < written
}

/// Tells whether the names in force stay in force when somebody lets the server read its files.
#[must_use]
pub(in crate::decide) fn are_persistent(seen: &Observation, report: &PrimaryReport) -> bool {
    let effective = SyncNames::parse(&report.synchronous_standby_names);
    seen.files.sync_names.as_ref().is_none_or(|written| *written == effective)
}

/// Tells whether every commit obeys the names in force.
///
/// Commits wait once the checkpointer has taken the new configuration, which in the middle of a
/// checkpoint may take a while; `sync_state` shows the WAL sender's reading, which is earlier.
#[must_use]
pub(in crate::decide) fn settled(seen: &Observation, obeyed: bool, margin: Duration) -> bool {
    let reloaded = seen.taken.last(&Step::Reload).map(|reload| reload.ended + margin);
    obeyed && reloaded.is_none_or(|at| seen.time.elapsed >= at)
}

/// Compares a standby with the end of WAL at a moment when every commit obeyed the names in force:
/// `None` when it has all of the time before. `key` names the comparison.
#[must_use]
pub(in crate::decide) fn behind_baseline(
    seen: &Observation,
    report: &PrimaryReport,
    key: &NodeName,
    standbys: &[(NodeName, Option<Lsn>)],
) -> Option<Verdict> {
    let Some(baseline) = seen.taken.sync_baseline(key) else {
        return Some(match settled(seen, report.sync_config_applied, ROUND) {
            true => Verdict::Do(Step::NoteSyncBaseline(key.clone(), report.wal_end)),
            false => Verdict::Wait(Reason::ReloadTakesEffect),
        });
    };
    let behind = standbys.iter().find(|(_, flushed)| *flushed < Some(baseline));
    behind.map(|(name, _)| Verdict::Wait(Reason::StandbyCatchesUp(name.clone())))
}

/// Tells whether this round has waited long enough for a standby.
#[must_use]
pub(in crate::decide) fn has_waited(seen: &Observation) -> bool {
    seen.time.elapsed > CATCHING_UP
}
