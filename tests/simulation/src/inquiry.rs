//! What a returning node reads of its own data and of the primary's, as `pgsql_ha::observe::evidence` does.

use pgsql_ha::model::instance::{ControlData, ControlState};
use pgsql_ha::model::node::NodeName;
use pgsql_ha::model::recovery_timeline::RecoveryTimeline;
use pgsql_ha::model::rejoin::{Evidence, OwnData, PrimaryData, RewindSource};
use pgsql_ha::model::settings::Rejoin;
use pgsql_ha::model::wal::{Timeline, WalLayout, WalPosition};

use crate::disk::{Disk, Target};
use crate::postgres::Phase;
use crate::replication;
use crate::scope::Part;
use crate::wal::lsn;
use crate::world::{HostId, Tick, World};

/// How long a connection is tried to a host from which nothing comes back.
const CONNECT: Tick = 20;

/// Reads both sides; returns how long the question took as well.
pub fn read(world: &mut World, id: HostId, primary: &NodeName, rejoin: Rejoin) -> (Evidence, Tick) {
    let runs = world.hosts[id].server.phase == Phase::Standby;
    if !world.options.scope.has(Part::Proof) && !runs {
        let error = || "not modelled".to_owned();
        return (Evidence { own: Err(error()), primary: Err(error()) }, 0);
    }
    let (theirs, took) = ask(world, id, primary, rejoin);
    let own = Ok(match runs {
        true => running_data(world, id),
        false => own_data(world, id, theirs.as_ref().ok()),
    });
    (Evidence { own, primary: theirs }, took)
}

fn own_data(world: &World, id: HostId, primary: Option<&PrimaryData>) -> OwnData {
    let disk = &world.hosts[id].disk;
    let control = control(world, disk);
    let timeline = control.newest_timeline();
    let matters = primary.is_some_and(|primary| primary.history.fork_point(timeline).is_some());
    OwnData {
        stays_on: None,
        wal_end: matters.then(|| Ok(lsn(disk.wal.end_on(timeline.0)))),
        history: Some(disk.wal.history(timeline.0)),
        newest_segment: Some(Timeline(disk.wal.timeline().max(disk.stray.unwrap_or(0)))),
        is_copy: disk.is_copy,
        control,
    }
}

/// What a running standby says of its data: how far it has come counts once it has read all that it has, and as long
/// as it has not left the timeline of `pg_control`.
fn running_data(world: &World, id: HostId) -> OwnData {
    let (disk, server) = (&world.hosts[id].disk, &world.hosts[id].server);
    let control = control(world, disk);
    let newest = control.newest_timeline();
    let stays_on = match disk.recovers_to {
        RecoveryTimeline::Own(own) => own.or(Some(newest)),
        RecoveryTimeline::Latest => None,
    };
    let known = control.min_recovery.map_or(control.checkpoint, |end| end.lsn);
    let reported = disk.wal.timeline().max(disk.stray.unwrap_or(0));
    let wal_end = match stays_on.is_some() || reported == newest.0 {
        true if server.asked_for_more => Ok(lsn(disk.wal.flushed().max(server.replayed))),
        true => Err("its own WAL has not been read to the end yet".to_owned()),
        false => Ok(known),
    };
    let mut own = OwnData {
        stays_on,
        wal_end: Some(wal_end),
        history: None,
        newest_segment: Some(Timeline(reported)),
        is_copy: false,
        control,
    };
    own.history = Some(disk.wal.history(own.timeline().0));
    own
}

/// Asks at the primary's address, and at its node if nobody answers there.
fn ask(
    world: &mut World,
    id: HostId,
    primary: &NodeName,
    rejoin: Rejoin,
) -> (Result<PrimaryData, String>, Tick) {
    let mut took = 0;
    let address = world.versions[0].master_ip.clone();
    for address in [address, primary.as_str().to_owned()] {
        let Some(other) = reach(world, id, &address) else {
            took += world.chance.u64(0..CONNECT);
            continue;
        };
        let disk = &world.hosts[other].disk;
        let history = disk.wal.history(disk.wal.timeline());
        let control_timeline = control(world, disk).timeline;
        let source = RewindSource { readable: true, control_timeline };
        let source = (rejoin == Rejoin::Rewind).then_some(Ok(source));
        return (Ok(PrimaryData { address, system_identifier: 1, history, source }), took);
    }
    (Err("nobody answers".to_owned()), took)
}

/// Finds the server that answers at an address or at a node.
pub fn reach(world: &mut World, id: HostId, address: &str) -> Option<HostId> {
    let target = match world.id(&NodeName::new(address)) {
        Some(host) => Target::Peer(host),
        None => Target::Address,
    };
    replication::find(world, id, target)
}

/// Returns what `pg_control` says of a disk.
pub fn control(world: &World, disk: &Disk) -> ControlData {
    if !world.options.scope.has(Part::Proof) {
        return ControlData {
            system_identifier: 1,
            state: disk.control.clone(),
            timeline: Timeline(disk.wal.timeline()),
            checkpoint: lsn(0),
            min_recovery: None,
            can_rewind: false,
            layout: WalLayout::USUAL,
        };
    }
    let reached = |records: usize| WalPosition {
        timeline: Timeline(disk.wal.timeline_at(records.saturating_sub(1))),
        lsn: lsn(records),
    };
    let min_recovery = match disk.control {
        ControlState::InArchiveRecovery | ControlState::ShutDownInRecovery => {
            Some(reached(disk.consistent_at))
        }
        ControlState::ShutDown | ControlState::InProduction | ControlState::Other(_) => {
            disk.end_of_recovery.map(|place| reached(place + 1))
        }
    };
    ControlData {
        system_identifier: 1,
        state: disk.control.clone(),
        timeline: Timeline(disk.wal.timeline_at(disk.checkpoint)),
        checkpoint: lsn(disk.checkpoint),
        min_recovery,
        can_rewind: world.options.seed % 8 != 7,
        layout: WalLayout::USUAL,
    }
}
