//! What the cluster information base does not say, or says too late: quorum and its meaning, and positions.

use log::debug;

use super::CLUSTER_PATIENCE;
use crate::engine::Engine;
use crate::model::cluster::{Cluster, ClusterNode, Membership};
use crate::model::settings::Settings;
use crate::model::status::DataStatus;
use crate::pacemaker::attribute::Attribute;
use crate::world::World;

/// Adds it.
pub(super) fn completed(world: &World, engine: &Engine, mut cluster: Cluster) -> Cluster {
    let deadline = world.clock.within(world.clock.share(CLUSTER_PATIENCE));
    if engine.doubts_quorum() {
        cluster.quorum &= world.tools.has_quorum(deadline).unwrap_or(false);
    }
    if rests_on_votes(&world.settings, &cluster) {
        match world.tools.votes(world.settings.node_list.len(), deadline) {
            Ok(votes) => {
                cluster.quorum &= votes.quorate;
                cluster.quorum_rule = votes.rule;
            }
            Err(error) => debug!("Corosync does not tell its votes: {error}"),
        }
    }
    if !engine.needs().positions {
        return cluster;
    }
    let resource = &world.settings.resource;
    match world.tools.query_attribute(resource, Attribute::WalPosition, deadline) {
        Ok(answers) => {
            for node in &mut cluster.nodes {
                let answer = answers.iter().find(|(name, _)| *name == node.name);
                node.publish(answer.and_then(|(_, value)| value.parse().ok()));
            }
        }
        Err(error) => debug!("the attribute daemon does not answer: {error}"),
    }
    cluster
}

/// Tells whether something may rest on what quorum means. While all who could be promoted are here, nothing does,
/// so that Corosync is not asked in vain.
fn rests_on_votes(settings: &Settings, cluster: &Cluster) -> bool {
    let could_be_promoted = |node: &ClusterNode| {
        settings.lists(&node.name)
            || node.data_status.as_ref().is_some_and(|status| *status != DataStatus::Disconnected)
    };
    let away = |node: &ClusterNode| node.membership != Membership::Member;
    settings.is_replication()
        && (!cluster.quorum
            || cluster.nodes.iter().any(|node| away(node) && could_be_promoted(node)))
}
