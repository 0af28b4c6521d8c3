//! Streaming: who is connected to whom, what arrives, what the primary hears of it.
//!
//! A connection has two ends, which may learn at different times that it is broken.

use std::cmp::Reverse;

use pgsql_ha::model::instance::StandbyRow;
use pgsql_ha::model::sync_names::{SyncMethod, SyncNames};

use crate::archive;
use crate::branch::Branch;
use crate::disk::Target;
use crate::invariants::{self, Rule};
use crate::postgres::Phase;
use crate::settings::SLOTS;
use crate::wal::{Follow, lsn};
use crate::world::{HostId, Tick, World};

/// `wal_receiver_timeout` and `wal_sender_timeout` are a minute; keepalives make it less.
const TIMEOUTS: std::ops::Range<Tick> = 100..600;

/// How long a WAL sender may take for one round of its loop.
const ROUND: Tick = 4;

/// A standby's connection to whom it streams from.
#[derive(Debug, Clone)]
pub struct Connection {
    pub standby: HostId,
    pub upstream: HostId,
    standby_incarnation: u32,
    upstream_incarnation: u32,
    /// Whether the standby's end, the WAL receiver, is there.
    pub receiver: bool,
    /// Whether the primary's end, the WAL sender, is there.
    pub sender: bool,
    pub streaming: bool,
    pub flushed: usize,
    /// How far WAL was sent.
    sent: usize,
    /// A standby of a forked history stays for a moment.
    until: Option<Tick>,
    /// It is sent WAL of this timeline, which it cannot replay.
    pub pretends: Option<u32>,
    /// `synchronous_standby_names` as the WAL sender has read it.
    pub names: SyncNames,
    /// Until when it may go by older ones.
    round_ends: Option<Tick>,
    receiver_heard: Tick,
    sender_heard: Tick,
    timeout: Tick,
}

impl Connection {
    /// Tells whether the standby is part of the history of whom it streams from.
    pub const fn lasts(&self) -> bool {
        self.until.is_none()
    }

    /// Returns the place of its standby among those that commits wait for, as this WAL sender has read it
    /// (`SyncRepGetStandbyPriority` in syncrep.c); `None`: it takes no part.
    fn priority(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|named| named.eq_ignore_ascii_case(name))
    }
}

/// Moves WAL and acknowledgements, ends what is over, and lets standbys connect.
pub fn flow(world: &mut World) {
    let mut connections = std::mem::take(&mut world.connections);
    for connection in &mut connections {
        notice_ends(world, connection);
        send(world, connection);
        acknowledge(world, connection);
        read_names(world, connection);
    }
    connections.retain(|connection| connection.receiver || connection.sender);
    world.connections = connections;
    for id in world.ids() {
        connect(world, id);
    }
}

/// Lets a WAL sender read changed names, which it does when its round is over.
fn read_names(world: &mut World, connection: &mut Connection) {
    let names = &world.hosts[connection.upstream].server.names;
    if !connection.sender || connection.names == *names {
        connection.round_ends = None;
        return;
    }
    let round_ends = *connection.round_ends.get_or_insert(world.now + ROUND);
    if world.chance.u8(..10) < 6 || world.now >= round_ends {
        connection.names.clone_from(names);
        connection.round_ends = None;
    }
}

/// Drops the ends that were on a host without power.
pub fn forget(world: &mut World, id: HostId) {
    for connection in &mut world.connections {
        connection.receiver &= connection.standby != id;
        connection.sender &= connection.upstream != id;
    }
}

fn notice_ends(world: &mut World, connection: &mut Connection) {
    let (standby, upstream) = (connection.standby, connection.upstream);
    let (down, up) = (&world.hosts[standby], &world.hosts[upstream]);
    let receives = down.on
        && down.server.incarnation == connection.standby_incarnation
        && matches!(down.server.phase, Phase::Standby);
    let sends =
        up.on && up.server.incarnation == connection.upstream_incarnation && up.server.sends();
    connection.receiver &= receives;
    connection.sender &= sends;
    let told = down.on && up.on && world.links.both_ways(standby, upstream);
    let late = |heard: Tick| world.now > heard + connection.timeout;
    if connection.until.is_some_and(|until| world.now >= until) {
        (connection.receiver, connection.sender) = (false, false);
    }
    if !connection.sender && told || late(connection.receiver_heard) {
        connection.receiver = false;
    }
    if !connection.receiver && told || late(connection.sender_heard) {
        connection.sender = false;
    }
}

fn send(world: &mut World, connection: &mut Connection) {
    let (standby, upstream) = (connection.standby, connection.upstream);
    if !connection.receiver || !connection.sender || !world.links.open(upstream, standby) {
        return;
    }
    connection.receiver_heard = world.now;
    if connection.until.is_some() {
        connection.streaming = true;
        if connection.pretends.is_some() {
            connection.sent = world.hosts[upstream].disk.wal.flushed();
        }
        return;
    }
    let (down, up) = two(&mut world.hosts, standby, upstream);
    if down.disk.wal.disagrees(&up.disk.wal) {
        let names = format!("{} streams from {}", down.name, up.name);
        // Two promotions by the shell agent may have the same number, and it compares nothing.
        if !world.record_in_doubt {
            invariants::broken(world, Rule::NothingDivergedStreams, names);
        }
        return;
    }
    let batch = if world.chance.u8(..6) == 0 { 0 } else { world.chance.usize(1..40) };
    let arrived = (0..batch).take_while(|_| down.disk.wal.receive(&up.disk.wal)).count();
    connection.sent = down.disk.wal.len();
    if arrived < batch {
        connection.streaming = true;
    }
}

fn acknowledge(world: &World, connection: &mut Connection) {
    let (standby, upstream) = (connection.standby, connection.upstream);
    if connection.receiver && connection.sender && world.links.open(standby, upstream) {
        connection.sender_heard = world.now;
        connection.flushed = match connection.pretends {
            Some(_) => connection.sent,
            None => world.hosts[standby].disk.wal.flushed(),
        };
    }
}

fn connect(world: &mut World, id: HostId) {
    let host = &world.hosts[id];
    let idle = host.on && host.server.phase == Phase::Standby && world.now >= host.server.retry_at;
    let has_receiver = world.connections.iter().any(|c| c.standby == id && c.receiver);
    // The receiver is started when all WAL at hand is replayed.
    if !idle || has_receiver || host.server.replayed < host.disk.wal.len() {
        return;
    }
    if archive::restore(world, id) {
        return;
    }
    let Some(target) = world.hosts[id].server.target else { return };
    world.hosts[id].server.retry_at = world.now + 10;
    world.hosts[id].server.asked_for_more = true;
    let Some(upstream) = find(world, id, target) else { return };
    let slot = format!("{SLOTS}_{}", world.hosts[id].name);
    let needs_slot = world.hosts[id].disk.uses_slot && target == Target::Address;
    if needs_slot && !world.hosts[upstream].disk.slots.contains(&slot) {
        return;
    }
    let (down, up) = two(&mut world.hosts, id, upstream);
    let mut pretends = None;
    let follow = match down.server.stays {
        true => down.disk.wal.visit(&up.disk.wal),
        false => down.disk.wal.follow_as(down.server.follows.as_ref(), &up.disk.wal),
    };
    let (until, sent) = match follow {
        Follow::Streams => (None, down.disk.wal.len()),
        Follow::Visits(end) => (Some(world.now + world.chance.u64(1..4)), end),
        Follow::Pretends(timeline) => {
            pretends = Some(timeline);
            down.disk.stray = pretends;
            (Some(world.now + world.chance.u64(1..10)), down.disk.wal.len())
        }
        Follow::Refused => return,
    };
    let newer = |branch: &Branch| branch.timeline < up.disk.wal.timeline();
    if until.is_none() && down.server.follows.as_ref().is_some_and(newer) {
        down.server.follows = Some(up.disk.wal.branch().clone());
    }
    let connection = Connection {
        standby: id,
        upstream,
        standby_incarnation: down.server.incarnation,
        upstream_incarnation: up.server.incarnation,
        receiver: true,
        sender: true,
        streaming: false,
        flushed: down.disk.wal.flushed(),
        sent,
        until,
        pretends,
        names: up.server.names.clone(),
        round_ends: None,
        receiver_heard: world.now,
        sender_heard: world.now,
        timeout: world.chance.u64(TIMEOUTS),
    };
    world.trace(|| format!("{} streams from {}", world.hosts[id].name, world.hosts[upstream].name));
    world.connections.push(connection);
}

/// Finds who answers under an address.
pub fn find(world: &mut World, id: HostId, target: Target) -> Option<HostId> {
    let answers = |other: &HostId| {
        let host = &world.hosts[*other];
        let open = host.on && host.server.accepts() && world.now >= host.refuses_until;
        *other != id && open && world.links.both_ways(id, *other)
    };
    match target {
        Target::Peer(peer) => Some(peer).filter(answers),
        Target::Address => {
            let found: Vec<HostId> =
                world.ids().filter(answers).filter(|other| world.hosts[*other].address).collect();
            world.chance.choice(&found).copied()
        }
    }
}

/// Tells whether every standby that listens has all WAL, for which a fast shutdown waits.
pub fn all_sent(world: &World, id: HostId) -> bool {
    let end = world.hosts[id].disk.wal.len();
    world.connections.iter().all(|c| c.upstream != id || !c.sender || c.flushed >= end)
}

/// Returns the WAL senders that take part in synchronous replication, the first in the list first.
fn counting(world: &World, id: HostId) -> Vec<&Connection> {
    let part = |c: &Connection| c.priority(application(world, c));
    let counts = |c: &&Connection| c.upstream == id && c.sender && c.streaming && part(c).is_some();
    let mut counting: Vec<_> = world.connections.iter().filter(counts).collect();
    counting.sort_by_key(|c| part(c));
    counting
}

/// Returns up to which record commits are released, if anybody releases them: each WAL sender that counts
/// does it for all, with what it has read of the names (`SyncRepGetSyncRecPtr` in syncrep.c).
pub fn released(world: &World, id: HostId) -> Option<usize> {
    let counting = counting(world, id);
    let release = |with: &&Connection| {
        let mut flushed: Vec<_> = counting.iter().map(|c| c.flushed).collect();
        match with.names.method() {
            SyncMethod::First => flushed.truncate(with.names.count()),
            SyncMethod::Any => flushed.sort_unstable_by_key(|flushed| Reverse(*flushed)),
        }
        let enough = flushed.get(..with.names.count())?;
        enough.iter().min().copied()
    };
    counting.iter().filter_map(release).max()
}

fn application<'a>(world: &'a World, connection: &Connection) -> &'a str {
    world.hosts[connection.standby].name.as_str()
}

/// Returns the rows of `pg_stat_replication`.
pub fn rows(world: &World, id: HostId) -> Vec<StandbyRow> {
    let names = &world.hosts[id].server.names;
    let counting = counting(world, id);
    let senders = world.connections.iter().filter(|c| c.upstream == id && c.sender);
    let row = |connection: &Connection| {
        let name = application(world, connection);
        let place = counting.iter().position(|c| std::ptr::eq(*c, connection));
        let sync_state = match (connection.priority(name), place, names.method()) {
            (None, ..) => "async",
            (Some(_), Some(_), SyncMethod::Any) => "quorum",
            (Some(_), Some(place), SyncMethod::First) if place < names.count() => "sync",
            (Some(_), Some(_) | None, SyncMethod::Any | SyncMethod::First) => "potential",
        };
        StandbyRow {
            application_name: name.to_owned(),
            state: Some(if connection.streaming { "streaming" } else { "catchup" }.to_owned()),
            sync_state: Some(sync_state.to_owned()),
            sent_lsn: Some(lsn(connection.sent)),
            flush_lsn: Some(lsn(connection.flushed)),
            shares_history: true,
        }
    };
    senders.map(row).collect()
}

fn two<T>(all: &mut [T], one: usize, other: usize) -> (&mut T, &mut T) {
    assert!(one != other, "a host does not stream from itself");
    let (low, high) = all.split_at_mut(one.max(other));
    match one < other {
        true => (&mut low[one], &mut high[0]),
        false => (&mut high[0], &mut low[other]),
    }
}
