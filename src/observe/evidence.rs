//! What a returning node has to know: its own data, and the history of the primary.
//!
//! Read only when a start, or the monitor of data that is unproven, asks for it (`engine`). Nothing is compared here.

use std::time::Duration;

use crate::model::action::Action;
use crate::model::instance::{Answer, Files, Instance, StandbyReport};
use crate::model::node::NodeName;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::rejoin::{Evidence, OwnData, PrimaryData};
use crate::model::settings::Rejoin;
use crate::postgres::standby::Standby;
use crate::postgres::{backup_label, control_data, remote, wal_directory, wal_end};
use crate::world::World;

/// How long each of its addresses is asked. A server that can be reached answers within a fraction of it.
const QUESTION: Duration = Duration::from_secs(2);

/// Reads both sides.
pub(super) fn evidence(
    world: &World,
    action: Action,
    primary: &NodeName,
    instance: &Instance,
    files: &Files,
) -> Evidence {
    let theirs = ask(world, primary, action);
    let own = match &instance.answer {
        Answer::Standby(report) => running_data(world, report, files),
        Answer::Primary(_)
        | Answer::NotAsked
        | Answer::Refused(_)
        | Answer::Silent(_)
        | Answer::MonitorSqlFailed(_) => own_data(world, theirs.as_ref().ok()),
    };
    Evidence { own, primary: theirs }
}

fn own_data(world: &World, primary: Option<&PrimaryData>) -> Result<OwnData, String> {
    let (settings, user) = (&world.settings, &world.user);
    // Without the lock the server is to start even if all that takes too long.
    let deadline = world.clock.within(world.clock.remaining() / 2);
    let version = world.version.ok_or("there is no data directory")?;
    let control = control_data::read(settings, user, deadline).map_err(|e| e.to_string())?;
    let timeline = control.newest_timeline();
    let history = wal_directory::history(settings, user, version, timeline);
    // Beside a primary on the same timeline, or of another cluster, it would prove nothing.
    let matters = primary.is_some_and(|primary| {
        primary.system_identifier == control.system_identifier
            && primary.history.fork_point(timeline).is_some()
    });
    let wal_end = matters.then(|| {
        wal_end::find(settings, user, version, &control, history.as_ref(), deadline)
            .map_err(|error| error.to_string())
    });
    Ok(OwnData {
        stays_on: None,
        wal_end,
        history,
        newest_segment: wal_directory::newest_timeline(settings, user, version),
        is_copy: backup_label::is_there(settings, user).map_err(|e| e.to_string())?,
        control,
    })
}

/// Reads the data of a running standby. What its WAL receiver has asked for proves nothing; how far it has
/// come does, once it has read all WAL that it has. A server that follows the latest timeline is asked only
/// while it is on the same one as `pg_control`: before it goes over to another it compares for itself
/// (`rescanLatestTimeLine` in xlogrecovery.c).
fn running_data(world: &World, report: &StandbyReport, files: &Files) -> Result<OwnData, String> {
    let (settings, user) = (&world.settings, &world.user);
    let version = world.version.ok_or("there is no data directory")?;
    let control = control_data::read(settings, user, world.clock.within(QUESTION))
        .map_err(|e| e.to_string())?;
    let stays_on = match files.recovers_to {
        Some(RecoveryTimeline::Own(own)) => own.or(Some(control.newest_timeline())),
        Some(RecoveryTimeline::Latest) | None => None,
    };
    let known = control.min_recovery.map_or(control.checkpoint, |end| end.lsn);
    let wal_end = match stays_on.is_some() || report.timeline == control.newest_timeline() {
        true if report.local_wal_exhausted => Ok(report.wal_end),
        true => Err("its own WAL has not been read to the end yet".into()),
        false => Ok(known),
    };
    let mut own = OwnData {
        stays_on,
        wal_end: Some(wal_end),
        history: None,
        newest_segment: wal_directory::newest_timeline(settings, user, version),
        is_copy: false,
        control,
    };
    own.history = wal_directory::history(settings, user, version, own.timeline());
    Ok(own)
}

/// Asks the primary at its address, and at its node if that does not answer: the address may be a
/// moment later than the promotion. Neither a transition nor a monitor waits for a silent one.
fn ask(world: &World, primary: &NodeName, action: Action) -> Result<PrimaryData, String> {
    let version = world.version.ok_or("there is no data directory")?;
    let at = |address| Standby { primary: Some(address), ..world.standby(version, None) };
    let rewinds = world.settings.rejoin == Rejoin::Rewind && action == Action::Start;
    let mut errors = Vec::new();
    for address in [world.settings.master_ip.as_str(), primary.as_str()] {
        match remote::history(&at(address), world.clock.within(QUESTION)) {
            Ok((system_identifier, history)) => {
                let source = rewinds.then(|| {
                    remote::rewind_source(&at(address), world.clock.deadline)
                        .map_err(|e| e.to_string())
                });
                let address = address.to_owned();
                return Ok(PrimaryData { address, system_identifier, history, source });
            }
            Err(error) => errors.push(error.to_string()),
        }
    }
    Err(errors.join("; "))
}
