//! Clients: they write wherever a server accepts it, and remember what they were told is safe.

use crate::invariants;
use crate::postgres::{Phase, Waiter, fresh};
use crate::replication;
use crate::world::{HostId, World};

/// A row that a client was told is committed.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub id: u32,
    pub place: usize,
    pub by: HostId,
    /// With `rep_mode=sync` it has to be there for ever.
    pub promised: bool,
}

/// Every acknowledged row, in the order of acknowledgement.
#[derive(Debug, Default)]
pub struct Ledger {
    pub rows: Vec<Row>,
    pub written: u64,
}

/// One client writes on each primary, wherever it is and whoever still reaches it.
pub fn write(world: &mut World) {
    for id in world.ids() {
        let host = &world.hosts[id];
        if !host.on || host.server.phase != Phase::Primary {
            continue;
        }
        if world.chance.u8(..10) < 4 {
            let record = fresh(&mut world.next_id);
            let host = &mut world.hosts[id];
            let place = host.disk.wal.append(record);
            world.ledger.written += 1;
            host.server.waiters.push(Waiter { id: record, place });
        }
        acknowledge(world, id);
    }
}

/// Answers the clients whose commit is on this disk and, if commits wait, on those that count.
fn acknowledge(world: &mut World, id: HostId) {
    let here = world.hosts[id].disk.wal.flushed();
    let released = match world.hosts[id].server.commits_wait {
        true => replication::released(world, id).map_or(0, |there| there.min(here)),
        false => here,
    };
    let waiters = std::mem::take(&mut world.hosts[id].server.waiters);
    let (done, waiting) = waiters.into_iter().partition(|waiter| waiter.place < released);
    world.hosts[id].server.waiters = waiting;
    let row = |waiter: Waiter| {
        let row = Row { id: waiter.id, place: waiter.place, by: id, promised: false };
        Row { promised: invariants::is_promised(world, &row), ..row }
    };
    let rows: Vec<Row> = Vec::<Waiter>::into_iter(done).map(row).collect();
    if world.hosts[id].rogue {
        return;
    }
    invariants::at_acknowledgement(world, &rows);
    world.ledger.rows.extend(rows);
}
