//! What of a server survives a loss of power: its data, and the agent's files beside it.

use std::collections::BTreeSet;

use pgsql_ha::model::instance::{ControlState, Lock};
use pgsql_ha::model::slot::MadeSlot;
use pgsql_ha::model::sync_names::SyncNames;

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
    /// `standby.signal`.
    pub mark: bool,
    /// `primary_conninfo` in the agent's file; `None`: never written.
    pub target: Option<Target>,
    /// `rep_mode.conf`.
    pub names: Option<SyncNames>,
    pub lock: Option<Lock>,
    /// Whether the host has been on since it was written.
    pub locked_in_this_life: bool,
    /// `PGSQL.followed`, of the present life.
    pub followed_in_this_life: bool,
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
            mark: false,
            target: None,
            names: None,
            lock: None,
            locked_in_this_life: false,
            followed_in_this_life: false,
            slots: BTreeSet::new(),
            made_slots: Vec::new(),
        }
    }
}
