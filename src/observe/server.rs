//! What is seen of the server without asking it.

use log::debug;

use crate::model::instance::{ControlData, DiskSpace, Postmaster};
use crate::model::wal::Timeline;
use crate::postgres::{backup_label, control_data, disk as disks, postmaster, wal_directory};
use crate::world::World;

/// Looks at the file system of the WAL, if that is due.
pub(super) fn disk(world: &World, due: bool) -> Option<DiskSpace> {
    due.then_some(())?;
    disks::wal_disk(&world.settings, &world.user, world.version?)
}

/// Finds the postmaster. A process table that cannot be read proves nothing, so that the instance
/// is not called absent for it.
pub(super) fn find_postmaster(world: &World) -> Postmaster {
    postmaster::find(&world.settings, &world.user).unwrap_or_else(|error| {
        log::error!("cannot look for PostgreSQL's processes: {error}");
        Postmaster::Unknown
    })
}

/// What a stopped server's data directory says.
#[derive(Default)]
pub(super) struct StoppedData {
    pub(super) control: Option<ControlData>,
    pub(super) own_timeline: Option<Timeline>,
    pub(super) is_copy: bool,
}

/// Reads it. What cannot be read stays unknown; whether it is a copy matters only to data that would
/// otherwise be taken for a primary's.
pub(super) fn stopped_data(world: &World) -> StoppedData {
    let (settings, user) = (&world.settings, &world.user);
    let control = control_data::read(settings, user, world.clock.deadline)
        .inspect_err(|error| debug!("{error}"))
        .ok();
    let own_timeline = control.as_ref().zip(world.version).map(|(control, version)| {
        // `pg_control` may be behind the WAL; PostgreSQL takes a timeline only with its history.
        let has_history =
            |t: &Timeline| wal_directory::history(settings, user, version, *t).is_some();
        let begun = wal_directory::newest_timeline(settings, user, version).filter(has_history);
        begun.map_or(control.newest_timeline(), |begun| begun.max(control.newest_timeline()))
    });
    let is_copy = backup_label::is_there(settings, user).unwrap_or(false);
    StoppedData { control, own_timeline, is_copy }
}
