//! How a server is launched, and when it counts as running.

use std::time::Duration;

use crate::decide::rules::fitness::half_rewound;
use crate::decide::steps::{SUCCESS, fail, require_once};
use crate::model::instance::{Answer, DataDirectory, Postmaster, Refusal};
use crate::model::observation::Observation;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::step::{ShutdownMode, Step};
use crate::model::verdict::{Failure, Reason, Verdict};

/// How long a launched server may be invisible or deaf: `pg_ctl` has returned, the postmaster has
/// not yet changed into its data directory, or not yet opened its sockets.
const LAUNCH_GRACE: Duration = Duration::from_millis(800);

/// How long a start waits for a standby to recover, so that what it has beyond others can be fetched from it.
const RECOVERY: Duration = Duration::from_secs(3);

/// How long a start waits for a standby that takes connections and says nothing: a log-in may hang for what only a
/// primary can end (a lock on the catalog that was replayed), or for another server.
const SILENCE: Duration = Duration::from_secs(10);

/// Launches the server, as a standby of the latest timeline where it is one, and waits until it takes
/// connections; `None` when it does.
pub(in crate::decide) fn ensure_running(
    settings: &Settings,
    seen: &Observation,
) -> Option<Verdict> {
    ensure_running_on(settings, seen, RecoveryTimeline::Latest)
}

/// The same, as a standby that recovers to this timeline.
pub(in crate::decide) fn ensure_running_on(
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
    let initial = settings.names_of_nobody();
    let differ = seen.files.sync_names.as_ref() != Some(&initial);
    let names = settings.rep_mode == ReplicationMode::Sync && differ;
    let steps = [
        Some(Step::PrepareDirectories),
        names.then_some(Step::WriteSyncNames(initial)),
        needs_settings.then_some(standby_settings(target)),
        Some(Step::Launch),
    ];
    require_once(seen, steps).unwrap_or(Verdict::Wait(Reason::ServerStarts))
}

/// Returns the step that writes a standby's settings.
pub(in crate::decide) const fn standby_settings(target: RecoveryTimeline) -> Step {
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
            if seen.files.standby_signal && (out_of_time || has_run(settings, seen, RECOVERY)) =>
        {
            Some(SUCCESS)
        }
        Answer::Silent(_) if seen.files.standby_signal && has_run(settings, seen, SILENCE) => {
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
