//! The operator's hands: maintenance mode, servers promoted, stopped and started by hand, records restored or deleted.
//!
//! Who promotes by hand knows that nothing else is left, and gives up what the chosen server lacks. From then on its data
//! are the cluster's.

use pgsql_ha::model::cluster::ClusterNode;
use pgsql_ha::model::settings::ReplicationMode;
use pgsql_ha::model::status::DataStatus;
use pgsql_ha::model::step::ShutdownMode;
use pgsql_ha::model::sync_quorum::SyncQuorum;

use crate::faults::Kind;
use crate::invariants::serves;
use crate::nodes::in_charge;
use crate::pacemaker::{self, Group};
use crate::postgres::Phase;
use crate::world::{HostId, Tick, World};
use crate::{archive, faults};

/// How long the agents are given to set a record right that a hand has changed.
const SETTLING: Tick = 150;

/// A node's part of the record.
type Record = (Option<DataStatus>, Option<SyncQuorum>);

/// What hands have done.
#[derive(Debug, Default)]
pub struct Hands {
    /// Pacemaker does nothing.
    pub maintenance: bool,
    /// No fault strikes, and records need not be true, until then.
    pub quiet_until: Tick,
    /// Whom the operator is promoting.
    promoting: Option<HostId>,
    /// An older copy of the record.
    saved: Vec<Record>,
}

/// Takes maintenance mode on, and promotes by hand if there is no primary.
pub fn maintain(world: &mut World, promotes: bool) {
    if world.hands.maintenance || in_charge(world).is_none() {
        return;
    }
    world.hands.maintenance = true;
    for group in &mut world.groups {
        group.plan = None;
    }
    world.hosts.iter_mut().for_each(|host| host.orders.clear());
    let ends = world.now + world.chance.u64(60..250);
    world.hands.quiet_until = ends + SETTLING;
    if promotes {
        if let Some(primary) = world.ids().find(|id| serves(world, *id)) {
            world.hosts[primary].server.shutdown = Some(ShutdownMode::Fast);
        }
        faults::later(world, world.now + 40, Kind::PromoteByHand);
    }
    faults::later(world, ends, Kind::EndMaintenance);
}

/// Promotes the standby that has most, as long as there is no primary.
pub fn promote(world: &mut World) {
    // Whoever promotes by hand looks first whether the cluster is still at it.
    let acts = world.hosts.iter().any(|host| host.agent.is_some() || !host.orders.is_empty());
    let primary = acts || world.ids().any(|id| serves(world, id));
    let Some(members) = in_charge(world).filter(|_| !primary) else { return };
    // Who has no right on record is not chosen: the cluster would keep to whoever has one.
    let record = &world.hosts[members[0]].cib.nodes;
    let asynchronous =
        world.versions[pacemaker::version(world, members[0])].rep_mode == ReplicationMode::Async;
    let follows = |id: &HostId| match &record[*id].data_status {
        Some(DataStatus::Latest | DataStatus::StreamingSync | DataStatus::StreamingQuorum) => true,
        Some(DataStatus::StreamingAsync) => asynchronous,
        Some(_) | None => false,
    };
    let stands = |id: &HostId| {
        let server = &world.hosts[*id].server;
        server.phase == Phase::Standby && !server.hung && world.hosts[*id].agent.is_none()
    };
    let most = |id: &HostId| {
        let wal = &world.hosts[*id].disk.wal;
        (wal.timeline(), wal.len())
    };
    // A promotion that the chosen one has not seen would have the same timeline, and nothing would tell them apart.
    let newest = world.hosts.iter().map(|host| host.disk.wal.timeline()).max();
    let knows = |id: &HostId| Some(world.hosts[*id].disk.wal.timeline()) == newest;
    let candidates = members.iter().copied().filter(|id| stands(id) && follows(id) && knows(id));
    let Some(id) = candidates.max_by_key(most) else { return };
    world.trace(|| format!("{} is promoted by hand", world.hosts[id].name));
    archive::before_promotion(world, id);
    world.hosts[id].server.promote = true;
    world.hands.promoting = Some(id);
}

/// Tells whether it was a hand that promoted a server. What it lacks has been given up.
pub fn promoted(world: &mut World, id: HostId) -> bool {
    if world.hands.promoting != Some(id) {
        return false;
    }
    world.hands.promoting = None;
    let wal = &world.hosts[id].disk.wal;
    world.ledger.rows.retain(|row| wal.holds(row.place, row.id));
    true
}

/// Ends maintenance mode; who is careful has Pacemaker look at everything first (`crm_resource --refresh`).
pub fn end_maintenance(world: &mut World) {
    world.hands.maintenance = false;
    if world.chance.bool() {
        pacemaker::refresh(world);
    }
    for group in &mut world.groups {
        group.changed = true;
    }
}

/// Starts a server as `systemctl start postgresql` would. One that has been a primary becomes one again.
pub fn start(world: &mut World, id: HostId) {
    let host = &world.hosts[id];
    if !host.on || host.server.phase != Phase::Absent || host.agent.is_some() || host.disk.rewinding
    {
        return;
    }
    world.trace(|| format!("{} is started by hand", world.hosts[id].name));
    let now = world.now;
    let host = &mut world.hosts[id];
    host.rogue = !host.disk.mark;
    host.server.launch(&host.disk, now, 5);
    if archive::before_recovery(world, id).is_err() {
        world.hosts[id].server.die(Phase::Absent);
    }
}

/// Once the cluster knows that the last primary runs again, it is the primary, whoever started it.
pub fn adopted(world: &mut World, id: HostId) {
    let last = world.last_promotion.is_some_and(|(last, ..)| last == id);
    let joined = world.joined();
    let group = world.group_of(id);
    let fit = |node: &ClusterNode| {
        let recorded = &node.data_status;
        let right = matches!(
            recorded,
            Some(DataStatus::StreamingSync | DataStatus::StreamingQuorum | DataStatus::Latest)
        );
        right && node.name != world.hosts[id].name
    };
    let host = &world.hosts[id];
    let waits = host.server.commits_wait || !host.cib.nodes.iter().any(fit);
    let waits = waits && (host.server.commits_wait || !world.versions[host.version].is_strict());
    if last && waits && group.is_some_and(|group| group.members.len() == joined) {
        world.hosts[id].rogue = false;
    }
}

/// Stops a server with `pg_ctl stop`.
pub fn stop(world: &mut World, id: HostId) {
    if world.hosts[id].server.runs() {
        world.hosts[id].server.shutdown = Some(ShutdownMode::Fast);
    }
}

/// Keeps a copy of the record, or puts the one that was kept in the place of the present one.
pub fn restore(world: &mut World) {
    let Some(members) = calm(world) else { return };
    if world.hands.saved.is_empty() {
        let nodes = &world.hosts[members[0]].cib.nodes;
        let record = nodes.iter().map(|n| (n.data_status.clone(), n.sync_quorum.clone()));
        world.hands.saved = record.collect();
        return;
    }
    let saved = std::mem::take(&mut world.hands.saved);
    world.trace(|| format!("the record is restored: {saved:?}"));
    rewrite(world, &members, |at| saved[at].clone());
}

/// Deletes the record of a node, or of all.
pub fn delete(world: &mut World, id: HostId) {
    let Some(members) = calm(world) else { return };
    let all = world.chance.u8(..3) == 0;
    let nodes = &world.hosts[members[0]].cib.nodes;
    let kept: Vec<Record> =
        nodes.iter().map(|n| (n.data_status.clone(), n.sync_quorum.clone())).collect();
    world.trace(|| format!("the record of {} is deleted, all: {all}", world.hosts[id].name));
    rewrite(world, &members, |at| if all || at == id { (None, None) } else { kept[at].clone() });
}

/// The operator's partition, if all is well in it: a record is not touched while it is needed.
fn calm(world: &World) -> Option<Vec<HostId>> {
    let slow = world.hosts.iter().any(|host| world.now < host.slow_until);
    let disturbed = world.hands.maintenance || world.links.any_closed() || slow;
    let members = in_charge(world).filter(|_| !disturbed)?;
    let record = &world.hosts[members[0]].cib.nodes;
    let well = |id: &HostId| {
        let host = &world.hosts[*id];
        serves(world, *id) && !host.server.hung && host.known.promoted && !record[*id].standby
    };
    // Beside an old primary that was started by hand a record from older days is a hand too many.
    let alone = world.ids().filter(|id| serves(world, *id)).count() == 1;
    let joined = world.joined();
    let rests = |group: &Group| group.members == members && group.plan.is_none() && !group.changed;
    let rests = world.groups.iter().any(rests) && world.moved_away.is_none();
    (rests && alone && members.len() == joined && members.iter().any(well)).then_some(members)
}

fn rewrite(world: &mut World, members: &[HostId], record: impl Fn(usize) -> Record) {
    world.hands.quiet_until = world.now + SETTLING;
    for member in members {
        let host = &mut world.hosts[*member];
        host.epoch += 1;
        for (at, node) in host.cib.nodes.iter_mut().enumerate() {
            (node.data_status, node.sync_quorum) = record(at);
        }
    }
    world.groups.iter_mut().for_each(|group| group.changed = true);
}
