//! `pg_control`, as `pg_controldata` prints it (`src/bin/pg_controldata/pg_controldata.c`).

use std::time::Instant;

use super::PostgresError;
use crate::model::instance::{ControlData, ControlState};
use crate::model::settings::Settings;
use crate::model::wal::{Timeline, WalLayout, WalPosition};
use crate::system::command::Command;
use crate::system::identity::User;

/// Reads `pg_control` of the data directory.
///
/// # Errors
/// `pg_controldata` fails, or prints something else.
pub fn read(
    settings: &Settings,
    user: &User,
    deadline: Instant,
) -> Result<ControlData, PostgresError> {
    parse(&print(settings, user, deadline)?)
}

/// Reads the newest timeline that `pg_control` knows of, for servers that cannot tell (before 9.6).
pub(super) fn newest_timeline(
    settings: &Settings,
    user: &User,
    deadline: Instant,
) -> Result<Timeline, PostgresError> {
    let text = print(settings, user, deadline)?;
    let recovery = field(&text, RECOVERY_TIMELINE)?.parse().unwrap_or(0);
    Ok(parse(&text)?.timeline.max(Timeline(recovery)))
}

fn print(settings: &Settings, user: &User, deadline: Instant) -> Result<String, PostgresError> {
    let program = settings.pgctl.with_file_name("pg_controldata");
    let command = Command::new(program).arg(&settings.pgdata).as_user(user).deadline(deadline);
    Ok(command.run()?.stdout)
}

const CHECKPOINT_TIMELINE: &str = "Latest checkpoint's TimeLineID";
const RECOVERY_TIMELINE: &str = "Min recovery ending loc's timeline";

/// Reads the output of `pg_controldata` in the C locale, of any version since 9.4.
///
/// # Errors
/// A line that every version prints is missing or has another form.
pub fn parse(text: &str) -> Result<ControlData, PostgresError> {
    let number = |label| field(text, label).and_then(|value| parsed(value, label));
    let position = "Latest checkpoint location";
    Ok(ControlData {
        system_identifier: number("Database system identifier")?,
        state: match field(text, "Database cluster state")? {
            "shut down" => ControlState::ShutDown,
            "shut down in recovery" => ControlState::ShutDownInRecovery,
            "in production" => ControlState::InProduction,
            "in archive recovery" => ControlState::InArchiveRecovery,
            other => ControlState::Other(other.to_owned()),
        },
        timeline: Timeline(parsed(field(text, CHECKPOINT_TIMELINE)?, CHECKPOINT_TIMELINE)?),
        checkpoint: parsed(field(text, position)?, position)?,
        min_recovery: min_recovery(text),
        can_rewind: can_rewind(text),
        layout: WalLayout {
            page: number_or(text, "WAL block size", WalLayout::USUAL.page),
            segment: number_or(text, "Bytes per WAL segment", WalLayout::USUAL.segment),
        },
    })
}

fn number_or(text: &str, label: &'static str, usual: u64) -> u64 {
    field(text, label).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

fn min_recovery(text: &str) -> Option<WalPosition> {
    let lsn = field(text, "Minimum recovery ending location").ok()?.parse().ok()?;
    let timeline = Timeline(field(text, RECOVERY_TIMELINE).ok()?.parse().ok()?);
    (timeline > Timeline(0)).then_some(WalPosition { timeline, lsn })
}

/// `pg_rewind` needs the image of each block that is changed first after a checkpoint
/// (`sanityChecks()` in `pg_rewind.c`).
fn can_rewind(text: &str) -> bool {
    let is = |label, value| field(text, label).is_ok_and(|found| found == value);
    let checksums = field(text, "Data page checksum version").is_ok_and(|version| version != "0");
    (checksums || is("wal_log_hints setting", "on"))
        && is("Latest checkpoint's full_page_writes", "on")
}

fn field<'a>(text: &'a str, label: &'static str) -> Result<&'a str, PostgresError> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(key, value)| (key == label).then_some(value.trim()))
        .ok_or_else(|| malformed(label))
}

fn parsed<T: std::str::FromStr>(value: &str, label: &'static str) -> Result<T, PostgresError> {
    value.parse().map_err(|_| malformed(label))
}

fn malformed(label: &'static str) -> PostgresError {
    PostgresError::Malformed { what: "pg_controldata's output", text: label.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::wal::Lsn;

    const V9_4: &str = "\
pg_control version number:            942
Catalog version number:               201409291
Database system identifier:           6097123456789012345
Database cluster state:               shut down in recovery
pg_control last modified:             Mon Jan  5 11:22:33 2015
Latest checkpoint location:           A/3000060
Prior checkpoint location:            0/2000060
Latest checkpoint's REDO location:    0/3000028
Latest checkpoint's REDO WAL file:    000000020000000000000003
Latest checkpoint's TimeLineID:       2
Latest checkpoint's PrevTimeLineID:   2
Minimum recovery ending location:     0/3000100
Min recovery ending loc's timeline:   3
";

    const V18: &str = "\
pg_control version number:            1800
Catalog version number:               202506291
Database system identifier:           7519876543210987654
Database cluster state:               in production
pg_control last modified:             Fri 20 Nov 2026 10:00:00 AM UTC
Latest checkpoint location:           0/17A2F08
Latest checkpoint's REDO location:    0/17A2EB0
Latest checkpoint's REDO WAL file:    000000010000000000000001
Latest checkpoint's TimeLineID:       1
Latest checkpoint's PrevTimeLineID:   1
Min recovery ending loc's timeline:   0
Default char data signedness:         signed
";

    #[test]
    fn old_and_new_output_is_read() {
        let old = parse(V9_4).expect("parsed");
        assert_eq!(old.system_identifier, 6_097_123_456_789_012_345);
        assert_eq!(old.state, ControlState::ShutDownInRecovery);
        assert_eq!((old.timeline, old.checkpoint), (Timeline(2), Lsn(0xA_0300_0060)));
        let min_recovery = WalPosition { timeline: Timeline(3), lsn: Lsn(0x300_0100) };
        assert_eq!((old.min_recovery, old.newest_timeline()), (Some(min_recovery), Timeline(3)));
        let new = parse(V18).expect("parsed");
        assert_eq!(new.state, ControlState::InProduction);
        assert_eq!((new.timeline, new.checkpoint), (Timeline(1), Lsn(0x017A_2F08)));
        assert_eq!((new.min_recovery, new.newest_timeline()), (None, Timeline(1)));
    }

    #[test]
    fn a_rewind_needs_full_pages_and_either_checksums_or_hints() {
        let lines = |full, hints, checksums| {
            let text = format!(
                "Latest checkpoint's full_page_writes: {full}\nwal_log_hints setting: {hints}\n\
                 Data page checksum version: {checksums}\n"
            );
            can_rewind(&text)
        };
        assert!(lines("on", "on", "0") && lines("on", "off", "1"));
        assert!(!lines("on", "off", "0") && !lines("off", "on", "1") && !can_rewind(""));
    }

    #[test]
    fn every_state_has_its_word() {
        for (word, state) in [
            ("shut down", ControlState::ShutDown),
            ("in archive recovery", ControlState::InArchiveRecovery),
            ("in crash recovery", ControlState::Other("in crash recovery".into())),
        ] {
            let text = V18.replace("in production", word);
            assert_eq!(parse(&text).expect("parsed").state, state);
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        assert!(parse("").is_err());
        assert!(parse(&V18.replace("0/17A2F08", "here")).is_err());
        assert!(parse(&V18.replace("Database system", "System")).is_err());
    }
}
