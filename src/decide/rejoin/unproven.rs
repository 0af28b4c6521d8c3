//! Data that has not been compared with the primary's history yet: how its server runs, and what ends that.
//!
//! Such a server stays on its own timeline. A server that recovers to the latest one replays its own WAL past
//! the point where that left it when it has crashed as a primary and finds the history of a later timeline in
//! the archive (`XLogFileReadAnyTLI` in xlogrecovery.c takes the older timeline's segment where there is no
//! newer one); then it goes on "on the new timeline", and nothing shows it any more. On its own timeline it
//! receives only what both have in common (`StartReplication` in walsender.c).

use crate::decide::rules::history::relation_to;
use crate::decide::server::ensure_running::ensure_running;
use crate::decide::server::shutdown::escalate_shutdown;
use crate::decide::steps::{SUCCESS, best_effort, fail, require};
use crate::model::instance::{ControlState, StandbyReport};
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::rejoin::{Evidence, HistoryRelation, OwnData, PrimaryData, Refusal, Resync};
use crate::model::settings::{Rejoin, Settings};
use crate::model::status::DataStatus;
use crate::model::step::{ShutdownMode, Step};
use crate::model::verdict::{Failure, Reason, Verdict};
use crate::model::wal::WalPosition;
use crate::model::warning::Warning;

/// Returns which timeline a server that is to be started recovers to.
pub(in crate::decide) fn recovers_to(settings: &Settings, seen: &Observation) -> RecoveryTimeline {
    // With `off` the lock alone decides; a promotion by restart leaves no later timeline.
    let compares =
        settings.is_replication() && settings.rejoin != Rejoin::Off && !settings.restart_on_promote;
    let rewound = || {
        let rewinds = |step: &Step| matches!(step, Step::Rewind(..));
        seen.taken.0.iter().any(|attempt| rewinds(&attempt.step) && attempt.error.is_none())
    };
    match compares && may_be_a_primarys(seen) && !is_proven(seen) && !rewound() {
        true => RecoveryTimeline::Own(seen.instance.own_timeline),
        false => RecoveryTimeline::Latest,
    }
}

/// Tells whether the data may hold WAL of a primary that nobody received. PostgreSQL itself refuses to lead a
/// standby's data, a copy's, or that of a primary that was shut down, past a fork: it knows how far they
/// are (`minRecoveryPoint`, the backup's end, the checkpoint).
fn may_be_a_primarys(seen: &Observation) -> bool {
    let crashed = || {
        seen.instance.control.as_ref().is_some_and(|control| match control.state {
            ControlState::InProduction | ControlState::Other(_) => !seen.instance.is_copy,
            ControlState::ShutDown
            | ControlState::ShutDownInRecovery
            | ControlState::InArchiveRecovery => false,
        })
    };
    seen.files.lock.is_some() || crashed()
}

fn is_proven(seen: &Observation) -> bool {
    let Some(Evidence { own: Ok(own), primary: Ok(theirs) }) = &seen.evidence else { return false };
    match relation_to(own, theirs, seen.files.lock) {
        HistoryRelation::Prefix { .. } | HistoryRelation::Followed(_) => true,
        HistoryRelation::OtherSystem(..)
        | HistoryRelation::Foreign(..)
        | HistoryRelation::Diverged { .. }
        | HistoryRelation::Unproven(_)
        | HistoryRelation::Unasked(_) => false,
    }
}

/// Lets a node with the lock start although its primary could not be asked: nobody may promote it before it is
/// proven. The record of a node that nobody was promoted after is that primary's to take.
pub(in crate::decide) fn without_right(
    seen: &Observation,
    primary: &NodeName,
    kinship: HistoryRelation,
) -> Option<Verdict> {
    let cluster = seen.cluster.seen()?;
    let me = cluster.me()?;
    let recorded = me.data_status.as_ref();
    let claimed = |name: &NodeName| {
        cluster.node(name).is_some_and(|node| node.data_status == Some(DataStatus::Latest))
    };
    let due = match recorded {
        Some(DataStatus::Disconnected) => false,
        Some(DataStatus::Latest) => claimed(primary),
        Some(_) | None => true,
    };
    let revoked = due.then(|| Step::SetDataStatus(me.name.clone(), DataStatus::Disconnected));
    require(seen, revoked).or_else(|| not_compared(seen, primary, kinship))
}

/// Compares the data of a running standby with the primary's history, when there is reason to: the node has
/// the lock, its server stays on its own timeline, or it does not stream and is told of a fork.
pub(in crate::decide) fn compare(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
    primary: &NodeName,
) -> Option<Verdict> {
    if settings.rejoin == Rejoin::Off || settings.restart_on_promote {
        return None;
    }
    let unproven = is_unproven(seen, report);
    if !unproven && !is_told_of_a_fork(report) {
        return None;
    }
    let (own, theirs) = match &seen.evidence {
        None if seen.time.remaining.is_zero() => return None,
        None => return Some(Verdict::Wait(Reason::HistoryOf(primary.clone()))),
        Some(Evidence { own: Ok(own), primary: Ok(theirs) }) => (own, theirs),
        Some(Evidence { own: Err(error), .. }) => {
            let kinship = HistoryRelation::Unproven(error.clone());
            return if unproven { not_compared(seen, primary, kinship) } else { None };
        }
        Some(Evidence { primary: Err(error), .. }) => {
            let kinship = HistoryRelation::Unasked(error.clone());
            return if unproven { not_compared(seen, primary, kinship) } else { None };
        }
    };
    match unproven {
        true => settle(settings, seen, primary, own, theirs),
        false => diverged(report, primary, own, theirs),
    }
}

/// A standby that follows the latest timeline and streams is asked about only while an answer can prove
/// something: its lock is of an earlier timeline.
fn is_unproven(seen: &Observation, report: &StandbyReport) -> bool {
    if matches!(seen.files.recovers_to, Some(RecoveryTimeline::Own(_))) {
        return true;
    }
    let was_primary_on = seen.files.lock.map(|lock| lock.timeline);
    let earlier = was_primary_on.flatten() < Some(report.timeline);
    was_primary_on.is_some_and(|noted| noted.is_some() && earlier || !report.is_streaming())
}

/// A suspicion and no more: history files in the WAL directory may come from an archive that others use.
fn is_told_of_a_fork(report: &StandbyReport) -> bool {
    !report.is_streaming() && report.left_at.is_some_and(|fork| report.replayed > fork.lsn)
}

/// Says that, and why, the data is not proven.
pub(in crate::decide) fn not_compared(
    seen: &Observation,
    primary: &NodeName,
    kinship: HistoryRelation,
) -> Option<Verdict> {
    best_effort(seen, [Step::Warn(Warning::NotCompared(primary.clone(), Box::new(kinship)))])
}

/// Acts on what the comparison of unproven data says.
fn settle(
    settings: &Settings,
    seen: &Observation,
    primary: &NodeName,
    own: &OwnData,
    theirs: &PrimaryData,
) -> Option<Verdict> {
    let kinship = relation_to(own, theirs, seen.files.lock);
    let end = own.wal_end.as_ref().and_then(|end| end.as_ref().ok());
    match kinship {
        HistoryRelation::Prefix { .. } | HistoryRelation::Followed(_) => {
            let stays = matches!(seen.files.recovers_to, Some(RecoveryTimeline::Own(_)));
            // That it has followed is seen by the lock: there it goes with a later monitor.
            let by_lock = matches!(kinship, HistoryRelation::Followed(_));
            let unlock = seen.files.lock.filter(|_| !(stays && by_lock));
            let steps = [
                Some(Step::Warn(Warning::PartOfHistory(primary.clone(), kinship))),
                unlock.map(|_| Step::RemoveLock),
                stays.then(|| Step::Warn(Warning::FollowsNow(primary.clone()))),
            ];
            // Begun too late, it would leave a stopped server to be found as a failure.
            let in_time = seen.time.elapsed < seen.time.remaining;
            let restart = (stays && in_time).then_some(Step::Shutdown(ShutdownMode::Fast));
            best_effort(seen, steps.into_iter().flatten()).or_else(|| best_effort(seen, restart))
        }
        HistoryRelation::Diverged { end: mine, fork } => {
            let mine = end.map_or(mine, |end| WalPosition { lsn: *end, ..mine });
            let fork = WalPosition { timeline: theirs.history.timeline, lsn: fork };
            Some(fail(Failure::Diverged(primary.clone(), mine, fork)))
        }
        HistoryRelation::OtherSystem(..) | HistoryRelation::Foreign(..) => {
            let refusal = Refusal {
                primary: primary.clone(),
                address: theirs.address.clone(),
                kinship,
                resync: Resync::Copy,
                no_rewind: None,
                pgdata: settings.pgdata.clone(),
                lock: seen.files.lock.map(|_| settings.lock_file()),
            };
            Some(fail(Failure::HistoryMismatch(Box::new(refusal))))
        }
        HistoryRelation::Unproven(_) | HistoryRelation::Unasked(_) => {
            not_compared(seen, primary, kinship)
        }
    }
}

/// A standby that has replayed WAL from beyond the point where the primary's timeline left its own
/// never streams again (`rescanLatestTimeLine` in xlogrecovery.c). The next start tells, or does, what
/// brings it back.
fn diverged(
    report: &StandbyReport,
    primary: &NodeName,
    own: &OwnData,
    theirs: &PrimaryData,
) -> Option<Verdict> {
    let same = own.control.system_identifier == theirs.system_identifier;
    let fork = theirs
        .history
        .fork_point(report.timeline)
        .filter(|fork| same && report.replayed > *fork)?;
    let mine = WalPosition { timeline: report.timeline, lsn: report.replayed };
    let fork = WalPosition { timeline: theirs.history.timeline, lsn: fork };
    Some(fail(Failure::Diverged(primary.clone(), mine, fork)))
}

/// Restarts a server whose data has been proven, so that it follows the latest timeline: the target is read
/// only by a start. A monitor does it, for Pacemaker would count a failure; what is cut off here is found
/// stopped, and started as proven.
pub(in crate::decide) fn restarting(settings: &Settings, seen: &Observation) -> Option<Verdict> {
    let began = Step::Shutdown(ShutdownMode::Fast);
    if !seen.taken.tried(&began) {
        return None;
    }
    if !seen.taken.tried(&Step::Launch)
        && let Some(verdict) = escalate_shutdown(seen, settings.stop_escalate_in_slave)
    {
        return Some(verdict);
    }
    Some(ensure_running(settings, seen).unwrap_or(SUCCESS))
}
