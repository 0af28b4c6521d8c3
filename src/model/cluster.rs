//! What is seen of the cluster: the CIB as one immutable snapshot.

use core::net::IpAddr;

use super::node::NodeName;
use super::status::{DataStatus, InstanceStatus, PromotionScore};
use super::step::Step;
use super::sync_quorum::SyncQuorum;
use super::wal::{Lsn, PublishedPosition, WalPosition};

/// How certain it is that a node can or cannot run resources (`node_state` in the CIB).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// A member of this partition.
    Member,
    /// Known to be down: it left by itself, or it was fenced.
    Down,
    /// Gone, and nobody knows what it does: it has to be fenced.
    Lost,
    /// Never seen since the cluster started.
    NeverSeen,
}

/// Cluster property `no-quorum-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoQuorumPolicy {
    /// `ignore`: a partition without quorum goes on as if it had it.
    Ignore,
    /// Every other value stops, freezes, demotes or fences.
    Respect,
}

/// What it means that a partition has quorum, by the rules that Corosync goes by at present.
///
/// Votes are Corosync's: `<node>` entries of the cluster information base are not, for people forget to
/// remove them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuorumRule {
    /// It has more than half of all votes that there are, and the nodes alone give them: it shares a
    /// node, and so the record, with every other such partition, of before and of later.
    Majority,
    /// Corosync's `two_node`: each of two nodes has it alone.
    TwoNodes,
    /// A quorum device gives it to one partition at a time, and to another one later.
    Device,
    /// It may have quorum with less (`last_man_standing`, `allow_downscale`, a tie that `auto_tie_breaker`
    /// decided, expected votes lowered by hand), so that another may have it later.
    Less,
    /// Corosync was not asked, or did not say.
    Unknown,
}

/// What Pacemaker's history says of the resource on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterRole {
    /// Promoted.
    Promoted,
    /// Started, not promoted.
    Unpromoted,
    /// Not running.
    Stopped,
    /// Its start is under way.
    Starting,
    /// Its last start failed.
    StartFailed,
    /// No word of it.
    Unknown,
}

/// One node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// Name.
    pub name: NodeName,
    /// Membership.
    pub membership: Membership,
    /// Whether the operator wants nothing to run there (`standby`).
    pub standby: bool,
    /// What Pacemaker last knew of our resource there.
    pub role: ClusterRole,
    /// `<rsc>-status`.
    pub status: Option<InstanceStatus>,
    /// `<rsc>-data-status`.
    pub data_status: Option<DataStatus>,
    /// `master-<rsc>`.
    pub score: Option<PromotionScore>,
    /// `<rsc>-xlog-loc`.
    pub xlog_location: Option<Lsn>,
    /// `<rsc>-wal-position`: the same with the timeline.
    pub wal_position: Option<WalPosition>,
    /// Whether that was published for a promotion.
    pub position_is_final: bool,
    /// Under which address the others reach it, published with that.
    pub address: Option<IpAddr>,
    /// `<rsc>-sync-quorum`.
    pub sync_quorum: Option<SyncQuorum>,
    /// `<rsc>-master-baseline`.
    pub baseline: Option<Lsn>,
    /// `<rsc>-receiver-status`, as it is spelt.
    pub receiver_status: Option<String>,
}

impl ClusterNode {
    /// Takes over what the node has published of the end of its WAL.
    pub fn publish(&mut self, published: Option<PublishedPosition>) {
        self.wal_position = published.map(|published| published.position);
        self.position_is_final = published.is_some_and(|published| published.is_final);
        self.address = published.and_then(|published| published.address);
    }
}

/// The cluster as the local node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The local node.
    pub local: NodeName,
    /// Whether this partition has quorum.
    pub quorum: bool,
    /// What that means; asked only where something may rest on it.
    pub quorum_rule: QuorumRule,
    /// `no-quorum-policy`.
    pub no_quorum_policy: NoQuorumPolicy,
    /// `stonith-enabled`.
    pub fencing: bool,
    /// `startup-fencing`.
    pub startup_fencing: bool,
    /// Every configured node.
    pub nodes: Vec<ClusterNode>,
}

impl Cluster {
    /// Finds a node by name.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&ClusterNode> {
        self.nodes.iter().find(|node| node.name == *name)
    }

    /// Finds the local node.
    #[must_use]
    pub fn me(&self) -> Option<&ClusterNode> {
        self.node(&self.local)
    }

    /// Tells whether any node has a record of its data: the cluster has had a primary.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.nodes.iter().any(|node| node.data_status.is_some())
    }

    /// Returns the member that is the primary, as far as the cluster knows.
    ///
    /// Either sign counts: Pacemaker's history, or the attribute that a primary keeps. A
    /// restarted attribute daemon must not make a living primary invisible.
    #[must_use]
    pub fn primary(&self) -> Option<&ClusterNode> {
        self.nodes.iter().find(|node| {
            node.membership == Membership::Member
                && (node.role == ClusterRole::Promoted
                    || node.status == Some(InstanceStatus::Primary))
        })
    }

    /// Makes a write that the cluster has accepted part of this snapshot.
    ///
    /// The attribute daemon passes a write on in its own time; what it has accepted is true
    /// nevertheless.
    pub fn apply(&mut self, step: &Step) {
        let local = self.local.clone();
        let mut change = |name: &NodeName, set: &dyn Fn(&mut ClusterNode)| {
            self.nodes.iter_mut().filter(|node| node.name == *name).for_each(set);
        };
        match step {
            Step::SetStatus(node, status) => {
                change(node, &|node| node.status = Some(status.clone()));
            }
            Step::SetDataStatus(node, status) => {
                change(node, &|node| node.data_status = Some(status.clone()));
            }
            Step::SetScore(node, score) => change(node, &|node| node.score = Some(*score)),
            Step::SetPosition(position) => change(&local, &|node| {
                node.wal_position = *position;
                node.position_is_final = false;
                node.xlog_location = node.xlog_location.filter(|_| position.is_some());
            }),
            Step::SetFinalPosition(position) => change(&local, &|node| {
                node.wal_position = Some(*position);
                node.position_is_final = true;
            }),
            Step::SetXlogLocation(location) => {
                change(&local, &|node| node.xlog_location = *location);
            }
            Step::SetSyncQuorum(record) => change(&local, &|node| {
                node.sync_quorum.clone_from(record);
            }),
            Step::SetBaseline(lsn) => change(&local, &|node| node.baseline = *lsn),
            Step::SetReceiverStatus(status) => change(&local, &|node| {
                node.receiver_status = status.map(|status| status.to_string());
            }),
            Step::PrepareDirectories
            | Step::WriteStandbySettings
            | Step::StayOnTimeline(_)
            | Step::RemoveStandbyMark
            | Step::WriteSyncNames(_)
            | Step::Reload
            | Step::Launch
            | Step::Shutdown(_)
            | Step::ResumeReplay
            | Step::PromoteServer
            | Step::FollowPeer(..)
            | Step::CreateLock(_)
            | Step::RemoveLock
            | Step::NoteFollowed
            | Step::RecoverAlone
            | Step::CheckpointPrimary(_)
            | Step::KeepWal(_)
            | Step::RemoveKeptWal(_)
            | Step::Rewind(..)
            | Step::RecordSlots(_)
            | Step::CreateSlot(_)
            | Step::AdvanceSlot(..)
            | Step::DropSlot(..)
            | Step::RestartReceiver
            | Step::Warn(_)
            | Step::NoteSyncBaseline(..) => {}
        }
    }
}
