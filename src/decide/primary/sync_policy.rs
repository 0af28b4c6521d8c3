//! Whom commits wait for.
//!
//! The one rule that keeps acknowledged commits safe: a standby may leave
//! `synchronous_standby_names` only after the cluster has recorded that it must not be promoted,
//! and only when nobody outside of this partition can promote it on an older record.

use std::cmp::Reverse;

use crate::decide::primary::standbys::{is_streaming, row_of};
use crate::decide::rules::authority::{quorum_counts, record_is_binding};
use crate::decide::rules::fitness::{has_right, is_fit};
use crate::decide::rules::nodes::members;
use crate::model::cluster::{Cluster, ClusterNode};
use crate::model::instance::PrimaryReport;
use crate::model::node::NodeName;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::sync_names::{NO_STANDBY_YET, SyncNames};
use crate::model::wal::WalPosition;
use crate::model::warning::{WaitsBecause, Warning};

/// Returns whom commits should wait for from now on, given whom they wait for at present: the
/// chosen standbys, all of them, for as long as they are good.
///
/// Never is one listed to stand in for another, as `FIRST 1 (a, b)` would do: PostgreSQL would stop
/// waiting for the first before the cluster has recorded it.
#[must_use]
pub(in crate::decide) fn wanted_names(
    settings: &Settings,
    cluster: &Cluster,
    report: &PrimaryReport,
    present: &SyncNames,
) -> SyncNames {
    let mut names = kept(settings, cluster, report, present);
    if settings.external_standby_node_list.is_empty() {
        let wanted = settings.policy.sync_standbys;
        while names.len() > wanted
            && let Some(last) = names.iter().rposition(|name| may_drop(cluster, name))
        {
            names.remove(last);
        }
        let lacking = wanted.saturating_sub(names.len());
        let others = best_standbys(settings, cluster, report, &names);
        names.extend(others.into_iter().take(lacking));
    } else {
        for name in known_names(settings, &cluster.local) {
            let streams = row_of(report, &name).is_some_and(is_streaming);
            if streams && !names.iter().any(|have| have.eq_ignore_ascii_case(&name)) {
                names.push(name);
            }
        }
    }
    match names.is_empty() {
        true => when_nobody_streams(settings, &cluster.local, present),
        false => SyncNames::all_of(names),
    }
}

/// Returns the nodes that commits wait for beyond `sync_standbys`: they lose their right first.
#[must_use]
pub(in crate::decide) fn superfluous<'a>(
    settings: &'a Settings,
    cluster: &'a Cluster,
    report: &PrimaryReport,
    present: &SyncNames,
) -> Vec<&'a ClusterNode> {
    if !settings.external_standby_node_list.is_empty() {
        return Vec::new();
    }
    let beyond =
        kept(settings, cluster, report, present).into_iter().skip(settings.policy.sync_standbys);
    beyond.filter_map(|name| node_of(cluster, &name)).collect()
}

/// Returns the names in force that have to stay, or may. That commits wait for one of several gives
/// none of them a right; who has one on record all the same (names that others have set) keeps its place
/// until it is taken; so does a node that has left `node_list`.
fn kept(
    settings: &Settings,
    cluster: &Cluster,
    report: &PrimaryReport,
    present: &SyncNames,
) -> Vec<String> {
    let counts = |name: &&str| present.is_all_of() || is_recorded_as_fit(cluster, name);
    let listed = |name: &str| node_of(cluster, name).is_none_or(|node| settings.lists(&node.name));
    let streams = |name: &str| row_of(report, name).is_some_and(is_streaming);
    let stays = |name: &&str| streams(name) && listed(name) || !may_drop(cluster, name);
    present.iter().filter(counts).filter(stays).map(str::to_owned).collect()
}

fn is_recorded_as_fit(cluster: &Cluster, application_name: &str) -> bool {
    let recorded = node_of(cluster, application_name).and_then(|node| node.data_status.as_ref());
    recorded.is_some_and(|status| is_fit(ReplicationMode::Sync, status))
}

/// Returns the names of a primary that no standby streams from: with `sync_availability=strict` the
/// present ones, or those that let nobody release a commit.
#[must_use]
pub(in crate::decide) fn when_nobody_streams(
    settings: &Settings,
    local: &NodeName,
    present: &SyncNames,
) -> SyncNames {
    let known =
        |name: &str| known_names(settings, local).any(|have| have.eq_ignore_ascii_case(name));
    match settings.is_strict() && !present.is_nobody() && present.iter().all(known) {
        true => present.clone(),
        false => settings.names_of_nobody(),
    }
}

/// Returns whom the commits of a new primary wait for, whose WAL ends at `mine`, before it has seen
/// its standbys: the strict one's for whichever comes first of those that will be able to follow it. All
/// others have been recorded as out of date, so that nobody gets a right by this.
///
/// A standby whose WAL may go further is never named unseen. While it tries to follow, PostgreSQL takes it for
/// streaming for a moment, and what it reports to have flushed, which is its own WAL, releases commits.
#[must_use]
pub(in crate::decide) fn names_at_promotion(
    settings: &Settings,
    cluster: &Cluster,
    mine: WalPosition,
) -> SyncNames {
    let part = |at: WalPosition| at.timeline == mine.timeline && at.lsn <= mine.lsn;
    let follows =
        |node: &&ClusterNode| node.position_is_final && node.wal_position.is_some_and(part);
    let followers = members(settings, cluster).filter(follows);
    let names: Vec<_> = followers.map(|node| node.name.application_name()).collect();
    match settings.is_strict() && !names.is_empty() {
        true => SyncNames::one_of(names),
        false => settings.names_of_nobody(),
    }
}

fn known_names<'a>(
    settings: &'a Settings,
    local: &'a NodeName,
) -> impl Iterator<Item = String> + 'a {
    let inside = settings.peers(local).map(NodeName::application_name);
    inside.chain(settings.external_standby_node_list.iter().map(|name| name.to_lowercase()))
}

/// Returns why commits still wait for standbys that do not stream, for the log of a primary whose
/// clients hang.
#[must_use]
pub(in crate::decide) fn concerns(
    settings: &Settings,
    cluster: &Cluster,
    report: &PrimaryReport,
    present: &SyncNames,
) -> Vec<Warning> {
    let streams = |name: &&str| row_of(report, name).is_some_and(is_streaming);
    if present.iter().filter(streams).count() >= present.count() {
        return Vec::new();
    }
    let strict = settings.is_strict().then_some(WaitsBecause::Strict);
    let reason = |name: &str| {
        let Some(node) = node_of(cluster, name) else { return strict };
        let recorded = node.data_status.as_ref();
        if record_is_binding(cluster, node.membership) {
            match recorded.is_none_or(|status| is_fit(ReplicationMode::Sync, status)) {
                true => Some(WaitsBecause::NotRecorded),
                false => strict,
            }
        } else if quorum_counts(cluster) {
            Some(WaitsBecause::NoQuorum)
        } else {
            Some(WaitsBecause::NotFenced)
        }
    };
    let concern = |name: &str| {
        let because = reason(name)?;
        let standby = if name == NO_STANDBY_YET { "a standby" } else { name }.to_owned();
        Some(Warning::CommitsWaitFor { standby, because })
    };
    present.iter().filter(|name| !streams(name)).filter_map(concern).collect()
}

fn node_of<'a>(cluster: &'a Cluster, application_name: &str) -> Option<&'a ClusterNode> {
    cluster.nodes.iter().find(|node| node.name.application_name() == application_name)
}

/// Returns the other streaming standbys, those that have flushed most first, in the order of
/// `node_list` between equals.
fn best_standbys(
    settings: &Settings,
    cluster: &Cluster,
    report: &PrimaryReport,
    except: &[String],
) -> Vec<String> {
    let peers = settings.peers(&cluster.local).map(NodeName::application_name);
    let others = peers.filter(|name| !except.iter().any(|have| have.eq_ignore_ascii_case(name)));
    let rows = others.filter_map(|name| row_of(report, &name));
    let mut rows: Vec<_> = rows.filter(|row| is_streaming(row)).collect();
    rows.sort_by_key(|row| Reverse(row.flush_lsn));
    rows.into_iter().map(|row| row.application_name.to_lowercase()).collect()
}

/// Tells whether commits may stop waiting for a standby that does not stream.
fn may_drop(cluster: &Cluster, application_name: &str) -> bool {
    let Some(node) = node_of(cluster, application_name) else {
        // Not a node of this cluster, so nobody here can promote it.
        return true;
    };
    // A right that is still on its way is none on record yet: only what was revoked is.
    let revoked = node.data_status.is_some() && !has_right(ReplicationMode::Sync, cluster, node);
    revoked && record_is_binding(cluster, node.membership)
}
