//! What this node says of itself.

use crate::model::cluster::ClusterNode;
use crate::model::status::InstanceStatus;
use crate::model::step::Step;

/// Tells whether nothing, or no longer the truth, is known of a running standby: the primary does
/// not overwrite what a node said when it stopped.
pub(in crate::decide) fn is_silent(me: &ClusterNode) -> bool {
    matches!(
        me.status,
        None | Some(InstanceStatus::Stopped | InstanceStatus::Unknown | InstanceStatus::Primary)
    )
}

pub(in crate::decide) fn alone(me: &ClusterNode) -> Option<Step> {
    let due = me.status != Some(InstanceStatus::Alone);
    due.then(|| Step::SetStatus(me.name.clone(), InstanceStatus::Alone))
}
