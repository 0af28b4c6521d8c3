//! Counts what writers, probe, power switch and Pacemaker's logs have noted. It judges nothing.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use testbed::{LedgerReport, Outage, Primary, clock, two_primaries};

use crate::error::Error;
use crate::row::Measured;
use crate::site::{SOON, Site};

/// How much later than its last answer a host may be seen dead.
const GRACE: Duration = Duration::from_secs(2);

/// What was noted while a case was played.
pub struct Notes {
    /// When the fault began.
    pub struck: SystemTime,
    /// By the client.
    pub outside: LedgerReport,
    /// By the writer in the old primary's host.
    pub inside: LedgerReport,
    /// By the probe.
    pub primaries: Vec<Primary>,
}

/// Counts.
pub fn measure(site: &Site, notes: &Notes, fenced_before: usize) -> Result<Measured, Error> {
    let roles = site.settle(SOON)?;
    let host = site.cluster.host(&roles.primary);
    let missing = |report| site.cluster.verify_ledger(report, &host);
    let fenced: Vec<_> = site.cluster.fenced().into_iter().skip(fenced_before).collect();
    let survived = two_primaries(&notes.primaries).into_iter().any(|both| {
        let killed = |host: &String| {
            fenced.iter().any(|f| {
                f.host == *host && f.dead + GRACE >= both.from && f.dead <= both.until + GRACE
            })
        };
        !killed(&both.hosts.0) && !killed(&both.hosts.1)
    });
    Ok(Measured {
        outage: outage(&notes.outside, notes.struck).length().as_secs_f64(),
        acknowledged: notes.outside.acknowledged.len() + notes.inside.acknowledged.len(),
        lost: missing(&notes.outside)?.len(),
        only_there: missing(&notes.inside)?.len(),
        primaries_at_once: at_once(&notes.primaries),
        second_survived: survived,
        fenced: fenced.into_iter().map(|fenced| fenced.host).collect(),
        timeouts: site.cluster.timeouts(notes.struck),
        ..Measured::default()
    })
}

/// The longest time without a row that ended after the fault.
fn outage(report: &LedgerReport, struck: SystemTime) -> Outage {
    let after = report.outages().into_iter().filter(|outage| outage.end > struck);
    after.max_by_key(Outage::length).unwrap_or(Outage { start: struck, end: struck })
}

/// The most hosts that accepted writes at one moment: it is reached when one of them begins to.
fn at_once(primaries: &[Primary]) -> usize {
    let hosts_at = |moment| {
        let there = primaries.iter().filter(|p| p.from <= moment && moment < p.until);
        there.map(|primary| &primary.host).collect::<BTreeSet<_>>().len()
    };
    primaries.iter().map(|primary| hosts_at(primary.from)).max().unwrap_or_default()
}

impl Notes {
    /// Everything as text, beside the hosts' logs.
    pub fn text(&self) -> String {
        let mut text = format!("the fault began at {}\n", clock(self.struck));
        for (who, report) in [("client", &self.outside), ("inside", &self.inside)] {
            let rows = report.acknowledged.len();
            let _infallible = writeln!(text, "{who}: {rows} rows acknowledged");
            for outage in report.outages() {
                let (from, to) = (clock(outage.start), clock(outage.end));
                let _infallible = writeln!(text, "{who}: no row from {from} to {to}");
            }
            for (at, complaint) in &report.complaints {
                let _infallible = writeln!(text, "{who}: {} {complaint}", clock(*at));
            }
        }
        for primary in &self.primaries {
            let (from, until) = (clock(primary.from), clock(primary.until));
            let _infallible = writeln!(text, "{} accepted writes {from} … {until}", primary.host);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_count_at_once_only_when_they_overlap() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let primary = |host: &str, from, until| Primary {
            host: host.into(),
            from: at(from),
            until: at(until),
        };
        assert_eq!(at_once(&[]), 0);
        assert_eq!(at_once(&[primary("a", 0, 10), primary("b", 10, 20)]), 1);
        assert_eq!(at_once(&[primary("a", 0, 10), primary("b", 9, 20), primary("a", 15, 16)]), 2);
    }
}
