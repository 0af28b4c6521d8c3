//! What an agent sees of the simulated world: the only place that builds an observation.

use std::time::Duration;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::{Cluster, QuorumRule};
use pgsql_ha::model::concern::Concern;
use pgsql_ha::model::instance::{
    Answer, ControlData, DataDirectory, Files, Instance, LockedOut, Postmaster, PrimaryReport,
    Receiver, Refusal, SlotRow, StandbyReport,
};
use pgsql_ha::model::observation::{ActionTime, ClusterView, Observation};
use pgsql_ha::model::settings::ReplicationMode;
use pgsql_ha::model::step::Step;
use pgsql_ha::model::wal::{PublishedPosition, Timeline};

use crate::agent::Running;
use crate::disk::Target;
use crate::inquiry;
use crate::invariants::serves;
use crate::postgres::Phase;
use crate::replication;
use crate::scope::Part;
use crate::wal::lsn;
use crate::world::{HostId, TICK_MS, Tick, World};

/// How long a server is asked when it is about to be stopped, or in a notification.
const SHORT_PATIENCE: Tick = 20;

/// How long when it was just launched, or is to be promoted.
const ANSWER_PATIENCE: Tick = 50;

/// How long a standby's monitor asks before it looks from outside.
const QUESTION: Tick = 100;

/// How long between the steps that do without its answer.
const DEAF_PATIENCE: Tick = 3;

/// Takes a snapshot, or `None` while the agent waits for a server that does not answer.
pub fn observe(world: &mut World, id: HostId, running: &mut Running) -> Option<Observation> {
    let answer = answer(world, id, running)?;
    let rejoin = world.versions[running.order.version].rejoin;
    let (evidence, took) = running.inquiry.look(world, id, rejoin);
    if took > 0 {
        running.blocked_until = world.now + took;
        return None;
    }
    if running.needs.cluster && running.cluster.is_none() {
        running.cluster = Some(read_cluster(world, id, running));
    }
    let remaining = running.remaining(world.now);
    Some(Observation {
        time: ActionTime { elapsed: ticks(world.now - running.began), remaining: ticks(remaining) },
        local: world.hosts[id].name.clone(),
        instance: instance(world, id, running, answer),
        files: if running.needs.files {
            files(world, id, running.order.version)
        } else {
            Files::default()
        },
        cluster: cluster_view(running),
        evidence,
        notification: running.order.notification.clone(),
        probe: running.order.probe,
        of_standby: running.order.of_standby,
        taken: running.taken.clone(),
    })
}

const fn ticks(ticks: Tick) -> Duration {
    Duration::from_millis(ticks * TICK_MS)
}

fn answer(world: &mut World, id: HostId, running: &mut Running) -> Option<Answer> {
    let server = &world.hosts[id].server;
    if !running.needs.server || !server.runs() {
        return Some(Answer::NotAsked);
    }
    let locked = world.hosts[id].disk.locked && server.accepts();
    if !server.hung && !locked {
        running.asked_until = None;
        return Some(told(world, id));
    }
    if server.held() {
        return Some(Answer::Silent("held".into()));
    }
    let standby = server.phase != Phase::Primary;
    let patience = patience(running, world.now, standby);
    let until = *running.asked_until.get_or_insert(world.now + patience);
    if world.now < until {
        running.blocked_until = world.now + 1;
        return None;
    }
    running.asked_until = None;
    Some(Answer::Silent("no answer in time".into()))
}

/// How long a server that does not answer is asked, as `Observer::ask` says.
fn patience(running: &Running, now: Tick, standby: bool) -> Tick {
    let Running { order, began, taken, .. } = running;
    let margin = (order.timeout / 10).clamp(5, 50);
    let rest = (began + order.timeout).saturating_sub(margin).saturating_sub(now);
    let unasked = |step: &Step| matches!(step, Step::Warn(Concern::CannotBeAsked(_)));
    let deaf =
        taken.0.iter().any(|attempt| unasked(&attempt.step)) && !taken.tried(&Step::PromoteServer);
    match order.action {
        Action::Monitor | Action::Promote if deaf => DEAF_PATIENCE,
        Action::Demote | Action::Notify | Action::Stop => rest.min(SHORT_PATIENCE),
        Action::Start | Action::Promote => rest.min(ANSWER_PATIENCE),
        Action::Monitor if standby => (rest * 2 / 3).min(QUESTION),
        Action::Status
        | Action::Monitor
        | Action::MetaData
        | Action::ValidateAll
        | Action::Methods
        | Action::Usage => rest,
    }
}

fn told(world: &World, id: HostId) -> Answer {
    let host = &world.hosts[id];
    let (server, disk) = (&host.server, &host.disk);
    let names = server.names.to_string();
    let slots = disk.slots.iter();
    let slot = |name: &String| SlotRow {
        name: name.clone(),
        active: true,
        restart_lsn: None,
        lost: false,
        idle: None,
    };
    let slots: Vec<SlotRow> = slots.map(slot).collect();
    match server.phase {
        Phase::Absent | Phase::Orphans { .. } => Answer::NotAsked,
        Phase::Starting { .. } => Answer::Refused(Refusal::StartingUp),
        Phase::Stopping { .. } => Answer::Refused(Refusal::ShuttingDown),
        Phase::Primary => {
            let mut report = PrimaryReport {
                asked_as: "postgres".into(),
                timeline: Timeline(disk.wal.timeline()),
                wal_end: lsn(disk.wal.len()),
                standbys: replication::rows(world, id),
                synchronous_standby_names: names,
                slots,
                commits_obey: world.now >= server.checkpointer_busy_until,
            };
            report.tell_forks(disk.wal.beginning().map(lsn));
            Answer::Primary(report)
        }
        Phase::Standby | Phase::Promoting { .. } => {
            let connection = world.connections.iter().find(|c| c.standby == id && c.receiver);
            let proof = world.options.scope.has(Part::Proof);
            let known = if server.asked_for_more { disk.wal.flushed() } else { server.replayed };
            let sent = connection.filter(|c| c.pretends.is_some()).map_or(0, |c| c.flushed);
            let timeline = Timeline(disk.wal.timeline().max(disk.stray.unwrap_or(0)));
            Answer::Standby(StandbyReport {
                timeline,
                wal_end: lsn(known.max(server.replayed).max(sent)),
                replayed: lsn(server.replayed),
                own_wal_read: server.asked_for_more,
                receiver: connection
                    .map(|_| Receiver { streaming: true, timeline: Some(timeline) }),
                // Without proof and rewind nothing would bring back a standby that cannot follow.
                left_at: disk.wal.left_at().filter(|_| connection.is_none() && proof),
                primary_conninfo: None,
                conninfo_overridden: false,
                synchronous_standby_names: names,
                slots,
                slots_advance: true,
                commits_obey: world.now >= server.checkpointer_busy_until,
            })
        }
    }
}

fn instance(world: &World, id: HostId, running: &Running, answer: Answer) -> Instance {
    let host = &world.hosts[id];
    let postmaster = match host.server.phase {
        Phase::Absent => Postmaster::Absent,
        Phase::Orphans { .. } => Postmaster::Orphans { count: 3 },
        Phase::Starting { .. }
        | Phase::Standby
        | Phase::Promoting { .. }
        | Phase::Primary
        | Phase::Stopping { .. } => {
            // For long enough: that it is seen at several looks is not modelled.
            let held = host.server.held().then_some(Duration::from_secs(60));
            Postmaster::Running { pid: 4711, held }
        }
    };
    let control =
        (running.needs.control && !host.server.runs()).then(|| inquiry::control(world, &host.disk));
    let own_timeline = control.as_ref().map(ControlData::newest_timeline);
    let silent = matches!(answer, Answer::Silent(_)) && host.disk.locked;
    let upstream = world.connections.iter().find(|c| c.standby == id && c.receiver);
    let receives = upstream.is_some_and(|connection| serves(world, connection.upstream));
    let locked_out = silent.then(|| LockedOut {
        timeline: inquiry::control(world, &host.disk).newest_timeline(),
        receives,
    });
    Instance {
        data_directory: DataDirectory::Present,
        postmaster,
        answer,
        disk: None,
        control,
        own_timeline,
        locked_out,
        is_copy: host.disk.is_copy,
        conninfo_reloads: !world.options.scope.has(Part::Old),
        last_fatal: None,
    }
}

fn files(world: &World, id: HostId, version: usize) -> Files {
    let disk = &world.hosts[id].disk;
    let sync = world.versions[version].rep_mode == ReplicationMode::Sync;
    Files {
        lock: disk.lock,
        sync_names: disk.names.clone(),
        standby_settings: disk.target == Some(Target::Address)
            && disk.mark
            && disk.includes_names == sync
            && disk.uses_slot == world.versions[version].uses_slots()
            && (disk.names.is_some() || !sync),
        recovers_to: disk.target.map(|_| disk.recovers_to),
        standby_mark: disk.mark,
        locked_in_this_life: disk.lock.is_some() && disk.locked_in_this_life,
        in_first_life: disk.in_first_life,
        followed_in_this_life: disk.followed_in_this_life,
        made_slots: Some(disk.made_slots.clone()),
        rewinding: disk.rewinding.then(|| "begun".to_owned()),
        expired_wal: Vec::new(),
    }
}

fn read_cluster(world: &mut World, id: HostId, running: &Running) -> Result<Cluster, String> {
    if world.now < world.hosts[id].slow_until && world.chance.u8(..4) == 0 {
        return Err("the tool did not end in time".into());
    }
    let mut cluster = world.hosts[id].cib.clone();
    if running.quorum_in_doubt {
        cluster.quorum &= world.hosts[id].quorum;
    }
    cluster.quorum_rule = match world.hosts.iter().filter(|host| host.joined).count() {
        0..=2 => QuorumRule::TwoNodes,
        _ => QuorumRule::Majority,
    };
    let mut listed = world.hosts.iter().map(|host| host.listed);
    cluster.nodes.retain(|_| listed.next().unwrap_or(true));
    if running.needs.positions {
        let group = world.groups.iter().find(|group| group.members.contains(&id));
        for node in &mut cluster.nodes {
            let Some(other) = world.id(&node.name) else { continue };
            let together = group.is_some_and(|group| group.members.contains(&other));
            node.publish(published(world, id, other).filter(|_| together));
        }
    }
    Ok(cluster)
}

/// What the attribute daemon here knows of another's position: a moment later than the other.
fn published(world: &World, id: HostId, other: HostId) -> Option<PublishedPosition> {
    let (published, since) = world.hosts[other].position?;
    (id == other || world.now > since).then_some(published)
}

fn cluster_view(running: &Running) -> ClusterView {
    let mut cluster = match &running.cluster {
        None => return ClusterView::NotAsked,
        Some(Err(error)) => return ClusterView::Unavailable(error.clone()),
        Some(Ok(cluster)) => cluster.clone(),
    };
    for attempt in running.taken.0.iter().filter(|attempt| attempt.error.is_none()) {
        cluster.apply(&attempt.step);
    }
    ClusterView::Seen(cluster)
}
