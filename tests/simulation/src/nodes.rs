//! Nodes that come and go, by the operator's hand: hosts outside `node_list`, hosts that join or leave for good, and
//! entries of the cluster information base that nobody removed.

use pgsql_ha::model::cluster::Membership;
use pgsql_ha::model::instance::ControlState;
use pgsql_ha::model::node::NodeName;
use pgsql_ha::model::policy::SyncAvailability;
use pgsql_ha::model::settings::{Rejoin, ReplicationMode, Settings};
use pgsql_ha::model::status::DataStatus;
use pgsql_ha::model::sync_names::SyncMethod;

use crate::disk::Disk;
use crate::invariants::serves;
use crate::options::Options;
use crate::postgres::Phase;
use crate::scope::Part;
use crate::shell;
use crate::starts;
use crate::world::{HostId, World};

/// Returns how many hosts there are, be they in `node_list` or not, be they joined yet or not.
pub const fn hosts(options: &Options) -> usize {
    let outside = options.scope.has(Part::Outsider) as usize;
    options.hosts + outside + options.scope.has(Part::Nodes) as usize
}

/// Returns the names of this many hosts, and of the nodes that are only remembered.
pub fn names(options: &Options, hosts: usize) -> Vec<NodeName> {
    let there = (1..=hosts).map(|number| format!("pm{number:02}"));
    let forgotten = if options.scope.has(Part::Forgotten) { 1 + options.seed % 2 } else { 0 };
    let gone = (1..=forgotten).map(|number| format!("gone{number:02}"));
    there.chain(gone).map(|name| NodeName::new(&name)).collect()
}

/// Lets the last host join later, and the forgotten nodes be known to be down or never seen.
pub fn prepare(world: &mut World) {
    let archives = world.options.scope.has(Part::Archive);
    let old = world.options.scope.has(Part::Old);
    for disk in world.hosts.iter_mut().map(|host| &mut host.disk) {
        (disk.archives, disk.reloads_conninfo) = (archives, !old);
    }
    if world.options.scope.has(Part::Shell) {
        let all = world.ids().filter(|_| world.chance.bool()).collect::<Vec<_>>();
        all.into_iter().for_each(|id| change_agent(world, id));
    }
    if world.options.scope.has(Part::Nodes)
        && let Some(last) = world.hosts.last_mut()
    {
        (last.on, last.joined, last.listed) = (false, false, false);
    }
    let known_down = world.options.seed % 4 < 2;
    let hosts = world.hosts.len();
    for host in &mut world.hosts {
        for node in host.cib.nodes.iter_mut().skip(hosts).filter(|_| known_down) {
            node.membership = Membership::Down;
        }
    }
}

/// The operator's partition: the settled one with quorum, if there is one.
pub fn in_charge(world: &World) -> Option<Vec<HostId>> {
    let mut settled = world.groups.iter().filter(|group| world.now >= group.settled_at);
    let quorate = settled.find(|group| world.hosts[group.coordinator].quorum)?;
    Some(quorate.members.clone())
}

/// Changes the parameters on a live resource, which restarts every instance.
pub fn reconfigure(world: &mut World, change: impl FnOnce(&mut Settings)) {
    let Some(members) = in_charge(world) else { return };
    let mut settings = world.versions[world.hosts[members[0]].version].clone();
    change(&mut settings);
    world.versions.push(settings);
    let version = world.versions.len() - 1;
    for member in &members {
        world.hosts[*member].version = version;
        world.hosts[*member].epoch += 1;
    }
    let mut groups = world.groups.iter_mut();
    if let Some(group) = groups.find(|group| group.members == members) {
        group.changed = true;
    }
}

/// Changes how commits wait.
pub fn change_mode(world: &mut World) {
    let Some(members) = in_charge(world) else { return };
    let before = &world.versions[world.hosts[members[0]].version];
    let (mode, policy) = (before.rep_mode, before.policy.clone());
    let what = world.chance.u8(..4);
    world.trace(|| format!("parameter {what} changes from {mode:?} {policy:?}"));
    reconfigure(world, |settings| match what {
        0 => {
            settings.rep_mode = match mode {
                ReplicationMode::Sync => ReplicationMode::Async,
                ReplicationMode::Async | ReplicationMode::None | ReplicationMode::Slave => {
                    ReplicationMode::Sync
                }
            };
        }
        1 => {
            settings.policy.sync_method = match policy.sync_method {
                SyncMethod::First => SyncMethod::Any,
                SyncMethod::Any => SyncMethod::First,
            };
        }
        2 => settings.policy.sync_standbys = 3 - policy.sync_standbys,
        _ => {
            settings.policy.sync_availability = match policy.sync_availability {
                SyncAvailability::Available => SyncAvailability::Strict,
                SyncAvailability::Strict => SyncAvailability::Available,
            };
        }
    });
    // Who chooses async gives up what only the synchronous standbys have.
    if what == 0 && mode == ReplicationMode::Sync {
        world.ledger.rows.iter_mut().for_each(|row| row.promised = false);
    }
}

/// Adds a member to `node_list`, or takes a node away from it.
pub fn change(world: &mut World) {
    let Some(members) = in_charge(world) else { return };
    let listed = world.versions[world.hosts[members[0]].version].node_list.clone();
    let outside = members.iter().map(|id| world.hosts[*id].name.clone());
    let outside: Vec<NodeName> = outside.filter(|name| !listed.contains(name)).collect();
    let take_away = listed.len() > 2 && (outside.is_empty() || world.chance.u8(..3) == 0);
    let names = if take_away { &listed } else { &outside };
    let Some(name) = world.chance.choice(names).cloned() else { return };
    world.trace(|| format!("node_list {} {name}", if take_away { "loses" } else { "gains" }));
    reconfigure(world, |settings| match take_away {
        true => settings.node_list.retain(|have| *have != name),
        false => settings.node_list.push(name),
    });
}

/// Puts this agent into the place of the shell agent on a host, or the shell agent into this one's, under whatever runs.
pub fn change_agent(world: &mut World, id: HostId) {
    let host = &world.hosts[id];
    // Nobody goes back to the shell agent before the standby follows the primary: it would leave it where it is.
    if host.agent.is_some() || !host.shell && host.server.stays {
        return;
    }
    let leads = world.hosts[id].server.phase == Phase::Primary;
    let host = &mut world.hosts[id];
    host.shell = !host.shell;
    host.vouched = !host.shell && !leads;
    if leads && host.shell {
        shell::takes_over(world);
    }
    let host = &world.hosts[id];
    let what = if host.shell { "the shell agent" } else { "this agent" };
    world.trace(|| format!("{} has {what}", world.hosts[id].name));
}

/// Lets a host join the cluster: with a copy of the primary, or with data from long ago.
pub fn join(world: &mut World) {
    // Nobody adds a host while another is away.
    let joined = world.joined();
    if in_charge(world).is_none_or(|members| members.len() < joined) {
        return;
    }
    let Some(id) = world.ids().find(|id| !world.hosts[*id].joined) else { return };
    let primary = world.ids().find(|id| serves(world, *id));
    let copied = primary.filter(|_| world.chance.bool());
    world.trace(|| match copied {
        Some(from) => {
            format!("{} joins with a copy of {}", world.hosts[id].name, world.hosts[from].name)
        }
        None => format!("{} joins with what it has", world.hosts[id].name),
    });
    if let Some(from) = copied {
        copy(world, from, id);
    }
    let host = &mut world.hosts[id];
    (host.joined, host.listed, host.on) = (true, true, true);
    world.links.changed(world.now);
}

/// Makes a host's data a copy of another's (`pg_basebackup`).
pub fn copy(world: &mut World, from: HostId, to: HostId) {
    let mut disk = Disk::new();
    disk.archives = world.hosts[to].disk.archives;
    disk.reloads_conninfo = world.hosts[to].disk.reloads_conninfo;
    disk.wal = world.hosts[from].disk.wal.clone();
    disk.wal.lose_unflushed();
    disk.consistent_at = disk.wal.flushed();
    (disk.checkpoint, disk.is_copy) = (disk.wal.flushed() - 1, true);
    disk.control = ControlState::InArchiveRecovery;
    world.hosts[to].flushed_before = disk.wal.flushed();
    world.hosts[to].disk = disk;
}

/// Makes new copies of what cannot be used any more, as the log tells the operator to.
pub fn renew(world: &mut World) {
    remove_locks(world);
    record_latest(world);
    list_all(world);
    let Some(primary) = world.ids().find(|id| serves(world, *id)) else { return };
    let idle = |id: &HostId| {
        let host = &world.hosts[*id];
        // The shell agent refuses whatever has a lock, and leaves data behind of which nothing can be proven.
        let held = world.options.scope.has(Part::Shell) && host.known.held;
        let refused = host.disk.rewinding || held;
        host.on && host.agent.is_none() && !host.server.runs() && refused
    };
    for id in world.ids().filter(idle).collect::<Vec<_>>() {
        world.trace(|| format!("{} gets a new copy", world.hosts[id].name));
        copy(world, primary, id);
    }
}

/// Puts nodes back into `node_list` when the rest is left without a primary, as the log tells the operator to.
fn list_all(world: &mut World) {
    let joined = world.hosts.iter().filter(|host| host.joined);
    let unlisted =
        joined.filter(|host| !world.versions[host.version].node_list.contains(&host.name));
    let names: Vec<NodeName> = unlisted.map(|host| host.name.clone()).collect();
    let gone = world.hosts.iter().filter(|host| !host.joined);
    let gone: Vec<NodeName> = gone.map(|host| host.name.clone()).collect();
    let primary = world.ids().any(|id| serves(world, id));
    if !primary && world.options.scope.has(Part::Nodes) {
        reconfigure(world, |settings| {
            settings.node_list.retain(|name| !gone.contains(name));
            settings.node_list.extend(names);
        });
    }
}

/// With `rejoin=off` the lock alone decides: who knows that the data are good removes it.
fn remove_locks(world: &mut World) {
    for id in world.ids() {
        let off = world.versions[world.hosts[id].version].rejoin == Rejoin::Off;
        let off = off || world.hosts[id].shell && !world.hosts[id].disk.rewinding;
        if off && world.hosts[id].known.held && starts::diverged(world, id).is_none() {
            world.trace(|| format!("the operator removes the lock of {}", world.hosts[id].name));
            world.hosts[id].disk.lock = None;
        }
    }
}

/// Where the shell agent has left nobody with a right who runs, who knows whose data are the latest puts that on record.
fn record_latest(world: &mut World) {
    let primary = world.ids().any(|id| serves(world, id));
    if primary || !world.options.scope.has(Part::Shell) {
        return;
    }
    let furthest = |id: &HostId| {
        let wal = &world.hosts[*id].disk.wal;
        (wal.timeline(), wal.len())
    };
    let last = world.last_promotion.map(|(last, ..)| last).or(world.ids().max_by_key(furthest));
    let Some(last) = last.filter(|last| world.hosts[*last].agent.is_none()) else { return };
    let asynchronous = world.versions[world.hosts[last].version].rep_mode == ReplicationMode::Async;
    let record = &world.hosts[last].cib.nodes;
    let fit = |id: HostId| match &record[id].data_status {
        Some(DataStatus::Latest | DataStatus::StreamingSync) => true,
        Some(DataStatus::StreamingAsync) => asynchronous,
        Some(_) | None => false,
    };
    if world.ids().any(|id| fit(id) && world.hosts[id].server.runs()) {
        return;
    }
    world.trace(|| format!("{} is put on record as the latest", world.hosts[last].name));
    world.hosts[last].disk.lock = None;
    for host in &mut world.hosts {
        host.epoch += 1;
        host.cib.nodes[last].data_status = Some(DataStatus::Latest);
    }
}

/// Takes a standby's host away for good, as long as the rest can go on without it.
pub fn leave(world: &mut World, id: HostId) {
    let Some(members) = in_charge(world) else { return };
    let joined = world.joined();
    let enough = (members.len() - 1) * 2 > joined - 1 && joined > 2;
    let primary = world.ids().find(|id| serves(world, *id));
    if !enough || !members.contains(&id) || primary.is_none() || primary == Some(id) {
        return;
    }
    let forgotten = world.chance.bool();
    world.trace(|| format!("{} leaves for good, forgotten: {forgotten}", world.hosts[id].name));
    world.power_off(id);
    let host = &mut world.hosts[id];
    (host.joined, host.listed, host.power_on_at) = (false, forgotten, None);
    // It was stopped in order: nobody has to fence it.
    for member in members.into_iter().filter(|member| *member != id) {
        let node = &mut world.hosts[member].cib.nodes[id];
        node.membership = Membership::Down;
        if !forgotten {
            (node.data_status, node.sync_quorum) = (None, None);
        }
    }
}
