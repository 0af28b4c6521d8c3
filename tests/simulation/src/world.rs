//! The whole world, and how a tick of it goes.

use std::collections::VecDeque;

use pgsql_ha::model::cluster::{Cluster, NoQuorumPolicy};
use pgsql_ha::model::node::NodeName;
use pgsql_ha::model::settings::Settings;
use pgsql_ha::model::step::Step;
use pgsql_ha::model::wal::PublishedPosition;

use crate::agent::{self, Order, Running};
use crate::archive::{self, Archive};
use crate::cib::{self, Change};
use crate::clients::{self, Ledger};
use crate::disk::Disk;
use crate::faults::{self, Fault};
use crate::fencing::{self, Fence};
use crate::hands::{self, Hands};
use crate::invariants::{self, Violation};
use crate::network::{self, Links};
use crate::nodes;
use crate::options::Options;
use crate::pacemaker::{self, Group, Known};
use crate::postgres::{self, Event, Phase, Server};
use crate::replication::{self, Connection};
use crate::scope::Part;
use crate::settings;
use crate::shell;

/// The number of a host, from 0.
pub type HostId = usize;

/// Time, in tenths of a second.
pub type Tick = u64;

/// How many milliseconds a tick is.
pub const TICK_MS: u64 = 100;

/// A host: what is on it, and what it believes.
pub struct Host {
    pub name: NodeName,
    pub on: bool,
    /// It runs the shell agent.
    pub shell: bool,
    /// What its server acknowledges is promised: this agent's monitor has seen the primary since the shell agent left.
    pub vouched: bool,
    /// It had a lock before the last promotion that was begun here.
    pub had_lock: bool,
    /// Corosync's list of nodes has it.
    pub joined: bool,
    /// The cluster information base has a `<node>` for it.
    pub listed: bool,
    /// The parameters in its copy of the cluster information base.
    pub version: usize,
    pub power_on_at: Option<Tick>,
    pub server: Server,
    /// Somebody started it by hand as a primary: what it acknowledges is nobody's, until the cluster knows of it.
    pub rogue: bool,
    pub disk: Disk,
    /// Its copy of the cluster information base.
    pub cib: Cluster,
    /// Changes under way to that copy.
    pub inbox: VecDeque<(Tick, Change)>,
    /// What Pacemaker knows of the resource here.
    pub known: Known,
    pub agent: Option<Running>,
    pub orders: VecDeque<Order>,
    pub next_monitor: Tick,
    /// It has the primary's address.
    pub address: bool,
    pub quorum: bool,
    /// `wait_for_all`: has seen every host since it booted.
    pub seen_all: bool,
    /// How often the permanent part of its copy was changed.
    pub epoch: u64,
    /// Its attribute daemon is slow or refuses until then.
    pub slow_until: Tick,
    /// Its server takes no new connections from elsewhere until then.
    pub refuses_until: Tick,
    /// Writes that were given up, and when they take effect after all.
    pub late: VecDeque<(Tick, Step)>,
    /// The end of WAL that its attribute daemon tells the others, and since when.
    pub position: Option<(PublishedPosition, Tick)>,
    /// How long its log was a tick ago.
    pub flushed_before: usize,
}

pub struct World {
    pub options: Options,
    /// The parameters, and what they were changed to.
    pub versions: Vec<Settings>,
    /// The nodes of the cluster information base: the hosts, and those that are forgotten there.
    pub names: Vec<NodeName>,
    pub chance: fastrand::Rng,
    pub now: Tick,
    pub hosts: Vec<Host>,
    pub links: Links,
    pub connections: Vec<Connection>,
    pub groups: Vec<Group>,
    pub fences: Vec<Fence>,
    pub faults: Vec<Fault>,
    pub ledger: Ledger,
    pub archive: Archive,
    pub hands: Hands,
    pub next_id: u32,
    /// The last promotion: host, and the record it began with.
    pub last_promotion: Option<(HostId, u32, usize)>,
    /// When the first one was.
    pub first_promotion: Option<Tick>,
    /// How long the last primary has served in touch with most hosts, and whether the shell agent promoted it.
    pub last_reign: (Tick, bool),
    /// The shell agent has promoted in a partition that had lost the others, and written a record of its own there.
    pub record_in_doubt: bool,
    /// No node may be promoted for the operator's sake until then.
    pub moved_away: Option<(HostId, Tick)>,
    pub violation: Option<Violation>,
    pub actions: u64,
    pub promotions: u64,
}

impl World {
    /// How many hosts have joined the cluster.
    pub fn joined(&self) -> usize {
        self.hosts.iter().filter(|host| host.joined).count()
    }

    /// The partition that a host is in.
    pub fn group_of(&self, id: HostId) -> Option<&Group> {
        self.groups.iter().find(|group| group.members.contains(&id))
    }

    pub fn new(options: Options) -> Self {
        let settings = settings::of(&options);
        let mut chance = fastrand::Rng::with_seed(options.seed);
        let hosts = nodes::hosts(&options);
        let names = nodes::names(&options, hosts);
        let fencing = !options.scope.has(Part::Unfenced);
        let host = |name: &NodeName| Host {
            name: name.clone(),
            on: true,
            shell: false,
            vouched: true,
            had_lock: false,
            joined: true,
            listed: true,
            version: 0,
            power_on_at: None,
            server: Server::new(),
            rogue: false,
            disk: Disk::new(),
            cib: cib::blank(name, &names, policy(&options), fencing),
            inbox: VecDeque::new(),
            known: Known::default(),
            agent: None,
            orders: VecDeque::new(),
            next_monitor: 0,
            address: false,
            quorum: false,
            seen_all: false,
            epoch: 0,
            slow_until: 0,
            refuses_until: 0,
            late: VecDeque::new(),
            position: None,
            flushed_before: 0,
        };
        let hosts: Vec<Host> = names[..hosts].iter().map(host).collect();
        let mut world = Self {
            links: Links::new(hosts.len()),
            options,
            versions: vec![settings],
            names: names.clone(),
            faults: faults::schedule(&mut chance, options.scope),
            chance,
            now: 0,
            hosts,
            connections: Vec::new(),
            groups: Vec::new(),
            fences: Vec::new(),
            ledger: Ledger::default(),
            archive: Archive::default(),
            hands: Hands::default(),
            next_id: 0,
            last_promotion: None,
            first_promotion: None,
            last_reign: (0, false),
            record_in_doubt: false,
            moved_away: None,
            violation: None,
            actions: 0,
            promotions: 0,
        };
        nodes::prepare(&mut world);
        world
    }

    pub fn ids(&self) -> std::ops::Range<HostId> {
        0..self.hosts.len()
    }

    pub fn id(&self, name: &NodeName) -> Option<HostId> {
        self.hosts.iter().position(|host| host.name == *name)
    }

    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.options.trace {
            println!("{:>6.1}s {}", self.now as f64 * TICK_MS as f64 / 1000.0, line());
        }
    }

    /// Lets a tenth of a second pass.
    pub fn tick(&mut self) {
        self.now += 1;
        faults::strike(self);
        network::regroup(self);
        self.servers();
        shell::reign(self);
        archive::fill(self);
        replication::flow(self);
        clients::write(self);
        cib::deliver(self);
        fencing::act(self);
        pacemaker::act(self);
        let mut order: Vec<HostId> = self.ids().collect();
        self.chance.shuffle(&mut order);
        for host in order {
            agent::act(self, host);
        }
        invariants::always(self);
    }

    fn servers(&mut self) {
        for id in self.ids() {
            if !self.hosts[id].on {
                self.boot_when_due(id);
                continue;
            }
            let sent = replication::all_sent(self, id);
            let host = &mut self.hosts[id];
            let before = host.server.phase;
            let event = postgres::live(
                (&mut host.server, &mut host.disk),
                self.now,
                &mut self.chance,
                sent,
                &mut self.next_id,
            );
            let after = self.hosts[id].server.phase;
            if before != after {
                self.trace(|| format!("{} server: {after:?}", self.hosts[id].name));
            }
            match event {
                Some(Event::Promoted { .. }) if self.hosts[id].rogue => {}
                Some(Event::Promoted { .. }) if !shell::counts(self, id) => {
                    archive::promoted(self, id);
                    self.record_in_doubt = true;
                }
                Some(Event::Promoted { id: record, place }) if hands::promoted(self, id) => {
                    archive::promoted(self, id);
                    self.last_promotion = Some((id, record, place));
                }
                Some(Event::Promoted { id: record, place }) => {
                    invariants::at_promotion(self, id, record, place);
                    if self.hosts[id].shell {
                        shell::takes_over(self);
                    }
                    archive::promoted(self, id);
                    self.promotions += 1;
                    self.last_reign = (0, self.hosts[id].shell);
                    self.first_promotion.get_or_insert(self.now);
                    self.last_promotion = Some((id, record, place));
                }
                Some(Event::Ended) | None => {}
            }
        }
    }

    fn boot_when_due(&mut self, id: HostId) {
        if self.hosts[id].power_on_at.is_some_and(|at| self.now >= at) {
            self.hosts[id].power_on_at = None;
            self.hosts[id].on = true;
            self.links.changed(self.now);
            self.trace(|| format!("{} boots", self.hosts[id].name));
        }
    }

    /// Cuts a host's power: what was flushed stays, and what the cluster wrote for ever.
    pub fn power_off(&mut self, id: HostId) {
        if !self.hosts[id].on {
            return;
        }
        self.trace(|| format!("{} loses power", self.hosts[id].name));
        let names = self.names.clone();
        let host = &mut self.hosts[id];
        host.on = false;
        host.disk.wal.lose_unflushed();
        host.disk.lock_since_cluster_start = false;
        host.disk.followed_since_cluster_start = false;
        host.disk.first_start_since_boot = false;
        host.disk.consistent_at = host.disk.consistent_at.min(host.disk.wal.flushed());
        host.server.die(Phase::Absent);
        host.rogue = false;
        host.agent = None;
        host.orders.clear();
        host.late.clear();
        cib::catch_up(host);
        host.known = Known::default();
        host.address = false;
        host.quorum = false;
        host.seen_all = false;
        host.position = None;
        host.slow_until = 0;
        cib::forget_status(&mut host.cib, &names);
        self.links.changed(self.now);
        replication::forget(self, id);
    }
}

const fn policy(options: &Options) -> NoQuorumPolicy {
    if options.ignore_quorum { NoQuorumPolicy::Ignore } else { NoQuorumPolicy::Respect }
}
