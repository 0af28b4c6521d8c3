//! What the agent's steps do to the simulated world.

use pgsql_ha::model::action::Action;
use pgsql_ha::model::instance::Lock;
use pgsql_ha::model::recovery_timeline::RecoveryTimeline;
use pgsql_ha::model::settings::ReplicationMode;
use pgsql_ha::model::step::{ShutdownMode, Step};
use pgsql_ha::model::sync_names::SyncNames;
use pgsql_ha::model::warning::Warning;

use crate::agent::Running;
use crate::disk::Target;
use crate::mutation::Mutation;
use crate::postgres::Phase;
use crate::world::{HostId, World};
use crate::{archive, cib, invariants, rewind, starts};

/// Takes one step. As with the real one, an error may hide a success.
pub fn execute(
    world: &mut World,
    id: HostId,
    running: &mut Running,
    step: &Step,
) -> Result<(), String> {
    match step {
        Step::Warn(Warning::Broken(invariant)) => {
            invariants::forbidden(world, id, *invariant);
            Ok(())
        }
        Step::PrepareDirectories | Step::Warn(_) | Step::NoteSyncBaseline(..) => Ok(()),
        Step::RecoverAlone => {
            rewind::recover_alone(world, id);
            Ok(())
        }
        Step::CheckpointPrimary(address) => rewind::checkpoint(world, id, address),
        // Where the WAL that only this node has is put is not modelled.
        Step::KeepWal(_) | Step::RemoveKeptWal(_) => Ok(()),
        Step::Rewind(_, address) => rewind::rewind(world, id, running, address),
        Step::ResumeReplay => Err("not modelled".into()),
        Step::WriteStandbySettings | Step::StayOnTimeline(_) => {
            let settings = &world.versions[running.order.version];
            let stays = world.options.mutation != Some(Mutation::UnprovenGoesOn);
            let disk = &mut world.hosts[id].disk;
            disk.recovers_to = match step {
                Step::StayOnTimeline(own) if stays => RecoveryTimeline::Own(*own),
                _ => RecoveryTimeline::Latest,
            };
            disk.target = Some(Target::Address);
            disk.mark = true;
            disk.uses_slot = settings.uses_slots();
            disk.includes_names = settings.rep_mode == ReplicationMode::Sync;
            if settings.rep_mode == ReplicationMode::Sync && disk.names.is_none() {
                disk.names = Some(SyncNames::nobody());
            }
            Ok(())
        }
        Step::RemoveStandbyMark => {
            world.hosts[id].disk.mark = false;
            Ok(())
        }
        Step::WriteSyncNames(names) => {
            world.hosts[id].disk.names = Some(names.clone());
            Ok(())
        }
        Step::Reload => signal(world, id, |server| server.reload = true),
        Step::Launch => {
            launch(world, id, running.order.action);
            Ok(())
        }
        Step::Shutdown(mode) => {
            shutdown(world, id, *mode);
            Ok(())
        }
        Step::PromoteServer => {
            invariants::before_promotion(world, id, running);
            archive::before_promotion(world, id);
            signal(world, id, |server| server.promote = true)
        }
        Step::FollowPeer(peer, _) => {
            let peer = world.id(peer).ok_or("no such host")?;
            world.hosts[id].disk.target = Some(Target::Peer(peer));
            let done = signal(world, id, |server| server.reload = true);
            end_receiver(world, id);
            done
        }
        Step::CreateLock(timeline) => {
            world.hosts[id].disk.lock = Some(Lock { timeline: Some(*timeline) });
            world.hosts[id].disk.lock_since_cluster_start = true;
            Ok(())
        }
        Step::NoteFollowed => {
            world.hosts[id].disk.followed_since_cluster_start = true;
            Ok(())
        }
        Step::RemoveLock => {
            starts::at_unlocking(world, id);
            world.hosts[id].disk.lock = None;
            Ok(())
        }
        Step::RecordSlots(made) => {
            world.hosts[id].disk.made_slots.clone_from(made);
            Ok(())
        }
        Step::CreateSlot(slot) => match world.hosts[id].server.accepts() {
            true => {
                world.hosts[id].disk.slots.insert(slot.as_str().to_owned());
                Ok(())
            }
            false => Err("the server does not answer".into()),
        },
        Step::AdvanceSlot(..) => Ok(()),
        Step::DropSlot(slot, _) => {
            world.hosts[id].disk.slots.remove(slot.as_str());
            Ok(())
        }
        Step::RestartReceiver => match world.hosts[id].server.accepts() {
            true => {
                end_receiver(world, id);
                Ok(())
            }
            false => Err("the server does not answer".into()),
        },
        Step::SetStatus(..)
        | Step::SetDataStatus(..)
        | Step::SetScore(..)
        | Step::SetPosition(_)
        | Step::SetFinalPosition(_)
        | Step::SetXlogLocation(_)
        | Step::SetSyncQuorum(_)
        | Step::SetBaseline(_)
        | Step::SetReceiverStatus(_) => write(world, id, running, step),
    }
}

fn signal(
    world: &mut World,
    id: HostId,
    hear: impl FnOnce(&mut crate::postgres::Server),
) -> Result<(), String> {
    let server = &mut world.hosts[id].server;
    match server.runs() {
        true => {
            hear(server);
            Ok(())
        }
        false => Err("there is no postmaster".into()),
    }
}

fn launch(world: &mut World, id: HostId, action: Action) {
    if world.hosts[id].server.phase != Phase::Absent {
        return;
    }
    starts::at_launch(world, id, action);
    let takes = match world.chance.u8(..10) {
        0 => world.chance.u64(50..250),
        1..=3 => world.chance.u64(10..50),
        _ => world.chance.u64(1..10),
    };
    let now = world.now;
    let host = &mut world.hosts[id];
    host.rogue = false;
    host.server.launch(&host.disk, now, takes);
    if let Err(error) = archive::before_recovery(world, id) {
        world.trace(|| format!("{} server: {error}", world.hosts[id].name));
        world.hosts[id].server.die(Phase::Absent);
    }
}

fn shutdown(world: &mut World, id: HostId, mode: ShutdownMode) {
    let server = &mut world.hosts[id].server;
    match mode {
        ShutdownMode::Kill => {
            server.die(Phase::Absent);
        }
        ShutdownMode::Fast | ShutdownMode::Immediate if server.runs() => {
            server.shutdown = Some(mode);
        }
        ShutdownMode::Fast | ShutdownMode::Immediate => {}
    }
    if mode == ShutdownMode::Kill {
        end_receiver(world, id);
    }
}

fn end_receiver(world: &mut World, id: HostId) {
    let own = world.connections.iter_mut().filter(|connection| connection.standby == id);
    own.for_each(|connection| connection.receiver = false);
    world.hosts[id].server.retry_at = world.now + world.chance.u64(0..10);
}

/// Writes into the cluster, which may be slow, refuse, or do it after all.
fn write(world: &mut World, id: HostId, running: &mut Running, step: &Step) -> Result<(), String> {
    let group = world.group_of(id);
    let reached = |other: &HostId| world.hosts[*other].on && world.links.both_ways(id, *other);
    // A write is ordered among all members: while one of them is gone and not missed yet, it waits.
    let settled = group
        .is_some_and(|group| world.now >= group.settled_at && group.members.iter().all(reached));
    let permanent = step.changes_record();
    let troubled = world.now < world.hosts[id].slow_until && world.chance.u8(..3) != 0
        || permanent && !settled;
    if troubled {
        let takes = world.chance.u64(3..50).min(running.remaining(world.now).max(1));
        running.blocked_until = world.now + takes;
        if settled || !permanent {
            match world.chance.u8(..4) {
                0 => cib::write(world, id, step),
                1 => cib::write_late(world, id, step),
                _ => {}
            }
        }
        return Err("the cluster did not answer in time".into());
    }
    cib::write(world, id, step);
    Ok(())
}
