//! Whether a node may start at all, by the lock, the cluster's record and the data itself.
//!
//! What the data proves is `compare`'s business; bringing the server up is `start`'s.

use crate::decide::rejoin::compare;
use crate::decide::rules::authority::{another_is_promoted, awaited};
use crate::decide::rules::fitness::{disclaim, half_rewound, has_streamed, is_fit, is_unearned};
use crate::decide::steps::{best_effort, fail, require};
use crate::model::cluster::Cluster;
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::rejoin::Resync;
use crate::model::settings::{Rejoin, Settings};
use crate::model::status::DataStatus;
use crate::model::step::Step;
use crate::model::verdict::{Failure, Verdict};
use crate::model::warning::Warning;

/// Holds a node back whose data may not be part of the primary's history.
pub(in crate::decide) fn held_back(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
) -> Option<Verdict> {
    if let Some(refused) = half_rewound(settings, seen) {
        return Some(refused);
    }
    let locked = seen.files.lock.is_some();
    if settings.rejoin == Rejoin::Off {
        return locked.then(|| refused_by_lock(settings, cluster));
    }
    // A promotion by restart keeps the timeline: afterwards nothing would show that this node went
    // another way, so that it does not start beside one.
    let unseen_fork = settings.restart_on_promote && another_is_promoted(seen);
    if was_last_primary(settings, seen, cluster) && !unseen_fork {
        return None;
    }
    let streamed = has_streamed_since(settings, seen, cluster);
    let other = other_primary(cluster);
    // With the lock the data is compared where it can be.
    if streamed && (other.is_none() || !locked) {
        return None;
    }
    match other {
        // A promotion by restart leaves no fork to be found.
        Some(primary) if !settings.restart_on_promote => {
            compare::beside(settings, seen, &primary, streamed)
        }
        None if locked && waits_for_primary(settings, seen, cluster) => {
            require(seen, disclaim(cluster, &seen.files))
                .or_else(|| best_effort(seen, [Step::Warn(Warning::NobodyToAsk)]))
        }
        Some(_) | None => locked.then(|| refused_by_lock(settings, cluster)),
    }
}

/// Tells whether a node may start before there is a primary to compare its data with: it will not be
/// promoted, be it for its record or for a peer that is awaited (`awaited`), and PostgreSQL follows no
/// timeline that left ours before our end, so that it can do no harm; a refusal would last although
/// it may be proven good a moment later.
fn waits_for_primary(settings: &Settings, seen: &Observation, cluster: &Cluster) -> bool {
    let recorded = cluster.me().and_then(|me| me.data_status.as_ref());
    let held =
        |status: &DataStatus| *status == DataStatus::Latest || !is_fit(settings.rep_mode, status);
    let held = recorded.is_some_and(held) || is_unearned(cluster, &seen.files);
    held && !settings.restart_on_promote
}

fn refused_by_lock(settings: &Settings, cluster: &Cluster) -> Verdict {
    fail(Failure::Locked {
        lock: settings.lock_file(),
        data_status: cluster.me().and_then(|me| me.data_status.clone()),
        primary: other_primary(cluster),
        resync: if settings.restart_on_promote { Resync::Copy } else { Resync::Rewind },
    })
}

/// Tells whether a later primary has seen this node stream: a promotion records every other node as
/// disconnected, so that such a record is newer than it. A fork cannot earn it: unproven data stays on its
/// own timeline (`unproven`), and the primary counts nobody who receives only that
/// (`PrimaryReport::mark_forked_standbys`); with `restart_on_promote` there is no later timeline.
fn has_streamed_since(settings: &Settings, seen: &Observation, cluster: &Cluster) -> bool {
    let recorded = cluster.me().and_then(|me| me.data_status.as_ref());
    let earned = recorded.is_some_and(has_streamed) && !is_unearned(cluster, &seen.files);
    earned && !settings.restart_on_promote
}

/// Returns the primary, unless that is what the cluster still remembers of this node.
fn other_primary(cluster: &Cluster) -> Option<NodeName> {
    let primary = cluster.primary().filter(|primary| primary.name != cluster.local);
    primary.map(|primary| primary.name.clone())
}

/// Tells whether nobody has been promoted since this node was: whoever is promoted records every
/// other node as out of date first.
fn was_last_primary(settings: &Settings, seen: &Observation, cluster: &Cluster) -> bool {
    let mine = cluster.me().and_then(|me| me.data_status.as_ref());
    let rival = other_primary(cluster).is_some();
    mine == Some(&DataStatus::Latest) && !rival && awaited(settings, seen, cluster).is_empty()
}
