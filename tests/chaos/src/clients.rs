//! Who writes and reads while a round is played: writers and transfers through the clients' address, a writer and two
//! readers inside every host, a probe that asks every host whether it accepts writes.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use testbed::{
    Ledger, LedgerPlan, LedgerReport, PrimariesProbe, Primary, Reader, ReaderPlan, Readings, clock,
};

use crate::error::Error;
use crate::site::{ACCOUNTS, CLIENT_ADDRESS, SUM, Site};

/// What is sent to an address that moves is lost; the sooner a client tries again, the finer an outage is known.
const CONNECT_LIMIT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(8);
/// A writer inside a standby is refused all the time.
const REST: Duration = Duration::from_millis(150);

/// All of them, at work.
pub struct Clients {
    writers: Vec<(String, Ledger)>,
    readers: Vec<(String, Reader)>,
    probe: PrimariesProbe,
}

/// What they noted.
pub struct Notes {
    /// When they began.
    pub began: SystemTime,
    /// Each writer, with its name; the first goes through the clients' address.
    pub writers: Vec<(String, LedgerReport)>,
    /// Each reader.
    pub readers: Vec<(String, Readings)>,
    /// Every time a host accepted writes.
    pub primaries: Vec<Primary>,
}

impl Clients {
    /// Starts all.
    pub fn start(site: &Site) -> Result<Self, Error> {
        let cluster = &site.cluster;
        let probe = PrimariesProbe::start(cluster)?;
        let slow = |plan: LedgerPlan| plan.connect_limit(CONNECT_LIMIT).pause(PAUSE);
        let outside = || slow(LedgerPlan::from_client(cluster, CLIENT_ADDRESS));
        let mut writers = vec![
            ("clients".to_owned(), outside().writers(2).start()?),
            ("transfers".to_owned(), outside().writers(2).transfers(ACCOUNTS).start()?),
        ];
        let reader = ReaderPlan::from_client(cluster, CLIENT_ADDRESS).commits().start(SUM)?;
        let mut readers = vec![("clients".to_owned(), reader)];
        for host in cluster.hosts() {
            let name = host.name().to_owned();
            writers.push((name.clone(), slow(LedgerPlan::inside(&host)).rest(REST).start()?));
            readers.push((name.clone(), ReaderPlan::inside(&host).start(SUM)?));
            readers.push((name, ReaderPlan::inside(&host).commits().start(SUM)?));
        }
        Ok(Self { writers, readers, probe })
    }

    /// How many rows the writers through the address were told are committed.
    pub fn outside(&self) -> usize {
        self.writers.iter().take(2).map(|(_, ledger)| ledger.acknowledged()).sum()
    }

    /// How many rows all writers were told are committed.
    pub fn acknowledged(&self) -> usize {
        self.writers.iter().map(|(_, ledger)| ledger.acknowledged()).sum()
    }

    /// The host that accepted writes last.
    pub fn last_primary(&self) -> Option<String> {
        self.probe.last_primary()
    }

    /// Stops all.
    pub fn stop(self, began: SystemTime) -> Notes {
        let writers = self.writers.into_iter().map(|(name, ledger)| (name, ledger.stop()));
        let readers = self.readers.into_iter().map(|(name, reader)| (name, reader.stop()));
        let (writers, readers) = (writers.collect(), readers.collect());
        Notes { began, writers, readers, primaries: self.probe.stop() }
    }
}

impl Notes {
    /// Every row of which a client was told that it is committed.
    pub fn acknowledged(&self) -> BTreeSet<i64> {
        let all = self.writers.iter().flat_map(|(_, report)| &report.acknowledged);
        all.map(|row| row.number).collect()
    }

    /// Every row that was read under conditions in which PostgreSQL promises that it stays.
    pub fn promised(&self) -> BTreeSet<i64> {
        self.readers.iter().flat_map(|(_, readings)| readings.promised.iter().copied()).collect()
    }

    /// Every other row that was read.
    pub fn seen(&self) -> BTreeSet<i64> {
        self.readers.iter().flat_map(|(_, readings)| readings.seen.iter().copied()).collect()
    }

    /// The longest time in which no client was told of a commit through the address, up to the end.
    pub fn longest_outage(&self) -> Duration {
        let mut moments = vec![self.began];
        let outside = self.writers.iter().take(2);
        moments
            .extend(outside.flat_map(|(_, report)| report.acknowledged.iter().map(|row| row.at)));
        moments.extend(self.writers.first().map(|(_, report)| report.stopped));
        moments.sort();
        let gaps =
            moments.windows(2).map(|pair| pair[1].duration_since(pair[0]).unwrap_or_default());
        gaps.max().unwrap_or_default()
    }

    /// Everything as text, beside the hosts' logs.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (who, report) in &self.writers {
            let (count, unknown) = (report.acknowledged.len(), report.unknown.len());
            let _infallible = writeln!(
                text,
                "writer {who}: {count} rows acknowledged, {unknown} unanswered {:?}",
                report.unknown
            );
            for outage in report.outages() {
                let (from, to) = (clock(outage.start), clock(outage.end));
                let _infallible = writeln!(text, "writer {who}: no row from {from} to {to}");
            }
            for (at, complaint) in &report.complaints {
                let _infallible = writeln!(text, "writer {who}: {} {complaint}", clock(*at));
            }
        }
        for (who, readings) in &self.readers {
            let (promised, seen) = (readings.promised.len(), readings.seen.len());
            let _infallible = writeln!(
                text,
                "reader {who}: {} answers, {promised} rows promised, {seen} rows seen",
                readings.answers
            );
        }
        for primary in &self.primaries {
            let (from, until) = (clock(primary.from), clock(primary.until));
            let _infallible = writeln!(text, "{} accepted writes {from} … {until}", primary.host);
        }
        text
    }
}
