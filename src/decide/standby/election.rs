//! Which standby should become the primary while there is none.

use std::cmp::Ordering;

use crate::decide::rules::authority::quorum_counts;
use crate::decide::rules::fitness::{NoRight, may_be_promoted, no_right};
use crate::decide::rules::nodes::{is_of_the_shell_agent, members};
use crate::decide::rules::quorum::{Proof, proof};
use crate::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership, QuorumRule};
use crate::model::instance::Files;
use crate::model::node::NodeName;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::DataStatus;
use crate::model::wal::WalPosition;

/// How the local standby stands among the candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::decide) enum Standing {
    /// It should be promoted.
    First,
    /// This node should be promoted instead.
    Behind(NodeName),
    /// This node, which runs the shell agent, asks to be promoted when it has looked often enough.
    BehindUntold(NodeName),
    /// It has no right to be promoted.
    NoRight(NoRight),
    /// These nodes have not said yet how far their WAL goes, or are still to start.
    Awaiting(Vec<NodeName>),
    /// This node was the last primary and is out of sight.
    LastPrimaryUnseen(NodeName),
    /// Nobody has a record, and these nodes may have been promoted unseen.
    FirstAwaits(Vec<NodeName>),
}

/// Ranks the local standby, whose WAL ends at `mine`, and of which its files say since when it has been here.
///
/// Where quorum counts, only members of this partition do: whoever is not here is fenced or stopped,
/// or this partition has no quorum and Pacemaker does not promote in it.
#[must_use]
pub(in crate::decide) fn standing(
    settings: &Settings,
    cluster: &Cluster,
    mine: WalPosition,
    files: &Files,
) -> Standing {
    let recorded = cluster.me().and_then(|me| me.data_status.clone());
    if let Some(why) = no_right(settings, cluster, files) {
        return Standing::NoRight(why);
    }
    let absent = unseen_before_any_record(settings, cluster, files);
    if !absent.is_empty() {
        return Standing::FirstAwaits(absent);
    }
    if let Some((peer, _)) = later_timeline(settings, cluster, mine) {
        return Standing::Behind(peer.name.clone());
    }
    match proof(settings, cluster, mine, |_, _| true) {
        Proof::Given => {}
        Proof::NoVoter => {
            return Standing::NoRight(NoRight::Unfit(DataStatus::StreamingQuorum));
        }
        Proof::Unseen(nodes) => return Standing::Awaiting(nodes),
    }
    if let Some(last) =
        out_of_sight(settings, cluster, recorded.as_ref(), files.followed_since_cluster_start)
    {
        return Standing::LastPrimaryUnseen(last.name.clone());
    }
    let peers: Vec<_> = members(settings, cluster)
        .filter(|node| may_be_promoted(settings, cluster, node))
        .collect();
    let awaited: Vec<_> = peers
        .iter()
        .copied()
        .filter(|peer| is_awaited(settings.rep_mode, peer, recorded.as_ref()))
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
    let untold = peers
        .iter()
        .find(|peer| is_further_untold(settings.rep_mode, peer, &me, recorded.as_ref()));
    match (better, untold) {
        (Some(claim), _) => Standing::Behind(claim.node.clone()),
        (None, Some(peer)) => Standing::BehindUntold(peer.name.clone()),
        (None, None) => Standing::First,
    }
}

/// Tells whether a peer that runs the shell agent, and says where its WAL ends without a timeline, comes before this node:
/// it asks to be promoted when it has looked often enough. A standby that has every acknowledged commit does not wait for it.
fn is_further_untold(
    mode: ReplicationMode,
    peer: &ClusterNode,
    mine: &Claim<'_>,
    recorded: Option<&DataStatus>,
) -> bool {
    let Some(theirs) = peer.xlog_location.filter(|_| is_of_the_shell_agent(peer)) else {
        return false;
    };
    let latest = peer.data_status == Some(DataStatus::Latest);
    let runs = peer.role == ClusterRole::Unpromoted;
    runs && !is_complete(mode, recorded) && (latest || theirs > mine.position.lsn)
}

/// Finds a member whose WAL belongs to a later timeline than `mine`, and is thus of a later
/// promotion. Whatever is recorded of it: records can be those of a partition that lost.
pub(in crate::decide) fn later_timeline<'a>(
    settings: &'a Settings,
    cluster: &'a Cluster,
    mine: WalPosition,
) -> Option<(&'a ClusterNode, WalPosition)> {
    members(settings, cluster)
        .filter_map(|node| Some((node, node.wal_position?)))
        .filter(|(_, theirs)| theirs.timeline > mine.timeline)
        .max_by_key(|(_, theirs)| theirs.timeline)
}

/// Tells whether the election has to wait for a peer: its server runs and has not said how far its
/// WAL goes, or it was the last primary and is still to start. A standby that has every
/// acknowledged commit does not wait for a server that does not run.
fn is_awaited(mode: ReplicationMode, peer: &ClusterNode, mine: Option<&DataStatus>) -> bool {
    let complete = is_complete(mode, mine);
    match peer.role {
        ClusterRole::Unpromoted => peer.wal_position.is_none() && peer.xlog_location.is_none(),
        ClusterRole::Starting => !complete,
        ClusterRole::Stopped | ClusterRole::Unknown => {
            peer.data_status == Some(DataStatus::Latest) && !complete && !peer.standby
        }
        ClusterRole::Promoted | ClusterRole::StartFailed => false,
    }
}

/// Tells whether data of this state are known to have every acknowledged commit, once a quorum has been seen where one
/// is needed.
fn is_complete(mode: ReplicationMode, recorded: Option<&DataStatus>) -> bool {
    match mode {
        ReplicationMode::Sync => {
            use DataStatus::{Latest, StreamingQuorum, StreamingSync};
            matches!(recorded, Some(StreamingSync | StreamingQuorum | Latest))
        }
        ReplicationMode::Async | ReplicationMode::None | ReplicationMode::Slave => {
            recorded == Some(&DataStatus::Latest)
        }
    }
}

/// Where quorum means nothing, our record may be older than what the last primary did after we
/// left: it may have gone on alone. It has to be heard first.
///
/// Unless we never left: of two nodes, or with a quorum device, the primary goes on without us only once we are
/// known to be down, by our own leave or by fencing, and this node has been up since it followed the primary. That one
/// is known to be down now, so that nothing more will come of it.
fn out_of_sight<'a>(
    settings: &Settings,
    cluster: &'a Cluster,
    mine: Option<&DataStatus>,
    followed: bool,
) -> Option<&'a ClusterNode> {
    if quorum_counts(cluster) || mine.is_none() || mine == Some(&DataStatus::Latest) {
        return None;
    }
    let by_membership = match cluster.quorum_rule {
        QuorumRule::TwoNodes | QuorumRule::Device => true,
        QuorumRule::Majority | QuorumRule::Less | QuorumRule::Unknown => false,
    };
    let stayed = followed && cluster.fencing && by_membership;
    let last = cluster
        .nodes
        .iter()
        .find(|node| node.data_status == Some(DataStatus::Latest) && settings.lists(&node.name));
    last.filter(|node| match node.membership {
        Membership::Member => false,
        Membership::Down => !stayed,
        Membership::Lost | Membership::NeverSeen => true,
    })
}

/// Where quorum means nothing, a node that is not here may have been promoted while this one was away, and have
/// recorded it where we do not see it. So the first promotion waits until all are here, unless this node is at
/// its very beginning: clusters are set up one host after the other.
fn unseen_before_any_record(
    settings: &Settings,
    cluster: &Cluster,
    files: &Files,
) -> Vec<NodeName> {
    let was_away = !files.first_start_since_boot;
    if !was_away || cluster.has_records() || quorum_counts(cluster) || !cluster.fencing {
        return Vec::new();
    }
    let peers = settings.peers(&cluster.local).filter_map(|name| cluster.node(name));
    let absent = peers.filter(|peer| peer.membership != Membership::Member);
    absent.map(|peer| peer.name.clone()).collect()
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
