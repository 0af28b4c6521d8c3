//! A cluster in one process, in which the agent's own decisions run under every misfortune that a seed holds.
//!
//! `agent` is the agent's loop, `observe` and `execute` stand in for the real adapters. Around them is a model
//! of what they would meet: `postgres`, `replication` and `clients` on the one side, `cib`, `network`,
//! `pacemaker` and `fencing` on the other. `faults` is the misfortune, `invariants` what must hold anyway,
//! `health` what must come about in the end, `mutation` and `inject` the proof that it would be noticed if it did not.

mod agent;
mod archive;
mod branch;
mod cib;
mod clients;
mod disk;
mod execute;
mod faults;
mod fencing;
mod hands;
mod health;
mod inject;
mod inquiry;
mod invariants;
mod mutation;
mod network;
mod nodes;
mod observe;
mod options;
mod pacemaker;
mod planning;
mod postgres;
mod replication;
mod rewind;
mod scope;
mod settings;
mod shell;
mod starts;
mod wal;
mod world;

pub use invariants::{Rule, Violation};
pub use mutation::Mutation;
pub use options::Options;
pub use scope::{Part, Scope};

use world::{Tick, World};

/// How long a mended cluster may take to be whole again.
const RECOVERY: Tick = 4000;

/// How often the operator forgets failures then.
const CLEAN_UP: Tick = 300;

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was asked.
    pub options: Options,
    /// How long it was, in tenths of a second.
    pub ticks: u64,
    /// Actions of the agent.
    pub actions: u64,
    /// Rows that were acknowledged.
    pub acknowledged: usize,
    /// Promotions.
    pub promotions: u64,
    /// The first rule that was broken.
    pub violation: Option<Violation>,
}

/// Runs one seed to its end, or to the first broken rule.
#[must_use]
pub fn run(options: Options) -> Report {
    let mut world = World::new(options.settled());
    while world.violation.is_none() && world.now < faults::LAST {
        world.tick();
    }
    if world.violation.is_none() {
        faults::end(&mut world);
        recover(&mut world);
    }
    Report {
        options,
        ticks: world.now,
        actions: world.actions,
        acknowledged: world.ledger.rows.len(),
        promotions: world.promotions,
        violation: world.violation,
    }
}

/// Goes on until nothing is amiss for a while.
fn recover(world: &mut World) {
    let mut healthy_since = None;
    while world.violation.is_none() && world.now < faults::LAST + RECOVERY {
        world.tick();
        if (world.now - faults::LAST).is_multiple_of(CLEAN_UP) {
            nodes::renew(world);
            pacemaker::clean_up(world);
        }
        healthy_since = match health::unhealthy(world) {
            None => healthy_since.or(Some(world.now)),
            Some(_) => None,
        };
        if healthy_since.is_some_and(|since| world.now >= since + 100) {
            break;
        }
    }
    if world.violation.is_none() {
        health::at_last(world);
    }
}
