//! What an agent sees of the simulated world: the only place that builds an observation.

use std::time::Duration;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::Cluster;
use pgsql_ha::model::instance::{
    Answer, ControlData, DataDirectory, Files, Instance, Postmaster, PrimaryReport, Receiver,
    Refusal, SlotRow, StandbyReport,
};
use pgsql_ha::model::observation::{ActionTime, ClusterView, Observation};
use pgsql_ha::model::recovery_timeline::RecoveryTimeline;
use pgsql_ha::model::rejoin::{Evidence, OwnData, PrimaryData};
use pgsql_ha::model::settings::ReplicationMode;
use pgsql_ha::model::wal::{PublishedPosition, Timeline, WalLayout};

use crate::agent::Running;
use crate::disk::Target;
use crate::postgres::Phase;
use crate::replication;
use crate::wal::lsn;
use crate::world::{HostId, TICK_MS, Tick, World};

/// How long a server is asked when it is about to be stopped, or in a notification.
const SHORT_PATIENCE: Tick = 20;

/// Takes a snapshot, or `None` while the agent waits for a server that does not answer.
pub fn observe(world: &mut World, id: HostId, running: &mut Running) -> Option<Observation> {
    let answer = answer(world, id, running)?;
    if running.needs.cluster && running.cluster.is_none() {
        running.cluster = Some(read_cluster(world, id, running));
    }
    let remaining = running.remaining(world.now);
    Some(Observation {
        time: ActionTime { elapsed: ticks(world.now - running.began), remaining: ticks(remaining) },
        local: world.hosts[id].name.clone(),
        instance: instance(world, id, running, answer),
        files: if running.needs.files { files(world, id) } else { Files::default() },
        cluster: cluster_view(running),
        evidence: Some(evidence(world, id, running)),
        notification: running.order.notification.clone(),
        probe: running.order.probe,
        taken: running.taken.clone(),
    })
}

/// What a comparison of the data with the primary's history would read. That of a stopped node is not
/// modelled: nothing is proven at a start, so that the lock holds.
fn evidence(world: &World, id: HostId, running: &Running) -> Evidence {
    let error = || "not modelled".to_owned();
    let host = &world.hosts[id];
    if running.order.action != Action::Monitor || host.server.phase != Phase::Standby {
        return Evidence { own: Err(error()), primary: Err(error()) };
    }
    let wal = &host.disk.wal;
    let wal_end = match host.server.asked_for_more {
        true => Ok(lsn(wal.len())),
        false => Err("its own WAL has not been read".to_owned()),
    };
    let own = OwnData {
        control: control(world, id),
        stays_on: matches!(host.disk.recovers_to, RecoveryTimeline::Own(_))
            .then(|| Timeline(wal.timeline())),
        wal_end: Some(wal_end),
        history: Some(wal.history()),
        newest_segment: Some(Timeline(wal.timeline())),
        is_copy: false,
    };
    let primary = match &running.cluster {
        Some(Ok(cluster)) => cluster.primary().and_then(|primary| world.id(&primary.name)),
        Some(Err(_)) | None => None,
    };
    let answers = |other: &HostId| {
        world.hosts[*other].on
            && world.hosts[*other].server.phase == Phase::Primary
            && world.links.both_ways(id, *other)
    };
    let primary = primary.filter(answers).ok_or_else(|| "no answer".to_owned());
    let primary = primary.map(|other| PrimaryData {
        address: world.hosts[other].name.to_string(),
        system_identifier: 1,
        history: world.hosts[other].disk.wal.history(),
        source: None,
    });
    Evidence { own: Ok(own), primary }
}

fn control(world: &World, id: HostId) -> ControlData {
    let disk = &world.hosts[id].disk;
    ControlData {
        system_identifier: 1,
        state: disk.control.clone(),
        timeline: Timeline(disk.wal.timeline()),
        checkpoint: lsn(0),
        min_recovery: None,
        can_rewind: false,
        layout: WalLayout { page: 8192, segment: 16 << 20 },
    }
}

const fn ticks(ticks: Tick) -> Duration {
    Duration::from_millis(ticks * TICK_MS)
}

fn answer(world: &mut World, id: HostId, running: &mut Running) -> Option<Answer> {
    let server = &world.hosts[id].server;
    if !running.needs.server || !server.runs() {
        return Some(Answer::NotAsked);
    }
    if !server.hung {
        running.asked_until = None;
        return Some(told(world, id));
    }
    if server.held() {
        return Some(Answer::Silent("held".into()));
    }
    let until = *running.asked_until.get_or_insert_with(|| {
        let rest =
            running_rest(&running.order.action, world.now, running.began, running.order.timeout);
        world.now + rest
    });
    if world.now < until {
        running.blocked_until = world.now + 1;
        return None;
    }
    running.asked_until = None;
    Some(Answer::Silent("no answer in time".into()))
}

fn running_rest(action: &Action, now: Tick, began: Tick, timeout: Tick) -> Tick {
    let margin = (timeout / 10).clamp(5, 50);
    let rest = (began + timeout).saturating_sub(margin).saturating_sub(now);
    match action {
        Action::Demote | Action::Notify => rest.min(SHORT_PATIENCE),
        Action::Start
        | Action::Stop
        | Action::Status
        | Action::Monitor
        | Action::Promote
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
            let known = if server.asked_for_more { disk.wal.flushed() } else { server.replayed };
            Answer::Standby(StandbyReport {
                timeline: Timeline(disk.wal.timeline()),
                wal_end: lsn(known.max(server.replayed)),
                replayed: lsn(server.replayed),
                own_wal_read: server.asked_for_more,
                receiver: connection.map(|_| Receiver {
                    streaming: true,
                    timeline: Some(Timeline(disk.wal.timeline())),
                }),
                // A standby that cannot follow stays as it is: bringing it back is not modelled.
                left_at: None,
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
    let control = (running.needs.control && !host.server.runs()).then(|| control(world, id));
    let own_timeline = control.as_ref().map(|control| control.timeline);
    Instance {
        data_directory: DataDirectory::Present,
        postmaster,
        answer,
        disk: None,
        control,
        own_timeline,
        is_copy: false,
        conninfo_reloads: true,
        last_fatal: None,
    }
}

fn files(world: &World, id: HostId) -> Files {
    let disk = &world.hosts[id].disk;
    let sync = world.settings.rep_mode == ReplicationMode::Sync;
    Files {
        lock: disk.lock,
        sync_names: disk.names.clone(),
        standby_settings: disk.target == Some(Target::Address)
            && disk.mark
            && (disk.names.is_some() || !sync),
        recovers_to: disk.target.map(|_| disk.recovers_to),
        standby_mark: disk.mark,
        locked_in_this_life: disk.lock.is_some() && disk.locked_in_this_life,
        followed_in_this_life: disk.followed_in_this_life,
        rewinding: None,
        made_slots: Some(disk.made_slots.clone()),
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
    if running.needs.positions {
        let group = world.groups.iter().find(|group| group.members.contains(&id));
        for (other, node) in cluster.nodes.iter_mut().enumerate() {
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
