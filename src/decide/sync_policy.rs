//! Whom commits wait for.
//!
//! The one rule that keeps acknowledged commits safe: a standby may leave
//! `synchronous_standby_names` only after the cluster has recorded that it must not be promoted,
//! and only when nobody outside of this partition can promote it on an older record.

use super::candidate::is_fit;
use crate::model::cluster::{Cluster, Membership, NoQuorumPolicy};
use crate::model::instance::{PrimaryReport, StandbyRow};
use crate::model::node::NodeName;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::step::{Concern, WaitsBecause};
use crate::model::sync_names::SyncNames;

/// Returns whom commits should wait for from now on, given whom they wait for at present.
#[must_use]
pub(super) fn wanted_names(
    settings: &Settings,
    cluster: &Cluster,
    report: &PrimaryReport,
    present: &SyncNames,
) -> SyncNames {
    let streams = |name: &str| row_of(report, name).is_some_and(is_streaming);
    let kept = present.iter().filter(|name| streams(name) || !may_drop(cluster, name));
    let kept: Vec<String> = kept.map(str::to_owned).collect();
    if settings.external_standby_node_list.is_empty() {
        let replacement = || best_standby(settings, cluster, report).into_iter();
        return match kept.is_empty() {
            true => SyncNames::all_of(replacement()),
            false => SyncNames::all_of(kept),
        };
    }
    let inside = settings.peers(&cluster.local).map(NodeName::application_name);
    let outside = settings.external_standby_node_list.iter().map(|name| name.to_lowercase());
    let mut names = kept;
    for name in inside.chain(outside) {
        if streams(&name) && !names.iter().any(|have| have.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    SyncNames::all_of(names)
}

/// Returns why commits still wait for standbys that do not stream, for the log of a primary whose
/// clients hang.
#[must_use]
pub(super) fn concerns(
    cluster: &Cluster,
    report: &PrimaryReport,
    present: &SyncNames,
) -> Vec<Concern> {
    let hangs = |name: &&str| !row_of(report, name).is_some_and(is_streaming);
    let reason = |name: &str| {
        let node = cluster.nodes.iter().find(|n| n.name.application_name() == name)?;
        let recorded = node.data_status.as_ref();
        Some(if record_is_binding(cluster, node.membership) {
            match recorded.is_none() || is_fit(ReplicationMode::Sync, recorded) {
                true => WaitsBecause::NotRecorded,
                false => return None,
            }
        } else if quorum_counts(cluster) {
            WaitsBecause::NoQuorum
        } else {
            WaitsBecause::NotFenced
        })
    };
    let concern = |name: &str| {
        let because = reason(name)?;
        Some(Concern::CommitsWaitFor { standby: name.to_owned(), because })
    };
    present.iter().filter(hangs).filter_map(concern).collect()
}

/// Finds the row of a standby. While a connection that broke is still listed beside its successor,
/// the one that has flushed less speaks for the standby.
pub(super) fn row_of<'a>(report: &'a PrimaryReport, name: &str) -> Option<&'a StandbyRow> {
    let rows = report.standbys.iter().filter(|row| row.application_name.eq_ignore_ascii_case(name));
    rows.min_by_key(|row| (!is_streaming(row), row.flush_lsn))
}

/// Tells whether a standby streams: it has caught up once and receives WAL as it is written, of this
/// primary's own timeline.
pub(super) fn is_streaming(row: &StandbyRow) -> bool {
    row.state.as_deref() == Some("streaming") && row.shares_history
}

/// Returns the streaming standby that has flushed most; the earlier in `node_list` between equals.
fn best_standby(settings: &Settings, cluster: &Cluster, report: &PrimaryReport) -> Option<String> {
    let mut best: Option<&StandbyRow> = None;
    for peer in settings.peers(&cluster.local) {
        let Some(row) = row_of(report, &peer.application_name()) else { continue };
        if is_streaming(row) && best.is_none_or(|best| row.flush_lsn > best.flush_lsn) {
            best = Some(row);
        }
    }
    best.map(|row| row.application_name.to_lowercase())
}

/// Tells whether commits may stop waiting for a standby that does not stream.
fn may_drop(cluster: &Cluster, application_name: &str) -> bool {
    let node = cluster.nodes.iter().find(|n| n.name.application_name() == application_name);
    let Some(node) = node else {
        // Not a node of this cluster, so nobody here can promote it.
        return true;
    };
    let recorded = node.data_status.as_ref();
    let revoked = recorded.is_some() && !is_fit(ReplicationMode::Sync, recorded);
    revoked && record_is_binding(cluster, node.membership)
}

/// Tells whether a record in our copy of the cluster information base binds whoever could
/// promote a node with this membership.
///
/// * With a quorum that means something, no other partition promotes. In a cluster of two nodes
///   quorum means nothing (corosync `two_node`), nor does it with `no-quorum-policy=ignore`.
/// * A member shares our copy; a node known to be down reads it when it returns.
/// * Without fencing Pacemaker itself takes a lost node for dead; commits that waited for
///   more would wait for ever.
pub(super) fn record_is_binding(cluster: &Cluster, membership: Membership) -> bool {
    if quorum_counts(cluster) {
        return cluster.quorum;
    }
    match membership {
        Membership::Member | Membership::Down => true,
        Membership::Lost => !cluster.fencing,
        Membership::NeverSeen => !cluster.fencing || !cluster.startup_fencing,
    }
}

/// Tells whether quorum means that no other partition promotes anybody.
pub(super) fn quorum_counts(cluster: &Cluster) -> bool {
    match cluster.no_quorum_policy {
        NoQuorumPolicy::Ignore => false,
        NoQuorumPolicy::Respect => cluster.nodes.iter().filter(|node| node.votes).count() > 2,
    }
}
