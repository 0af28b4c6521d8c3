//! What is seen of the local PostgreSQL instance.

use std::path::PathBuf;
use std::time::Duration;

use super::recovery_timeline::RecoveryTimeline;
use super::slot::MadeSlot;
use super::wal::{Lsn, Timeline, WalLayout, WalPosition};

/// The postmaster, proven from the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Postmaster {
    /// No process of this data directory.
    Absent,
    /// The postmaster is alive.
    Running {
        /// Its process identifier.
        pid: i32,
        /// For how long this action has seen a signal (SIGSTOP) or a debugger hold it, at every look: while
        /// that lasts it answers nobody and takes no signal but SIGKILL. A tracer holds a process for moments,
        /// so that a single look says little. `None`: it is not held.
        held: Option<Duration>,
    },
    /// The postmaster is gone but processes it left still use the data directory.
    Orphans {
        /// How many.
        count: usize,
    },
    /// The process table cannot be read: nothing is proven.
    Unknown,
}

/// The data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDirectory {
    /// There, with its `PG_VERSION`.
    Present,
    /// Not there, or without `PG_VERSION` (a file system that is not mounted).
    Missing,
    /// There but cannot be read.
    Unreadable(String),
}

/// Why a live postmaster does not take connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// "The database system is starting up" (SQLSTATE 57P03): recovery, or a standby that is not
    /// consistent yet.
    StartingUp,
    /// "The database system is shutting down" (57P03 as well).
    ShuttingDown,
    /// No connection is free (SQLSTATE 53300): the server is alive and busy.
    Full,
    /// The server said no for another reason: authentication, missing database, no free slot.
    Other(String),
}

/// What the server said to the agent's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nobody was asked: there is no postmaster, or the action does not need it.
    NotAsked,
    /// A primary.
    Primary(PrimaryReport),
    /// A standby.
    Standby(StandbyReport),
    /// The server refuses connections.
    Refused(Refusal),
    /// The server does not answer in time, or closed the connection.
    Silent(String),
    /// The server answers but `monitor_sql` failed.
    MonitorSqlFailed(String),
}

impl Answer {
    /// Returns what a primary has said.
    #[must_use]
    pub const fn primary(&self) -> Option<&PrimaryReport> {
        match self {
            Self::Primary(report) => Some(report),
            Self::Standby(_)
            | Self::NotAsked
            | Self::Refused(_)
            | Self::Silent(_)
            | Self::MonitorSqlFailed(_) => None,
        }
    }
}

/// What a primary knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryReport {
    /// The database user as whom it was asked.
    pub asked_as: String,
    /// Its timeline.
    pub timeline: Timeline,
    /// End of the WAL it has written, read after the rows below.
    pub wal_end: Lsn,
    /// Its connected standbys.
    pub standbys: Vec<StandbyRow>,
    /// The effective `synchronous_standby_names`.
    pub synchronous_standby_names: String,
    /// Its physical replication slots.
    pub slots: Vec<SlotRow>,
    /// Whether commits are seen to obey the present configuration: the checkpointer, which tells them
    /// whether to wait, is at rest and not in the middle of something (`UpdateSharedMemoryConfig` in
    /// checkpointer.c). `sync_state` does not say so: that is the WAL sender's own reading.
    pub sync_config_applied: bool,
}

impl PrimaryReport {
    /// Tells whether it hides what its standbys are from the user as whom it was asked. Whoever has not the
    /// rights of `pg_read_all_stats` sees that they are there, and nothing more
    /// (`pg_stat_get_wal_senders` in walsender.c): that is no word of what they have.
    #[must_use]
    pub fn hides_standbys(&self) -> bool {
        self.standbys.iter().any(|row| row.state.is_none() || row.sync_state.is_none())
    }

    /// Marks the rows of standbys whose history forked off, given where the primary's timeline began.
    pub fn mark_forked_standbys(&mut self, began: Option<Lsn>) {
        for row in &mut self.standbys {
            let own_timeline = began.is_none() || row.sent_lsn > began;
            row.shares_history = own_timeline && row.flush_lsn <= Some(self.wal_end);
        }
    }
}

/// A row of `pg_stat_replication`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandbyRow {
    /// The name that the standby gave itself.
    pub application_name: String,
    /// `state`, in lower case; `None` when the monitoring user may not see it.
    pub state: Option<String>,
    /// `sync_state`, in lower case; `None` when the monitoring user may not see it.
    pub sync_state: Option<String>,
    /// How far WAL was sent to it.
    pub sent_lsn: Option<Lsn>,
    /// How far the standby has flushed.
    pub flush_lsn: Option<Lsn>,
    /// Whether WAL of the primary's own timeline was sent to it, and it has none beyond the primary's. A
    /// standby whose history forked off streams as well, for a moment: up to the end of the timeline that
    /// both have in common (`XLogSendPhysical` in walsender.c), and what it says it has flushed is its own.
    pub shares_history: bool,
}

/// A row of `pg_replication_slots` (physical slots only).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Name.
    pub name: String,
    /// Whether a standby uses it.
    pub active: bool,
    /// The oldest WAL that it keeps; `None`: it keeps nothing.
    pub restart_lsn: Option<Lsn>,
    /// Whether WAL that it should have kept is gone (`wal_status` is `lost`): no standby can use it.
    pub lost: bool,
    /// How long nobody has used it, as far as that is known.
    pub idle: Option<Duration>,
}

/// The file system of the WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that the server may still use.
    pub free: u64,
    /// All its bytes.
    pub total: u64,
}

/// What a standby knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandbyReport {
    /// The newest timeline it has WAL of.
    pub timeline: Timeline,
    /// The end of its WAL: received or replayed, whichever is further.
    pub wal_end: Lsn,
    /// How far it has replayed.
    pub replayed: Lsn,
    /// Whether it has read all WAL that it has: since it was started it has asked for more
    /// (`RequestXLogStreaming` in walreceiverfuncs.c). Until then there may be some behind `wal_end`.
    pub local_wal_exhausted: bool,
    /// Its WAL receiver, while there is one.
    pub receiver: Option<Receiver>,
    /// Where the newest timeline that it was told of left its own; looked for only while it does not
    /// stream.
    pub left_at: Option<WalPosition>,
    /// The effective `primary_conninfo`; `None` when it cannot be read.
    pub primary_conninfo: Option<String>,
    /// Whether that is not what the agent's file says: another source overrides it.
    pub conninfo_overridden: bool,
    /// The effective `synchronous_standby_names`.
    pub synchronous_standby_names: String,
    /// Its physical replication slots.
    pub slots: Vec<SlotRow>,
    /// Whether slots can be moved on by hand (PostgreSQL 11 and later).
    pub slots_advance: bool,
    /// Whether its checkpointer has read the present configuration, as in [`PrimaryReport`].
    pub sync_config_applied: bool,
}

impl StandbyReport {
    /// Returns the end of its WAL and the history it belongs to.
    #[must_use]
    pub const fn position(&self) -> WalPosition {
        WalPosition { timeline: self.timeline, lsn: self.wal_end }
    }

    /// Tells whether WAL arrives from a primary right now.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        self.receiver.as_ref().is_some_and(|receiver| receiver.streaming)
    }
}

/// The WAL receiver (`pg_stat_wal_receiver`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Whether its state is `streaming`.
    pub streaming: bool,
    /// Timeline of the WAL it received last.
    pub timeline: Option<Timeline>,
}

/// What `pg_control` says of a stopped instance (`pg_controldata`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlData {
    /// Identifies the database cluster through all its copies.
    pub system_identifier: u64,
    /// How the instance ended.
    pub state: ControlState,
    /// Timeline of the latest checkpoint.
    pub timeline: Timeline,
    /// Position of the latest checkpoint record.
    pub checkpoint: Lsn,
    /// How far a standby, or a copy, has to recover before it is consistent; `None`: a primary's.
    pub min_recovery: Option<WalPosition>,
    /// Whether `pg_rewind` can tell which blocks were changed: data checksums or `wal_log_hints`, and
    /// `full_page_writes`.
    pub can_rewind: bool,
    /// How its WAL is cut into files.
    pub layout: WalLayout,
}

impl ControlData {
    /// Returns the newest timeline that the data belongs to: after a promotion the minimum recovery
    /// point shows it before the first checkpoint does (`CreateEndOfRecoveryRecord()` in `xlog.c`).
    #[must_use]
    pub fn newest_timeline(&self) -> Timeline {
        self.min_recovery.map_or(self.timeline, |end| end.timeline.max(self.timeline))
    }
}

/// `pg_control`'s "Database cluster state".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlState {
    /// A primary was shut down cleanly.
    ShutDown,
    /// A standby was shut down cleanly.
    ShutDownInRecovery,
    /// A primary runs, or crashed.
    InProduction,
    /// A standby runs, or crashed.
    InArchiveRecovery,
    /// Any other state.
    Other(String),
}

/// The local instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its data directory.
    pub data_directory: DataDirectory,
    /// Its postmaster.
    pub postmaster: Postmaster,
    /// What the server said.
    pub answer: Answer,
    /// The file system of its WAL; looked at by a monitor.
    pub disk: Option<DiskSpace>,
    /// `pg_control`, read when no postmaster runs and the action needs it.
    pub control: Option<ControlData>,
    /// The newest timeline of its WAL, read together with that.
    pub own_timeline: Option<Timeline>,
    /// What is seen from outside of a server into which nobody can log in.
    pub locked_out: Option<LockedOut>,
    /// Whether it is a copy that has not been started yet (`backup_label`), read together with that.
    pub is_copy: bool,
    /// Whether the server takes a new `primary_conninfo` without a restart (PostgreSQL 13 and later).
    pub conninfo_reloads: bool,
    /// The last FATAL or PANIC line that the server wrote to its log since this action launched
    /// it, read when it died.
    pub last_fatal: Option<String>,
}

/// What is seen from outside of a server that does not answer, and in which a log-in waits for a lock: so it is
/// neither held nor does its storage stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockedOut {
    /// The newest timeline of its WAL.
    pub timeline: Timeline,
    /// Whether its WAL receiver has received something since the look before.
    pub receives: bool,
}

/// The files that the agent keeps beside the instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// `PGSQL.lock`: this node has been primary.
    pub lock: Option<Lock>,
    /// The value in `rep_mode.conf`; `None`: no such file.
    pub sync_names: Option<super::sync_names::SyncNames>,
    /// Whether directories, include lines, recovery settings and `standby.signal` are as they
    /// must be for a standby of `master_ip`, whichever timeline it recovers to.
    pub standby_settings: bool,
    /// Which timeline the settings let it recover to; `None`: there are none of the agent's.
    pub recovers_to: Option<RecoveryTimeline>,
    /// Whether the server is told to run as a standby (`standby.signal`; `recovery.conf` below 12).
    pub standby_signal: bool,
    /// Whether the lock was written since Pacemaker was started on this node: whoever is promoted since
    /// then is on record here, or has fenced this node.
    pub lock_since_cluster_start: bool,
    /// Whether an instance was started here for the first time since Pacemaker was started: nobody else can have been
    /// promoted while this node was away, for it has not been away.
    pub first_start_since_boot: bool,
    /// Whether this node has been a standby in the same cluster as a primary since Pacemaker was started
    /// here: its copy of the record has all that the primary wrote until one of them was fenced.
    pub followed_since_cluster_start: bool,
    /// Folders of WAL that were kept for as long as they should be; looked for by a start.
    pub expired_wal: Vec<PathBuf>,
    /// `PGSQL.rewind`: a `pg_rewind` of the agent has begun and not come to its end; what it says.
    pub rewinding: Option<String>,
    /// `PGSQL.slots`: the slots that the agent has made here; `None`: it cannot be read.
    pub made_slots: Option<Vec<MadeSlot>>,
}

/// `PGSQL.lock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// The timeline on which this node was primary; `None`: the stock agent wrote the file.
    pub timeline: Option<Timeline>,
}
