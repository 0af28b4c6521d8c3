//! What an agent sees of the simulated world: the only place that builds an observation.

use std::time::Duration;

use pgsql_ha::engine::Local;
use pgsql_ha::model::cluster::{Cluster, QuorumRule};
use pgsql_ha::model::instance::{
    Answer, ControlData, DataDirectory, Files, Instance, LockedOut, Postmaster, PrimaryReport,
    Receiver, Refusal, SlotRow, StandbyReport,
};
use pgsql_ha::model::observation::Observation;
use pgsql_ha::model::settings::ReplicationMode;
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

/// Takes a snapshot, or `None` while the agent waits for a server that does not answer.
pub fn observe(world: &mut World, id: HostId, running: &mut Running) -> Option<Observation> {
    let answer = answer(world, id, running)?;
    let rejoin = world.versions[running.order.version].rejoin;
    if let Some(primary) = running.engine.wants_evidence(running.elapsed(world.now)).cloned() {
        let (evidence, took) = inquiry::read(world, id, &primary, rejoin);
        running.engine.hear_evidence(evidence, running.elapsed(world.now + took));
        if took > 0 {
            running.blocked_until = world.now + took;
            return None;
        }
    }
    if running.engine.wants_cluster() {
        let read = read_cluster(world, id, running);
        running.read = Some(read.clone());
        running.engine.hear_cluster(read);
    }
    let needs = running.engine.needs();
    let local = Local {
        name: world.hosts[id].name.clone(),
        instance: instance(world, id, running, answer),
        files: match needs.files {
            true => files(world, id, running.order.version),
            false => Files::default(),
        },
    };
    Some(running.engine.observation(local, running.elapsed(world.now)))
}

fn answer(world: &mut World, id: HostId, running: &mut Running) -> Option<Answer> {
    let server = &world.hosts[id].server;
    if !running.engine.needs().server || !server.runs() {
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
    let patience = running.engine.patience(standby, running.elapsed(world.now));
    let patience = patience.as_millis() as Tick / TICK_MS;
    let until = *running.asked_until.get_or_insert(world.now + patience);
    if world.now < until {
        running.blocked_until = world.now + 1;
        return None;
    }
    running.asked_until = None;
    Some(Answer::Silent("no answer in time".into()))
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
                sync_config_applied: world.now >= server.checkpointer_busy_until,
            };
            report.mark_forked_standbys(disk.wal.beginning().map(lsn));
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
                local_wal_exhausted: server.asked_for_more,
                receiver: connection
                    .map(|_| Receiver { streaming: true, timeline: Some(timeline) }),
                // Without proof and rewind nothing would bring back a standby that cannot follow.
                left_at: disk.wal.left_at().filter(|_| connection.is_none() && proof),
                primary_conninfo: None,
                conninfo_overridden: false,
                synchronous_standby_names: names,
                slots,
                slots_advance: true,
                sync_config_applied: world.now >= server.checkpointer_busy_until,
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
    let control = (running.engine.needs().control && !host.server.runs())
        .then(|| inquiry::control(world, &host.disk));
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
        standby_signal: disk.mark,
        lock_since_cluster_start: disk.lock.is_some() && disk.lock_since_cluster_start,
        first_start_since_boot: disk.first_start_since_boot,
        followed_since_cluster_start: disk.followed_since_cluster_start,
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
    if running.engine.doubts_quorum() {
        cluster.quorum &= world.hosts[id].quorum;
    }
    cluster.quorum_rule = match world.joined() {
        0..=2 => QuorumRule::TwoNodes,
        _ => QuorumRule::Majority,
    };
    let mut listed = world.hosts.iter().map(|host| host.listed);
    cluster.nodes.retain(|_| listed.next().unwrap_or(true));
    if running.engine.needs().positions {
        let group = world.group_of(id);
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
