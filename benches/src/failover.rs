//! First starts and faults: a fresh cluster for each, the agents in turn. What happened is read from the ledger of the
//! client's writes, from the power switch and from Pacemaker's log; nothing else asks the cluster meanwhile, because
//! each question costs processor time that the agent needs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use testbed::{Cluster, Event, Host, Ledger, LedgerPlan, LedgerReport, Outage, clock, poll};

use crate::arguments::{Arguments, Part};
use crate::configuration::{CLIENT_ADDRESS, RESOURCE};
use crate::contender::{Agent, Contenders};
use crate::error::Error;
use crate::fault::Fault;
use crate::machine::load;
use crate::report::Report;
use crate::site::{ENOUGH_ROWS, LIMIT, Roles, Site, since};
use crate::statistics::Time;

/// How often the ledger is looked at; it is in this process.
const GLANCE: Duration = Duration::from_millis(20);
/// What the client sends to an address that moves is lost; the sooner it tries again, the finer the outage is known.
const CONNECT_LIMIT: Duration = Duration::from_millis(150);
/// How often the standbys are asked whether one has become the primary.
const QUESTION: Duration = Duration::from_millis(100);

/// A first start.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Start {
    /// Whose.
    pub agent: Agent,
    /// From the commit to a primary that has acknowledged a row and two standbys that stream.
    pub took: Time,
    /// The machine's load before.
    pub load: f64,
}

/// A fault and its consequences.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Failover {
    /// Whose.
    pub agent: Agent,
    /// What befell the primary.
    pub fault: Fault,
    /// From the last row that the old primary acknowledged to the first one of the new.
    pub outage: Time,
    /// From Pacemaker's line that the monitor found nothing running to the first row; a killed postmaster only.
    pub from_not_running: Option<Time>,
    /// From the death of the fenced host to the first row.
    pub from_fenced: Option<Time>,
    /// Whether the same host became primary again.
    pub same_host: bool,
    /// Rows that were acknowledged.
    pub acknowledged: usize,
    /// Those that the new primary does not have.
    pub lost: usize,
    /// The machine's load before.
    pub load: f64,
}

/// A run that failed.
#[derive(Debug, Clone, Serialize)]
pub struct FailedRun {
    /// Whose.
    pub agent: Agent,
    /// What was measured.
    pub what: String,
    /// Why there is no figure.
    pub reason: String,
}

/// Measures starts, and faults if they are wanted, into the report.
pub fn measure(contenders: &Contenders, arguments: &Arguments, report: &mut Report) {
    let faults = match arguments.measures(&Part::Failover) {
        true => arguments.wanted_faults().into_iter().map(Some).collect(),
        false => vec![None],
    };
    for run in 1..=arguments.runs {
        for &fault in &faults {
            for agent in contenders.agents() {
                let what = fault.map_or_else(|| "first start".to_owned(), |f| f.to_string());
                eprintln!("bench: {what} {run}/{}, {agent}, load {}", arguments.runs, load());
                if let Err(error) = one(contenders, agent, fault, arguments.timeline, report) {
                    eprintln!("bench: {what}, {agent}: {error}");
                    report.failed.push(FailedRun { agent, what, reason: error.to_string() });
                }
            }
        }
    }
}

/// One cluster: its start and, if there is one, the fault. The testbed's words panic when they cannot be kept.
fn one(
    contenders: &Contenders,
    agent: Agent,
    fault: Option<Fault>,
    timeline: bool,
    report: &mut Report,
) -> Result<(), Error> {
    let steps = AssertUnwindSafe(|| {
        let load = load();
        let name = fault.map(|fault| format!(".{fault}")).unwrap_or_default();
        let site =
            Site::boot(contenders, agent, &format!("bench.{agent}{name}.{}", report.starts.len()))?;
        let took = site.start(contenders)?;
        eprintln!("bench:   start {:.1} s", took.0.as_secs_f64());
        report.starts.push(Start { agent, took, load });
        if let Some(fault) = fault {
            let failover = strike(&site, agent, fault, timeline).inspect_err(|_| {
                let evidence = site.cluster.gather_evidence();
                eprintln!("bench:   what the hosts left is in {}", evidence.display());
            })?;
            eprintln!("bench:   outage {:.2} s", failover.outage.0.as_secs_f64());
            report.failovers.push(failover);
        }
        Ok(())
    });
    catch_unwind(steps).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Err(Error::Panicked(text.lines().next().unwrap_or_default().to_owned()))
    })
}

fn strike(site: &Site, agent: Agent, fault: Fault, timeline: bool) -> Result<Failover, Error> {
    let roles = site.settle()?;
    let load = load();
    let ledger = LedgerPlan::from_client(&site.cluster, CLIENT_ADDRESS)
        .connect_limit(CONNECT_LIMIT)
        .start()?;
    rows(&ledger)?;
    let struck = SystemTime::now();
    fault.strike(site, &roles)?;
    let new =
        poll("a new primary", LIMIT, QUESTION, || new_primary(&site.cluster, &roles, struck))?;
    rows(&ledger)?;
    let notes = ledger.stop();
    let outage = outage(&notes, struck);
    if timeline {
        print_timeline(&site.cluster.events(), struck, outage);
        eprintln!("        evidence in {}", site.cluster.gather_evidence().display());
    }
    let missing = site.cluster.verify_ledger(&notes, &site.cluster.host(&new))?;
    let lost = missing.len();
    let detected = match fault {
        Fault::KilledPostmaster => not_running(&site.cluster.events(), &roles.primary, struck),
        Fault::HostOff | Fault::LinkCut | Fault::Switchover => None,
    };
    let fenced = site.cluster.fenced();
    let fenced = fenced.iter().find(|fenced| fenced.host == roles.primary);
    Ok(Failover {
        agent,
        fault,
        outage: Time(outage.length()),
        from_not_running: detected.map(|at| since(at, outage.end)),
        from_fenced: fenced.map(|fenced| since(fenced.dead, outage.end)),
        same_host: new == roles.primary,
        acknowledged: notes.acknowledged.len(),
        lost,
        load,
    })
}

fn rows(ledger: &Ledger) -> Result<(), Error> {
    let before = ledger.acknowledged();
    let enough = || (ledger.acknowledged() >= before + ENOUGH_ROWS).then_some(());
    Ok(poll("acknowledged rows", LIMIT, GLANCE, enough)?)
}

/// A host that accepts writes: another one, or the same with a server that was started since.
fn new_primary(cluster: &Cluster, roles: &Roles, struck: SystemTime) -> Option<String> {
    let struck = struck.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let again = format!(
        "select pg_is_in_recovery() or pg_postmaster_start_time() < to_timestamp({struck})"
    );
    let accepts = |host: &Host| {
        let sql = if host.name() == roles.primary { &again } else { "select pg_is_in_recovery()" };
        host.psql(sql).is_ok_and(|answer| answer.trim() == "f")
    };
    let hosts = cluster.hosts().into_iter().filter(Host::is_on);
    hosts.into_iter().find(accepts).map(|host| host.name().to_owned())
}

/// The longest time without a row that ended after the fault.
fn outage(notes: &LedgerReport, struck: SystemTime) -> Outage {
    let after = notes.outages().into_iter().filter(|outage| outage.end > struck);
    after.max_by_key(Outage::length).unwrap_or(Outage { start: struck, end: struck })
}

/// When Pacemaker learned that nothing runs on the old primary, to some milliseconds.
fn not_running(events: &[Event], host: &str, struck: SystemTime) -> Option<SystemTime> {
    let words = format!("Result of monitor operation for {RESOURCE} on {host}: not running");
    let mut lines = events.iter().map(|event| &event.line);
    lines.find(|line| line.at >= struck && line.text.starts_with(&words)).map(|line| line.at)
}

/// Prints who did what between the fault and the first row. What the attribute daemons say is left out: each of them
/// says everything once more. Agents log whole seconds, so that their lines come before what led to them.
fn print_timeline(events: &[Event], struck: SystemTime, outage: Outage) {
    eprintln!("        milliseconds since the fault at {}", clock(struck));
    let until = outage.end + Duration::from_secs(1);
    let matters = |event: &&Event| {
        (struck..=until).contains(&event.line.at) && event.line.source != "pacemaker-attrd"
    };
    let mut row = Some(format!("{:>7}  first row", since(struck, outage.end).0.as_millis()));
    for event in events.iter().filter(matters) {
        if event.line.at > outage.end {
            row.take().into_iter().for_each(|row| eprintln!("{row}"));
        }
        let about = if event.line.source.starts_with("pacemaker") { ' ' } else { '~' };
        let at = since(struck, event.line.at).0.as_millis();
        let text = event.line.text.split(" | ").next().unwrap_or_default();
        eprintln!("{at:>7}{about} {} {} {text}", event.host, event.line.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testbed::Acknowledged;

    fn at(milliseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_outage_is_the_longest_gap_after_the_fault() {
        let acknowledged = [100, 900, 910, 2500, 2510, 2900, 2910]
            .map(|moment| Acknowledged { number: 0, at: at(moment) })
            .to_vec();
        let notes = LedgerReport {
            started: at(90),
            stopped: at(2920),
            acknowledged,
            unknown: Vec::new(),
            complaints: Vec::new(),
        };
        assert_eq!(outage(&notes, at(950)), Outage { start: at(910), end: at(2500) });
        assert_eq!(outage(&notes, at(2600)).length(), Duration::from_millis(390));
        assert_eq!(outage(&notes, at(2915)).length(), Duration::ZERO);
    }
}
