//! Whether a mended cluster is whole again. What may never happen on the way is `invariants`' business.

use crate::invariants::{Rule, broken, is_loose, lacks_nothing, serves};
use crate::replication::Connection;
use crate::scope::Part;
use crate::wal::Follow;
use crate::world::{HostId, World};

/// Says what is still amiss after everything was mended; `None`: nothing.
pub fn unhealthy(world: &World) -> Option<String> {
    let primaries: Vec<HostId> = world.ids().filter(|id| serves(world, *id)).collect();
    let [primary] = primaries[..] else {
        return Some(format!("{} hosts accept writes", primaries.len()));
    };
    for id in world.ids().filter(|id| *id != primary && has_to_stream(world, *id)) {
        let streams = world.connections.iter().any(|c| {
            (c.standby, c.upstream) == (id, primary) && c.receiver && c.sender && c.streaming
        });
        let mut own = world.hosts[id].disk.wal.clone();
        let upstream = &world.hosts[primary].disk.wal;
        let parted = own.disagrees(upstream) || own.follow(upstream) != Follow::Streams;
        let excused = parted || world.hosts[id].known.held && !world.options.scope.has(Part::Proof);
        if !streams && !excused {
            return Some(format!("{} does not stream", world.hosts[id].name));
        }
    }
    // A strict primary waits for standbys that cannot come back by themselves here.
    let counts = |c: &Connection| c.lasts() && c.upstream == primary && is_listed(world, c.standby);
    let strict = world.versions[world.hosts[primary].version].is_strict();
    if strict && !world.connections.iter().any(counts) {
        return None;
    }
    let recent = world.ledger.rows.last();
    let writes = recent.is_some_and(|row| row.by == primary)
        && world.hosts[primary].server.waiters.len() < 20;
    (!writes).then(|| "commits wait".to_owned())
}

/// Tells whether a host is one of the cluster's, and has a slot if it asks for one.
fn has_to_stream(world: &World, id: HostId) -> bool {
    let host = &world.hosts[id];
    host.joined && (is_listed(world, id) || !host.disk.uses_slot)
}

/// Tells whether a host is in `node_list`.
pub fn is_listed(world: &World, id: HostId) -> bool {
    let host = &world.hosts[id];
    world.versions[host.version].node_list.contains(&host.name)
}

/// Checked at the end of a run.
pub fn at_last(world: &mut World) {
    let primaries = world.ids().filter(|id| serves(world, *id)).count();
    // Where two partitions may both have had a primary, it takes a hand to say whose data go on.
    if let Some(evidence) = unhealthy(world).filter(|_| !is_loose(world) || primaries > 1) {
        broken(world, Rule::EndsHealthy, evidence);
    }
    let primary = world.ids().find(|id| serves(world, *id));
    if let Some(primary) = primary.filter(|_| !world.record_in_doubt) {
        lacks_nothing(world, primary);
    }
}
