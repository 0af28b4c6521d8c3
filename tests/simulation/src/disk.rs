//! What of a server survives a loss of power: its data, and the agent's files beside it.

use std::collections::BTreeSet;

use pgsql_ha::model::instance::{ControlState, Lock};
use pgsql_ha::model::recovery_timeline::RecoveryTimeline;
use pgsql_ha::model::slot::MadeSlot;
use pgsql_ha::model::sync_names::SyncNames;

use crate::shell::Note;
use crate::wal::Wal;
use crate::world::HostId;

/// Where a standby looks for WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Whoever has the primary's address.
    Address,
    /// Another node, for the time of a promotion.
    Peer(HostId),
}

/// What survives a loss of power.
#[derive(Debug, Clone)]
pub struct Disk {
    pub wal: Wal,
    /// How far WAL has to be replayed before a standby takes connections.
    pub consistent_at: usize,
    pub control: ControlState,
    /// The place of the last checkpoint's record.
    pub checkpoint: usize,
    /// The place of the record that ended recovery, until the first checkpoint of the reign.
    pub end_of_recovery: Option<usize>,
    /// `backup_label`: a copy that was never started.
    pub is_copy: bool,
    /// A lock on the catalog is in the WAL: nobody can log in before it is given back, or a promotion does so.
    pub locked: bool,
    /// `PGSQL.rewind`: `pg_rewind` has begun and not come to its end.
    pub rewinding: bool,
    /// A timeline of which it has received WAL that it cannot replay.
    pub stray: Option<u32>,
    /// PostgreSQL 13 or later.
    pub reloads_conninfo: bool,
    /// `archive_mode`, and the next segment to archive.
    pub archives: bool,
    pub archived: usize,
    /// `standby.signal`.
    pub mark: bool,
    /// `primary_conninfo` in the agent's file; `None`: never written.
    pub target: Option<Target>,
    /// `primary_slot_name`.
    pub uses_slot: bool,
    /// `recovery_target_timeline` in the same file.
    pub recovers_to: RecoveryTimeline,
    /// `rep_mode.conf`.
    pub names: Option<SyncNames>,
    /// Whether the server's configuration includes that file, which it does with `rep_mode=sync`.
    pub includes_names: bool,
    pub lock: Option<Lock>,
    /// Whether the host has been on since it was written.
    pub lock_since_cluster_start: bool,
    /// Whether the host has never lost its power: when an instance was first started is not modelled.
    pub first_start_since_boot: bool,
    /// `PGSQL.followed`, of the present life.
    pub followed_since_cluster_start: bool,
    /// The shell agent's note of WAL locations.
    pub note: Option<Note>,
    pub slots: BTreeSet<String>,
    /// `PGSQL.slots`.
    pub made_slots: Vec<MadeSlot>,
}

impl Disk {
    pub fn new() -> Self {
        Self {
            wal: Wal::new(),
            consistent_at: 1,
            control: ControlState::ShutDown,
            checkpoint: 0,
            end_of_recovery: None,
            is_copy: false,
            locked: false,
            rewinding: false,
            stray: None,
            reloads_conninfo: true,
            archives: false,
            archived: 0,
            mark: false,
            target: None,
            uses_slot: false,
            recovers_to: RecoveryTimeline::Latest,
            names: None,
            includes_names: false,
            lock: None,
            lock_since_cluster_start: false,
            first_start_since_boot: true,
            followed_since_cluster_start: false,
            note: None,
            slots: BTreeSet::new(),
            made_slots: Vec::new(),
        }
    }

    /// What the server reads when it is told to.
    pub fn effective_names(&self) -> SyncNames {
        self.names.clone().filter(|_| self.includes_names).unwrap_or_default()
    }
}
