//! The true end of a stopped instance's WAL, as `pg_waldump` finds it.
//!
//! `pg_control` knows it only of a server that was shut down cleanly; what a crashed one would recover
//! reaches to the last valid record.

use std::time::Instant;

use super::version::Version;
use super::{PostgresError, launch, wal_directory};
use crate::model::instance::{ControlData, ControlState};
use crate::model::settings::Settings;
use crate::model::timeline_history::TimelineHistory;
use crate::model::wal::Lsn;
use crate::system::command::{Command, CommandError};
use crate::system::identity::User;

/// Length of the record of a shutdown checkpoint, bytes: at least, and in any version so far at most.
const SHUTDOWN_CHECKPOINT: (u64, u64) = (114, 128);

/// A record: where it begins, and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    lsn: Lsn,
    length: u64,
}

/// Finds the end of the last valid record on the newest timeline of this data.
///
/// The reading begins at the latest checkpoint, or where the timeline began.
///
/// # Errors
/// `pg_waldump` is missing, cannot read the WAL, or does not come to the end in time.
pub fn find(
    settings: &Settings,
    user: &User,
    version: Version,
    control: &ControlData,
    history: Option<&TimelineHistory>,
    deadline: Instant,
) -> Result<Lsn, PostgresError> {
    let timeline = control.newest_timeline();
    let beginning = history.and_then(TimelineHistory::beginning);
    let start = match (control.timeline == timeline, beginning) {
        (true, _) => control.checkpoint,
        (false, Some(beginning)) => beginning,
        (false, None) => return Err(unreadable("where the timeline began is not known")),
    };
    let last_segment = wal_directory::last_segment(settings, user, version, timeline)
        .ok_or_else(|| unreadable("there is no WAL of its timeline"))?;
    // Told no segment, it would take the size of segments from any file in the directory: one that
    // was made in advance says zero.
    let dump = |from: Lsn| {
        let name = if version.says_xlog() { "pg_xlogdump" } else { "pg_waldump" };
        let program = Command::new(settings.pgctl.with_file_name(name));
        launch::with_libraries(program.as_user(user), settings)
            .deadline(deadline)
            .arg("-p")
            .arg(wal_directory::directory(settings, version))
            .args(["-s", &from.to_string()])
            .args([&control.layout.segment_name(timeline, from), &last_segment])
    };
    let quick = if version.dumps_quietly() { last_by_error(dump, start) } else { Ok(None) };
    let last = match quick {
        Ok(Some(last)) => Ok(last),
        Ok(None) => last_by_lines(dump(start)),
        Err(error) => Err(error),
    };
    match last {
        Ok(last) => Ok(control.layout.end_of(last.lsn, last.length)),
        Err(CommandError::Start { .. }) => after_shutdown(control).ok_or_else(|| {
            unreadable("pg_waldump is missing, and the server was not shut down cleanly")
        }),
        Err(error) => Err(error.into()),
    }
}

/// Returns the end of a clean shutdown's checkpoint, which is the last record, without reading it.
fn after_shutdown(control: &ControlData) -> Option<Lsn> {
    let (least, most) = SHUTDOWN_CHECKPOINT;
    let fits = control.checkpoint.0 % control.layout.page + most <= control.layout.page;
    let clean = control.state == ControlState::ShutDown && fits;
    clean.then(|| control.layout.end_of(control.checkpoint, least))
}

fn unreadable(text: &str) -> PostgresError {
    PostgresError::Malformed { what: "the end of WAL", text: text.to_owned() }
}

/// Has `pg_waldump` read to the end without printing records, a hundred times faster, and takes the last
/// one from its complaint about the end. `None`: it did not name it.
fn last_by_error(
    dump: impl Fn(Lsn) -> Command,
    start: Lsn,
) -> Result<Option<Record>, CommandError> {
    let told = match dump(start).arg("-q").run() {
        Ok(output) => output.stderr,
        Err(CommandError::Failed { stderr, .. }) => stderr,
        Err(error) => return Err(error),
    };
    let Some(lsn) = named_by_error(&told) else { return Ok(None) };
    let one = dump(lsn).args(["-n", "1"]).run()?;
    Ok(one.stdout.lines().find_map(record).filter(|record| record.lsn == lsn))
}

/// Reads the lines of all records as they come, and keeps the last.
fn last_by_lines(dump: Command) -> Result<Record, CommandError> {
    let mut last = None;
    let ended = dump.spawn()?.each_line(|line| {
        last = record(line).or(last);
    });
    match (last, ended) {
        // It always ends with a complaint, for there is always an end.
        (Some(last), Ok(_) | Err(CommandError::Failed { .. })) => Ok(last),
        (_, Err(error)) => Err(error),
        (None, Ok(program)) => {
            Err(CommandError::Read { program, source: std::io::Error::other("it found no record") })
        }
    }
}

/// Reads the position of the last record in "error in WAL record at 0/525E818: …".
fn named_by_error(stderr: &str) -> Option<Lsn> {
    let (_, rest) = stderr.split_once("error in WAL record at ")?;
    rest.split_once(':')?.0.parse().ok()
}

/// Reads a record's line: "rmgr: Heap len (rec/tot): 59/ 59, tx: 724, lsn: 0/0525E7D8, prev …".
fn record(line: &str) -> Option<Record> {
    let (_, rest) = line.strip_prefix("rmgr:")?.split_once("len (rec/tot):")?;
    let (lengths, rest) = rest.split_once(',')?;
    let length = lengths.split_once('/')?.1.trim().parse().ok()?;
    let lsn = rest.split_once("lsn:")?.1.split(',').next()?.trim().parse().ok()?;
    Some(Record { lsn, length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_record_is_read_from_what_is_printed() {
        let line = "rmgr: Transaction len (rec/tot):    405/   4050, tx:        724, lsn: \
                    1/0525E818, prev 0/0525E7D8, desc: COMMIT 2026-11-20 13:37:53 UTC; lsn: 9/9, x";
        assert_eq!(record(line), Some(Record { lsn: Lsn(0x1_0525_E818), length: 4050 }));
        let told = "first record is after 0/1, at 0/2, skipping over 1 byte\n\
                    pg_waldump: error: error in WAL record at 0/525E818: invalid record length at \
                    0/525E9B0: wanted 24, got 0";
        assert_eq!(named_by_error(told), Some(Lsn(0x525_E818)));
        let missing = "pg_waldump: error: could not find file \"000000010000000000000006\"";
        assert_eq!(named_by_error(missing), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "(rmgr:|len \\(rec/tot\\):|lsn:|[0-9/, ]|\\PC){0,30}") {
            let _ = (record(&text), named_by_error(&text));
        }
    }
}
