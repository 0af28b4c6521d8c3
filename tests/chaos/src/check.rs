//! What must be true after a round, and what is wrong when it is not. It changes nothing.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use testbed::{ActionResult, Host, clock, two_primaries};

use crate::clients::Notes;
use crate::error::Error;
use crate::setup::Mode;
use crate::site::{RESOURCE, Site, until};

/// Standbys replay what there is to replay within this time.
const CATCH_UP: Duration = Duration::from_secs(60);

/// A primary says within this time that it is one.
const ANSWER: Duration = Duration::from_secs(20);

/// What the data says.
#[derive(Debug, Default)]
pub struct Findings {
    /// Rows of which a client was told that they are committed, and that are not there.
    pub lost: BTreeSet<i64>,
    /// Rows that were read under PostgreSQL's promise, and are not there.
    pub vanished: BTreeSet<i64>,
    /// Rows that were read without any promise, and are not there.
    pub unpromised: usize,
    /// What is wrong.
    pub wrong: Vec<String>,
}

/// The host that accepts writes; one that is busy with what the faults have left may be slow to say so.
pub fn primary(site: &Site) -> Result<Host, Error> {
    until("just one host accepts writes", ANSWER, || site.writable())
}

/// Looks at the rows, the accounts and the copies; nobody writes any more.
pub fn data(site: &Site, notes: &Notes, failed_over: bool) -> Result<Findings, Error> {
    let primary = primary(site)?;
    let permitted = match site.setup.mode {
        Mode::Sync | Mode::Strict | Mode::Any => false,
        Mode::Async => failed_over,
    };
    let there = primary.ledger_rows()?;
    let mut kept = site.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut findings = rows(&there, &mut kept, notes, permitted);
    findings.wrong.extend(copies(site, &primary)?);
    Ok(findings)
}

/// What has become of the rows, those of earlier rounds included; what is gone is told once.
fn rows(
    there: &BTreeSet<i64>,
    kept: &mut BTreeSet<i64>,
    notes: &Notes,
    permitted: bool,
) -> Findings {
    let promised = notes.promised();
    kept.extend(notes.acknowledged());
    let lost: BTreeSet<i64> = kept.difference(there).copied().collect();
    let vanished: BTreeSet<i64> = promised.difference(there).copied().collect();
    let known = |row: &&i64| promised.contains(row) || kept.contains(row);
    let unpromised = notes.seen().difference(there).filter(|row| !known(row)).count();
    kept.extend(&promised);
    kept.retain(|number| there.contains(number));
    let mut findings = Findings { lost, vanished, unpromised, wrong: Vec::new() };
    if !permitted {
        let wrong = &mut findings.wrong;
        tell(wrong, "acknowledged rows are lost", &findings.lost);
        tell(wrong, "rows that a synchronous reader saw are gone", &findings.vanished);
    }
    for (who, readings) in &notes.readers {
        for (at, sum) in &readings.sums {
            findings.wrong.push(format!("the accounts held {sum} for {who} at {}", clock(*at)));
        }
    }
    findings
}

fn tell(wrong: &mut Vec<String>, what: &str, rows: &BTreeSet<i64>) {
    if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
        wrong.push(format!("{} {what}: from {first} to {last}", rows.len()));
    }
}

/// Every copy as it stands at the end of the primary's WAL.
fn copies(site: &Site, primary: &Host) -> Result<Vec<String>, Error> {
    const CONTENT: &str = "select (select count(*) || ' rows ' || coalesce(md5(string_agg(number::text, ',' order by number)), '') \
        from ledger) || ', accounts ' || (select sum(balance) || ' ' || md5(string_agg(id || ':' || balance, ',' order by id)) from accounts)";
    let end = primary.psql("select pg_current_wal_lsn()")?;
    let content = primary.psql(CONTENT)?;
    let mut wrong = Vec::new();
    if !content.contains(&format!("accounts {} ", crate::site::SUM)) {
        wrong.push(format!("the accounts do not balance: {content}"));
    }
    let replayed = format!("select pg_last_wal_replay_lsn() >= '{end}'");
    for host in site.cluster.hosts().iter().filter(|host| host.name() != primary.name()) {
        let there = || host.psql(&replayed).is_ok_and(|answer| answer == "t").then_some(());
        if until("the end of the primary's WAL", CATCH_UP, there).is_err() {
            wrong.push(format!("{} has not replayed up to {end}", host.name()));
            continue;
        }
        let copy = host.psql(CONTENT)?;
        if copy != content {
            wrong.push(format!("{} has {copy}, {} has {content}", host.name(), primary.name()));
        }
    }
    Ok(wrong)
}

/// Whether, at any time, two servers accepted writes.
pub fn primaries(notes: &Notes) -> Vec<String> {
    let both = two_primaries(&notes.primaries).into_iter();
    both.map(|both| {
        let (from, until) = (clock(both.from), clock(both.until));
        format!("{} and {} both accepted writes {from} … {until}", both.hosts.0, both.hosts.1)
    })
    .collect()
}

/// The actions of the server's resource that ran into their timeout.
pub fn timeouts(site: &Site, since: SystemTime) -> Vec<String> {
    let name = format!(" for {RESOURCE} ");
    let mut late: BTreeSet<String> =
        site.cluster.timeouts(since).into_iter().filter(|text| text.contains(&name)).collect();
    let not_done = site.cluster.actions().into_iter().filter_map(|action| match action.result {
        ActionResult::NotDone(why) if action.when >= since && action.resource == RESOURCE => {
            let told = why.to_lowercase().contains("timed out");
            told.then(|| format!("{} on {}: {why}", action.action, action.host))
        }
        ActionResult::NotDone(_) | ActionResult::Exit(_) => None,
    });
    late.extend(not_done);
    late.into_iter().map(|action| format!("ran into its timeout: {action}")).collect()
}

#[cfg(test)]
mod tests {
    use testbed::{Acknowledged, LedgerReport, Readings};

    use super::*;

    fn notes(acknowledged: &[i64], promised: &[i64], seen: &[i64]) -> Notes {
        let at = SystemTime::UNIX_EPOCH;
        let report = LedgerReport {
            started: at,
            stopped: at,
            acknowledged: acknowledged.iter().map(|&number| Acknowledged { number, at }).collect(),
            unknown: Vec::new(),
            complaints: Vec::new(),
        };
        let readings = Readings {
            promised: promised.iter().copied().collect(),
            seen: seen.iter().copied().collect(),
            ..Readings::default()
        };
        let (writers, readers) = (vec![("w".into(), report)], vec![("r".into(), readings)]);
        Notes { began: at, writers, readers, primaries: Vec::new() }
    }

    fn looked(notes: &Notes, permitted: bool) -> Findings {
        let mut kept = BTreeSet::from([1]);
        rows(&BTreeSet::from([1, 2, 3]), &mut kept, notes, permitted)
    }

    #[test]
    fn all_is_well_when_all_rows_are_there() {
        let findings = looked(&notes(&[2, 3], &[2], &[1, 2]), false);
        assert!(findings.wrong.is_empty() && findings.lost.is_empty(), "{findings:?}");
    }

    #[test]
    fn a_row_that_is_gone_is_told_and_told_once() {
        let lost = looked(&notes(&[2, 4], &[], &[]), false);
        assert_eq!((lost.lost.len(), lost.wrong.len()), (1, 1), "{lost:?}");
        let vanished = looked(&notes(&[], &[4], &[]), false);
        assert_eq!((vanished.vanished.len(), vanished.wrong.len()), (1, 1), "{vanished:?}");
        let mut kept = BTreeSet::from([4]);
        let there = BTreeSet::from([1]);
        assert_eq!(rows(&there, &mut kept, &notes(&[], &[], &[]), false).wrong.len(), 1);
        assert!(rows(&there, &mut kept, &notes(&[], &[], &[]), false).wrong.is_empty());
    }

    #[test]
    fn what_nobody_promised_or_a_failover_took_is_counted_only() {
        let seen = looked(&notes(&[2], &[], &[5]), false);
        assert!(seen.unpromised == 1 && seen.wrong.is_empty(), "{seen:?}");
        let taken = looked(&notes(&[4], &[4], &[4]), true);
        assert!(
            taken.lost.len() == 1 && taken.unpromised == 0 && taken.wrong.is_empty(),
            "{taken:?}"
        );
    }

    #[test]
    fn accounts_out_of_balance_are_told_even_where_rows_may_be_lost() {
        let mut notes = notes(&[], &[], &[]);
        notes.readers[0].1.sums.push((SystemTime::UNIX_EPOCH, 7));
        assert_eq!(looked(&notes, true).wrong.len(), 1);
    }
}
