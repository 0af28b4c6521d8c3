//! Parameters that the stock agent does not have, as plain data. Each default behaves as the stock
//! agent does, except that slots on standbys, and WAL before a `pg_rewind`, are kept.

use std::time::Duration;

use super::sync_names::SyncMethod;

/// Parameter `sync_availability`: what commits do when no standby is there to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncAvailability {
    /// They stop waiting, once that is safe.
    #[default]
    Available,
    /// They wait for one.
    Strict,
}

/// Whom commits wait for, who is too far behind to be promoted, and what slots may keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How many standbys each commit waits for.
    pub sync_standbys: usize,
    /// Which ones.
    pub sync_method: SyncMethod,
    /// What commits do when there is none.
    pub sync_availability: SyncAvailability,
    /// How many bytes of WAL a standby may lack and still be promoted in async mode; 0: any number.
    pub max_lag_on_failover: u64,
    /// How many bytes of WAL a standby keeps for the other nodes; 0: it has no slots for them.
    pub standby_slot_keep_size: u64,
    /// How many bytes of WAL the slot of a standby that is away may keep; 0: any number.
    pub slot_max_retained: u64,
    /// How long the slot of a node that is away is kept; zero: for ever.
    pub slot_expire: Duration,
    /// How many bytes of WAL may be kept that `pg_rewind` takes from a node; 0: none is kept.
    pub rewind_keep_size: u64,
    /// For how many days; 0: for ever.
    pub rewind_keep_days: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            sync_standbys: 1,
            sync_method: SyncMethod::First,
            sync_availability: SyncAvailability::Available,
            max_lag_on_failover: 0,
            standby_slot_keep_size: 1 << 30,
            slot_max_retained: 0,
            slot_expire: Duration::ZERO,
            rewind_keep_size: 16 << 30,
            rewind_keep_days: 30,
        }
    }
}
