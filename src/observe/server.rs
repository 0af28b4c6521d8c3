//! What is seen of the server without asking it.

use crate::model::instance::{DiskSpace, Postmaster};
use crate::postgres::{disk as disks, postmaster};
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
