//! How the data of a stopped host stands to the primary's: the proof that a return needs a copy, or that it does not.
//! Found out from the files alone, with PostgreSQL's own programs, and without asking the agent.

use crate::host::Host;
use serde::{Deserialize, Serialize};

/// How a host's data stands to the primary's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// All of it is part of the primary's history: PostgreSQL could go on from there.
    Prefix,
    /// Some of it is not.
    Diverged,
    /// It could not be found out.
    Unknown,
}

/// Compares the end of the host's WAL with where the primary's history left its timeline; yields the proof in words, too.
/// The host's server is stopped.
#[must_use]
pub fn standing(host: &Host, primary: &Host) -> (Data, String) {
    let end = match end_of_wal(host) {
        Ok(end) => end,
        Err(why) => return (Data::Unknown, why),
    };
    let Some((timeline, now)) = position_of(primary) else {
        return (Data::Unknown, "the primary does not tell its position".into());
    };
    let fork = match end.timeline == timeline {
        true => Some(now),
        false => fork(&history_of(primary, timeline), end.timeline),
    };
    let data = match fork {
        Some(fork) if end.lsn <= fork => Data::Prefix,
        Some(_) | None => Data::Diverged,
    };
    let fork = fork.map_or_else(|| "nowhere".to_owned(), |fork| format!("{fork:X}"));
    (data, format!("timeline {} ends at {:X}, left at {fork}", end.timeline, end.lsn))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    timeline: u32,
    lsn: u64,
}

/// The end of the last record that is whole.
fn end_of_wal(host: &Host) -> Result<Position, String> {
    let (bindir, pgdata) = (&host.shared.options.bindir, &host.shared.options.pgdata);
    let program = format!("{bindir}/pg_controldata");
    let control = host.run_ok(&[&program, pgdata]).map_err(|error| error.to_string())?;
    let missing = || format!("pg_controldata says: {control}");
    let of = |name| value(&control, name).ok_or_else(missing);
    let number = |name| of(name)?.parse::<u32>().map_err(|_| missing());
    let checkpointed = number("Latest checkpoint's TimeLineID:")?;
    let timeline = checkpointed.max(number("Min recovery ending loc's timeline:")?);
    // A server that ended soon after its promotion has its last checkpoint on the timeline before.
    let start = match timeline == checkpointed {
        true => lsn(of("Latest checkpoint location:")?),
        false => fork(&history_of(host, timeline), checkpointed),
    };
    let start = start.map(|start| format!("{:X}/{:X}", start >> 32, start & 0xFFFF_FFFF));
    let start = start.ok_or_else(missing)?;
    // A timeline that begins where a segment does has nothing of the one before; and it is read
    // without the segments that are made in advance: by their zeros pg_waldump would measure the size of a segment.
    let dump = format!(
        "links=$(mktemp -d); for file in {pgdata}/pg_wal/{timeline:08X}*; do \
         [ \"$(od -An -N2 -tx1 $file | tr -d ' ')\" = 0000 ] || ln -s $file $links/; done; \
         said=$({bindir}/pg_waldump -p $links -t {timeline} -s {start} 2>&1 | tail -n 2); \
         case $said in *'could not find file'*) \
         said=$({bindir}/pg_waldump $(ls -d $links/* | head -n 1) 2>&1 | tail -n 2);; esac; \
         echo \"$said\"; rm -r $links"
    );
    let dump = host.run(&["sh", "-c", &dump]).map_err(|error| error.to_string())?;
    let lsn = dump.stdout.lines().rev().find_map(end_in);
    let lsn = lsn.ok_or_else(|| format!("pg_waldump says: {}", dump.stdout.trim()))?;
    Ok(Position { timeline, lsn })
}

/// `… error in WAL record at 0/3000148: invalid record length at 0/3000180: wanted 24, got 0`.
fn end_in(line: &str) -> Option<u64> {
    if let Some((_, rest)) = line.split_once("error in WAL record at ") {
        // The record at which reading stopped is the one behind "at", where there is a second one; the first is the last good.
        let place = rest.rsplit_once(" at ").map_or(rest, |(_, place)| place);
        return lsn(place);
    }
    // `rmgr: … tx: 0, lsn: 0/03000148, prev …`: the last record, of which only the start is known.
    lsn(line.split_once("lsn: ")?.1)
}

fn position_of(primary: &Host) -> Option<(u32, u64)> {
    let sql = "select timeline_id, pg_current_wal_lsn() from pg_control_checkpoint()";
    let row = primary.query(sql).ok()?.into_iter().next()?;
    let walfile = primary.psql("select pg_walfile_name(pg_current_wal_lsn())").ok()?;
    let timeline = u32::from_str_radix(walfile.get(..8)?, 16).ok()?;
    Some((timeline, lsn(row.get(1)?.as_deref()?)?))
}

fn history_of(host: &Host, timeline: u32) -> String {
    // Not through the first process' root: the WAL may lie behind a link, which only the host itself follows.
    let path = format!("{}/pg_wal/{timeline:08X}.history", host.shared.options.pgdata);
    host.run_ok(&["cat", &path]).unwrap_or_default()
}

/// Where a history file says that a timeline was left.
fn fork(history: &str, timeline: u32) -> Option<u64> {
    history.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()?.parse() == Ok(timeline)).then(|| lsn(words.next()?))?
    })
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// `0/3000180`, whatever follows it.
fn lsn(text: &str) -> Option<u64> {
    let (high, rest) = text.trim_start().split_once('/')?;
    let end = rest.find(|mark: char| !mark.is_ascii_hexdigit()).unwrap_or(rest.len());
    Some((u64::from_str_radix(high, 16).ok()? << 32) | u64::from_str_radix(&rest[..end], 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_wal_are_read() {
        let line = "pg_waldump: error: error in WAL record at 0/3000148: invalid record length at 0/3000180: wanted 24, got 0";
        assert_eq!(end_in(line), Some(0x300_0180));
        let line =
            "rmgr: XLOG len (rec/tot): 114/114, tx: 0, lsn: 1/03000028, prev 0/02000100, desc";
        assert_eq!(end_in(line), Some(0x1_0300_0028));
        assert_eq!(end_in("nothing"), None);
    }

    #[test]
    fn a_history_tells_where_a_timeline_was_left() {
        let history = "1\t0/3000180\tno recovery target specified\n\n2\t0/5000000\tno recovery target specified\n";
        assert_eq!(fork(history, 1), Some(0x300_0180));
        assert_eq!(fork(history, 2), Some(0x500_0000));
        assert_eq!(fork(history, 3), None);
    }
}
