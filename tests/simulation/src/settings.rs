//! The agent's parameters, read from an environment as the agent itself reads them.

use pgsql_ha::model::settings::{ReplicationMode, Settings};
use pgsql_ha::model::sync_names::SyncMethod;
use pgsql_ha::ocf::environment::Environment;
use pgsql_ha::ocf::settings::parse;

use crate::options::Options;
use crate::scope::Part;

/// The prefix of the slots.
pub const SLOTS: &str = "simulated";

/// Returns the settings of a run.
pub fn of(options: &Options) -> Settings {
    let nodes: Vec<String> = (1..=options.hosts).map(|number| format!("pm{number:02}")).collect();
    let mode = match options.mode {
        ReplicationMode::Async => "async",
        ReplicationMode::Sync | ReplicationMode::None | ReplicationMode::Slave => "sync",
    };
    let method = match options.sync_method {
        SyncMethod::First => "first",
        SyncMethod::Any => "any",
    };
    let standbys = options.sync_standbys.to_string();
    let rejoin = match options.scope.has(Part::Proof) {
        // With `off` nobody would notice whom a primary of the shell agent takes for a follower.
        true if options.scope.has(Part::Shell) => {
            ["verify", "rewind"][options.seed as usize / 2 % 2]
        }
        true => ["verify", "rewind", "verify", "rewind", "off"][options.seed as usize / 2 % 5],
        false => "verify",
    };
    let parameters = [
        ("rep_mode", mode),
        ("node_list", &nodes.join(" ")),
        ("master_ip", "192.0.2.1"),
        ("replication_slot_name", if options.seed.is_multiple_of(2) { SLOTS } else { "" }),
        ("sync_method", method),
        ("sync_standbys", &standbys),
        ("sync_availability", if options.strict { "strict" } else { "available" }),
        ("rejoin", rejoin),
        ("restart_on_promote", if options.scope.has(Part::Restart) { "true" } else { "false" }),
    ];
    let pairs = parameters.map(|(name, value)| (format!("OCF_RESKEY_{name}"), value.to_owned()));
    let instance = ("OCF_RESOURCE_INSTANCE".to_owned(), "pgsql".to_owned());
    parse(&Environment::from_pairs(pairs.into_iter().chain([instance]))).0
}
