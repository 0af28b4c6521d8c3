//! The disk that the server writes WAL to, and for how long a slot's file has not been touched.
//!
//! Nothing is asked of the server here.

use std::time::{Duration, SystemTime};

use nix::sys::statvfs::statvfs;

use super::version::Version;
use super::wal_directory;
use crate::model::instance::{DiskSpace, SlotRow};
use crate::model::settings::Settings;
use crate::system::identity::{User, as_user};

/// Returns the space on the file system of the WAL; `None`: it cannot be asked.
#[must_use]
pub fn wal_disk(settings: &Settings, user: &User, version: Version) -> Option<DiskSpace> {
    let path = wal_directory::directory(settings, version);
    let space = as_user(user, || statvfs(&path)).ok()?.ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.fragment_size());
    Some(DiskSpace { free: bytes(space.blocks_available()), total: bytes(space.blocks()) })
}

/// Notes for how long each inactive slot has not been used: PostgreSQL saves a slot that has moved at
/// the next checkpoint (`CheckPointReplicationSlots` in slot.c), and touches its file no more.
pub fn note_idle(settings: &Settings, user: &User, slots: &mut [SlotRow]) {
    for slot in slots.iter_mut().filter(|slot| !slot.active) {
        let path = settings.pgdata.join("pg_replslot").join(&slot.name).join("state");
        let saved = as_user(user, || std::fs::metadata(&path).and_then(|file| file.modified()));
        slot.idle = saved.ok().and_then(Result::ok).map(age);
    }
}

fn age(since: SystemTime) -> Duration {
    SystemTime::now().duration_since(since).unwrap_or_default()
}
