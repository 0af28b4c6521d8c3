//! The other nodes: all that the cluster knows, and those that are here.

use crate::model::cluster::{Cluster, ClusterNode, Membership};
use crate::model::settings::Settings;

/// Every other node that the cluster knows.
pub(in crate::decide) fn others(cluster: &Cluster) -> impl Iterator<Item = &ClusterNode> {
    cluster.nodes.iter().filter(|node| node.name != cluster.local)
}

/// The peers that are members of this partition.
pub(in crate::decide) fn members<'a>(
    settings: &'a Settings,
    cluster: &'a Cluster,
) -> impl Iterator<Item = &'a ClusterNode> {
    settings
        .peers(&cluster.local)
        .filter_map(|name| cluster.node(name))
        .filter(|node| node.membership == Membership::Member)
}

/// Tells whether a node stands for election with the shell agent, which says where its WAL ends, but not on which timeline.
pub(in crate::decide) const fn is_of_the_shell_agent(node: &ClusterNode) -> bool {
    node.xlog_location.is_some() && node.wal_position.is_none()
}
