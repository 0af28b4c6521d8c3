//! Links between hosts, and who counts as a member of what after Corosync has noticed.

use pgsql_ha::model::cluster::Membership;

use crate::cib::{self, Change};
use crate::pacemaker::Group;
use crate::world::{HostId, Tick, World};

/// Which way data goes.
pub struct Links {
    closed: Vec<Vec<bool>>,
    /// When Corosync will have noticed the last change; `None`: it has.
    notice_at: Option<Tick>,
}

impl Links {
    pub fn new(hosts: usize) -> Self {
        Self { closed: vec![vec![false; hosts]; hosts], notice_at: Some(1) }
    }

    pub fn open(&self, from: HostId, to: HostId) -> bool {
        from == to || !self.closed[from][to]
    }

    pub fn both_ways(&self, one: HostId, other: HostId) -> bool {
        self.open(one, other) && self.open(other, one)
    }

    pub fn close(&mut self, from: HostId, to: HostId, now: Tick) {
        self.closed[from][to] = true;
        self.changed(now);
    }

    pub fn heal(&mut self, now: Tick) {
        self.closed.iter_mut().flatten().for_each(|closed| *closed = false);
        self.changed(now);
    }

    pub fn any_closed(&self) -> bool {
        self.closed.iter().flatten().any(|closed| *closed)
    }

    /// A host or a link changed: Corosync notices after the token's time.
    pub fn changed(&mut self, now: Tick) {
        let earliest = now + 12;
        self.notice_at = Some(self.notice_at.map_or(earliest, |at| at.max(earliest)));
    }
}

/// Forms groups of hosts that all hear each other, once Corosync has noticed.
pub fn regroup(world: &mut World) {
    if world.links.notice_at.is_none_or(|at| world.now < at) {
        return;
    }
    world.links.notice_at = None;
    let mut groups: Vec<Vec<HostId>> = Vec::new();
    for id in world.ids().filter(|id| world.hosts[*id].on) {
        let hears_all =
            |group: &&mut Vec<HostId>| group.iter().all(|one| world.links.both_ways(*one, id));
        match groups.iter_mut().find(hears_all) {
            Some(group) => group.push(id),
            None => groups.push(vec![id]),
        }
    }
    let mut before = std::mem::take(&mut world.groups);
    for members in groups {
        match before.iter().position(|group| group.members == members) {
            // A host that went and came back within the token's time is new all the same.
            Some(same)
                if members.iter().all(|id| world.hosts[*id].quorum || !is_new(world, *id)) =>
            {
                let group = before.swap_remove(same);
                world.groups.push(group);
            }
            Some(_) | None => form(world, members),
        }
    }
}

/// Tells whether a host has just booted: nobody is known to it.
fn is_new(world: &World, id: HostId) -> bool {
    let host = &world.hosts[id];
    let mut hosts = host.cib.nodes.iter().take(world.hosts.len());
    hosts.all(|node| node.membership == Membership::NeverSeen)
}

fn form(world: &mut World, members: Vec<HostId>) {
    // Votes are those of Corosync's list of nodes, whatever the cluster information base lists.
    let all = world.joined();
    for id in &members {
        let host = &mut world.hosts[*id];
        host.seen_all |= members.len() == all;
        // Two nodes: one is enough, once it has seen the other (corosync `two_node`).
        host.quorum = match all {
            2 => host.seen_all,
            _ => members.len() * 2 > all,
        };
        // What the group that it left had ordered is not ordered any more.
        host.orders.clear();
    }
    let quorum = members.iter().any(|id| world.hosts[*id].quorum);
    for id in &members {
        world.hosts[*id].quorum = quorum;
        world.hosts[*id].seen_all |= quorum && all == 2;
    }
    world.trace(|| format!("partition {members:?}, quorum {quorum}"));
    let source = winner(world, &members);
    cib::merge(world, source, &members);
    for id in world.ids() {
        let change = match members.contains(&id) {
            true => Membership::Member,
            false => match world.hosts[source].cib.nodes[id].membership {
                Membership::Member | Membership::Lost => Membership::Lost,
                Membership::Down => Membership::Down,
                Membership::NeverSeen => Membership::NeverSeen,
            },
        };
        for member in &members {
            tell(world, source, *member, Change::Membership(id, change));
            if !members.contains(&id) {
                tell(world, source, *member, Change::Forget(id));
            }
        }
    }
    for member in &members {
        tell(world, source, *member, Change::Quorum(quorum));
    }
    let settled_at = world.now + world.chance.u64(5..25);
    world.groups.push(Group::new(members, source, settled_at));
}

/// Tells a member what the coordinator knows at once.
fn tell(world: &mut World, coordinator: HostId, member: HostId, change: Change) {
    match member == coordinator {
        true => cib::apply(&mut world.hosts[member], &change),
        false => {
            cib::post(world, member, change);
            true
        }
    };
}

/// Whose copy of the cluster information base the new group takes: the one that was changed most often
/// (`do_dc_join_filter_offer` in controld_join_dc.c compares the versions, whoever had quorum); chance
/// decides between equals.
fn winner(world: &mut World, members: &[HostId]) -> HostId {
    let version = |world: &World, id: HostId| (world.hosts[id].epoch, !is_new(world, id));
    let newest = members.iter().map(|id| version(world, *id)).max();
    let equals: Vec<HostId> =
        members.iter().copied().filter(|id| Some(version(world, *id)) == newest).collect();
    world.chance.choice(&equals).copied().unwrap_or(members[0])
}
