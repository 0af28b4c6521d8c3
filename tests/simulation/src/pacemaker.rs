//! Pacemaker: per partition, a coordinator that plans transitions, and what came of each operation.
//!
//! A transition is demote, stop, start, promote, each between its notifications (`pcmk_sched_notif.c`);
//! the primary's address goes before a demotion and comes after a promotion. A change that matters ends
//! it early: what was begun ends, notifications that follow it are still sent, the rest is planned anew.

use std::collections::VecDeque;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::ClusterRole;
use pgsql_ha::model::notification::{Notification, NotificationType, NotifiedOperation};
use pgsql_ha::model::verdict::{Failure, Outcome};

use crate::agent::Order;
use crate::cib::{self, Change};
use crate::planning;
use crate::scope::Part;
use crate::world::{HostId, Tick, World};

/// The operations' timeout.
pub const TIMEOUT: Tick = 600;

/// What Pacemaker knows of the resource on a host.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub probed: bool,
    pub active: bool,
    pub promoted: bool,
    pub failed: bool,
    pub failures: u32,
    /// `migration-threshold` is reached, or a start has failed.
    pub banned: bool,
    /// It could not be stopped: the node has to be fenced.
    pub must_be_fenced: bool,
    /// What the history in the cluster information base shows.
    pub shown: ClusterRole,
    /// The agent holds the node back, for its data may have diverged.
    pub held: bool,
    /// The parameters with which it was started or found.
    pub version: usize,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            probed: false,
            active: false,
            promoted: false,
            failed: false,
            failures: 0,
            banned: false,
            must_be_fenced: false,
            shown: ClusterRole::Unknown,
            held: false,
            version: 0,
        }
    }
}

/// A partition of the cluster.
pub struct Group {
    pub members: Vec<HostId>,
    pub coordinator: HostId,
    /// From then on it has a coordinator that plans.
    pub settled_at: Tick,
    /// Something changed that a plan depends on.
    pub changed: bool,
    pub plan: Option<Plan>,
}

impl Group {
    pub const fn new(members: Vec<HostId>, coordinator: HostId, settled_at: Tick) -> Self {
        Self { members, coordinator, settled_at, changed: true, plan: None }
    }
}

/// A part of a transition that runs on several hosts at once.
#[derive(Debug, Clone)]
pub enum Phase {
    Probe(Vec<HostId>),
    Notify(NotificationType, NotifiedOperation),
    Act(Action, Vec<HostId>),
    AddressDown(Vec<HostId>),
    AddressUp(HostId),
}

/// A transition.
pub struct Plan {
    pub lists: Notification,
    pub phases: VecDeque<Phase>,
    /// Where the present phase runs.
    pub busy: Vec<HostId>,
}

/// Lets every settled partition go on with its transition, and look at its instances.
pub fn act(world: &mut World) {
    for at in 0..world.groups.len() {
        if world.now < world.groups[at].settled_at {
            continue;
        }
        if world.hands.maintenance {
            continue;
        }
        match world.groups[at].plan.take() {
            Some(plan) => go_on(world, at, plan),
            None if world.groups[at].changed => {
                world.groups[at].changed = false;
                world.groups[at].plan = planning::plan(world, at);
            }
            None => {}
        }
        monitors(world, at);
    }
}

fn go_on(world: &mut World, at: usize, mut plan: Plan) {
    let idle = |id: &HostId| {
        let host = &world.hosts[*id];
        host.agent.is_none() && host.orders.is_empty()
    };
    if !plan.busy.iter().all(idle) {
        world.groups[at].plan = Some(plan);
        return;
    }
    if world.groups[at].changed {
        // What follows directly is the notification after what was just done.
        let follows = plan.phases.pop_front();
        let told =
            follows.filter(|phase| matches!(phase, Phase::Notify(NotificationType::Post, _)));
        plan.phases = told.into_iter().collect();
    }
    let Some(phase) = plan.phases.pop_front() else {
        // Looks again at least once after each transition.
        world.groups[at].changed |= !plan.busy.is_empty();
        return;
    };
    plan.busy = perform(world, at, &plan.lists, phase);
    world.groups[at].plan = Some(plan);
}

fn perform(world: &mut World, at: usize, lists: &Notification, phase: Phase) -> Vec<HostId> {
    match phase {
        Phase::Probe(hosts) => {
            order(world, &hosts, Action::Monitor, &Notification::default(), true);
            hosts
        }
        Phase::Notify(kind, operation) => {
            let members = world.groups[at].members.clone();
            let active = |id: &HostId| world.hosts[*id].known.active;
            let hosts: Vec<_> = members.into_iter().filter(active).collect();
            let lists = Notification { event: Some((kind, operation)), ..lists.clone() };
            order(world, &hosts, Action::Notify, &lists, false);
            hosts
        }
        Phase::Act(action, hosts) => {
            if action == Action::Start {
                hosts.iter().for_each(|id| show(world, *id, ClusterRole::Starting));
            }
            order(world, &hosts, action, lists, false);
            hosts
        }
        Phase::AddressDown(hosts) => {
            hosts.iter().for_each(|id| world.hosts[*id].address = false);
            Vec::new()
        }
        // A host that is off does not take it into its next life.
        Phase::AddressUp(host) if !world.hosts[host].on => Vec::new(),
        Phase::AddressUp(host) => {
            world.hosts[host].address = true;
            world.trace(|| format!("{} has the address", world.hosts[host].name));
            Vec::new()
        }
    }
}

fn order(world: &mut World, hosts: &[HostId], action: Action, lists: &Notification, probe: bool) {
    for id in hosts {
        // Stop and recurring monitors get what the instance was started with (`construct_op` in controld_execd.c).
        let version = match action {
            Action::Stop => world.hosts[*id].known.version,
            Action::Monitor if !probe => world.hosts[*id].known.version,
            Action::Start
            | Action::Status
            | Action::Monitor
            | Action::Promote
            | Action::Demote
            | Action::Notify => version(world, *id),
        };
        let notification = lists.clone();
        let of_standby = action == Action::Monitor && !probe && !world.hosts[*id].known.promoted;
        let order = Order { action, notification, probe, of_standby, timeout: TIMEOUT, version };
        if probe || action == Action::Start {
            world.hosts[*id].known.version = version;
        }
        if probe || action != Action::Monitor {
            cib::catch_up(&mut world.hosts[*id]);
        }
        world.hosts[*id].orders.push_back(order);
    }
}

/// Returns the parameters that a host's actions get: those of its coordinator's copy.
pub fn version(world: &World, id: HostId) -> usize {
    let group = world.group_of(id);
    world.hosts[group.map_or(id, |group| group.coordinator)].version
}

fn monitors(world: &mut World, at: usize) {
    for id in world.groups[at].members.clone() {
        let host = &world.hosts[id];
        let idle = host.agent.is_none() && host.orders.is_empty();
        let planned = world.groups[at].plan.as_ref().is_some_and(|plan| plan.busy.contains(&id));
        if host.known.active && idle && !planned && world.now >= host.next_monitor {
            world.hosts[id].next_monitor = world.now + world.chance.u64(30..70);
            order(world, &[id], Action::Monitor, &Notification::default(), false);
        }
    }
}

/// Notes how an operation ended; `None`: the agent was killed.
pub fn record(world: &mut World, id: HostId, order: &Order, outcome: Option<&Outcome>) {
    let before = world.hosts[id].known;
    let known = &mut world.hosts[id].known;
    let succeeded = matches!(outcome, Some(Outcome::Success));
    match order.action {
        Action::Start => after_start(known, outcome),
        Action::Stop if succeeded => {
            (known.active, known.promoted, known.failed) = (false, false, false);
            known.shown = ClusterRole::Stopped;
        }
        Action::Promote if succeeded => {
            known.promoted = true;
            known.shown = ClusterRole::Promoted;
        }
        Action::Promote => {
            // Nobody knows how far it got.
            (known.promoted, known.failed) = (true, true);
            known.failures += 1;
        }
        Action::Demote if succeeded => {
            known.promoted = false;
            known.shown = ClusterRole::Unpromoted;
        }
        Action::Stop | Action::Demote => known.must_be_fenced = true,
        Action::Monitor => after_monitor(known, order.probe, outcome),
        Action::Notify | Action::Status => return,
    }
    known.banned |= known.failures >= world.options.threshold;
    let after = *known;
    world.hosts[id].next_monitor = world.now + world.chance.u64(20..60);
    let ordered = order.action != Action::Monitor || order.probe;
    if (after.failed && !before.failed) || after.must_be_fenced || ordered {
        let mut groups = world.groups.iter_mut();
        if let Some(group) = groups.find(|group| group.members.contains(&id)) {
            group.changed |= after.failed || after.must_be_fenced;
        }
    }
    show(world, id, after.shown);
}

fn after_start(known: &mut Known, outcome: Option<&Outcome>) {
    known.active = true;
    known.promoted = false;
    known.held = matches!(
        outcome,
        Some(Outcome::Failed(Failure::Locked { .. } | Failure::HistoryMismatch(_)))
    );
    known.failed = !matches!(outcome, Some(Outcome::Success));
    known.banned |= known.failed;
    known.shown = if known.failed { ClusterRole::StartFailed } else { ClusterRole::Unpromoted };
}

fn after_monitor(known: &mut Known, probe: bool, outcome: Option<&Outcome>) {
    known.probed = true;
    let found = match outcome {
        Some(Outcome::Success) => Some((true, false, ClusterRole::Unpromoted)),
        Some(Outcome::RunningPromoted) => Some((true, true, ClusterRole::Promoted)),
        Some(Outcome::NotRunning) => Some((false, false, ClusterRole::Stopped)),
        Some(Outcome::Failed(_)) | None => None,
    };
    match found {
        Some((active, promoted, shown)) if probe => {
            (known.active, known.promoted, known.shown) = (active, promoted, shown);
        }
        Some((active, promoted, shown)) => {
            let expected = (known.active, known.promoted) == (active, promoted);
            known.shown = shown;
            known.promoted |= promoted;
            known.failed |= !expected;
            known.failures += u32::from(!expected);
        }
        None => {
            known.active = true;
            known.failed = true;
            known.failures += 1;
        }
    }
}

/// Puts the role into the history that every member of the partition reads.
fn show(world: &mut World, id: HostId, role: ClusterRole) {
    world.hosts[id].known.shown = role;
    let group = world.group_of(id);
    let members = group.map_or(vec![id], |group| group.members.clone());
    for member in members {
        cib::post(world, member, Change::Role(id, role));
    }
}

/// Has Pacemaker forget what it knew of the resource, and look again.
pub fn refresh(world: &mut World) {
    clean_up(world);
    let idle = world.hosts.iter_mut().filter(|host| host.on && host.agent.is_none());
    idle.for_each(|host| host.known = Known { version: host.known.version, ..Known::default() });
}

/// Forgets failures, as `crm_resource --cleanup` does: whatever is unknown then is probed.
pub fn clean_up(world: &mut World) {
    let hands = world.options.scope.has(Part::Hands);
    let unfenced = world.options.scope.has(Part::Unfenced);
    for host in world.hosts.iter_mut().filter(|host| host.on) {
        let known = &mut host.known;
        (known.failures, known.banned) = (0, false);
        known.held = false;
        if known.must_be_fenced && unfenced {
            (known.must_be_fenced, known.probed) = (false, false);
        }
        known.probed &= !hands || known.active;
    }
    world.groups.iter_mut().for_each(|group| group.changed = true);
}
