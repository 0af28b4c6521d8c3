//! Quorum commits: who may be promoted when commits wait for any `count` of several standbys.
//!
//! The primary records (`SyncQuorum`) a count and the voters. The rule: **a voter may be promoted
//! when fewer than `count` voters are unseen**, once it has all WAL that those seen have. Seen is
//! whoever has said where its WAL of this timeline ends when the last primary was gone already.
//!
//! Why no acknowledged commit is lost. Let commits wait for `j` of the standbys `S`, and the record
//! say `count` and the voters `V`. The primary (`quorum_commit`) keeps, at every moment:
//!
//! 1. While `count > 0`: `S` is part of `V`, and `count <= j`. So the record is made weaker (voters are
//!    added, the count falls) before commits wait for others or for fewer, and only when it binds
//!    whoever could promote a voter. It is made stronger (voters leave, the count rises) after.
//! 2. It is made stronger only to `(j, S)` as obeyed by all commits, and only when each of `S` has
//!    flushed all WAL written before that was seen.
//!
//! Take a commit that was acknowledged. If it was written before the record was last made stronger,
//! every voter of that record had it (2), and the record has only gained voters since: as `count`
//! is at most the number of those, one of them is among the seen. Otherwise it waited for `j` of
//! some `S`, all voters, and `count <= j` (1): with fewer than `count` voters unseen, one of the `j`
//! is seen. Within a timeline positions are prefixes of each other, so that the candidate, which has
//! what the furthest of the seen has, has the commit. With `count = 0` nobody may be promoted.
//!
//! A position is final when the last primary is gone and the standby has read all WAL that it has,
//! which holds what it once told the primary, even if it was restarted since. Pacemaker sends the
//! notification in which positions become final after the last primary is demoted or fenced
//! (`demote_notify` before `promote_notify` in clone.c). A promotion begins a new timeline, which makes
//! the record void, and records everybody else as out of date first.

use crate::model::cluster::{Cluster, ClusterNode, Membership};
use crate::model::node::NodeName;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::DataStatus;
use crate::model::sync_quorum::SyncQuorum;
use crate::model::wal::{Timeline, WalPosition};

/// Whether enough voters are seen for the local node to be promoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::decide) enum Proof {
    /// Its right rests on no quorum, or enough are seen.
    Given,
    /// It is not a voter of its timeline.
    NoVoter,
    /// Too many are unseen: these.
    Unseen(Vec<NodeName>),
}

/// Tells whether so few voters are unseen that every acknowledged commit has been seen.
#[must_use]
pub(in crate::decide) fn suffices(record: &SyncQuorum, seen: impl Fn(&str) -> bool) -> bool {
    record.voters.iter().filter(|voter| !seen(voter)).count() < record.count
}

/// Returns the record of a timeline; two are none, for one of them is of a partition that lost.
#[must_use]
pub(in crate::decide) fn record_of(cluster: &Cluster, timeline: Timeline) -> Option<&SyncQuorum> {
    let records = cluster.nodes.iter().filter_map(|node| node.sync_quorum.as_ref());
    let mut records = records.filter(|record| record.timeline == timeline);
    records.next().filter(|_| records.next().is_none())
}

/// Tells whether a node is a voter of a timeline.
#[must_use]
pub(in crate::decide) fn is_voter(cluster: &Cluster, timeline: Timeline, node: &NodeName) -> bool {
    let name = node.application_name();
    record_of(cluster, timeline).is_some_and(|record| record.voters.contains(&name))
}

/// Says whether the local standby, whose WAL ends at `mine`, may be promoted for all that the voters
/// know. `counts`: whether what a member has published is to be relied on.
#[must_use]
pub(in crate::decide) fn proof(
    settings: &Settings,
    cluster: &Cluster,
    mine: WalPosition,
    counts: impl Fn(&ClusterNode, WalPosition) -> bool,
) -> Proof {
    let recorded = cluster.me().and_then(|me| me.data_status.as_ref());
    if settings.rep_mode != ReplicationMode::Sync || recorded != Some(&DataStatus::StreamingQuorum)
    {
        return Proof::Given;
    }
    let Some(record) = record_of(cluster, mine.timeline) else { return Proof::NoVoter };
    if !record.voters.contains(&cluster.local.application_name()) {
        return Proof::NoVoter;
    }
    let node_of = |voter: &str| cluster.nodes.iter().find(|n| n.name.application_name() == voter);
    let seen = |voter: &str| {
        let position = |node: &ClusterNode| {
            let position = node.wal_position?;
            let known = node.membership == Membership::Member
                && position.timeline == mine.timeline
                && counts(node, position);
            known.then_some(())
        };
        voter == cluster.local.application_name() || node_of(voter).and_then(position).is_some()
    };
    if suffices(record, seen) {
        return Proof::Given;
    }
    let name = |voter: &String| node_of(voter).map_or(NodeName::new(voter), |n| n.name.clone());
    Proof::Unseen(record.voters.iter().filter(|voter| !seen(voter)).map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every set of standbys is a number, one bit each.
    fn record(voters: u32, count: usize) -> SyncQuorum {
        let names = (0..6).filter(|i| voters >> i & 1 == 1).map(|i| i.to_string()).collect();
        SyncQuorum { timeline: Timeline(1), count, voters: names }
    }

    #[test]
    fn who_may_be_promoted_sees_every_acknowledged_commit_and_no_more_is_asked() {
        for voters in 0_u32..64 {
            let size = voters.count_ones();
            for count in 0..=size {
                let record = record(voters, usize::try_from(count).expect("small"));
                for seen in 0_u32..64 {
                    let sees = |voter: &str| seen >> voter.parse::<u32>().expect("a bit") & 1 == 1;
                    let mut acknowledgers =
                        (0_u32..64).filter(|set| set & !voters == 0 && set.count_ones() == count);
                    let always = count > 0 && acknowledgers.all(|set| set & seen != 0);
                    assert_eq!(suffices(&record, sees), always, "{count} of {voters:b}, {seen:b}");
                }
            }
        }
    }
}
