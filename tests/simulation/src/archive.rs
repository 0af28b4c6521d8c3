//! A WAL archive that all hosts share: primaries write into it, and standbys fetch segments and histories of whichever
//! branch they are told is theirs (`XLogFileReadAnyTLI`, `findNewestTimeLine` and `rescanLatestTimeLine` in
//! PostgreSQL). Nobody overwrites what is there.

use std::collections::{BTreeMap, BTreeSet};

use pgsql_ha::model::instance::ControlState;

use crate::branch::Branch;
use crate::inquiry;
use crate::postgres::Phase;
use crate::scope::Part;
use crate::wal::Record;
use crate::world::{HostId, World};

/// How many records a segment has.
pub const SEGMENT: usize = 16;

/// What is in the archive.
#[derive(Debug, Default)]
pub struct Archive {
    histories: BTreeMap<u32, Branch>,
    segments: BTreeMap<(u32, usize), Vec<Record>>,
    /// Branches whose history somebody else's of the same number keeps out: nothing more of them comes in.
    refused: BTreeSet<HostId>,
}

impl Archive {
    /// Returns the newest timeline without a gap after this one (`findNewestTimeLine` in timeline.c).
    fn newest(&self, timeline: u32) -> u32 {
        (timeline + 1..)
            .find(|next| !self.histories.contains_key(next))
            .map_or(timeline, |end| end - 1)
    }

    fn history(&self, timeline: u32) -> Option<&Branch> {
        self.histories.get(&timeline)
    }
}

/// Lets primaries archive what is complete.
pub fn fill(world: &mut World) {
    if !world.options.scope.has(Part::Archive) {
        return;
    }
    for id in world.ids() {
        let host = &mut world.hosts[id];
        let sends =
            matches!(host.server.phase, Phase::Primary | Phase::Stopping { was_primary: true, .. });
        if !host.on || !sends || world.archive.refused.contains(&id) || world.chance.bool() {
            continue;
        }
        let number = host.disk.archived;
        let Some(records) = host.disk.wal.segment(number, SEGMENT) else { continue };
        let key = (host.disk.wal.timeline(), number);
        world.archive.segments.entry(key).or_insert(records);
        host.disk.archived += 1;
    }
}

/// Notes a new branch: its history goes into the archive first.
pub fn promoted(world: &mut World, id: HostId) {
    if !world.options.scope.has(Part::Archive) {
        return;
    }
    let wal = &world.hosts[id].disk.wal;
    let branch = wal.branch().clone();
    let number = wal.beginning().unwrap_or(0) / SEGMENT;
    let there = world.archive.histories.entry(wal.timeline()).or_insert_with(|| branch.clone());
    match *there == branch {
        true => world.archive.refused.remove(&id),
        false => world.archive.refused.insert(id),
    };
    world.hosts[id].disk.archived = number;
}

/// What a server looks up before it recovers: the target timeline, and whether it can be reached. Tells why the server
/// ends at once.
pub fn before_recovery(world: &mut World, id: HostId) -> Result<(), &'static str> {
    if !world.options.scope.has(Part::Archive) || !world.hosts[id].disk.mark {
        return Ok(());
    }
    let control = inquiry::control(world, &world.hosts[id].disk);
    let own = control.newest_timeline().0;
    let newest = match world.hosts[id].server.stays {
        true => own,
        false => world.archive.newest(own),
    };
    let target = match world.archive.history(newest) {
        Some(history) if newest > own => history.clone(),
        Some(_) | None => world.hosts[id].disk.wal.branch().up_to(own),
    };
    let disk = &world.hosts[id].disk;
    if target.at(disk.checkpoint) != control.timeline.0 {
        return Err("requested timeline is not a child of this server's history");
    }
    let recovers =
        matches!(disk.control, ControlState::InArchiveRecovery | ControlState::ShutDownInRecovery);
    if recovers && target.at(disk.consistent_at - 1) > own {
        return Err("requested timeline does not contain minimum recovery point");
    }
    // Archive recovery prefers the newer timeline's segment; crash recovery reads only what is here.
    // What it has received of the newer timeline itself is the same.
    let older = disk.wal.timeline() == own;
    let fork = target.left(own).filter(|fork| recovers && older && disk.consistent_at <= *fork);
    if let Some(fork) = fork.filter(|fork| *fork < disk.wal.len())
        && (own + 1..=newest).any(|tli| world.archive.segments.contains_key(&(tli, fork / SEGMENT)))
    {
        world.hosts[id].disk.wal.leave(fork);
        world.hosts[id].flushed_before = world.hosts[id].disk.wal.flushed();
    }
    world.hosts[id].server.follows = Some(target);
    Ok(())
}

/// Looks for a newer timeline in the archive, and fetches a segment of what is to be followed; tells whether there was
/// something to replay.
pub fn restore(world: &mut World, id: HostId) -> bool {
    if !world.options.scope.has(Part::Archive) {
        return false;
    }
    rescan(world, id);
    let wal = &world.hosts[id].disk.wal;
    let Some(follows) = &world.hosts[id].server.follows else { return false };
    let number = wal.len() / SEGMENT;
    let found = follows
        .newest_first()
        .filter(|(timeline, begin)| *timeline >= wal.timeline() && number >= begin / SEGMENT);
    let segment =
        { found }.find_map(|(timeline, _)| world.archive.segments.get(&(timeline, number)));
    let Some(segment) = segment.cloned() else { return false };
    let branch = follows.clone();
    let before = world.hosts[id].disk.wal.len();
    let wal = &mut world.hosts[id].disk.wal;
    wal.replay(&segment[(before - number * SEGMENT).min(segment.len())..], &branch);
    wal.flush();
    wal.len() > before
}

/// Takes a newer timeline as the target if it left the present one at or after what has been replayed.
fn rescan(world: &mut World, id: HostId) {
    let host = &world.hosts[id];
    let latest = !host.server.stays;
    let Some(follows) = host.server.follows.as_ref().filter(|_| latest) else { return };
    let newest = world.archive.newest(follows.timeline.max(host.disk.wal.timeline()));
    let Some(history) = world.archive.history(newest).filter(|_| newest > follows.timeline) else {
        return;
    };
    let history = history.clone();
    let replayed = host.server.replayed;
    let child = history.left(follows.timeline).is_some_and(|fork| fork >= replayed);
    let host = &mut world.hosts[id];
    host.disk.wal.hear_of(&history);
    if child {
        host.server.follows = Some(history);
    }
}

/// Before it ends recovery a server replays what the archive has, and takes a number that is free there.
pub fn before_promotion(world: &mut World, id: HostId) {
    if !world.options.scope.has(Part::Archive) {
        return;
    }
    while restore(world, id) {}
    let wal = &mut world.hosts[id].disk.wal;
    let newest = world.archive.newest(wal.timeline());
    wal.take_number(newest);
}
