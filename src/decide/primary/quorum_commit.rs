//! Quorum commits on the primary: the names and the record, each changed in the order that
//! `quorum` asks for.

use crate::decide::primary::standby_names::{
    apply_names, are_persistent, behind_baseline, has_waited, in_force,
};
use crate::decide::primary::standbys::{is_streaming, row_of};
use crate::decide::primary::sync_policy::when_nobody_streams;
use crate::decide::rules::authority::record_is_binding;
use crate::decide::steps::best_effort;
use crate::model::cluster::Cluster;
use crate::model::instance::PrimaryReport;
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::status::DataStatus;
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::sync_quorum::SyncQuorum;
use crate::model::verdict::Verdict;

/// Returns the next step to make commits wait for some of all streaming standbys.
#[must_use]
pub(in crate::decide) fn quorum_commit(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    let recorded = recorded(cluster, report);
    let wanted = wanted(settings, cluster, report, &in_force(seen, report));
    let obeyed = SyncNames::parse(&report.synchronous_standby_names);
    let needed = weakened(settings, cluster, &recorded, &obeyed, &wanted);
    if !binds(cluster, &needed) {
        return None;
    }
    if needed != recorded {
        return best_effort(seen, [set(needed)]);
    }
    let written = seen.files.sync_names.as_ref() == Some(&wanted);
    // Removing a record that is not there would be no write at all.
    let confirmation = Step::SetSyncQuorum(Some(needed));
    if loosens(&obeyed, &wanted) && !written && !seen.taken.is_last_word(&confirmation) {
        return best_effort(seen, [confirmation]);
    }
    let mut absolute = absolute(settings, cluster).peekable();
    if absolute.peek().is_some() {
        let downgrade =
            |name: &NodeName| Step::SetDataStatus(name.clone(), DataStatus::StreamingQuorum);
        return best_effort(seen, absolute.map(downgrade));
    }
    apply_names(seen, report, &wanted)
        .or_else(|| strengthen(seen, report, cluster, &recorded, &wanted))
}

/// Tells whether a record that promises what the names in force do would not be true of the wanted ones.
fn loosens(obeyed: &SyncNames, wanted: &SyncNames) -> bool {
    !obeyed.is_nobody()
        && (wanted.count() < obeyed.count() || wanted.iter().any(|name| !obeyed.contains(name)))
}

/// Withdraws what a quorum has promised, before commits wait for chosen standbys again; `false`: it
/// does not bind everybody yet, so that the names have to stay.
pub(in crate::decide) fn withdraw(
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Result<bool, Verdict> {
    let recorded = recorded(cluster, report);
    if recorded.count > 0 && !binds(cluster, &recorded) {
        return Ok(false);
    }
    if recorded.count > 0 {
        let step = set(SyncQuorum { count: 0, ..recorded.clone() });
        return best_effort(seen, [step]).map_or(Ok(false), Err);
    }
    if recorded.voters.is_empty() {
        let there = cluster.me().is_some_and(|me| me.sync_quorum.as_ref() == Some(&recorded));
        let remove = there.then_some(Step::SetSyncQuorum(None));
        return best_effort(seen, remove).map_or(Ok(true), Err);
    }
    if SyncNames::parse(&report.synchronous_standby_names).is_all_of() {
        let step = set(SyncQuorum { voters: Vec::new(), ..recorded });
        return best_effort(seen, [step]).map_or(Ok(true), Err);
    }
    Ok(binds(cluster, &recorded))
}

/// Returns the record of this primary's reign; without one nobody is a voter.
fn recorded(cluster: &Cluster, report: &PrimaryReport) -> SyncQuorum {
    let timeline = report.timeline;
    let mine = cluster.me().and_then(|me| me.sync_quorum.clone());
    mine.filter(|record| record.timeline == timeline).unwrap_or(SyncQuorum {
        timeline,
        count: 0,
        voters: Vec::new(),
    })
}

fn set(record: SyncQuorum) -> Step {
    let empty = record.count == 0 && record.voters.is_empty();
    Step::SetSyncQuorum((!empty).then_some(record))
}

fn wanted(
    settings: &Settings,
    cluster: &Cluster,
    report: &PrimaryReport,
    present: &SyncNames,
) -> SyncNames {
    let streams = |name: &String| row_of(report, name).is_some_and(is_streaming);
    let names = settings.peers(&cluster.local).map(NodeName::application_name).filter(streams);
    let wanted = SyncNames::any_of(settings.policy.sync_standbys, names);
    match wanted.is_nobody() {
        true => when_nobody_streams(settings, &cluster.local, present),
        false => wanted,
    }
}

/// Returns what the record has to be before the names change: no more than is true of the present
/// names and of the wanted ones.
fn weakened(
    settings: &Settings,
    cluster: &Cluster,
    recorded: &SyncQuorum,
    obeyed: &SyncNames,
    wanted: &SyncNames,
) -> SyncQuorum {
    let count = recorded.count.min(obeyed.count()).min(wanted.count());
    let mut voters = recorded.voters.clone();
    let waited_for = obeyed.iter().chain(wanted.iter()).filter(|_| count > 0).map(str::to_owned);
    for name in waited_for.chain(absolute(settings, cluster).map(NodeName::application_name)) {
        if !voters.contains(&name) {
            voters.push(name);
        }
    }
    SyncQuorum { timeline: recorded.timeline, count, voters }
}

/// Peers whose right rests on commits having waited for them alone.
fn absolute<'a>(
    settings: &'a Settings,
    cluster: &'a Cluster,
) -> impl Iterator<Item = &'a NodeName> {
    let recorded = |name: &NodeName| cluster.node(name).and_then(|node| node.data_status.as_ref());
    settings
        .peers(&cluster.local)
        .filter(move |name| recorded(name) == Some(&DataStatus::StreamingSync))
}

/// Tells whether a weaker record binds everybody who could promote one of its voters.
fn binds(cluster: &Cluster, record: &SyncQuorum) -> bool {
    cluster
        .nodes
        .iter()
        .filter(|node| record.voters.contains(&node.name.application_name()))
        .all(|node| record_is_binding(cluster, node.membership))
}

/// Records what the names promise, once every commit obeys them and all named have the WAL of the
/// time before.
fn strengthen(
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
    recorded: &SyncQuorum,
    wanted: &SyncNames,
) -> Option<Verdict> {
    let effective = SyncNames::parse(&report.synchronous_standby_names);
    if effective != *wanted || !are_persistent(seen, report) {
        return None;
    }
    let streams = |name: &str| row_of(report, name).is_some_and(is_streaming);
    let promised = wanted.is_nobody() || wanted.iter().all(streams);
    let due = SyncQuorum {
        timeline: recorded.timeline,
        count: wanted.count(),
        voters: wanted.iter().map(str::to_owned).collect(),
    };
    if due == *recorded || !promised {
        return None;
    }
    if due.count == 0 {
        return best_effort(seen, [set(due)]);
    }
    let flushed =
        |name: &str| (NodeName::new(name), row_of(report, name).and_then(|row| row.flush_lsn));
    let standbys: Vec<_> = wanted.iter().map(flushed).collect();
    match behind_baseline(seen, report, &cluster.local, &standbys) {
        Some(Verdict::Wait(_)) if has_waited(seen) => None,
        Some(verdict) => Some(verdict),
        None => best_effort(seen, [set(due)]),
    }
}
