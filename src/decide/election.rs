//! Which standby should become the primary while there is none.

use std::cmp::Ordering;

use super::candidate::is_fit;
use crate::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership};
use crate::model::node::NodeName;
use crate::model::settings::Settings;
use crate::model::status::DataStatus;
use crate::model::wal::WalPosition;

/// How the local standby stands among the candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It should be promoted.
    First,
    /// This node should be promoted instead.
    Behind(NodeName),
    /// Its data is not fit for promotion.
    Unfit(DataStatus),
    /// These nodes have not said yet how far their WAL goes, or are still to start.
    Awaiting(Vec<NodeName>),
}

/// Ranks the local standby, whose WAL ends at `mine`.
///
/// Only members of this partition count: whoever is not here is fenced or stopped, or this
/// partition has no quorum and Pacemaker does not promote in it.
#[must_use]
pub(super) fn standing(settings: &Settings, cluster: &Cluster, mine: WalPosition) -> Standing {
    let recorded = cluster.me().and_then(|me| me.data_status.clone());
    if let Some(status) = recorded.clone()
        && !is_fit(settings.rep_mode, Some(&status))
    {
        return Standing::Unfit(status);
    }
    let peers: Vec<_> = settings
        .peers(&cluster.local)
        .filter_map(|name| cluster.node(name))
        .filter(|node| node.membership == Membership::Member)
        .filter(|node| is_fit(settings.rep_mode, node.data_status.as_ref()))
        .collect();
    let awaited: Vec<_> = peers
        .iter()
        .filter(|peer| is_awaited(peer, recorded.as_ref()))
        .map(|peer| peer.name.clone())
        .collect();
    if !awaited.is_empty() {
        return Standing::Awaiting(awaited);
    }
    let me = Claim::new(settings, &cluster.local, mine, recorded.as_ref());
    let better = peers
        .iter()
        .filter_map(|peer| {
            let position = peer.wal_position?;
            Some(Claim::new(settings, &peer.name, position, peer.data_status.as_ref()))
        })
        .filter(|claim| claim.compare(&me) == Ordering::Greater)
        .max_by(Claim::compare);
    match better {
        Some(claim) => Standing::Behind(claim.node.clone()),
        None => Standing::First,
    }
}

/// Tells whether the election has to wait for a peer: its server runs and has not said how far its
/// WAL goes, or it was the last primary and is still to start.
fn is_awaited(peer: &ClusterNode, mine: Option<&DataStatus>) -> bool {
    match peer.role {
        ClusterRole::Unpromoted => peer.wal_position.is_none() && peer.xlog_location.is_none(),
        ClusterRole::Stopped | ClusterRole::Unknown => {
            peer.data_status == Some(DataStatus::Latest) && mine != Some(&DataStatus::Latest)
        }
        ClusterRole::Promoted | ClusterRole::StartFailed => false,
    }
}

/// What a candidate brings to the election.
struct Claim<'a> {
    node: &'a NodeName,
    position: WalPosition,
    was_primary: bool,
    /// Place in `node_list`; earlier wins between equals.
    place: usize,
}

impl<'a> Claim<'a> {
    fn new(
        settings: &Settings,
        node: &'a NodeName,
        position: WalPosition,
        recorded: Option<&DataStatus>,
    ) -> Self {
        let place = settings.node_list.iter().position(|name| name == node);
        Self {
            node,
            position,
            was_primary: recorded == Some(&DataStatus::Latest),
            place: place.unwrap_or(usize::MAX),
        }
    }

    /// Orders by what is on disk first.
    ///
    /// The higher timeline wins: it belongs to the last promotion, and a record is fit only if it
    /// followed that promotion. Positions are compared within one timeline.
    fn compare(&self, other: &Self) -> Ordering {
        (self.position.timeline.cmp(&other.position.timeline))
            .then(self.position.lsn.cmp(&other.position.lsn))
            .then(self.was_primary.cmp(&other.was_primary))
            .then(other.place.cmp(&self.place))
    }
}
