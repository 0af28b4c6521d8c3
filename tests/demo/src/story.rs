//! The play: boot, configure, write, kill, fail over, come back, count. What it looks like is `screen`'s business.

use crate::comeback::{self, Comeback};
use crate::error::Error;
use crate::facts::{self, Players};
use crate::hosts::{Part, cast, status};
use crate::progress::Progress;
use crate::site::{CLIENT_ADDRESS, CLIENT_RESOURCE, Site, wait};
use crate::timeline::Moment;
use std::time::{Duration, Instant, SystemTime};
use testbed::{Cluster, Ledger, LedgerReport, Outage, Signal, State};

const SOON: Duration = Duration::from_secs(60);
/// How long is written before the fault, so that the picture shows what is normal.
const PRELUDE: Duration = Duration::from_secs(3);

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
        self.lost == 0 && self.comeback.streams_as.is_some()
    }
}

/// Boots a cluster, plays, and yields both.
pub fn tell(site: &Site, progress: &Progress) -> Result<(Cluster, Story), Error> {
    let started = Instant::now();
    let cluster = set_the_stage(site, progress)?;
    let names: Vec<String> = cluster.hosts().iter().map(|host| host.name().to_owned()).collect();
    let (old, before) = first_primary(&cluster, progress)?;
    let ledger = write(&cluster, progress)?;
    let (killed, after) = fail_over(&cluster, &old, &ledger, progress)?;
    let new = after.promoted().first().copied().unwrap_or_default().to_owned();
    let third = names.iter().find(|name| **name != old && **name != new);
    let players = Players { old, third: third.cloned().unwrap_or_default(), new };
    let comeback = comeback::bring_back(&cluster, site, &players, progress)?;
    let now = cluster.state()?;
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

/// Kills the primary's postmaster, and waits until another serves with a synchronous standby.
fn fail_over(
    cluster: &Cluster,
    old: &str,
    ledger: &Ledger,
    progress: &Progress,
) -> Result<(SystemTime, State), Error> {
    let host = cluster.host(old);
    let killed = progress.stage(&format!("killing the postmaster of {old}"), || {
        host.kill_postmaster(Signal::SIGKILL);
        // Read afterwards: entering the host takes longer than the signal.
        let killed = SystemTime::now();
        Ok((format!("the postmaster of {old} is killed with SIGKILL"), killed))
    })?;
    let after = progress.stage("failing over", || {
        let moved = |state: &State| {
            serves(state) && primary(state).is_some_and(|name| name != old) && streaming(state) > 0
        };
        let state = wait(cluster, "no failover", SOON * 2, || cluster.state().ok().filter(moved))?;
        let (rows, name) = (ledger.acknowledged(), primary(&state).unwrap_or_default());
        wait(cluster, "nobody can write after the failover", SOON, || {
            (ledger.acknowledged() > rows).then_some(())
        })?;
        Ok((format!("{name} is the primary, rows are written again"), state))
    })?;
    Ok((killed, after))
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
