//! Who may be promoted, by `node_list` and by what the cluster recorded of its data.

use crate::decide::rules::nodes::others;
use crate::decide::steps::fail;
use crate::model::cluster::{Cluster, ClusterNode};
use crate::model::instance::Files;
use crate::model::observation::Observation;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::DataStatus;
use crate::model::step::Step;
use crate::model::verdict::{Failure, Verdict};

/// Why the local node may not be promoted, whatever its data and whoever else there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::decide) enum NoRight {
    /// `node_list` does not name it.
    Unlisted,
    /// The cluster has had a primary, and nothing is recorded of this node's data.
    Unrecorded,
    /// Its data is recorded as not fit.
    Unfit(DataStatus),
    /// Its data is recorded as fit, but has not been compared with the later primary's history.
    Unproven,
}

/// Returns why the local node has no right to be promoted, if it has none.
#[must_use]
pub(in crate::decide) fn no_right(
    settings: &Settings,
    cluster: &Cluster,
    files: &Files,
) -> Option<NoRight> {
    if !settings.lists(&cluster.local) {
        return Some(NoRight::Unlisted);
    }
    if is_unearned(cluster, files) {
        return Some(NoRight::Unproven);
    }
    let me = cluster.me()?;
    match has_right(settings.rep_mode, cluster, me) {
        true => None,
        false => Some(me.data_status.clone().map_or(NoRight::Unrecorded, NoRight::Unfit)),
    }
}

/// Tells whether the record says that this node has followed a later primary, and it cannot have: with its lock its server
/// stays on a timeline that it has written itself, until it is proven. This agent's primary counts nobody who receives
/// only what both have in common (`PrimaryReport::mark_forked_standbys`); the shell agent's does. Where nobody else has the latest
/// data, the record may be older than the lock: the shell agent records itself only once it has promoted.
#[must_use]
pub(in crate::decide) fn is_unearned(cluster: &Cluster, files: &Files) -> bool {
    let Some(lock) = files.lock else { return false };
    let stays_on_its_own = match files.recovers_to {
        // Of a later timeline than the lock's it has been copied, or rewound, from somebody else.
        Some(RecoveryTimeline::Own(own)) => lock.timeline.is_none() || own <= lock.timeline,
        Some(RecoveryTimeline::Latest) | None => false,
    };
    let recorded = cluster.me().and_then(|me| me.data_status.as_ref());
    let latest = |node: &ClusterNode| node.data_status == Some(DataStatus::Latest);
    let later = others(cluster).any(latest);
    stays_on_its_own && later && recorded.is_some_and(has_streamed)
}

/// Takes a right from this node that it cannot have earned.
pub(in crate::decide) fn disclaim(cluster: &Cluster, files: &Files) -> Option<Step> {
    let me = cluster.me().filter(|_| is_unearned(cluster, files))?;
    Some(Step::SetDataStatus(me.name.clone(), DataStatus::Disconnected))
}

/// Tells whether data of this state have followed the primary that has recorded it.
#[must_use]
pub(in crate::decide) const fn has_streamed(status: &DataStatus) -> bool {
    match status {
        DataStatus::StreamingSync
        | DataStatus::StreamingQuorum
        | DataStatus::StreamingAsync
        | DataStatus::StreamingBehind
        | DataStatus::StreamingPotential => true,
        DataStatus::Latest | DataStatus::Other(_) | DataStatus::Disconnected => false,
    }
}

/// Tells whether a node may be promoted for all that is known of it without asking it.
#[must_use]
pub(in crate::decide) fn may_be_promoted(
    settings: &Settings,
    cluster: &Cluster,
    node: &ClusterNode,
) -> bool {
    settings.lists(&node.name) && has_right(settings.rep_mode, cluster, node)
}

/// Tells whether the record gives a node the right to be promoted (stock: `have_master_right`).
///
/// A right is granted, never presumed: a node without a record has none, unless no node has one, as in a cluster
/// that has never had a primary.
#[must_use]
pub(in crate::decide) fn has_right(
    mode: ReplicationMode,
    cluster: &Cluster,
    node: &ClusterNode,
) -> bool {
    match &node.data_status {
        Some(status) => is_fit(mode, status),
        None => !cluster.has_records(),
    }
}

/// Tells whether data of this state may become the primary's.
#[must_use]
pub(in crate::decide) fn is_fit(mode: ReplicationMode, status: &DataStatus) -> bool {
    match status {
        DataStatus::Latest | DataStatus::StreamingSync => true,
        // Whether it has every acknowledged commit is for `quorum` to say.
        DataStatus::StreamingQuorum => mode.is_replication(),
        DataStatus::StreamingAsync => match mode {
            ReplicationMode::Async => true,
            ReplicationMode::Sync | ReplicationMode::None | ReplicationMode::Slave => false,
        },
        DataStatus::StreamingBehind
        | DataStatus::StreamingPotential
        | DataStatus::Other(_)
        | DataStatus::Disconnected => false,
    }
}

/// Refuses where the record gives this node no right, or `node_list` does not name it.
pub(in crate::decide) fn refuse(why: NoRight, cluster: &Cluster) -> Verdict {
    fail(match why {
        NoRight::Unlisted => Failure::Unlisted(cluster.local.clone()),
        NoRight::Unrecorded => Failure::Unrecorded,
        NoRight::Unfit(status) => Failure::DataOutOfDate(status),
        NoRight::Unproven => Failure::Uncompared,
    })
}

/// Data that a `pg_rewind` has left half done is never started.
pub(in crate::decide) fn half_rewound(settings: &Settings, seen: &Observation) -> Option<Verdict> {
    let text = seen.files.rewinding.clone()?;
    Some(fail(Failure::HalfRewound(settings.rewind_marker(), text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_with_every_acknowledged_commit_is_fit_in_sync_mode() {
        use DataStatus::{
            Disconnected, Latest, Other, StreamingAsync, StreamingBehind, StreamingPotential,
            StreamingQuorum, StreamingSync,
        };
        let table = [
            (Latest, true, true),
            (StreamingSync, true, true),
            (StreamingAsync, false, true),
            (StreamingQuorum, true, true),
            (StreamingBehind, false, false),
            (StreamingPotential, false, false),
            (Other("CATCHUP|ASYNC".into()), false, false),
            (Disconnected, false, false),
        ];
        for (status, sync, asynchronous) in table {
            assert_eq!(is_fit(ReplicationMode::Sync, &status), sync, "{status:?}");
            assert_eq!(is_fit(ReplicationMode::Async, &status), asynchronous, "{status:?}");
        }
    }
}
