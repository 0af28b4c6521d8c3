//! `pg_rewind` and what goes before it: it takes time, and what is killed in its middle is nobody's data.

use pgsql_ha::model::instance::ControlState;

use crate::agent::Running;
use crate::inquiry::{control, reach};
use crate::postgres::fresh;
use crate::world::{HostId, World};

/// Recovers a crashed primary's data in single-user mode, which ends with a shutdown checkpoint.
pub fn recover_alone(world: &mut World, id: HostId) {
    let record = fresh(&mut world.next_id);
    let disk = &mut world.hosts[id].disk;
    disk.checkpoint = disk.wal.append(record);
    disk.wal.flush();
    disk.control = ControlState::ShutDown;
    disk.end_of_recovery = None;
}

/// Has a primary write a checkpoint.
pub fn checkpoint(world: &mut World, id: HostId, address: &str) -> Result<(), String> {
    let other = reach(world, id, address).ok_or("nobody answers")?;
    let disk = &mut world.hosts[other].disk;
    if disk.mark {
        return Err("it is a standby".into());
    }
    (disk.checkpoint, disk.end_of_recovery) = (disk.wal.flushed().max(1) - 1, None);
    Ok(())
}

/// Begins `pg_rewind`, or ends it when its time has come.
pub fn rewind(
    world: &mut World,
    id: HostId,
    running: &mut Running,
    address: &str,
) -> Result<(), String> {
    let begun = running.rewinds_until.take().is_some();
    let source = reach(world, id, address).ok_or("the source is gone")?;
    if begun {
        finish(world, id, source);
        return Ok(());
    }
    let (own, theirs) = (&world.hosts[id].disk, &world.hosts[source].disk);
    if control(world, own).timeline == control(world, theirs).timeline
        || !own.wal.disagrees(&theirs.wal)
    {
        return Err("no rewind required".into());
    }
    if own.control == ControlState::InProduction {
        return Err("target server must be shut down cleanly".into());
    }
    let takes = world.chance.u64(5..150).min(running.remaining(world.now));
    world.hosts[id].disk.rewinding = true;
    running.rewinds_until = Some(world.now + takes);
    running.blocked_until = world.now + takes;
    Ok(())
}

fn finish(world: &mut World, id: HostId, source: HostId) {
    let mut wal = world.hosts[source].disk.wal.clone();
    wal.lose_unflushed();
    let host = &mut world.hosts[id];
    host.disk.consistent_at = wal.flushed();
    host.disk.checkpoint = wal.flushed() - 1;
    host.disk.wal = wal;
    host.disk.control = ControlState::InArchiveRecovery;
    host.disk.end_of_recovery = None;
    // What the source does not have is removed, `standby.signal` as well.
    (host.disk.mark, host.disk.is_copy) = (false, true);
    (host.disk.lock, host.disk.rewinding, host.disk.stray) = (None, false, None);
    host.flushed_before = host.disk.wal.flushed();
}
