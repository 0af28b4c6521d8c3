//! The cluster information base: a copy on each host, and how changes get from one to another.

use pgsql_ha::model::cluster::{
    Cluster, ClusterNode, ClusterRole, Membership, NoQuorumPolicy, QuorumRule,
};
use pgsql_ha::model::node::NodeName;
use pgsql_ha::model::step::Step;
use pgsql_ha::model::wal::{Lsn, PublishedPosition};

use crate::world::{Host, HostId, Tick, World};

/// A change of a copy.
#[derive(Debug, Clone)]
pub enum Change {
    /// An agent's write, and who it is from.
    Step(NodeName, Step),
    /// The end of a host's WAL, as the shell agent tells it.
    Location(HostId, Option<Lsn>),
    Role(HostId, ClusterRole),
    Membership(HostId, Membership),
    /// The node left: what was true of it while it was there is true no more.
    Forget(HostId),
    Quorum(bool),
}

/// Returns the copy of a node that knows nothing yet.
pub fn blank(
    local: &NodeName,
    names: &[NodeName],
    policy: NoQuorumPolicy,
    fencing: bool,
) -> Cluster {
    Cluster {
        local: local.clone(),
        quorum: false,
        quorum_rule: match names.len() {
            0..=2 => QuorumRule::TwoNodes,
            _ => QuorumRule::Majority,
        },
        no_quorum_policy: policy,
        fencing,
        startup_fencing: true,
        nodes: names.iter().map(blank_node).collect(),
    }
}

fn blank_node(name: &NodeName) -> ClusterNode {
    ClusterNode {
        name: name.clone(),
        membership: Membership::NeverSeen,
        standby: false,
        role: ClusterRole::Unknown,
        status: None,
        data_status: None,
        score: None,
        xlog_location: None,
        wal_position: None,
        position_is_final: false,
        address: None,
        sync_quorum: None,
        baseline: None,
        receiver_status: None,
    }
}

/// Keeps what is permanent: the status section does not survive a boot.
pub fn forget_status(cib: &mut Cluster, names: &[NodeName]) {
    cib.quorum = false;
    for (node, name) in cib.nodes.iter_mut().zip(names) {
        let (data_status, sync_quorum) = (node.data_status.take(), node.sync_quorum.take());
        let standby = node.standby;
        *node = ClusterNode { data_status, sync_quorum, standby, ..blank_node(name) };
    }
}

fn forget_transient(node: &mut ClusterNode) {
    (node.status, node.score, node.baseline) = (None, None, None);
    (node.xlog_location, node.receiver_status) = (None, None);
    node.publish(None);
}

/// Gives every member the winner's copy, with each member's own word on itself.
///
/// The attribute daemons tell each other again what they know when a group forms, so that nothing
/// that was under way is lost.
pub fn merge(world: &mut World, source: HostId, members: &[HostId]) {
    let names: Vec<NodeName> = members.iter().map(|id| world.hosts[*id].name.clone()).collect();
    for id in members {
        let from_here = |change: &Change| match change {
            // A permanent attribute was accepted by all before its author was told so.
            Change::Step(author, step) => step.changes_record() || names.contains(author),
            Change::Location(..)
            | Change::Role(..)
            | Change::Membership(..)
            | Change::Forget(_)
            | Change::Quorum(_) => true,
        };
        world.hosts[*id].inbox.retain(|(_, change)| from_here(change));
        catch_up(&mut world.hosts[*id]);
    }
    let mut nodes = world.hosts[source].cib.nodes.clone();
    let (epoch, version) = (world.hosts[source].epoch, world.hosts[source].version);
    for id in members {
        let own = &world.hosts[*id].cib.nodes[*id];
        let won = nodes[*id].clone();
        let (data_status, sync_quorum) = (won.data_status, won.sync_quorum);
        let (standby, membership) = (won.standby, won.membership);
        nodes[*id] = ClusterNode { data_status, sync_quorum, standby, membership, ..own.clone() };
    }
    for id in members {
        let host = &mut world.hosts[*id];
        host.cib.nodes.clone_from(&nodes);
        (host.epoch, host.version) = (epoch, version);
    }
}

/// Applies what is under way to a copy: what was accepted is on every member's disk, and what the
/// coordinator had done before it ordered an action is read by that action, for messages have one order.
pub fn catch_up(host: &mut Host) {
    for (_, change) in std::mem::take(&mut host.inbox) {
        apply(host, &change);
    }
}

/// Sends a change to one host's copy; changes to one copy stay in order.
pub fn post(world: &mut World, to: HostId, change: Change) {
    let lag = match world.chance.u8(..10) {
        0..=6 => world.chance.u64(0..2),
        7..=8 => world.chance.u64(1..6),
        _ => world.chance.u64(5..20),
    };
    post_after(world, to, change, lag);
}

fn post_after(world: &mut World, to: HostId, change: Change, lag: Tick) {
    let host = &mut world.hosts[to];
    let due = (world.now + lag).max(host.inbox.back().map_or(0, |(due, _)| *due));
    host.inbox.push_back((due, change));
}

/// Lets a write take effect long after its author has given it up.
pub fn write_late(world: &mut World, author: HostId, step: &Step) {
    let host = &mut world.hosts[author];
    let earliest = host.late.back().map_or(world.now, |(due, _)| *due);
    let due = earliest.max(world.now + world.chance.u64(10..150));
    host.late.push_back((due, step.clone()));
}

/// Writes what was given up and is due.
fn deliver_late(world: &mut World, author: HostId) {
    while world.hosts[author].late.front().is_some_and(|(due, _)| *due <= world.now) {
        let Some((_, step)) = world.hosts[author].late.pop_front() else { break };
        spread(world, author, &step);
    }
}

/// Writes for an agent. What it wrote before is in front of that in the queue, though it be late.
pub fn write(world: &mut World, author: HostId, step: &Step) {
    for (_, step) in std::mem::take(&mut world.hosts[author].late) {
        spread(world, author, &step);
    }
    spread(world, author, step);
}

/// Sends an agent's write to every copy of its partition. A permanent attribute is in the
/// coordinator's copy before the tool returns; a transient one is only accepted by the daemon.
fn spread(world: &mut World, author: HostId, step: &Step) {
    let Some((members, coordinator)) = world
        .groups
        .iter()
        .find(|group| group.members.contains(&author))
        .map(|group| (group.members.clone(), group.coordinator))
    else {
        return;
    };
    let change = Change::Step(world.hosts[author].name.clone(), step.clone());
    let permanent = step.changes_record();
    let now = world.now;
    let published =
        |position, is_final| (PublishedPosition { position, is_final, address: None }, now);
    if let Step::SetPosition(position) = step {
        world.hosts[author].position = position.map(|position| published(position, false));
    }
    if let Step::SetFinalPosition(position) = step {
        world.hosts[author].position = Some(published(*position, true));
    }
    // What changes nothing makes no new version (`cib_process_request` in based_callbacks.c).
    let changed = permanent && apply(&mut world.hosts[coordinator], &change);
    for member in members {
        world.hosts[member].epoch += u64::from(changed);
        if !permanent || member != coordinator {
            post(world, member, change.clone());
        }
    }
    if permanent {
        mark_changed(world, coordinator);
    }
}

/// Says where a host's WAL ends, as the shell agent does: without its timeline.
pub fn say_location(world: &mut World, author: HostId, location: Option<Lsn>) {
    let group = world.group_of(author);
    let members = group.map_or(vec![author], |group| group.members.clone());
    for member in members {
        post(world, member, Change::Location(author, location));
    }
}

/// Applies what is due; the coordinator's group thinks again when its copy changed.
pub fn deliver(world: &mut World) {
    for id in world.ids() {
        deliver_late(world, id);
    }
    let whole = |id: &HostId| {
        let group = world.group_of(*id);
        let hears = |other: &HostId| world.hosts[*other].on && world.links.both_ways(*id, *other);
        group.is_some_and(|group| group.members.iter().all(hears))
    };
    // While a member is gone and not missed yet, nothing is delivered to anybody.
    for id in world.ids().filter(whole).collect::<Vec<_>>() {
        let mut changed = false;
        while world.hosts[id].inbox.front().is_some_and(|(due, _)| *due <= world.now) {
            let Some((_, change)) = world.hosts[id].inbox.pop_front() else { break };
            let matters = matches!(change, Change::Step(..) | Change::Forget(_));
            changed |= apply(&mut world.hosts[id], &change) && matters;
        }
        if changed {
            mark_changed(world, id);
        }
    }
}

fn mark_changed(world: &mut World, id: HostId) {
    let mut groups = world.groups.iter_mut();
    if let Some(group) = groups.find(|group| group.coordinator == id) {
        group.changed = true;
    }
}

/// Applies a change to a copy, and tells whether it changed it.
pub fn apply(host: &mut Host, change: &Change) -> bool {
    let before = host.cib.clone();
    match change {
        Change::Step(author, step) => {
            let local = std::mem::replace(&mut host.cib.local, author.clone());
            host.cib.apply(step);
            host.cib.local = local;
        }
        Change::Location(id, location) => host.cib.nodes[*id].xlog_location = *location,
        Change::Role(id, role) => host.cib.nodes[*id].role = *role,
        Change::Membership(id, membership) => host.cib.nodes[*id].membership = *membership,
        Change::Forget(id) => forget_transient(&mut host.cib.nodes[*id]),
        Change::Quorum(quorum) => host.cib.quorum = *quorum,
    }
    host.cib != before
}
