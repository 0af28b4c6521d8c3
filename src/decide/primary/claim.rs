//! What a new primary records, promoted by the cluster or by hand: nobody else keeps a right, and its data is the
//! latest.

use crate::decide::rules::authority::record_is_binding;
use crate::decide::rules::fitness::is_fit;
use crate::decide::rules::nodes::others;
use crate::model::cluster::{Cluster, ClusterNode};
use crate::model::node::NodeName;
use crate::model::settings::Settings;
use crate::model::status::DataStatus;
use crate::model::step::Step;

/// From here on only this node may be promoted, whatever happens next. Its claim comes last, for it may be killed
/// before; in a cluster without any record it comes first, and takes the right of all who have none.
pub(in crate::decide) fn take_over(settings: &Settings, cluster: &Cluster) -> Vec<Step> {
    let revoked = revoke_all_others(settings, cluster);
    match cluster.has_records() {
        true => revoked.into_iter().chain(claim(cluster)).collect(),
        false => claim(cluster).into_iter().chain(revoked).collect(),
    }
}

/// Nobody else keeps a right: no peer, nor a node that has left `node_list`.
fn revoke_all_others(settings: &Settings, cluster: &Cluster) -> Vec<Step> {
    let due = |node: &&ClusterNode| match &node.data_status {
        Some(status) => *status != DataStatus::Disconnected,
        None => settings.lists(&node.name),
    };
    others(cluster)
        .filter(due)
        .map(|node| Step::SetDataStatus(node.name.clone(), DataStatus::Disconnected))
        .collect()
}

/// Claims to have the latest data, before the server is touched: a promotion that does not come to
/// its end must not leave a cluster in which nobody may be promoted. It grants nothing new, for
/// this node was fit and all others have just been recorded as out of date.
fn claim(cluster: &Cluster) -> Option<Step> {
    let me = cluster.me()?;
    let due = me.data_status != Some(DataStatus::Latest);
    due.then(|| Step::SetDataStatus(me.name.clone(), DataStatus::Latest))
}

/// The nodes that could be promoted on an older record than ours: `node_list` names them, or they have a right on
/// record, and our copy does not bind whoever could promote them.
pub(in crate::decide) fn unbound(settings: &Settings, cluster: &Cluster) -> Vec<NodeName> {
    let has_right = |node: &ClusterNode| {
        node.data_status.as_ref().is_some_and(|status| is_fit(settings.rep_mode, status))
    };
    others(cluster)
        .filter(|node| settings.lists(&node.name) || has_right(node))
        .filter(|node| !record_is_binding(cluster, node.membership))
        .map(|node| node.name.clone())
        .collect()
}
