//! The play: boot, configure, write, kill, fail over, come back, count. What it looks like is `screen`'s business.

use crate::comeback::{self, Comeback};
use crate::error::Error;
use crate::facts::{self, Players};
use crate::hosts::{Part, cast, status};
use crate::options::Fault;
use crate::progress::Progress;
use crate::site::{CLIENT_ADDRESS, CLIENT_RESOURCE, Site, wait};
use crate::timeline::Moment;
use std::time::{Duration, Instant, SystemTime};
use testbed::{Cluster, Ledger, LedgerReport, Outage, Signal, State};

const SOON: Duration = Duration::from_secs(60);
/// How long is written before the fault, so that the picture shows what is normal.
const PRELUDE: Duration = Duration::from_secs(3);

/// More than backends that outlive their postmaster for a moment can acknowledge.
const ROWS_AFTER: usize = 100;

/// What happened.
pub struct Story {
    /// PostgreSQL's major version.
    pub version: u32,
    /// Who played which part.
    pub players: Players,
    /// The roles before the fault, after the failover, and at the end.
    pub scenes: [Vec<Part>; 3],
    /// When the postmaster was killed.
    pub killed: SystemTime,
    /// The time line.
    pub moments: Vec<Moment>,
    /// The time without an acknowledged row.
    pub gap: Option<Outage>,
    /// What the client noted.
    pub report: LedgerReport,
    /// Acknowledged rows that the new primary does not have.
    pub lost: usize,
    /// Of the rows without an answer, how many the new primary has.
    pub unknown_but_there: usize,
    /// The old primary's return.
    pub comeback: Comeback,
    /// Whether the old primary has every acknowledged row at the end.
    pub old_has_all: bool,
    /// How long all of it took.
    pub took: Duration,
}

impl Story {
    /// Whether nothing is lost and everything works again.
    pub fn is_good(&self) -> bool {
        self.lost == 0 && (self.comeback.streams_as.is_some() || self.recovered_in_place())
    }

    /// Whether the primary was back before another could take over.
    pub fn recovered_in_place(&self) -> bool {
        self.players.old == self.players.new
    }
}

/// Boots a cluster, plays, and yields both.
pub fn tell(site: &Site, fault: Fault, progress: &Progress) -> Result<(Cluster, Story), Error> {
    let started = Instant::now();
    let cluster = set_the_stage(site, progress)?;
    let names: Vec<String> = cluster.hosts().iter().map(|host| host.name().to_owned()).collect();
    let (old, before) = first_primary(&cluster, progress)?;
    let ledger = write(&cluster, progress)?;
    let (killed, after) = fail_over(&cluster, &old, fault, &ledger, progress)?;
    let players = players(&names, fault, old, &after);
    let comeback = comeback::bring_back(&cluster, site, &players, killed, progress)?;
    let now = all_stream(&cluster, progress)?;
    let rows = ledger.acknowledged();
    wait(&cluster, "no rows at the end", SOON, || (ledger.acknowledged() > rows).then_some(()))?;
    let report = ledger.stop();
    let (lost, unknown_but_there, old_has_all) = count(&cluster, &players, &report, progress)?;
    let gap = facts::gap(&report, killed);
    let story = Story {
        version: site.version,
        scenes: [before, after, now].map(|state| cast(&state, &names)),
        killed,
        moments: facts::moments(&cluster, &players, killed, gap),
        gap,
        report,
        lost,
        unknown_but_there,
        comeback,
        old_has_all,
        players,
        took: started.elapsed(),
    };
    Ok((cluster, story))
}

fn set_the_stage(site: &Site, progress: &Progress) -> Result<Cluster, Error> {
    let cluster = progress.stage("booting three hosts", || {
        let cluster = site.builder().build()?;
        wait(&cluster, "the hosts do not form a cluster", SOON, || {
            let state = cluster.state().ok()?;
            (state.quorum && state.dc.is_some() && state.online().len() == 3).then_some(())
        })?;
        Ok(("three hosts booted: Corosync and Pacemaker run, with quorum".into(), cluster))
    })?;
    let version = site.version;
    progress.stage(&format!("preparing PostgreSQL {version}"), || {
        cluster.prepare_postgres()?;
        Ok((format!("PostgreSQL {version}: a fresh database and two copies of it"), ()))
    })?;
    progress.stage("loading crm-examples/three-hosts.crm", || {
        cluster.configure_crm(&site.example)?;
        Ok(("crm-examples/three-hosts.crm loaded: rep_mode=sync, fencing".into(), ()))
    })?;
    Ok(cluster)
}

/// Waits for the primary with its address, then for its standbys.
fn first_primary(cluster: &Cluster, progress: &Progress) -> Result<(String, State), Error> {
    let primary = progress.stage("waiting for the first primary", || {
        let serving = || cluster.state().ok().filter(serves).and_then(|state| primary(&state));
        let primary = wait(cluster, "no host became the primary", SOON, serving)?;
        Ok((format!("{primary} is the primary, with the clients' address"), primary))
    })?;
    let state = progress.stage("waiting for the standbys", || {
        let ready = || cluster.state().ok().filter(|state| serves(state) && streaming(state) == 2);
        let state = wait(cluster, "the standbys do not stream", SOON, ready)?;
        cluster.wait_until_idle(SOON);
        Ok(("both standbys stream, one of them synchronously".into(), state))
    })?;
    Ok((primary, state))
}

fn primary(state: &State) -> Option<String> {
    state.promoted().first().map(|&name| name.to_owned())
}

/// Whether there is one primary, and the clients' address leads to it.
fn serves(state: &State) -> bool {
    let promoted = state.promoted();
    promoted.len() == 1 && state.active(CLIENT_RESOURCE) == promoted
}

/// How many standbys stream, when one of them is synchronous.
fn streaming(state: &State) -> usize {
    let ranks: Vec<_> = state.nodes.iter().map(|node| status(state, &node.name)).collect();
    let synchronous = ranks.contains(&"HS:sync");
    let others = ranks.iter().filter(|rank| ["HS:async", "HS:potential"].contains(rank));
    if synchronous { 1 + others.count() } else { 0 }
}

fn write(cluster: &Cluster, progress: &Progress) -> Result<Ledger, Error> {
    progress.stage(&format!("writing through {CLIENT_ADDRESS}"), || {
        let ledger = Ledger::start(cluster, CLIENT_ADDRESS)?;
        let started = Instant::now();
        wait(cluster, "nobody can write", SOON, || {
            (ledger.acknowledged() > 100 && started.elapsed() > PRELUDE).then_some(())
        })?;
        let rows = ledger.acknowledged();
        Ok((format!("a client writes through {CLIENT_ADDRESS}: {rows} rows so far"), ledger))
    })
}

/// Hits the primary, and waits until one serves with a standby, the same or another.
fn fail_over(
    cluster: &Cluster,
    old: &str,
    fault: Fault,
    ledger: &Ledger,
    progress: &Progress,
) -> Result<(SystemTime, State), Error> {
    let host = cluster.host(old);
    let (what, done) = match fault {
        Fault::Postmaster => ("killing the postmaster of", "the postmaster is killed with SIGKILL"),
        Fault::Power => ("cutting the power of", "the power is cut"),
    };
    let killed = progress.stage(&format!("{what} {old}"), || {
        // Cutting the power starts with silence; a signal ends with the kill.
        let before = SystemTime::now();
        let killed = match fault {
            Fault::Postmaster => {
                host.kill_postmaster(Signal::SIGKILL);
                SystemTime::now()
            }
            Fault::Power => {
                host.power_off();
                before
            }
        };
        Ok((format!("{old}: {done}"), killed))
    })?;
    let rows = ledger.acknowledged() + ROWS_AFTER;
    let after = progress.stage("failing over", || {
        wait(cluster, "nobody can write after the fault", SOON * 2, || {
            (ledger.acknowledged() > rows).then_some(())
        })?;
        let state = wait(cluster, "no primary with its address after the fault", SOON, || {
            cluster.state().ok().filter(serves)
        })?;
        let name = primary(&state).unwrap_or_default();
        let again = if name == old { "is the primary again" } else { "is the new primary" };
        Ok((format!("{name} {again}, rows are written"), state))
    })?;
    Ok((killed, after))
}

fn players(names: &[String], fault: Fault, old: String, after: &State) -> Players {
    let new = primary(after).unwrap_or_default();
    let mut others = names.iter().filter(|name| **name != old && **name != new);
    Players { fault, third: others.next().cloned().unwrap_or_default(), old, new }
}

/// Waits until the cluster is whole again.
fn all_stream(cluster: &Cluster, progress: &Progress) -> Result<State, Error> {
    progress.stage("waiting until both standbys stream", || {
        let ready = || cluster.state().ok().filter(|state| serves(state) && streaming(state) == 2);
        let state = wait(cluster, "the standbys do not stream", SOON, ready)?;
        Ok(("the cluster is whole: a primary and two streaming standbys".into(), state))
    })
}

/// Lost rows, rows without an answer that are there, and whether the old primary has all in the end.
fn count(
    cluster: &Cluster,
    players: &Players,
    report: &LedgerReport,
    progress: &Progress,
) -> Result<(usize, usize, bool), Error> {
    progress.stage("counting the rows", || {
        let host = cluster.host(&players.new);
        let lost = cluster.verify_ledger(report, &host)?.len();
        let there = host.query("select number from ledger")?.into_iter().flatten().flatten();
        let there = there.filter_map(|number| number.parse().ok());
        let there = there.filter(|number: &i64| report.unknown.contains(number)).count();
        let old = cluster.host(&players.old);
        let has_all =
            || cluster.verify_ledger(report, &old).ok().filter(|missing| missing.len() == lost);
        let old_has_all = lost == 0 && wait(cluster, "the standby lags", SOON / 4, has_all).is_ok();
        Ok((
            format!("{} rows counted on {}", report.acknowledged.len(), players.new),
            (lost, there, old_has_all),
        ))
    })
}
