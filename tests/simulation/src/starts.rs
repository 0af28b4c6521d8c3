//! What may never happen when a node returns: past its lock, with half rewound data, or while all others wait.

use std::time::Duration;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::rejoin::HistoryRelation;
use pgsql_ha::model::status::DataStatus;
use pgsql_ha::model::verdict::{Failure, Outcome};

use crate::agent::Running;
use crate::invariants::{Rule, broken, is_loose};
use crate::world::{HostId, TICK_MS, Tick, World};

/// How long a start may wait for the primary's history.
const ASKING: Tick = 70;

/// Tells whether a node has WAL that the last primary has not.
pub fn diverged(world: &World, id: HostId) -> Option<HostId> {
    let (last, ..) = world.last_promotion.filter(|_| !is_loose(world) && !world.record_in_doubt)?;
    let own = &world.hosts[id].disk.wal;
    (last != id && !own.is_prefix_of(&world.hosts[last].disk.wal)).then_some(last)
}

/// Checked when a start launches the server although there is a lock. A node that is on record as out of
/// date may, and so may one that takes itself for the last primary: the other rules watch that it is
/// not promoted, and does not stream.
pub fn at_launch(world: &mut World, id: HostId, action: Action) {
    if world.hosts[id].disk.rewinding {
        let evidence = format!("{} starts what pg_rewind left half done", world.hosts[id].name);
        broken(world, Rule::HalfRewoundRests, evidence);
    }
    let host = &world.hosts[id];
    let harmless = matches!(
        host.cib.nodes[id].data_status,
        Some(DataStatus::Disconnected | DataStatus::Other(_) | DataStatus::Latest)
    );
    if let Some(last) = diverged(world, id)
        && action == Action::Start
        && host.disk.lock.is_some()
        && !harmless
    {
        let (name, last) = (&world.hosts[id].name, &world.hosts[last].name);
        let evidence = format!("{name} starts past its lock, and has WAL that {last} has not");
        broken(world, Rule::TheLockHolds, evidence);
    }
}

/// Checked when a lock is removed.
pub fn at_unlocking(world: &mut World, id: HostId) {
    if let Some(last) = diverged(world, id) {
        let (name, last) = (&world.hosts[id].name, &world.hosts[last].name);
        let evidence = format!("{name} removes its lock, and has WAL that {last} has not");
        broken(world, Rule::TheLockHolds, evidence);
    }
}

/// While a start waits, nobody is promoted anywhere.
pub fn prompt(world: &mut World, id: HostId, running: &Running, outcome: Option<&Outcome>) {
    let refusal = match outcome {
        Some(Outcome::Failed(Failure::HistoryMismatch(refusal))) => Some(&refusal.kinship),
        Some(_) | None => None,
    };
    // What follows is launching or rewinding.
    let after = |since: Tick| {
        let since = Duration::from_millis((since - running.began) * TICK_MS);
        running.engine.taken().0.iter().map(|a| a.ended).find(|ended| *ended >= since)
    };
    let waited = running.asks_since.map_or(0, |since| {
        let until =
            after(since).map_or(world.now, |at| running.began + at.as_millis() as u64 / TICK_MS);
        until - since
    });
    let unasked = matches!(refusal, Some(HistoryRelation::Unasked(_)));
    if running.order.action == Action::Start && (unasked || waited > ASKING) {
        let evidence =
            format!("the start of {} waits {} s, {outcome:?}", world.hosts[id].name, waited / 10);
        broken(world, Rule::NoStartHoldsTheCluster, evidence);
    }
}
