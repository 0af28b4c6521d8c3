//! Every SQL statement of the program, and how its rows are read. Text only; asking is
//! `session`'s business.
//!
//! Function names carry their schema, so that nothing in the monitored database stands in for them.

use super::version::Version;
use crate::model::instance::{
    Answer, PrimaryReport, Receiver, Refusal, SlotRow, StandbyReport, StandbyRow,
};
use crate::model::wal::{Lsn, Timeline};
use crate::postgres::quoting;

/// A row of text values, as the simple protocol delivers them.
pub(super) type Row = Vec<Option<String>>;

/// Creates a physical slot. Parameter: its name.
pub(super) const fn create_slot(reserves: bool) -> &'static str {
    match reserves {
        true => "SELECT pg_catalog.pg_create_physical_replication_slot($1, true)",
        false => "SELECT pg_catalog.pg_create_physical_replication_slot($1)",
    }
}

/// Lets a slot keep WAL from a position on only; never further than the server has replayed.
/// Parameters: its name, the position.
pub(super) const ADVANCE_SLOT: &str =
    "SELECT pg_catalog.pg_replication_slot_advance($1, $2::pg_catalog.text::pg_catalog.pg_lsn)";

/// Drops a slot that is not in use. Parameter: its name.
pub(super) const DROP_SLOT: &str = "SELECT pg_catalog.pg_drop_replication_slot($1)";

/// Lets a standby's replay go on; tells whether it was paused.
pub(super) const fn resume_replay(says_xlog: bool) -> &'static str {
    match says_xlog {
        true => "SELECT pg_catalog.pg_is_xlog_replay_paused(), pg_catalog.pg_xlog_replay_resume()",
        false => "SELECT pg_catalog.pg_is_wal_replay_paused(), pg_catalog.pg_wal_replay_resume()",
    }
}

/// Asks a walsender which database cluster it serves and on which timeline it is.
pub(super) const IDENTIFY_SYSTEM: &str = "IDENTIFY_SYSTEM";

/// Asks a walsender for the history file of a timeline.
pub(super) fn timeline_history(timeline: Timeline) -> String {
    format!("TIMELINE_HISTORY {timeline}")
}

/// Has the server write a checkpoint.
pub(super) const CHECKPOINT: &str = "CHECKPOINT";

/// Asks a primary whether the asking user may read its files as `pg_rewind` does, and which timeline
/// `pg_rewind` takes it to be on. Before version 11 only superusers may; from 16 on the end-of-recovery
/// record is enough, before that the first checkpoint has to be there.
pub(super) const REWIND_SOURCE: &str = "SELECT CASE \
     WHEN pg_catalog.current_setting('is_superuser') = 'on' THEN true \
     WHEN pg_catalog.current_setting('server_version_num')::int < 110000 THEN false \
     ELSE (SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(oid, 'EXECUTE')) \
     FROM pg_catalog.pg_proc WHERE oid IN (\
     'pg_catalog.pg_ls_dir(text,boolean,boolean)'::pg_catalog.regprocedure, \
     'pg_catalog.pg_stat_file(text,boolean)'::pg_catalog.regprocedure, \
     'pg_catalog.pg_read_binary_file(text)'::pg_catalog.regprocedure, \
     'pg_catalog.pg_read_binary_file(text,bigint,bigint,boolean)'::pg_catalog.regprocedure)) END, \
     (SELECT CASE WHEN pg_catalog.current_setting('server_version_num')::int < 160000 \
     THEN timeline_id ELSE greatest(timeline_id, min_recovery_end_timeline) END \
     FROM pg_catalog.pg_control_checkpoint(), pg_catalog.pg_control_recovery())";

/// Asks in one round trip for all that a report holds.
///
/// The standbys come first: the end of WAL is read after them, so that none of them seems to be
/// ahead. The timeline of a primary is that of the file it writes, because `pg_control` shows the
/// old one until the first checkpoint after a promotion.
pub(super) fn report(version: Version) -> String {
    let (wal, lsn) = if version.says_xlog() { ("xlog", "location") } else { ("wal", "lsn") };
    let recovering = "pg_catalog.pg_is_in_recovery()";
    let current = format!("pg_catalog.pg_current_{wal}_{lsn}()");
    let (checkpoint, recovery) = match version.has_receiver_view() {
        true => (
            "(SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())",
            "(SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery())",
        ),
        false => ("NULL", "NULL"),
    };
    // The setting exists since version 12; only those who may read all settings see it.
    let conninfo = match version.uses_recovery_conf() {
        true => "NULL",
        false => {
            "CASE WHEN pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE') \
             THEN pg_catalog.current_setting('primary_conninfo') END"
        }
    };
    // Before version 10 nothing shows what the checkpointer does.
    let obey = match version.says_xlog() {
        true => "NULL",
        false => {
            "(SELECT coalesce(pg_catalog.bool_or(wait_event IN ('CheckpointerMain', \
             'CheckpointWriteDelay')), false) FROM pg_catalog.pg_stat_activity \
             WHERE backend_type = 'checkpointer')"
        }
    };
    let lost = if version.has_wal_status() { "wal_status = 'lost'" } else { "NULL" };
    let receiver = match version.has_receiver_view() {
        true => "SELECT status, received_tli FROM pg_catalog.pg_stat_wal_receiver",
        false => "SELECT NULL, NULL WHERE false",
    };
    format!(
        "SELECT application_name, pg_catalog.lower(state), pg_catalog.lower(sync_state), \
         sent_{lsn}, flush_{lsn} FROM pg_catalog.pg_stat_replication;\n\
         SELECT slot_name, active, restart_lsn, {lost} FROM pg_catalog.pg_replication_slots \
         WHERE slot_type = 'physical';\n\
         {receiver};\n\
         SELECT {recovering}, \
         CASE WHEN NOT {recovering} THEN {current} END, \
         CASE WHEN NOT {recovering} THEN \
         pg_catalog.substr(pg_catalog.pg_{wal}file_name({current}), 1, 8) END, \
         pg_catalog.pg_last_{wal}_receive_{lsn}(), pg_catalog.pg_last_{wal}_replay_{lsn}(), \
         {checkpoint}, {recovery}, \
         pg_catalog.current_setting('synchronous_standby_names'), {conninfo}, {obey}"
    )
}

/// What is read of a report.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) answer: Answer,
    /// The server could not tell its timeline (before 9.6).
    pub(super) lacks_timeline: bool,
}

/// Reads the rows of [`report`], one list per statement.
pub(super) fn read_report(results: &[Vec<Row>]) -> Report {
    read(results).unwrap_or_else(|| {
        let text = "the server's answer to the agent's query has another form than expected";
        Report { answer: Answer::Refused(Refusal::Other(text.into())), lacks_timeline: false }
    })
}

fn read(results: &[Vec<Row>]) -> Option<Report> {
    let [standbys, slots, receivers, state] = results else { return None };
    let state = state.first()?;
    let slots = slots.iter().map(slot).collect::<Option<Vec<_>>>()?;
    let synchronous_standby_names = text(state, 7)?.to_owned();
    if text(state, 0)? == "f" {
        let answer = Answer::Primary(PrimaryReport {
            asked_as: String::new(),
            timeline: Timeline(u32::from_str_radix(text(state, 2)?, 16).ok()?),
            wal_end: value(state, 1)?,
            standbys: standbys.iter().map(standby).collect(),
            synchronous_standby_names,
            slots,
            sync_config_applied: text(state, 9) != Some("f"),
        });
        return Some(Report { answer, lacks_timeline: false });
    }
    // Not `received_tli`: it is what was asked for, before anything came of it (`RequestXLogStreaming` in
    // walreceiverfuncs.c).
    let known = [value(state, 5).map(Timeline), value(state, 6).map(Timeline)];
    let timeline = known.into_iter().flatten().max();
    let replayed: Lsn = value(state, 4).unwrap_or_default();
    let answer = Answer::Standby(StandbyReport {
        timeline: timeline.unwrap_or(Timeline(0)),
        wal_end: replayed.max(value(state, 3).unwrap_or_default()),
        replayed,
        local_wal_exhausted: text(state, 3).is_some(),
        receiver: receivers.first().map(receiver),
        left_at: None,
        primary_conninfo: text(state, 8).map(quoting::conninfo_without_secrets),
        conninfo_overridden: false,
        synchronous_standby_names,
        slots,
        slots_advance: false,
        sync_config_applied: text(state, 9) != Some("f"),
    });
    Some(Report { answer, lacks_timeline: timeline.is_none() })
}

fn standby(row: &Row) -> StandbyRow {
    StandbyRow {
        application_name: text(row, 0).unwrap_or_default().to_owned(),
        state: text(row, 1).map(str::to_owned),
        sync_state: text(row, 2).map(str::to_owned),
        sent_lsn: value(row, 3),
        flush_lsn: value(row, 4),
        shares_history: true,
    }
}

fn slot(row: &Row) -> Option<SlotRow> {
    let name = text(row, 0)?.to_owned();
    Some(SlotRow {
        name,
        active: text(row, 1)? == "t",
        restart_lsn: value::<Lsn>(row, 2),
        lost: text(row, 3) == Some("t"),
        idle: None,
    })
}

/// Reads the row that a WAL receiver has; who may not see its state is told of it all the same.
fn receiver(row: &Row) -> Receiver {
    let streaming = text(row, 0).is_none_or(|status| status == "streaming");
    Receiver { streaming, timeline: value(row, 1).map(Timeline) }
}

fn text(row: &Row, column: usize) -> Option<&str> {
    row.get(column)?.as_deref()
}

fn value<T: std::str::FromStr>(row: &Row, column: usize) -> Option<T> {
    text(row, column)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[&str]) -> Row {
        values.iter().map(|text| (*text != "-").then(|| (*text).to_owned())).collect()
    }

    #[test]
    fn each_version_is_asked_in_its_own_words() {
        for (version, has, lacks) in [
            ("9.4", "pg_last_xlog_receive_location()", "pg_stat_wal_receiver"),
            ("9.5", "pg_xlogfile_name(", "pg_control_checkpoint"),
            ("9.6", "pg_stat_wal_receiver", "_lsn()"),
            ("9.6", "flush_location", "flush_lsn"),
            ("10", "pg_current_wal_lsn()", "xlog"),
            ("11", "pg_control_recovery()", "primary_conninfo"),
            ("12", "current_setting('primary_conninfo')", "location"),
            ("12", "restart_lsn, NULL", "wal_status"),
            ("13", "wal_status = 'lost'", "location"),
            ("18", "flush_lsn", "xlog"),
        ] {
            let sql = report(Version::parse(version).expect("version"));
            assert!(sql.contains(has), "{version}: {has}");
            assert!(!sql.contains(lacks), "{version}: {lacks}");
            assert_eq!(sql.split(';').count(), 4);
        }
    }

    #[test]
    fn a_primary_is_read() {
        let report = read_report(&[
            vec![
                row(&["pm02", "streaming", "sync", "0/3000070", "0/3000060"]),
                row(&["x", "-", "-", "-", "-"]),
            ],
            vec![row(&["s_pm02", "t", "0/3000000", "f"]), row(&["s_pm03", "f", "-", "t"])],
            vec![],
            vec![row(&["f", "0/3000100", "0000000A", "-", "-", "9", "0", "\"pm02\"", "-"])],
        ]);
        let Answer::Primary(primary) = report.answer else { panic!("{report:?}") };
        assert_eq!((primary.timeline, primary.wal_end), (Timeline(10), Lsn(0x0300_0100)));
        assert_eq!(primary.standbys[0].sent_lsn, Some(Lsn(0x0300_0070)));
        assert_eq!(primary.standbys[0].flush_lsn, Some(Lsn(0x0300_0060)));
        assert_eq!((&primary.standbys[1].state, primary.standbys[1].flush_lsn), (&None, None));
        assert!(primary.slots[0].active && primary.slots[1].restart_lsn.is_none());
        assert!(!primary.slots[0].lost && primary.slots[1].lost);
        assert_eq!(primary.synchronous_standby_names, "\"pm02\"");
    }

    #[test]
    fn a_standby_is_read() {
        let state = ["t", "-", "-", "0/3000000", "0/3000100", "1", "2", "", "host=a password=x"];
        let results = |receiver: &[&str]| [vec![], vec![], vec![row(receiver)], vec![row(&state)]];
        let report = read_report(&results(&["streaming", "3"]));
        let Answer::Standby(standby) = report.answer else { panic!("{report:?}") };
        // What it has asked for is no timeline that it has WAL of.
        assert_eq!((standby.timeline, standby.wal_end), (Timeline(2), Lsn(0x0300_0100)));
        assert_eq!(standby.receiver.as_ref().and_then(|r| r.timeline), Some(Timeline(3)));
        assert!(standby.is_streaming() && standby.local_wal_exhausted);
        assert_eq!(standby.primary_conninfo.as_deref(), Some("host=a password=********"));
        for (status, streaming) in [("waiting", false), ("-", true)] {
            let report = read_report(&results(&[status, "-"]));
            let Answer::Standby(standby) = report.answer else { panic!("{report:?}") };
            assert_eq!(standby.is_streaming(), streaming);
            assert_eq!(standby.timeline, Timeline(2));
        }
    }

    #[test]
    fn an_old_standby_lacks_its_timeline() {
        let state = row(&["t", "-", "-", "-", "-", "-", "-", "", "-"]);
        let report = read_report(&[vec![], vec![], vec![], vec![state]]);
        assert!(report.lacks_timeline);
    }

    #[test]
    fn another_form_is_refused() {
        for results in [vec![], vec![vec![], vec![], vec![], vec![]]] {
            let report = read_report(&results);
            assert!(matches!(report.answer, Answer::Refused(Refusal::Other(_))));
        }
    }
}
