//! Execution: the only writer of the world, one step at a time.
//!
//! No choice is made here. Each step can be repeated and interrupted without harm.

use std::time::Duration;

use log::{debug, info, warn};
use thiserror::Error;

use crate::model::cluster::ClusterNode;
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::slot::{DropReason, SlotName};
use crate::model::status::ReceiverStatus;
use crate::model::step::{ShutdownMode, Step};
use crate::model::sync_names::SyncNames;
use crate::model::wal::{Lsn, PublishedPosition, Timeline, WalPosition};
use crate::pacemaker::PacemakerError;
use crate::pacemaker::attribute::Attribute;
use crate::postgres::server_log::Mark;
use crate::postgres::standby::Standby;
use crate::postgres::version::Version;
use crate::postgres::{
    PostgresError, followed_file, kept_wal, launch, lock_file, own_address, postmaster, remote,
    rewind, slot_record, standby, sync_file,
};
use crate::world::World;

/// How long a transient attribute may take: the attribute daemon only has to accept it.
const TRANSIENT: Duration = Duration::from_secs(5);

/// How long killed processes may take to leave the process table.
const KILL: Duration = Duration::from_secs(5);

/// Why a step failed.
#[derive(Debug, Error)]
pub enum StepError {
    /// PostgreSQL or its files.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The cluster.
    #[error(transparent)]
    Pacemaker(#[from] PacemakerError),
    /// The step needs a data directory and there is none.
    #[error("there is no data directory")]
    NoDataDirectory,
}

/// Takes one step. The observation that led to it is only for the log's "from … to …".
///
/// # Errors
/// What kept the step from being done; trying again is harmless.
pub fn execute(world: &mut World, step: &Step, seen: &Observation) -> Result<(), StepError> {
    let (settings, user) = (&world.settings, &world.user);
    let version = world.version.ok_or(StepError::NoDataDirectory);
    match step {
        Step::PrepareDirectories => {
            launch::prepare_directories(settings, user, version?)?;
            if settings.is_replication() {
                followed_file::note_first(settings, user)?;
            }
        }
        Step::WriteStandbySettings => world.standby(version?, None).write()?,
        Step::StayOnTimeline(own) => stay(world, version?, *own)?,
        Step::RemoveStandbyMark => standby::remove_mark(settings, user, version?)?,
        Step::WriteSyncNames(names) => {
            announce_names(names);
            sync_file::write(settings, user, names)?;
        }
        Step::Reload => {
            postmaster::reload(settings, user)?;
            if !seen.taken.tried(step) {
                info!("Reload configuration file.");
            }
        }
        Step::Launch => {
            world.log_mark = Some(Mark::now(settings, user));
            launch::launch(settings, user, world.clock.deadline)?;
        }
        Step::Shutdown(mode) => {
            announce_shutdown(*mode, seen);
            postmaster::shutdown(settings, user, *mode, world.clock.within(KILL))?;
        }
        Step::ResumeReplay => resume_replay(world)?,
        Step::PromoteServer => launch::promote(settings, user, world.clock.deadline)?,
        Step::FollowPeer(peer, host) => follow_peer(world, version?, (peer, host), seen)?,
        Step::CreateLock(timeline) => lock_file::create(settings, user, *timeline)?,
        Step::NoteFollowed => followed_file::note(settings, user)?,
        Step::RemoveLock => lock_file::remove(settings, user)?,
        Step::RecoverAlone => rewind::recover_alone(settings, user, world.clock.deadline)?,
        Step::KeepWal(lost) => {
            kept_wal::keep(settings, user, version?, lost, world.clock.deadline)?;
        }
        Step::RemoveKeptWal(folder) => kept_wal::remove(user, folder)?,
        Step::CheckpointPrimary(address) => checkpoint(world, version?, address)?,
        Step::Rewind(primary, address) => rewind_to(world, version?, primary, address)?,
        Step::RecordSlots(made) => slot_record::write(settings, user, made)?,
        Step::CreateSlot(slot) => create_slot(world, slot)?,
        Step::AdvanceSlot(slot, to) => {
            world.session.advance_slot(slot, *to, world.clock.deadline)?;
        }
        Step::DropSlot(slot, reason) => drop_slot(world, slot, reason)?,
        Step::RestartReceiver => postmaster::end_wal_receiver(settings, user)?,
        Step::Warn(concern) if concern.is_severe() => warn!("{concern}"),
        Step::Warn(concern) => info!("{concern}"),
        Step::NoteSyncBaseline(node, lsn) => debug!("{node} is synchronous with all WAL to {lsn}"),
        Step::SetStatus(node, status) => {
            let old = node_of(seen, node).and_then(|node| node.status.as_ref());
            change(world, Attribute::Status, node, old, Some(status))?;
        }
        Step::SetDataStatus(node, status) => {
            let old = node_of(seen, node).and_then(|node| node.data_status.as_ref());
            change(world, Attribute::DataStatus, node, old, Some(status))?;
        }
        Step::SetScore(node, score) => {
            let old = node_of(seen, node).and_then(|node| node.score.as_ref());
            change(world, Attribute::PromotionScore, node, old, Some(score))?;
        }
        Step::SetSyncQuorum(record) => {
            let old = node_of(seen, &world.local).and_then(|node| node.sync_quorum.as_ref());
            change(world, Attribute::SyncQuorum, &world.local, old, record.as_ref())?;
        }
        Step::SetPosition(position) => publish_position(world, position.map(|p| (p, false)))?,
        Step::SetFinalPosition(position) => publish_position(world, Some((*position, true)))?,
        Step::SetXlogLocation(location) => publish_location(world, *location)?,
        Step::SetBaseline(lsn) => set_own(world, Attribute::Baseline, lsn.map(Lsn::to_attribute))?,
        Step::SetReceiverStatus(status) => publish_receiver(world, *status)?,
    }
    Ok(())
}

fn stay(world: &World, version: Version, own: Option<Timeline>) -> Result<(), StepError> {
    let recovers_to = RecoveryTimeline::Own(own);
    Ok(Standby { recovers_to, ..world.standby(version, None) }.write()?)
}

fn follow_peer(
    world: &World,
    version: Version,
    (peer, host): (&NodeName, &str),
    seen: &Observation,
) -> Result<(), StepError> {
    info!("Fetching the WAL that {peer} ({host}) has beyond this node.");
    let recovers_to = seen.files.recovers_to.unwrap_or(RecoveryTimeline::Latest);
    Standby { recovers_to, ..world.standby(version, Some(host)) }.write()?;
    Ok(postmaster::reload(&world.settings, &world.user)?)
}

fn checkpoint(world: &World, version: Version, address: &str) -> Result<(), StepError> {
    Ok(remote::checkpoint(&world.standby(version, Some(address)), world.clock.deadline)?)
}

fn rewind_to(
    world: &World,
    version: Version,
    primary: &NodeName,
    address: &str,
) -> Result<(), StepError> {
    let standby = world.standby(version, Some(address));
    Ok(rewind::rewind(&standby, primary, world.clock.deadline)?)
}

fn resume_replay(world: &mut World) -> Result<(), StepError> {
    if world.session.resume_replay(world.clock.deadline)? {
        warn!("The replay of WAL was paused; it goes on, for a promotion needs all of it.");
    }
    Ok(())
}

fn create_slot(world: &mut World, slot: &SlotName) -> Result<(), StepError> {
    world.session.create_slot(slot, world.clock.deadline)?;
    info!("PostgreSQL creates the replication slot({slot}).");
    Ok(())
}

fn drop_slot(world: &mut World, slot: &SlotName, reason: &DropReason) -> Result<(), StepError> {
    world.session.drop_slot(slot, world.clock.deadline)?;
    warn!("Dropped the replication slot({slot}): {reason}.");
    Ok(())
}

fn publish_receiver(world: &World, status: Option<ReceiverStatus>) -> Result<(), StepError> {
    if status == Some(ReceiverStatus::Error) {
        warn!("wal receiver process is not running");
    }
    set_own(world, Attribute::ReceiverStatus, status.map(|status| status.to_string()))
}

fn node_of<'a>(seen: &'a Observation, name: &NodeName) -> Option<&'a ClusterNode> {
    seen.cluster.seen().and_then(|cluster| cluster.node(name))
}

/// Writes an attribute, old and new value in the words that log converters look for.
fn set(
    world: &World,
    attribute: Attribute,
    node: &NodeName,
    change: Option<(String, String)>,
) -> Result<(), StepError> {
    let resource = &world.settings.resource;
    let name = attribute.name(resource);
    let deadline = match attribute {
        Attribute::Status | Attribute::DataStatus | Attribute::SyncQuorum => {
            if let Some((old, new)) = &change {
                info!("Changing {name} on {node} : {old}->{new}.");
            }
            world.clock.within(world.clock.share(world.settings.crm_attr_timeout))
        }
        Attribute::PromotionScore => {
            if let Some((old, new)) = &change {
                info!("Changing {resource} master score on {node} : {old}->{new}.");
            }
            world.clock.within(world.clock.share(TRANSIENT))
        }
        Attribute::XlogLocation
        | Attribute::WalPosition
        | Attribute::Baseline
        | Attribute::ReceiverStatus => world.clock.within(world.clock.share(TRANSIENT)),
    };
    let value = change.as_ref().map(|(_, new)| new.as_str());
    Ok(world.tools.set_attribute(resource, attribute, node, value, deadline)?)
}

/// Changes an attribute that is in the log with its old value.
fn change<T: ToString>(
    world: &World,
    attribute: Attribute,
    node: &NodeName,
    old: Option<&T>,
    new: Option<&T>,
) -> Result<(), StepError> {
    let old = old.map(ToString::to_string).unwrap_or_default();
    set(world, attribute, node, new.map(|new| (old, new.to_string())))
}

/// Publishes the end of this node's WAL with its timeline, and whether it is final.
fn publish_position(
    world: &World,
    published: Option<(WalPosition, bool)>,
) -> Result<(), StepError> {
    let address = own_address::towards(&world.settings.master_ip);
    let published =
        published.map(|(position, is_final)| PublishedPosition { position, is_final, address });
    set_own(world, Attribute::WalPosition, published.map(|published| published.to_string()))?;
    match published {
        Some(_) => Ok(()),
        None => publish_location(world, None),
    }
}

/// Publishes the end of this node's WAL under the name by which the stock agent elects, without its timeline.
fn publish_location(world: &World, location: Option<Lsn>) -> Result<(), StepError> {
    let location = location.map(Lsn::to_attribute);
    if let Some(location) = &location {
        info!("{} xlog location : {location}", world.local);
    }
    set_own(world, Attribute::XlogLocation, location)
}

/// Writes or removes an attribute of the local node that nobody wants to see in the log.
fn set_own(world: &World, attribute: Attribute, value: Option<String>) -> Result<(), StepError> {
    set(world, attribute, &world.local, value.map(|value| (String::new(), value)))
}

fn announce_names(names: &SyncNames) {
    match names.is_nobody() {
        true => info!("Set all nodes into async mode."),
        false => info!("Setup {names} into sync mode."),
    }
}

fn announce_shutdown(mode: ShutdownMode, seen: &Observation) {
    let elapsed = seen.time.elapsed.as_secs();
    match mode {
        ShutdownMode::Fast => info!("Stopping PostgreSQL using -m fast."),
        ShutdownMode::Immediate if !seen.taken.tried(&Step::Shutdown(ShutdownMode::Fast)) => {
            info!("Stopping PostgreSQL using -m immediate.");
        }
        ShutdownMode::Immediate => {
            info!(
                "PostgreSQL failed to stop after {elapsed}s using -m fast. Trying -m immediate..."
            );
        }
        ShutdownMode::Kill => {
            warn!(
                "PostgreSQL or processes it left are still up after {elapsed}s. Trying SIGKILL..."
            );
        }
    }
}
