//! What the primary's record says of each connected standby, and who gets the right to be promoted.

use crate::decide::primary::standby_names::{are_persistent, behind_baseline, has_waited};
use crate::decide::primary::standbys::peers;
use crate::decide::rules::authority::record_is_binding;
use crate::decide::rules::fitness::is_fit;
use crate::decide::rules::quorum::{is_voter, record_of};
use crate::decide::steps::best_effort;
use crate::model::cluster::{Cluster, ClusterNode, Membership};
use crate::model::instance::{PrimaryReport, StandbyRow};
use crate::model::observation::Observation;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::Verdict;
use crate::model::wal::Lsn;

/// A standby that has flushed less than the best one by more than this many bytes counts as behind.
///
/// It is a WAL segment of the default size: ranks must not change with every write.
const LAG_TOLERATED: u64 = 16 << 20;

/// Returns what a standby's data is, by its row alone.
pub(in crate::decide) fn data_status(row: Option<&StandbyRow>) -> DataStatus {
    let Some(row) = row else { return DataStatus::Disconnected };
    let (Some(state), Some(sync_state)) = (&row.state, &row.sync_state) else {
        return DataStatus::Disconnected;
    };
    let state = match state.as_str() {
        "streaming" if !row.shares_history => "catchup",
        state => state,
    };
    match (state, sync_state.as_str()) {
        ("streaming", "sync") => DataStatus::StreamingSync,
        // One of several is enough for "quorum": that a commit was acknowledged does not mean that
        // this standby has it.
        ("streaming", "quorum") => DataStatus::StreamingQuorum,
        ("streaming", "async") => DataStatus::StreamingAsync,
        ("streaming", "potential") => DataStatus::StreamingPotential,
        (state, sync) => {
            DataStatus::Other(format!("{}|{}", state.to_uppercase(), sync.to_uppercase()))
        }
    }
}

/// Returns what a peer's data is: by its row, and by how much it lacks.
///
/// Who was too far behind is so until it lacks no more than half of what it may, so that the record
/// does not change with every write.
#[must_use]
pub(in crate::decide) fn actual_status(
    settings: &Settings,
    report: &PrimaryReport,
    node: &ClusterNode,
    row: Option<&StandbyRow>,
) -> DataStatus {
    let actual = data_status(row);
    let limit = match node.data_status {
        Some(DataStatus::StreamingBehind) => settings.policy.max_lag_on_failover / 2,
        Some(_) | None => settings.policy.max_lag_on_failover,
    };
    let flushed = row.and_then(|row| row.flush_lsn).unwrap_or_default();
    let limited = settings.policy.max_lag_on_failover > 0
        && settings.rep_mode == ReplicationMode::Async
        && actual == DataStatus::StreamingAsync;
    match limited && report.wal_end.bytes_since(flushed) > limit {
        true => DataStatus::StreamingBehind,
        false => actual,
    }
}

/// Records what each connected standby is, and gives it the right to be promoted if it is fit.
#[must_use]
pub(in crate::decide) fn grants(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    let best = peers(settings, cluster, report).filter_map(|(_, row)| row?.flush_lsn).max();
    for (node, row) in peers(settings, cluster, report) {
        let actual = actual_status(settings, report, node, row);
        if !is_earned(settings, seen, report, cluster, node, &actual) {
            continue;
        }
        let mut steps = Vec::new();
        if node.data_status.as_ref() != Some(&actual) {
            if !record_is_binding(cluster, node.membership) {
                continue;
            }
            if let Some(verdict) = has_all_before(settings, seen, report, node, row, &actual) {
                match verdict {
                    Verdict::Wait(_) if has_waited(seen) => continue,
                    Verdict::Wait(_) | Verdict::Do(_) | Verdict::Done(_) => return Some(verdict),
                }
            }
            steps.push(Step::SetDataStatus(node.name.clone(), actual.clone()));
        }
        let score = score_of(settings, row, &actual, best);
        if node.score.is_some_and(|present| present != score) {
            steps.push(Step::SetScore(node.name.clone(), score));
        }
        steps.extend(status_step(node, &actual));
        if let Some(verdict) = best_effort(seen, steps) {
            return Some(verdict);
        }
    }
    None
}

/// Tells whether the names in force are those that a synchronous standby's right rests on: all of them,
/// or the voters on record. PostgreSQL's word alone may come from names that others have set.
fn is_earned(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
    node: &ClusterNode,
    actual: &DataStatus,
) -> bool {
    match actual {
        DataStatus::StreamingSync => {
            !settings.is_quorum_commit()
                && are_persistent(seen, report)
                && SyncNames::parse(&report.synchronous_standby_names).is_all_of()
        }
        DataStatus::StreamingQuorum => {
            settings.rep_mode != ReplicationMode::Sync
                || is_voter(cluster, report.timeline, &node.name)
                    && record_of(cluster, report.timeline).is_some_and(|record| record.count > 0)
        }
        DataStatus::Latest
        | DataStatus::StreamingAsync
        | DataStatus::StreamingBehind
        | DataStatus::StreamingPotential
        | DataStatus::Other(_)
        | DataStatus::Disconnected => true,
    }
}

/// Lets a standby count as synchronous only when it has flushed all WAL that was written before
/// commits were seen to wait for it: those commits did not wait.
fn has_all_before(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    node: &ClusterNode,
    row: Option<&StandbyRow>,
    actual: &DataStatus,
) -> Option<Verdict> {
    if settings.rep_mode != ReplicationMode::Sync || *actual != DataStatus::StreamingSync {
        return None;
    }
    let flushed = row.and_then(|row| row.flush_lsn);
    behind_baseline(seen, report, &node.name, &[(node.name.clone(), flushed)])
}

/// Returns the score of a peer with this row.
fn score_of(
    settings: &Settings,
    row: Option<&StandbyRow>,
    actual: &DataStatus,
    best: Option<Lsn>,
) -> PromotionScore {
    if !is_fit(settings.rep_mode, actual) {
        return PromotionScore::Never;
    }
    let flushed = row.and_then(|row| row.flush_lsn);
    let behind = match (settings.rep_mode, best, flushed) {
        (ReplicationMode::Async, Some(best), Some(own)) => best.bytes_since(own) > LAG_TOLERATED,
        (ReplicationMode::Async, _, None) => true,
        (ReplicationMode::Async, None, Some(_)) => false,
        (ReplicationMode::Sync | ReplicationMode::None | ReplicationMode::Slave, _, _) => false,
    };
    if behind { PromotionScore::BEHIND } else { PromotionScore::CAN_PROMOTE }
}

/// Returns the step that makes a connected peer's status true. What a peer says of itself when it
/// stops is not overwritten: its disk may be broken while its server still streams.
fn status_step(node: &ClusterNode, actual: &DataStatus) -> Option<Step> {
    let status = match actual {
        DataStatus::StreamingSync | DataStatus::StreamingQuorum => InstanceStatus::Sync,
        DataStatus::StreamingAsync | DataStatus::StreamingBehind => InstanceStatus::Async,
        DataStatus::StreamingPotential => InstanceStatus::Potential,
        DataStatus::Other(_) => InstanceStatus::Connected,
        DataStatus::Latest | DataStatus::Disconnected => return None,
    };
    let prohibited = matches!(node.status, Some(InstanceStatus::Stopped | InstanceStatus::Unknown));
    let due = node.membership == Membership::Member
        && node.status.as_ref() != Some(&status)
        && !prohibited;
    due.then(|| Step::SetStatus(node.name.clone(), status))
}
