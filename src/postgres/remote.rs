//! The primary, as a returning node asks it: with `psql`, the way the node's own standby would connect.
//!
//! `psql` rather than the agent's connection, for that one does not speak the replication protocol; the
//! `sslmode` and certificates of `primary_conninfo_opt` hold for it. Secrets go by the environment, never onto the command line.

use std::time::{Duration, Instant};

use super::standby::Standby;
use super::{PostgresError, launch, quoting, statements};
use crate::model::rejoin::RewindSource;
use crate::model::timeline_history::TimelineHistory;
use crate::model::wal::Timeline;
use crate::system::command::Command;

/// Seconds that a connection may take; libpq takes less than two for two.
const CONNECT_TIMEOUT: &str = "3";
/// A host that dies under a `pg_rewind` is noticed within a dozen seconds: while the start waits for it, nobody is
/// promoted in its place.
const KEEPALIVES: [(&str, &str); 4] = [
    ("keepalives", "1"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
];
/// The same while an answer is awaited to what has not been received (libpq 12 and later), in milliseconds.
const UNRECEIVED: (&str, &str) = ("tcp_user_timeout", "10000");
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The database that `pg_rewind` connects to: `template1` would keep others from creating databases.
const DATABASE: &str = "postgres";

/// A connection string without its secrets, and the password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) words: String,
    pub(super) password: Option<String>,
}

/// Says how to connect as the standby does, with these keywords besides.
///
/// # Errors
/// `primary_conninfo_opt` is no list of keywords and values, or holds a secret that only a command
/// line could pass on.
pub(super) fn connection(
    conninfo: &str,
    more: &[(&str, &str)],
) -> Result<Connection, PostgresError> {
    let malformed = |text: &str| PostgresError::Malformed {
        what: "primary_conninfo_opt",
        text: text.to_owned(),
    };
    let pairs = quoting::conninfo_pairs(conninfo)
        .ok_or_else(|| malformed("it is no list of keywords and values"))?;
    let own = [("connect_timeout", CONNECT_TIMEOUT)];
    let more = || own.iter().chain(more);
    let mut words = Vec::new();
    let mut password = None;
    for (key, value) in pairs {
        match key.as_str() {
            "password" => password = Some(value),
            "sslpassword" => return Err(malformed("sslpassword: use a key without a password")),
            "replication" | "dbname" => {}
            key if more().any(|(name, _)| *name == key) => {}
            key => words.push(format!("{key}={}", quoting::conninfo_value(&value))),
        }
    }
    words.extend(more().map(|(key, value)| format!("{key}={value}")));
    Ok(Connection { words: words.join(" "), password })
}

/// Says how `pg_rewind` connects to the primary.
///
/// # Errors
/// As [`connection`].
pub(super) fn for_rewind(standby: &Standby<'_>) -> Result<Connection, PostgresError> {
    let mut more = vec![("dbname", DATABASE)];
    more.extend(KEEPALIVES);
    if !standby.version.uses_recovery_conf() {
        more.push(UNRECEIVED);
    }
    connection(&standby.conninfo(), &more)
}

/// Asks for the system identifier and the history of the primary that this standby would follow.
///
/// # Errors
/// It cannot be reached, says no, or says something else.
pub fn history(
    standby: &Standby<'_>,
    deadline: Instant,
) -> Result<(u64, TimelineHistory), PostgresError> {
    let walsender = connection(&standby.conninfo(), &[("replication", "true")])?;
    let identity = ask(standby, &walsender, statements::IDENTIFY_SYSTEM, deadline)?;
    let (system_identifier, timeline) = read_identity(&identity)?;
    if timeline == Timeline(1) {
        return Ok((system_identifier, TimelineHistory::first(timeline)));
    }
    let row = ask(standby, &walsender, &statements::timeline_history(timeline), deadline)?;
    Ok((system_identifier, read_history(timeline, &row)?))
}

/// Asks the primary what it is as the source of a `pg_rewind`.
///
/// # Errors
/// It cannot be reached, says no, or says something else.
pub fn rewind_source(
    standby: &Standby<'_>,
    deadline: Instant,
) -> Result<RewindSource, PostgresError> {
    let row = ask(standby, &for_rewind(standby)?, statements::REWIND_SOURCE, deadline)?;
    read_source(&row)
}

/// Has the primary write a checkpoint.
///
/// # Errors
/// It cannot be reached, or does not permit it.
pub fn checkpoint(standby: &Standby<'_>, deadline: Instant) -> Result<(), PostgresError> {
    run(standby, &for_rewind(standby)?, statements::CHECKPOINT, deadline).map(drop)
}

fn ask(
    standby: &Standby<'_>,
    connection: &Connection,
    statement: &str,
    deadline: Instant,
) -> Result<String, PostgresError> {
    run(standby, connection, statement, deadline.min(Instant::now() + PATIENCE))
}

fn run(
    standby: &Standby<'_>,
    connection: &Connection,
    statement: &str,
    deadline: Instant,
) -> Result<String, PostgresError> {
    let psql = Command::new(&standby.settings.psql);
    let psql = client(psql, standby, connection).deadline(deadline);
    let words = ["-X", "-q", "-w", "-A", "-t", "-F", "|", "-d", &connection.words, "-c", statement];
    Ok(psql.args(words).run()?.stdout)
}

/// Makes a program a client of the primary.
pub(super) fn client(program: Command, standby: &Standby<'_>, connection: &Connection) -> Command {
    let program = launch::with_libraries(program.as_user(standby.user), standby.settings);
    match &connection.password {
        Some(password) => program.env("PGPASSWORD", password),
        None => program,
    }
}

fn malformed(text: &str) -> PostgresError {
    let text = text.chars().take(60).collect();
    PostgresError::Malformed { what: "the primary's answer", text }
}

fn read_identity(text: &str) -> Result<(u64, Timeline), PostgresError> {
    let mut columns = text.trim().split('|');
    let identifier = columns.next().and_then(|column| column.parse().ok());
    let timeline = columns.next().and_then(|column| column.parse().ok());
    identifier.zip(timeline.map(Timeline)).ok_or_else(|| malformed(text))
}

fn read_history(timeline: Timeline, text: &str) -> Result<TimelineHistory, PostgresError> {
    let (_, content) = text.split_once('|').ok_or_else(|| malformed(text))?;
    TimelineHistory::parse(timeline, content).map_err(|bad| malformed(&bad.to_string()))
}

fn read_source(text: &str) -> Result<RewindSource, PostgresError> {
    match text.trim().split_once('|') {
        Some((readable, timeline)) => {
            let timeline = timeline.parse().map_err(|_| malformed(text))?;
            Ok(RewindSource { readable: readable == "t", control_timeline: Timeline(timeline) })
        }
        None => Err(malformed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::wal::Lsn;

    #[test]
    fn a_secret_leaves_the_words() {
        let text =
            "host=192.0.2.1 user=rep password='ge heim' connect_timeout=60 dbname=x sslmode=prefer";
        let made = connection(text, &[("replication", "true")]).expect("made");
        assert_eq!(
            made.words,
            "host=192.0.2.1 user=rep sslmode=prefer connect_timeout=3 replication=true"
        );
        assert_eq!(made.password.as_deref(), Some("ge heim"));
        assert!(connection("host=a sslpassword=geheim", &[]).is_err());
        let error = connection("postgresql://u:geheim@h/db", &[]).expect_err("no list");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }

    #[test]
    fn answers_are_read_and_others_refused() {
        let identity = read_identity("7710247429576812356|2|0/525E9B0|\n").expect("read");
        assert_eq!(identity, (7_710_247_429_576_812_356, Timeline(2)));
        let history = "00000002.history|1\t0/3000148\tno recovery target specified\n\n";
        let history = read_history(Timeline(2), history).expect("read");
        assert_eq!(history.fork_point(Timeline(1)), Some(Lsn(0x300_0148)));
        let source = read_source("t|2\n").expect("read");
        assert_eq!((source.readable, source.control_timeline), (true, Timeline(2)));
        for text in ["", "x", "1", "|", "-1|1|", "1|x"] {
            assert!(read_identity(text).is_err(), "{text}");
            assert!(read_source(text).is_err() || text == "|", "{text}");
        }
        assert!(read_history(Timeline(2), "00000002.history").is_err());
        assert!(read_history(Timeline(2), "x|absurd").is_err());
    }
}
