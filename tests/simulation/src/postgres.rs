//! One PostgreSQL server and its disk: processes, recovery, promotion, shutdown, reloads.
//!
//! What needs a second host is in `replication`, what clients are told in `clients`.

use pgsql_ha::model::instance::ControlState;
use pgsql_ha::model::recovery_timeline::RecoveryTimeline;
use pgsql_ha::model::step::ShutdownMode;
use pgsql_ha::model::sync_names::SyncNames;

use crate::archive::SEGMENT;
use crate::branch::Branch;
use crate::disk::{Disk, Target};
use crate::world::Tick;

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Absent,
    /// Processes that a killed postmaster left.
    Orphans {
        until: Tick,
    },
    /// Recovery, before connections are taken.
    Starting {
        until: Tick,
    },
    Standby,
    /// `pg_ctl promote` has been heard.
    Promoting {
        until: Tick,
    },
    Primary,
    /// A fast shutdown.
    Stopping {
        until: Tick,
        was_primary: bool,
    },
}

/// A client whose commit waits for standbys.
#[derive(Debug, Clone, Copy)]
pub struct Waiter {
    pub id: u32,
    pub place: usize,
}

/// The processes of a server.
#[derive(Debug, Clone)]
pub struct Server {
    pub phase: Phase,
    /// The postmaster does nothing: its children go on, nobody new gets in, no signal is heard.
    pub hung: bool,
    /// Whether the process table shows that (SIGSTOP); what waits for a disk looks alive.
    pub shows: bool,
    /// Counts the launches, so that a connection knows its server.
    pub incarnation: u32,
    pub replayed: usize,
    /// Whether it has read all WAL that it has, and a receiver was started since the launch: where its WAL ends is
    /// known to the byte.
    pub asked_for_more: bool,
    /// The `primary_conninfo` in use.
    pub target: Option<Target>,
    /// `recovery_target_timeline`, looked up in the archive.
    pub follows: Option<Branch>,
    /// Whether it stays on its own timeline.
    pub stays: bool,
    pub retry_at: Tick,
    /// `synchronous_standby_names` of postmaster and new sessions.
    pub names: SyncNames,
    pub reload: bool,
    /// Whether the checkpointer has told commits to wait.
    pub commits_wait: bool,
    pub checkpointer_busy_until: Tick,
    pub promote: bool,
    pub shutdown: Option<ShutdownMode>,
    pub waiters: Vec<Waiter>,
}

impl Server {
    pub fn new() -> Self {
        Self {
            phase: Phase::Absent,
            hung: false,
            shows: false,
            incarnation: 0,
            replayed: 0,
            asked_for_more: false,
            target: None,
            follows: None,
            stays: false,
            retry_at: 0,
            names: SyncNames::nobody(),
            reload: false,
            commits_wait: false,
            checkpointer_busy_until: 0,
            promote: false,
            shutdown: None,
            waiters: Vec::new(),
        }
    }

    /// Tells whether there is a postmaster.
    pub const fn runs(&self) -> bool {
        !matches!(self.phase, Phase::Absent | Phase::Orphans { .. })
    }

    /// Tells whether the process table shows that the postmaster is held.
    pub const fn held(&self) -> bool {
        self.hung && self.shows
    }

    /// Tells whether new connections are taken.
    pub const fn accepts(&self) -> bool {
        matches!(self.phase, Phase::Standby | Phase::Promoting { .. } | Phase::Primary)
            && !self.hung
    }

    /// Tells whether it sends WAL on connections that it has.
    pub const fn sends(&self) -> bool {
        matches!(
            self.phase,
            Phase::Standby
                | Phase::Promoting { .. }
                | Phase::Primary
                | Phase::Stopping { was_primary: true, .. }
        )
    }

    pub fn launch(&mut self, disk: &Disk, now: Tick, takes: Tick) {
        *self = Self {
            phase: Phase::Starting { until: now + takes },
            incarnation: self.incarnation + 1,
            target: disk.target,
            stays: matches!(disk.recovers_to, RecoveryTimeline::Own(_)),
            names: disk.effective_names(),
            ..Self::new()
        };
    }

    /// Ends every process at once.
    pub fn die(&mut self, phase: Phase) {
        *self = Self { phase, incarnation: self.incarnation, ..Self::new() };
    }
}

/// What became of a server in a tick, for those who keep watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Promoted { id: u32, place: usize },
    Ended,
}

/// Lets a server live one tick. `sent` tells whether every standby has all WAL, which a fast shutdown
/// waits for.
pub fn live(
    (server, disk): (&mut Server, &mut Disk),
    now: Tick,
    chance: &mut fastrand::Rng,
    sent: bool,
    next_id: &mut u32,
) -> Option<Event> {
    if !server.hung {
        hear_signals(server, disk, now, chance, next_id);
    }
    match server.phase {
        Phase::Absent => None,
        Phase::Orphans { until } => {
            (now >= until).then(|| server.die(Phase::Absent)).map(|()| Event::Ended)
        }
        Phase::Starting { until } if now >= until && !server.hung => accept(server, disk, next_id),
        Phase::Starting { .. } => None,
        Phase::Standby => {
            replay(server, disk, chance);
            None
        }
        Phase::Promoting { until } if now >= until => Some(promoted(server, disk, next_id)),
        Phase::Promoting { .. } => None,
        Phase::Primary => {
            if chance.u8(..10) < 7 {
                disk.wal.flush();
            }
            checkpointer(server, now, chance);
            if now % 64 == 0 && now >= server.checkpointer_busy_until {
                (disk.checkpoint, disk.end_of_recovery) = (disk.wal.flushed() - 1, None);
            }
            None
        }
        Phase::Stopping { until, was_primary } if now >= until && (sent || !was_primary) => {
            disk.wal.flush();
            if was_primary {
                disk.control = ControlState::ShutDown;
                (disk.checkpoint, disk.end_of_recovery) = (disk.wal.len() - 1, None);
            } else {
                disk.control = ControlState::ShutDownInRecovery;
            }
            server.die(Phase::Absent);
            Some(Event::Ended)
        }
        Phase::Stopping { .. } => None,
    }
}

fn hear_signals(
    server: &mut Server,
    disk: &mut Disk,
    now: Tick,
    chance: &mut fastrand::Rng,
    next_id: &mut u32,
) {
    if server.reload {
        server.reload = false;
        if disk.reloads_conninfo {
            server.target = disk.target;
        }
        server.names = disk.effective_names();
    }
    if server.promote && server.phase == Phase::Standby {
        server.promote = false;
        server.phase = Phase::Promoting { until: now + chance.u64(1..12) };
    }
    match server.shutdown.take() {
        Some(ShutdownMode::Fast) if server.runs() => {
            let was_primary = server.phase == Phase::Primary;
            if matches!(server.phase, Phase::Stopping { .. }) {
                return;
            }
            server.waiters.clear();
            if was_primary {
                // With archiving on it switches to a new segment before the shutdown checkpoint.
                while disk.archives && !disk.wal.len().is_multiple_of(SEGMENT) {
                    disk.wal.append(fresh(next_id));
                }
                disk.wal.append(fresh(next_id));
                disk.wal.flush();
            }
            server.phase = Phase::Stopping { until: now + chance.u64(1..8), was_primary };
        }
        Some(ShutdownMode::Immediate) if server.runs() => server.die(Phase::Absent),
        Some(ShutdownMode::Fast | ShutdownMode::Immediate | ShutdownMode::Kill) | None => {}
    }
}

/// Recovery is consistent: a crashed primary has replayed all it had, a standby perhaps not.
fn accept(server: &mut Server, disk: &mut Disk, next_id: &mut u32) -> Option<Event> {
    let was_primary = matches!(disk.control, ControlState::InProduction | ControlState::ShutDown);
    server.replayed = if was_primary { disk.wal.flushed() } else { disk.consistent_at };
    disk.is_copy = false;
    if disk.mark {
        disk.consistent_at = server.replayed;
        disk.end_of_recovery = None;
        disk.control = ControlState::InArchiveRecovery;
        server.phase = Phase::Standby;
        return None;
    }
    // Without the mark it is a primary again, on the timeline that it had.
    disk.control = ControlState::InProduction;
    server.phase = Phase::Primary;
    server.commits_wait = !server.names.is_nobody();
    let id = fresh(next_id);
    let place = disk.wal.append(id);
    disk.wal.flush();
    (disk.checkpoint, disk.end_of_recovery) = (place, None);
    Some(Event::Promoted { id, place })
}

fn replay(server: &mut Server, disk: &mut Disk, chance: &mut fastrand::Rng) {
    if chance.u8(..10) < 8 {
        disk.wal.flush();
    }
    let speed = if chance.u8(..5) == 0 { 0 } else { chance.usize(1..30) };
    server.replayed = (server.replayed + speed).min(disk.wal.flushed());
    if chance.u8(..5) == 0 {
        disk.checkpoint = disk.checkpoint.max(disk.consistent_at - 1);
        disk.consistent_at = disk.consistent_at.max(server.replayed);
    }
}

fn promoted(server: &mut Server, disk: &mut Disk, next_id: &mut u32) -> Event {
    disk.wal.flush();
    let id = fresh(next_id);
    let place = disk.wal.branch_off(id);
    disk.end_of_recovery = Some(place);
    server.replayed = disk.wal.flushed();
    server.phase = Phase::Primary;
    server.commits_wait = !server.names.is_nobody();
    disk.mark = false;
    disk.control = ControlState::InProduction;
    Event::Promoted { id, place }
}

/// The checkpointer tells commits whether to wait, when it comes to it (`UpdateSharedMemoryConfig`).
fn checkpointer(server: &mut Server, now: Tick, chance: &mut fastrand::Rng) {
    if now < server.checkpointer_busy_until {
        return;
    }
    server.commits_wait = !server.names.is_nobody();
    if chance.u8(..100) == 0 {
        server.checkpointer_busy_until = now + chance.u64(1..40);
    }
}

pub fn fresh(next_id: &mut u32) -> u32 {
    *next_id += 1;
    *next_id
}
