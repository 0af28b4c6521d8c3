//! Start: in the replication modes always as a standby.

use std::time::Duration;

use super::held_back::{half_rewound, held_back};
use super::sync_policy::names_of_nobody;
use super::unproven::recovers_to;
use super::{SUCCESS, fail, insist, try_once, without_cluster};
use crate::model::cluster::Cluster;
use crate::model::instance::{Answer, DataDirectory, Postmaster, Refusal, StandbyReport};
use crate::model::observation::Observation;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{InstanceStatus, PromotionScore};
use crate::model::step::{ShutdownMode, Step};
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Failure, Reason, Verdict};

/// How long a launched server may be invisible or deaf: `pg_ctl` has returned, the postmaster has
/// not yet changed into its data directory, or not yet opened its sockets.
const LAUNCH_GRACE: Duration = Duration::from_millis(800);

/// How long a start waits for a standby to recover, so that what it has beyond others can be fetched from it.
const RECOVERY: Duration = Duration::from_secs(3);

/// How long a start waits for a standby that takes connections and says nothing: a log-in may hang for what only a
/// primary can end (a lock on the catalog that was replayed), or for another server.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a start tries to set the record of this node right.
const RECORD: Duration = Duration::from_secs(20);

/// Decides `start`.
pub(super) fn start(settings: &Settings, seen: &Observation) -> Verdict {
    if !settings.is_replication() {
        return bring_up(settings, seen).unwrap_or(SUCCESS);
    }
    let Some(cluster) = seen.cluster.seen() else { return without_cluster(seen) };
    match seen.instance.postmaster {
        // Processes that were left could still write: they end before the data are judged.
        Postmaster::Absent if !seen.taken.done(&Step::Launch) => {
            let cleaned = insist(seen, clean_record(cluster));
            if let Some(failure) = cleaned.as_ref().and_then(|next| unrecorded(seen, next)) {
                return fail(failure);
            }
            if let Some(verdict) = cleaned.or_else(|| held_back(settings, seen, cluster)) {
                return verdict;
            }
        }
        Postmaster::Absent
        | Postmaster::Orphans { .. }
        | Postmaster::Running { .. }
        | Postmaster::Unknown => {}
    }
    let target = recovers_to(settings, seen);
    bring_up_on(settings, seen, target)
        .or_else(|| finish(settings, seen, cluster))
        .unwrap_or(SUCCESS)
}

/// Launches the server, as a standby of the latest timeline where it is one, and waits until it takes
/// connections; `None` when it does.
pub(super) fn bring_up(settings: &Settings, seen: &Observation) -> Option<Verdict> {
    bring_up_on(settings, seen, RecoveryTimeline::Latest)
}

/// The same, as a standby that recovers to this timeline.
fn bring_up_on(
    settings: &Settings,
    seen: &Observation,
    target: RecoveryTimeline,
) -> Option<Verdict> {
    match seen.instance.postmaster {
        Postmaster::Absent => Some(launch(settings, seen, target)),
        Postmaster::Orphans { .. } => Some(match seen.time.remaining.is_zero() {
            true => fail(Failure::CannotStop),
            false => Verdict::Do(Step::Shutdown(ShutdownMode::Kill)),
        }),
        Postmaster::Unknown => Some(Verdict::Wait(Reason::ServerAnswers)),
        Postmaster::Running { .. } => accepting(settings, seen),
    }
}

fn launch(settings: &Settings, seen: &Observation, target: RecoveryTimeline) -> Verdict {
    if let Some(launched) = seen.taken.last(&Step::Launch) {
        if let Some(error) = &launched.error {
            let line = seen.instance.last_fatal.clone().unwrap_or_else(|| error.clone());
            return fail(died(settings, Some(line)));
        }
        return match in_launch_grace(seen) && seen.instance.last_fatal.is_none() {
            true => Verdict::Wait(Reason::ServerStarts),
            false => fail(died(settings, seen.instance.last_fatal.clone())),
        };
    }
    if let Some(refused) = half_rewound(settings, seen) {
        return refused;
    }
    match &seen.instance.data_directory {
        DataDirectory::Present => {}
        DataDirectory::Missing => {
            return fail(Failure::DataDirectoryMissing(settings.pgdata.clone()));
        }
        DataDirectory::Unreadable(error) => {
            let path = settings.pgdata.clone();
            return fail(Failure::DataDirectoryUnreadable(path, error.clone()));
        }
    }
    let needs_settings = match settings.rep_mode {
        ReplicationMode::None => false,
        ReplicationMode::Slave | ReplicationMode::Async | ReplicationMode::Sync => {
            !seen.files.standby_settings || seen.files.recovers_to != Some(target)
        }
    };
    let initial = names_of_nobody(settings);
    let differ = seen.files.sync_names.as_ref() != Some(&initial);
    let names = settings.rep_mode == ReplicationMode::Sync && differ;
    let steps = [
        Some(Step::PrepareDirectories),
        names.then_some(Step::WriteSyncNames(initial)),
        needs_settings.then_some(standby_settings(target)),
        Some(Step::Launch),
    ];
    once_or_fail(seen, steps).unwrap_or(Verdict::Wait(Reason::ServerStarts))
}

/// Returns the step that writes a standby's settings.
pub(super) const fn standby_settings(target: RecoveryTimeline) -> Step {
    match target {
        RecoveryTimeline::Latest => Step::WriteStandbySettings,
        RecoveryTimeline::Own(timeline) => Step::StayOnTimeline(timeline),
    }
}

/// Tells why the server ended: perhaps because of where it was told to listen.
fn died(settings: &Settings, line: Option<String>) -> Failure {
    let pghost = settings.pghost.clone();
    match line {
        // No language translates the term (`PostmasterMain()` in `postmaster.c`).
        Some(line) if !pghost.is_empty() && line.contains("TCP/IP") => {
            Failure::CannotListen { pghost, line }
        }
        line => Failure::ServerDied(line),
    }
}

/// Takes the steps in order; one that failed fails the action, for it would fail again.
pub(super) fn once_or_fail(
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

/// A postmaster runs: does it take connections?
fn accepting(settings: &Settings, seen: &Observation) -> Option<Verdict> {
    let out_of_time = seen.time.remaining.is_zero();
    match &seen.instance.answer {
        Answer::Standby(_) => None,
        Answer::Primary(_) => settings.is_replication().then(|| fail(Failure::AlreadyPrimary)),
        // A standby that still recovers is a running standby: ending it would only make the next
        // start begin again from the same place. Nor is it worth an outage: Pacemaker promotes
        // nobody before all starts of the transition are over.
        Answer::Refused(Refusal::StartingUp)
            if seen.files.standby_mark && (out_of_time || has_run(settings, seen, RECOVERY)) =>
        {
            Some(SUCCESS)
        }
        Answer::Silent(_) if seen.files.standby_mark && has_run(settings, seen, SILENCE) => {
            Some(SUCCESS)
        }
        Answer::Refused(Refusal::StartingUp | Refusal::ShuttingDown) if out_of_time => {
            Some(fail(Failure::NotAccepting("recovery is still running".into())))
        }
        Answer::Refused(Refusal::StartingUp | Refusal::ShuttingDown) => {
            Some(Verdict::Wait(Reason::ServerStarts))
        }
        Answer::Refused(Refusal::Full) if !out_of_time => {
            Some(Verdict::Wait(Reason::ServerAnswers))
        }
        Answer::Refused(Refusal::Full) => {
            Some(fail(Failure::NotAccepting("no connection is free".into())))
        }
        // The process is there before its socket.
        Answer::Refused(Refusal::Other(_)) if in_launch_grace(seen) => {
            Some(Verdict::Wait(Reason::ServerStarts))
        }
        Answer::Refused(Refusal::Other(error)) => Some(fail(Failure::NotAccepting(error.clone()))),
        Answer::MonitorSqlFailed(error) => Some(fail(Failure::MonitorSql(error.clone()))),
        Answer::Silent(error) if out_of_time => Some(fail(Failure::Silent(error.clone()))),
        Answer::Silent(_) | Answer::NotAsked => Some(Verdict::Wait(Reason::ServerStarts)),
    }
}

fn in_launch_grace(seen: &Observation) -> bool {
    let launched = seen.taken.last(&Step::Launch);
    launched.is_some_and(|launched| seen.time.elapsed < launched.ended + LAUNCH_GRACE)
}

/// Tells whether a standby has run for this long. While its start waits, Pacemaker promotes nobody anywhere, so that
/// what is not there by then is left to the monitors, unless this node itself is to be promoted next.
fn has_run(settings: &Settings, seen: &Observation, long: Duration) -> bool {
    let launched = seen.taken.last(&Step::Launch).map_or(Duration::ZERO, |launch| launch.ended);
    let is_next = seen.notification.promote.contains(&seen.local);
    settings.is_replication() && !is_next && seen.time.elapsed > launched + long
}

pub(super) fn another_is_promoted(seen: &Observation) -> bool {
    seen.notification.promote.iter().any(|node| *node != seen.local)
}

/// Gives a start up whose record the cluster does not take: an attribute daemon that is deaf stays so until Pacemaker is
/// restarted, and Pacemaker promotes nobody anywhere before this start is over.
fn unrecorded(seen: &Observation, next: &Verdict) -> Option<Failure> {
    let Verdict::Do(step) = next else { return None };
    let error = seen.taken.last(step)?.error.clone().filter(|_| seen.time.elapsed > RECORD)?;
    Some(Failure::StepFailed(Box::new(step.clone()), error))
}

/// Before a start nothing of an earlier life may be believed of this node.
fn clean_record(cluster: &Cluster) -> Vec<Step> {
    let Some(me) = cluster.me() else { return Vec::new() };
    let mut steps = Vec::new();
    if me.status != Some(InstanceStatus::Stopped) {
        steps.push(Step::SetStatus(me.name.clone(), InstanceStatus::Stopped));
    }
    if me.baseline.is_some() {
        steps.push(Step::SetBaseline(None));
    }
    if me.wal_position.is_some() || me.xlog_location.is_some() {
        steps.push(Step::SetPosition(None));
    }
    if me.score != Some(PromotionScore::Never) {
        steps.push(Step::SetScore(me.name.clone(), PromotionScore::Never));
    }
    steps
}

/// The server runs as a standby: is it the standby that it should be?
fn finish(settings: &Settings, seen: &Observation, cluster: &Cluster) -> Option<Verdict> {
    let Answer::Standby(report) = &seen.instance.answer else { return None };
    if !seen.files.standby_settings {
        let present = seen.files.recovers_to.unwrap_or(RecoveryTimeline::Latest);
        let steps = [Some(standby_settings(present)), Some(Step::Reload)];
        if let Some(verdict) = once_or_fail(seen, steps) {
            return Some(verdict);
        }
    }
    let position = match cluster.primary() {
        Some(_) => None,
        None => Some(Step::SetPosition(Some(report.position()))),
    };
    let expired = seen.files.expired_wal.iter().cloned().map(Step::RemoveKeptWal);
    (foreign_settings(settings, seen, report).map(fail))
        .or_else(|| try_once(seen, expired))
        .or_else(|| try_once(seen, alone(cluster).into_iter().chain(position)))
}

/// Settings from elsewhere that defeat the agent's own.
pub(super) fn foreign_settings(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
) -> Option<Failure> {
    let names = &report.synchronous_standby_names;
    let ours = settings.rep_mode == ReplicationMode::Sync
        && seen.files.sync_names.as_ref() == Some(&SyncNames::parse(names));
    if !names.is_empty() && !ours {
        return Some(Failure::ForeignSyncNames(names.clone()));
    }
    match &report.primary_conninfo {
        Some(conninfo) if report.conninfo_overridden => {
            Some(Failure::ConninfoOverridden(conninfo.clone()))
        }
        Some(_) | None => None,
    }
}

fn alone(cluster: &Cluster) -> Option<Step> {
    let me = cluster.me()?;
    let is_stopped = matches!(
        me.status,
        None | Some(InstanceStatus::Stopped | InstanceStatus::Unknown | InstanceStatus::Primary)
    );
    is_stopped.then(|| Step::SetStatus(me.name.clone(), InstanceStatus::Alone))
}
