//! What a run is about: the seed decides what the caller leaves open.

use pgsql_ha::model::settings::ReplicationMode;
use pgsql_ha::model::sync_names::SyncMethod;

use crate::mutation::Mutation;
use crate::scope::{Part, Scope};

/// Everything that makes one run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// All chance comes from it.
    pub seed: u64,
    /// How many hosts, 2 to 5.
    pub hosts: usize,
    /// `rep_mode`: sync or async.
    pub mode: ReplicationMode,
    /// `sync_method`.
    pub sync_method: SyncMethod,
    /// `sync_standbys`.
    pub sync_standbys: usize,
    /// `sync_availability=strict`.
    pub strict: bool,
    /// `no-quorum-policy=ignore`; otherwise partitions without quorum stop their resources.
    pub ignore_quorum: bool,
    /// `migration-threshold`.
    pub threshold: u32,
    /// What the world has beyond the ordinary.
    pub scope: Scope,
    /// The rule that is broken, if one is.
    pub mutation: Option<Mutation>,
    /// Say what happens.
    pub trace: bool,
}

impl Options {
    /// Lets the seed decide.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed ^ 0x5EED);
        let hosts = [3, 3, 3, 2, 2, 4, 5][chance.usize(..7)];
        let mode = match chance.u8(..4) {
            0 => ReplicationMode::Async,
            1.. => ReplicationMode::Sync,
        };
        let ignore_quorum = hosts == 2 && chance.bool();
        let threshold = if chance.bool() { 1 } else { 3 };
        let scope = Scope::drawn(&mut fastrand::Rng::with_seed(seed ^ 0x0005_C09E));
        Self {
            seed,
            hosts,
            mode,
            sync_method: [SyncMethod::First, SyncMethod::Any][chance.usize(..2)],
            sync_standbys: [1, 1, 2][chance.usize(..3)],
            strict: chance.u8(..3) == 0,
            ignore_quorum,
            threshold,
            scope,
            mutation: None,
            trace: false,
        }
    }

    /// Beside the shell agent nothing is asked for that it does not know.
    #[must_use]
    pub const fn settled(mut self) -> Self {
        if self.scope.has(Part::Shell) {
            (self.sync_method, self.sync_standbys, self.strict) = (SyncMethod::First, 1, false);
        }
        self
    }

    /// Returns the command that runs this again, and says what happens.
    #[must_use]
    pub fn replay(&self) -> String {
        let mode = match self.mode {
            ReplicationMode::Async => "async",
            ReplicationMode::Sync | ReplicationMode::None | ReplicationMode::Slave => "sync",
        };
        let mut line = format!(
            "cargo run -p simulation -- --seed {} --hosts {} --mode {mode} --world {}",
            self.seed, self.hosts, self.scope
        );
        if let Some(mutation) = self.mutation {
            line += &format!(" --mutation {mutation}");
        }
        line + " --trace"
    }
}
