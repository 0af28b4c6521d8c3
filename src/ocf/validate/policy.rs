//! Whether the policy of replication fits the nodes, the server and the other parameters.

use crate::model::action::Action;
use crate::model::policy::{Policy, SyncAvailability};
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::sync_names::SyncMethod;
use crate::ocf::exit_code::ExitCode;
use crate::ocf::fault::Fault;
use crate::ocf::word::Word;

use super::Facts;

/// Returns the faults of the parameters that the stock agent does not have.
pub(super) fn policy(settings: &Settings, facts: &Facts) -> Vec<Fault> {
    match settings.rep_mode {
        ReplicationMode::Sync => number(settings)
            .into_iter()
            .chain(quorum(settings, facts))
            .chain(unused(settings))
            .collect(),
        ReplicationMode::Async => unused(settings).into_iter().collect(),
        ReplicationMode::None | ReplicationMode::Slave => Vec::new(),
    }
}

/// A standby ends its recovery at a target and pauses there, or promotes itself, whatever the cluster knows
/// (`recoveryStopsAfter` in xlogrecovery.c). One that runs is past the start that would have refused it.
pub(super) fn recovery_target(settings: &Settings, facts: &Facts, word: Word) -> Option<Fault> {
    let name = facts.recovery_target.filter(|_| settings.is_replication())?;
    let problem = format!(
        "{name} is set in postgresql.auto.conf: a standby would stop there, or promote itself"
    );
    let remedy = format!("remove the line (ALTER SYSTEM RESET {name} on a running server)");
    let pgdata = settings.pgdata.to_string_lossy();
    (word != Word::Action(Action::Promote))
        .then(|| Fault::error("pgdata", &pgdata, problem, remedy, ExitCode::Generic))
}

/// More standbys to wait for than there can be.
fn number(settings: &Settings) -> Option<Fault> {
    let nodes = settings.node_list.len().saturating_sub(1);
    let standbys = nodes + settings.external_standby_node_list.len();
    let wanted = settings.policy.sync_standbys;
    let strict = settings.policy.sync_availability == SyncAvailability::Strict;
    if settings.node_list.is_empty() || wanted <= standbys || wanted == 1 && !strict {
        return None;
    }
    let problem = format!("node_list leaves {standbys} standbys to wait for");
    let remedy = "lower it, or name more nodes";
    let value = wanted.to_string();
    Some(Fault::error("sync_standbys", &value, problem, remedy, ExitCode::Configured))
}

/// What a quorum commit cannot be combined with.
fn quorum(settings: &Settings, facts: &Facts) -> Vec<Fault> {
    if settings.policy.sync_method != SyncMethod::Any {
        return Vec::new();
    }
    let externals = settings.external_standby_node_list.join(" ");
    let external = (!externals.is_empty()).then_some((
        "external_standby_node_list",
        externals.as_str(),
        "A commit that only an external standby has would be lost with sync_method=any",
        "set sync_method to first, or remove it",
    ));
    let restart = settings.restart_on_promote.then_some((
        "restart_on_promote",
        "true",
        "sync_method=any needs a new timeline with each promotion",
        "set it to false, or sync_method to first",
    ));
    let old = facts.server_version.is_some_and(|version| version < 100_000).then_some((
        "sync_method",
        "any",
        "sync_method=any needs PostgreSQL 10 or higher.",
        "set it to first",
    ));
    let fault = |(name, value, problem, remedy): (&'static str, &str, &str, &str)| {
        Fault::error(name, value, problem, remedy, ExitCode::Configured)
    };
    [external, restart, old].into_iter().flatten().map(fault).collect()
}

/// What has no effect: told, and hinders nothing.
fn unused(settings: &Settings) -> Option<Fault> {
    let (default, policy) = (Policy::default(), &settings.policy);
    let count = policy.sync_standbys.to_string();
    let waits_for_all = !settings.external_standby_node_list.is_empty();
    let (name, value, problem) = match settings.rep_mode {
        ReplicationMode::Sync if waits_for_all && policy.sync_standbys > 1 => (
            "sync_standbys",
            count.as_str(),
            "external_standby_node_list makes commits wait for all",
        ),
        ReplicationMode::Sync if policy.max_lag_on_failover > 0 => {
            ("max_lag_on_failover", "", "a standby that lacks a commit is never promoted anyway")
        }
        ReplicationMode::Async if policy.sync_standbys > 1 => {
            ("sync_standbys", count.as_str(), "commits wait for standbys with rep_mode=sync only")
        }
        ReplicationMode::Async if policy.sync_method != default.sync_method => {
            ("sync_method", "any", "commits wait for standbys with rep_mode=sync only")
        }
        ReplicationMode::Async if policy.sync_availability != default.sync_availability => {
            ("sync_availability", "strict", "commits wait for standbys with rep_mode=sync only")
        }
        ReplicationMode::Sync
        | ReplicationMode::Async
        | ReplicationMode::None
        | ReplicationMode::Slave => return None,
    };
    Some(Fault::error(name, value, problem, "remove it", ExitCode::Configured).as_warning())
}
