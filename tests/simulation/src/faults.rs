//! What befalls the cluster: a weighted, random schedule, and the end of it.

use crate::agent;
use crate::hands;
use crate::invariants::serves;
use crate::nodes;
use crate::pacemaker;
use crate::postgres::Phase;
use crate::scope::{Part, Scope};
use crate::world::{HostId, Tick, World};

/// When the first fault may come: the cluster has elected its first primary by then.
const FIRST: Tick = 150;

/// When everything is mended.
pub const LAST: Tick = 2000;

/// What happens.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    KillPostmaster,
    PowerOff,
    PowerOffTwo,
    PowerOffAll,
    Isolate,
    IsolateOneWay,
    CutPair,
    Heal,
    Hang,
    Resume(HostId),
    SlowAttributes,
    KillAgent,
    MoveAway,
    Standby,
    Online(HostId),
    CleanUp,
    Checkpoint,
    ChangeNodes,
    Join,
    Leave,
    Refuse,
    Maintenance,
    MaintainAndPromote,
    PromoteByHand,
    EndMaintenance,
    StartByHand,
    StopByHand,
    RestoreRecord,
    DeleteRecord,
    ChangeMode,
    LockCatalog,
    Unlock,
    ChangeAgent,
}

const WEIGHTED: [(Kind, u32); 15] = [
    (Kind::KillPostmaster, 6),
    (Kind::PowerOff, 6),
    (Kind::PowerOffTwo, 2),
    (Kind::PowerOffAll, 1),
    (Kind::Isolate, 6),
    (Kind::IsolateOneWay, 3),
    (Kind::CutPair, 2),
    (Kind::Heal, 4),
    (Kind::Hang, 3),
    (Kind::SlowAttributes, 4),
    (Kind::KillAgent, 5),
    (Kind::MoveAway, 3),
    (Kind::Standby, 2),
    (Kind::CleanUp, 4),
    (Kind::Checkpoint, 3),
];

/// What else happens where a part of the world is there.
const FURTHER: [(Part, Kind, u32); 13] = [
    (Part::Nodes, Kind::ChangeNodes, 6),
    (Part::Nodes, Kind::Join, 4),
    (Part::Nodes, Kind::Leave, 3),
    (Part::Unasked, Kind::Refuse, 8),
    (Part::Hands, Kind::Maintenance, 2),
    (Part::Promotion, Kind::MaintainAndPromote, 4),
    (Part::Hands, Kind::StartByHand, 5),
    (Part::Hands, Kind::StopByHand, 3),
    (Part::Records, Kind::RestoreRecord, 6),
    (Part::Records, Kind::DeleteRecord, 3),
    (Part::Live, Kind::ChangeMode, 6),
    (Part::Locked, Kind::LockCatalog, 6),
    (Part::Shell, Kind::ChangeAgent, 8),
];

/// A fault and its moment.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    at: Tick,
    kind: Kind,
}

/// Draws the schedule of a run.
pub fn schedule(chance: &mut fastrand::Rng, scope: Scope) -> Vec<Fault> {
    let further = FURTHER.into_iter().filter(|(part, ..)| scope.has(*part));
    let further = further.map(|(_, kind, weight)| (kind, weight));
    let weighted: Vec<_> = WEIGHTED.into_iter().chain(further).collect();
    let total: u32 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut faults = Vec::new();
    let mut at = chance.u64(FIRST / 3..FIRST * 2);
    while at < LAST {
        let mut drawn = chance.u32(..total);
        for (kind, weight) in &weighted {
            if drawn < *weight {
                faults.push(Fault { at, kind: *kind });
                break;
            }
            drawn -= weight;
        }
        // Misfortunes come in bursts: the second while the first is being dealt with.
        at += if chance.u8(..3) == 0 { chance.u64(1..30) } else { chance.u64(30..500) };
    }
    faults
}

/// Lets due faults happen.
pub fn strike(world: &mut World) {
    let now = world.now;
    // Where quorum means nothing, a cluster that has never had a primary cannot know that it has one.
    let late = world.hosts.len() == 2 && !world.options.scope.has(Part::Early);
    if late && world.first_promotion.is_none_or(|at| now < at + FIRST) {
        world.faults.iter_mut().for_each(|fault| fault.at += 1);
        return;
    }
    let (due, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut world.faults).into_iter().partition(|fault| fault.at <= now);
    world.faults = rest;
    for fault in due {
        let hand = matches!(fault.kind, Kind::PromoteByHand | Kind::EndMaintenance);
        match now < world.hands.quiet_until && !hand {
            true => later(world, now + 1, fault.kind),
            false => happen(world, fault.kind),
        }
    }
    if world.moved_away.is_some_and(|(_, until)| now >= until) {
        world.moved_away = None;
        world.groups.iter_mut().for_each(|group| group.changed = true);
    }
}

/// Adds to the schedule.
pub fn later(world: &mut World, at: Tick, kind: Kind) {
    world.faults.push(Fault { at, kind });
}

/// Picks a host, more often than not the primary's.
fn victim(world: &mut World) -> HostId {
    let primary = world.ids().find(|id| world.hosts[*id].server.phase == Phase::Primary);
    match primary {
        Some(primary) if world.chance.u8(..5) < 3 => primary,
        Some(_) | None => {
            let joined: Vec<HostId> = world.ids().filter(|id| world.hosts[*id].joined).collect();
            world.chance.choice(&joined).copied().unwrap_or(0)
        }
    }
}

/// A session of the primary takes a lock that every log-in needs; all who stream replay it. As likely as not the primary
/// loses power before it is given back.
fn lock_catalog(world: &mut World) {
    // Who changes node_list without a primary goes on changing it, and restarts all servers each time.
    let primary = world.ids().find(|id| serves(world, *id));
    let Some(primary) = primary.filter(|_| !world.options.scope.has(Part::Nodes)) else { return };
    let streams: Vec<HostId> = (world.connections.iter())
        .filter(|connection| connection.receiver && connection.upstream == primary)
        .map(|connection| connection.standby)
        .collect();
    for id in streams.into_iter().chain([primary]) {
        world.hosts[id].disk.locked = true;
    }
    if world.chance.bool() {
        outage(world, &[primary]);
    }
    let ends = world.now + world.chance.u64(20..200);
    later(world, ends, Kind::Unlock);
}

fn happen(world: &mut World, kind: Kind) {
    let id = victim(world);
    world.trace(|| format!("!! {kind:?} {}", world.hosts[id].name));
    let (now, later) = (world.now, world.now + world.chance.u64(20..400));
    match kind {
        Kind::KillPostmaster => {
            let host = &mut world.hosts[id];
            if host.server.runs() {
                let until = now + world.chance.u64(0..8);
                host.server.die(Phase::Orphans { until });
            }
        }
        Kind::PowerOff => outage(world, &[id]),
        Kind::PowerOffTwo => {
            let other = (id + 1) % world.hosts.len();
            outage(world, &[id, other]);
        }
        Kind::PowerOffAll => {
            let all: Vec<HostId> = world.ids().collect();
            outage(world, &all);
        }
        Kind::Isolate | Kind::IsolateOneWay => {
            for other in world.ids().filter(|other| *other != id) {
                world.links.close(id, other, now);
                if matches!(kind, Kind::Isolate) {
                    world.links.close(other, id, now);
                }
            }
            world.faults.push(Fault { at: later, kind: Kind::Heal });
        }
        Kind::CutPair => {
            let other = (id + 1) % world.hosts.len();
            world.links.close(id, other, now);
            world.links.close(other, id, now);
            world.faults.push(Fault { at: later, kind: Kind::Heal });
        }
        Kind::Heal => world.links.heal(now),
        Kind::Hang => {
            let shows = world.chance.bool();
            let server = &mut world.hosts[id].server;
            (server.hung, server.shows) = (server.runs(), shows);
            world.faults.push(Fault { at: later, kind: Kind::Resume(id) });
        }
        Kind::Resume(id) => world.hosts[id].server.hung = false,
        Kind::LockCatalog => lock_catalog(world),
        Kind::Unlock => {
            // A session's end gives it back, its primary's does not.
            if world.ids().any(|id| serves(world, id) && world.hosts[id].disk.locked) {
                world.hosts.iter_mut().for_each(|host| host.disk.locked = false);
            }
        }
        Kind::SlowAttributes => world.hosts[id].slow_until = later,
        Kind::KillAgent => agent::kill(world, id),
        Kind::MoveAway => {
            world.moved_away = Some((id, later));
            world.groups.iter_mut().for_each(|group| group.changed = true);
        }
        Kind::Standby => {
            set_standby(world, id, true);
            world.faults.push(Fault { at: later, kind: Kind::Online(id) });
        }
        Kind::Online(id) => set_standby(world, id, false),
        Kind::CleanUp => pacemaker::clean_up(world),
        Kind::Checkpoint => {
            world.hosts[id].server.checkpointer_busy_until = now + world.chance.u64(10..100);
        }
        Kind::ChangeNodes => nodes::change(world),
        Kind::Join => nodes::join(world),
        Kind::Leave => nodes::leave(world, id),
        Kind::Maintenance => hands::maintain(world, false),
        Kind::MaintainAndPromote => hands::maintain(world, true),
        Kind::PromoteByHand => hands::promote(world),
        Kind::EndMaintenance => hands::end_maintenance(world),
        Kind::StartByHand => hands::start(world, id),
        Kind::StopByHand => hands::stop(world, id),
        Kind::RestoreRecord => hands::restore(world),
        Kind::DeleteRecord => hands::delete(world, id),
        Kind::ChangeAgent => nodes::change_agent(world, id),
        Kind::ChangeMode => nodes::change_mode(world),
        Kind::Refuse => world.hosts[id].refuses_until = later,
    }
}

fn outage(world: &mut World, hosts: &[HostId]) {
    for id in hosts {
        world.power_off(*id);
        let back = world.now + world.chance.u64(30..500);
        if world.hosts[*id].joined {
            world.hosts[*id].power_on_at.get_or_insert(back);
        }
    }
}

fn set_standby(world: &mut World, id: HostId, standby: bool) {
    for host in &mut world.hosts {
        host.cib.nodes[id].standby = standby;
    }
    world.groups.iter_mut().for_each(|group| group.changed = true);
}

/// Mends everything there is to mend.
pub fn end(world: &mut World) {
    world.trace(|| "everything is mended".to_owned());
    world.faults.clear();
    world.moved_away = None;
    world.hands.maintenance = false;
    if world.links.any_closed() {
        world.links.heal(world.now);
    }
    for id in world.ids() {
        let soon = world.now + world.chance.u64(1..60);
        let host = &mut world.hosts[id];
        host.server.hung = false;
        (host.slow_until, host.refuses_until) = (0, 0);
        if !host.on && host.joined {
            host.power_on_at = Some(soon);
        }
        set_standby(world, id, false);
    }
    pacemaker::clean_up(world);
}
