//! What a primary records of its standbys, and in which order.
//!
//! Order is safety here: rights are revoked in the cluster before commits stop waiting for a
//! standby, and granted only after commits wait for it and it has everything of the time before.

use super::candidate::is_fit;
use super::sync_policy::{concerns, record_is_binding, row_of, wanted_names};
use super::try_once;
use crate::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership};
use crate::model::instance::{PrimaryReport, StandbyRow};
use crate::model::observation::Observation;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::slot::SlotName;
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::{Concern, Step};
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Reason, Verdict};
use crate::model::wal::Lsn;
use std::time::Duration;

/// How long one round of publishing waits for a reload. What is not done then is done by the next
/// monitor.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long one round waits for a standby to have all earlier WAL, which under load takes as long as
/// its lag.
const CATCHING_UP: Duration = Duration::from_secs(4);

/// How long after a reload the checkpointer is given to notice it at all.
const SIGNAL: Duration = Duration::from_millis(100);

/// A standby that has flushed less than the best one by more than this many bytes counts as behind.
///
/// It is a WAL segment of the default size: ranks must not change with every write.
const LAG_TOLERATED: u64 = 16 << 20;

/// Returns the next step of the primary's bookkeeping, or `None` when all is recorded.
///
/// Steps are tried once: a cluster that does not answer must not fail a primary that does.
#[must_use]
pub(super) fn publish(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    try_once(seen, own_record(cluster))
        .or_else(|| try_once(seen, sign_lock(seen, report)))
        .or_else(|| try_once(seen, revocations(settings, cluster, report)))
        .or_else(|| synchronous(settings, seen, report, cluster))
        .or_else(|| try_once(seen, worries(seen, report, cluster)))
        .or_else(|| grants(settings, seen, report, cluster))
        .or_else(|| try_once(seen, slots(settings, cluster, report)))
}

/// The primary's own record, which a restarted attribute daemon may have lost.
fn own_record(cluster: &Cluster) -> Vec<Step> {
    let Some(me) = cluster.me() else { return Vec::new() };
    let mut steps = Vec::new();
    if me.data_status != Some(DataStatus::Latest) {
        steps.push(Step::SetDataStatus(me.name.clone(), DataStatus::Latest));
    }
    if me.status != Some(InstanceStatus::Primary) {
        steps.push(Step::SetStatus(me.name.clone(), InstanceStatus::Primary));
    }
    if me.score != Some(PromotionScore::PROMOTE_ME) {
        steps.push(Step::SetScore(me.name.clone(), PromotionScore::PROMOTE_ME));
    }
    steps
}

/// The stock agent's lock names no timeline, so that nobody could tell later when it is over: a
/// primary that was promoted by the stock agent notes its own.
fn sign_lock(seen: &Observation, report: &PrimaryReport) -> Option<Step> {
    let unsigned = seen.files.lock.is_some_and(|lock| lock.timeline.is_none());
    unsigned.then_some(Step::CreateLock(report.timeline))
}

/// Every configured peer that the cluster knows, with its row of `pg_stat_replication`.
fn peers<'a>(
    settings: &'a Settings,
    cluster: &'a Cluster,
    report: &'a PrimaryReport,
) -> impl Iterator<Item = (&'a ClusterNode, Option<&'a StandbyRow>)> {
    settings.peers(&cluster.local).filter_map(|name| {
        let node = cluster.node(name)?;
        Some((node, row_of(report, &name.application_name())))
    })
}

/// Returns what a standby's data is, by its row alone.
pub(super) fn data_status(row: Option<&StandbyRow>) -> DataStatus {
    let Some(row) = row else { return DataStatus::Disconnected };
    let (Some(state), Some(sync_state)) = (&row.state, &row.sync_state) else {
        return DataStatus::Disconnected;
    };
    let state = match state.as_str() {
        "streaming" if !row.shares_history => "catchup",
        state => state,
    };
    match (state, sync_state.as_str()) {
        // One of several is enough for "quorum": that a commit was acknowledged does not mean that
        // this standby has it.
        ("streaming", "sync") => DataStatus::StreamingSync,
        ("streaming", "async") => DataStatus::StreamingAsync,
        ("streaming", "potential") => DataStatus::StreamingPotential,
        (state, sync) => {
            DataStatus::Other(format!("{}|{}", state.to_uppercase(), sync.to_uppercase()))
        }
    }
}

/// Takes the right to be promoted from every peer that has it and should not.
fn revocations(settings: &Settings, cluster: &Cluster, report: &PrimaryReport) -> Vec<Step> {
    let mut steps = Vec::new();
    for (node, row) in peers(settings, cluster, report) {
        let actual = data_status(row);
        if is_fit(settings.rep_mode, Some(&actual)) {
            continue;
        }
        // A record that binds nobody relaxes nothing, and may win over the right one when the partitions
        // meet: the copy with more changes does (`do_dc_join_filter_offer` in controld_join_dc.c).
        let binding = record_is_binding(cluster, node.membership);
        if node.data_status.as_ref() != Some(&actual) && binding {
            steps.push(Step::SetDataStatus(node.name.clone(), actual));
        }
        if node.score.is_some_and(|score| score != PromotionScore::Never) {
            steps.push(Step::SetScore(node.name.clone(), PromotionScore::Never));
        }
    }
    steps
}

/// Brings `synchronous_standby_names` to what it should be.
fn synchronous(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    if settings.rep_mode != ReplicationMode::Sync {
        return None;
    }
    let effective = SyncNames::parse(&report.synchronous_standby_names);
    let present = seen.files.sync_names.clone().unwrap_or_else(|| effective.clone());
    let wanted = wanted_names(settings, cluster, report, &present);
    if wanted != present {
        return try_once(seen, [Step::WriteSyncNames(wanted)]);
    }
    if present == effective {
        return None;
    }
    let written = Step::WriteSyncNames(present);
    let reloaded = seen.taken.last(&Step::Reload);
    let since_writing = seen.taken.last(&written).map(|attempt| attempt.ended);
    match reloaded {
        Some(reload) if Some(reload.ended) >= since_writing => (seen.time.elapsed
            < reload.ended + PATIENCE)
            .then_some(Verdict::Wait(Reason::ReloadTakesEffect)),
        Some(_) | None => Some(Verdict::Do(Step::Reload)),
    }
}

/// Says why commits hang, if they do.
fn worries(seen: &Observation, report: &PrimaryReport, cluster: &Cluster) -> Vec<Step> {
    let present = seen.files.sync_names.clone().unwrap_or_default();
    let blind = report.standbys.iter().any(|row| row.state.is_none()).then_some(Concern::Blind);
    concerns(cluster, report, &present).into_iter().chain(blind).map(Step::Warn).collect()
}

/// Records what each connected standby is, and gives it the right to be promoted if it is fit.
fn grants(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    let best = peers(settings, cluster, report).filter_map(|(_, row)| row?.flush_lsn).max();
    for (node, row) in peers(settings, cluster, report) {
        let actual = data_status(row);
        let mut steps = Vec::new();
        if node.data_status.as_ref() != Some(&actual) {
            if !record_is_binding(cluster, node.membership) {
                continue;
            }
            if let Some(verdict) = has_all_before(settings, seen, report, node, row, &actual) {
                match verdict {
                    Verdict::Wait(_) if seen.time.elapsed > CATCHING_UP => continue,
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
        if let Some(verdict) = try_once(seen, steps) {
            return Some(verdict);
        }
    }
    None
}

/// Lets a standby count as synchronous only when it has flushed all WAL that was written before
/// commits were seen to wait for it: those commits did not wait.
///
/// Commits wait once the checkpointer has taken the new configuration, which in the middle of a
/// checkpoint may take a while; `sync_state` shows the WAL sender's reading, which is earlier.
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
    match seen.taken.sync_baseline(&node.name) {
        None => {
            let reloaded = seen.taken.last(&Step::Reload).map(|reload| reload.ended + SIGNAL);
            let settled = report.commits_obey && reloaded.is_none_or(|at| seen.time.elapsed >= at);
            Some(match settled {
                true => Verdict::Do(Step::NoteSyncBaseline(node.name.clone(), report.wal_end)),
                false => Verdict::Wait(Reason::ReloadTakesEffect),
            })
        }
        Some(baseline) if row.and_then(|row| row.flush_lsn) >= Some(baseline) => None,
        Some(_) => Some(Verdict::Wait(Reason::StandbyCatchesUp(node.name.clone()))),
    }
}

/// Returns the score of a peer with this row.
fn score_of(
    settings: &Settings,
    row: Option<&StandbyRow>,
    actual: &DataStatus,
    best: Option<Lsn>,
) -> PromotionScore {
    if !is_fit(settings.rep_mode, Some(actual)) {
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
        DataStatus::StreamingSync => InstanceStatus::Sync,
        DataStatus::StreamingAsync => InstanceStatus::Async,
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

/// Creates the slot of a peer whose instance runs and has none: it could not stream without.
fn slots(settings: &Settings, cluster: &Cluster, report: &PrimaryReport) -> Vec<Step> {
    if !settings.uses_slots() {
        return Vec::new();
    }
    let running = |node: &&ClusterNode| {
        node.membership == Membership::Member && node.role == ClusterRole::Unpromoted
    };
    let missing = |slot: &SlotName| !report.slots.iter().any(|row| row.name == slot.as_str());
    settings
        .peers(&cluster.local)
        .filter_map(|name| cluster.node(name))
        .filter(running)
        .map(|node| SlotName::of(&settings.replication_slot_name, &node.name, &settings.node_list))
        .filter(missing)
        .map(Step::CreateSlot)
        .collect()
}
