//! What is seen of the server without asking it.

use std::time::Instant;

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

/// Since when a postmaster, by its number, has been seen to be held, at every look.
pub(super) type HeldSince = Option<(i32, Instant)>;

/// Finds the postmaster. A process table that cannot be read proves nothing, so that the instance
/// is not called absent for it.
pub(super) fn find_postmaster(world: &World, since: &mut HeldSince) -> Postmaster {
    let found = postmaster::find(&world.settings, &world.user).unwrap_or_else(|error| {
        log::error!("cannot look for PostgreSQL's processes: {error}");
        Postmaster::Unknown
    });
    held_since(found, since, Instant::now())
}

/// Adds up for how long it has been held.
fn held_since(found: Postmaster, since: &mut HeldSince, now: Instant) -> Postmaster {
    let Postmaster::Running { pid, held: Some(_) } = found else {
        *since = None;
        return found;
    };
    let began = since.filter(|(known, _)| *known == pid).map_or(now, |(_, began)| began);
    *since = Some((pid, began));
    Postmaster::Running { pid, held: Some(now.saturating_duration_since(began)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_what_every_look_has_seen_held_adds_up() {
        let look =
            |pid, held: bool| Postmaster::Running { pid, held: held.then_some(Duration::ZERO) };
        let start = Instant::now();
        let mut since = None;
        // (second, what the process table says, for how many seconds it is held)
        for (second, seen, held) in [
            (0, look(7, true), Some(0)),
            (1, look(7, true), Some(1)),
            (3, look(7, true), Some(3)),
            (4, look(7, false), None),
            (5, look(7, true), Some(0)),
            (6, look(8, true), Some(0)),
            (8, look(8, true), Some(2)),
        ] {
            let found = held_since(seen, &mut since, start + Duration::from_secs(second));
            let Postmaster::Running { held: duration, .. } = found else { panic!("{found:?}") };
            assert_eq!(duration, held.map(Duration::from_secs), "second {second}");
        }
        assert_eq!(held_since(Postmaster::Absent, &mut since, start), Postmaster::Absent);
        assert_eq!(since, None);
    }
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
