//! Whom a record, or this partition, binds: what may be relied on although not everybody is seen.

use crate::model::cluster::{Cluster, ClusterNode, Membership, NoQuorumPolicy, QuorumRule};
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::status::DataStatus;

/// Tells whether a record in our copy of the cluster information base binds whoever could
/// promote a node with this membership.
///
/// * With the majority of all votes, no other partition promotes, now or later, without having met a node of
///   this one. Any other quorum means nothing here (`two_node`, a quorum device), nor does one with
///   `no-quorum-policy=ignore`.
/// * A member shares our copy; a node known to be down reads it when it returns.
/// * Without fencing Pacemaker itself takes a lost node for dead; commits that waited for
///   more would wait for ever.
pub(in crate::decide) fn record_is_binding(cluster: &Cluster, membership: Membership) -> bool {
    if quorum_counts(cluster) {
        return cluster.quorum;
    }
    // Another partition may have the quorum that this one lacks, by whichever rule: a minority of one reads
    // as `Less`, too.
    if !cluster.quorum && cluster.no_quorum_policy == NoQuorumPolicy::Respect {
        return false;
    }
    match membership {
        Membership::Member | Membership::Down => true,
        Membership::Lost => !cluster.fencing,
        Membership::NeverSeen => !cluster.fencing || !cluster.startup_fencing,
    }
}

/// Tells whether quorum means that no other partition promotes anybody.
pub(in crate::decide) fn quorum_counts(cluster: &Cluster) -> bool {
    match (cluster.no_quorum_policy, cluster.quorum_rule) {
        (NoQuorumPolicy::Respect, QuorumRule::Majority) => true,
        (
            NoQuorumPolicy::Ignore | NoQuorumPolicy::Respect,
            QuorumRule::Majority
            | QuorumRule::TwoNodes
            | QuorumRule::Device
            | QuorumRule::Less
            | QuorumRule::Unknown,
        ) => false,
    }
}

/// Tells whether every promotion of a peer is on record in our copy: it is a member, or this partition
/// has a majority, which shares a member, and so the record, with every other majority.
pub(in crate::decide) fn is_in_touch(cluster: &Cluster, peer: &ClusterNode) -> bool {
    cluster.quorum && quorum_counts(cluster) || peer.membership == Membership::Member
}

/// Returns the peers that the last primary has to see before it is promoted again: one of them may
/// have been promoted while this node was away, without a record here.
///
/// Where quorum means nothing, a peer that is down may have been promoted before it was fenced; only
/// a node that has not been away knows better.
pub(in crate::decide) fn awaited(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
) -> Vec<NodeName> {
    let mine = cluster.me().and_then(|me| me.data_status.as_ref());
    if seen.files.lock.is_none() || mine != Some(&DataStatus::Latest) {
        return Vec::new();
    }
    let known = |peer: &ClusterNode| {
        let left_in_order = cluster.fencing || peer.membership == Membership::Down;
        let was_here = seen.files.lock_since_cluster_start && left_in_order;
        is_in_touch(cluster, peer) || was_here && record_is_binding(cluster, peer.membership)
    };
    let peers = settings.peers(&cluster.local).filter_map(|name| cluster.node(name));
    peers.filter(|peer| !known(peer)).map(|peer| peer.name.clone()).collect()
}

pub(in crate::decide) fn another_is_promoted(seen: &Observation) -> bool {
    seen.notification.promote.iter().any(|node| *node != seen.local)
}
