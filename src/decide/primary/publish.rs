//! What a primary records of its standbys, and in which order.
//!
//! Order is safety here: rights are revoked in the cluster before commits stop waiting for a
//! standby, and granted only after commits wait for it and it has everything of the time before.

use crate::decide::primary::grants::{actual_status, grants};
use crate::decide::primary::quorum_commit::{quorum_commit, withdraw};
use crate::decide::primary::slots;
use crate::decide::primary::standby_names::{apply_names, in_force};
use crate::decide::primary::standbys::{peers, revoked_score};
use crate::decide::primary::sync_policy::{concerns, superfluous, wanted_names};
use crate::decide::rules::authority::{is_in_touch, record_is_binding};
use crate::decide::rules::fitness::{has_right, is_fit};
use crate::decide::rules::nodes::others;
use crate::decide::steps::{best_effort, best_effort_anyway};
use crate::model::cluster::{Cluster, ClusterNode};
use crate::model::instance::PrimaryReport;
use crate::model::observation::Observation;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::Verdict;
use crate::model::warning::Warning;

/// Returns the next step of the primary's bookkeeping, or `None` when all is recorded.
///
/// Steps are tried once: a cluster that does not answer must not fail a primary that does.
#[must_use]
pub(in crate::decide) fn publish(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    best_effort(seen, own_record(cluster))
        .or_else(|| best_effort(seen, sign_lock(settings, seen, cluster, report)))
        .or_else(|| of_the_standbys(settings, seen, report, cluster))
        .or_else(|| best_effort(seen, slots::of_a_primary(settings, seen, cluster, report)))
}

/// What is recorded of the standbys, and whom commits wait for. On rows that the server hides neither
/// changes: they do not say that nobody streams.
fn of_the_standbys(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    if report.hides_standbys() {
        return best_effort(seen, warnings(settings, seen, report, cluster));
    }
    best_effort(seen, revocations(settings, cluster, report))
        // The shell agent looks at no record when it is told to promote.
        .or_else(|| best_effort_anyway(seen, scores(settings, cluster, report)))
        .or_else(|| best_effort(seen, strangers(settings, cluster, &in_force(seen, report))))
        .or_else(|| synchronous(settings, seen, report, cluster))
        .or_else(|| best_effort(seen, warnings(settings, seen, report, cluster)))
        .or_else(|| grants(settings, seen, report, cluster))
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
///
/// Nor does a lock from before Pacemaker was restarted under a running primary say that this node
/// has been there since; it may say so again while every promotion elsewhere would be on record.
fn sign_lock(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
    report: &PrimaryReport,
) -> Option<Step> {
    let lock = seen.files.lock?;
    let mut peers = settings.peers(&cluster.local).filter_map(|name| cluster.node(name));
    let outdated =
        !seen.files.lock_since_cluster_start && peers.all(|peer| is_in_touch(cluster, peer));
    (lock.timeline != Some(report.timeline) || outdated)
        .then_some(Step::CreateLock(report.timeline))
}

/// Takes the right to be promoted from every peer that has it and should not.
fn revocations(settings: &Settings, cluster: &Cluster, report: &PrimaryReport) -> Vec<Step> {
    let mut steps = Vec::new();
    for (node, row) in peers(settings, cluster, report) {
        let actual = actual_status(settings, report, node, row);
        if is_fit(settings.rep_mode, &actual) {
            continue;
        }
        // A record that binds nobody relaxes nothing, and may win over the right one when the partitions
        // meet: the copy with more changes does (`do_dc_join_filter_offer` in controld_join_dc.c).
        let binding = record_is_binding(cluster, node.membership);
        if node.data_status.as_ref() != Some(&actual) && binding {
            steps.push(Step::SetDataStatus(node.name.clone(), actual));
        }
        steps.extend(revoked_score(node));
    }
    steps
}

/// Takes the score of every peer that is on record without a right.
fn scores<'a>(
    settings: &'a Settings,
    cluster: &'a Cluster,
    report: &'a PrimaryReport,
) -> impl Iterator<Item = Step> + 'a {
    peers(settings, cluster, report)
        .filter(|(node, _)| !has_right(settings.rep_mode, cluster, node))
        .filter_map(|(node, _)| revoked_score(node))
}

/// Takes every right from the nodes that `node_list` does not name: they may have been in it once.
fn strangers(settings: &Settings, cluster: &Cluster, present: &SyncNames) -> Vec<Step> {
    let mut steps = Vec::new();
    for node in others(cluster).filter(|node| !settings.lists(&node.name)) {
        let known = node.data_status.is_some() || present.contains(&node.name.application_name());
        let revoked = node.data_status == Some(DataStatus::Disconnected);
        if known && !revoked && record_is_binding(cluster, node.membership) {
            steps.push(Step::SetDataStatus(node.name.clone(), DataStatus::Disconnected));
        }
        steps.extend(revoked_score(node));
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
    if settings.is_quorum_commit() {
        return quorum_commit(settings, seen, report, cluster);
    }
    match withdraw(seen, report, cluster) {
        Err(verdict) => return Some(verdict),
        Ok(false) => return None,
        Ok(true) => {}
    }
    let present = in_force(seen, report);
    let revoked = superfluous(settings, cluster, report, &present);
    let fit = |status: &DataStatus| is_fit(settings.rep_mode, status);
    let revoked = revoked.into_iter().filter(|node| node.data_status.as_ref().is_none_or(fit));
    let revoked = revoked.filter(|node| record_is_binding(cluster, node.membership));
    let revoked =
        revoked.map(|node| Step::SetDataStatus(node.name.clone(), DataStatus::StreamingAsync));
    if let Some(verdict) = best_effort(seen, revoked) {
        return Some(verdict);
    }
    let wanted = wanted_names(settings, cluster, report, &present);
    match unconfirmed(seen, cluster, &present, &wanted) {
        open if open.is_empty() => apply_names(seen, report, &wanted),
        open => best_effort(seen, open),
    }
}

/// Returns the records to be written once more before names are written without these nodes.
fn unconfirmed(
    seen: &Observation,
    cluster: &Cluster,
    present: &SyncNames,
    wanted: &SyncNames,
) -> Vec<Step> {
    if seen.files.sync_names.as_ref() == Some(wanted) {
        return Vec::new();
    }
    let dropped = |node: &&ClusterNode| {
        let name = node.name.application_name();
        present.contains(&name) && !wanted.contains(&name)
    };
    let again = |node: &ClusterNode| {
        let step = Step::SetDataStatus(node.name.clone(), node.data_status.clone()?);
        (!seen.taken.is_last_word(&step)).then_some(step)
    };
    cluster.nodes.iter().filter(dropped).filter_map(again).collect()
}

/// Says why commits hang, if they do.
fn warnings(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Vec<Step> {
    let present = in_force(seen, report);
    let hanging = match report.hides_standbys() {
        true => vec![Warning::NoMonitorPrivilege(report.asked_as.clone())],
        false => concerns(settings, cluster, report, &present),
    };
    let disk = slots::concerns(settings, seen, cluster, report);
    hanging.into_iter().chain(disk).map(Step::Warn).collect()
}
