//! Before a promotion: fetch the WAL that reachable peers have beyond the candidate.

use std::time::Duration;

use crate::decide::rules::fitness::has_right;
use crate::decide::rules::nodes::others;
use crate::decide::rules::quorum::{Proof, is_voter, proof};
use crate::decide::server::ensure_running::ensure_running;
use crate::decide::server::shutdown::escalate_shutdown;
use crate::decide::steps::fail;
use crate::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership};
use crate::model::instance::{Answer, StandbyReport};
use crate::model::node::NodeName;
use crate::model::observation::{Attempt, Observation};
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::DataStatus;
use crate::model::step::Step;
use crate::model::verdict::{Failure, Reason, Verdict};
use crate::model::wal::WalPosition;

/// How long a promotion waits for peers that have not said how far their WAL goes. They were asked
/// in the notification before, so that whoever has not answered by now is hardly alive.
const POSITIONS: Duration = Duration::from_secs(1);

/// How long it waits for a connection to a peer that has WAL beyond ours.
const CONNECTION: Duration = Duration::from_secs(10);

/// Standbys on other nodes that run now and keep running through this transition: one that it restarts
/// has been started again before anybody is promoted. A node that has left `node_list` may have been the primary.
fn running_peers<'a>(
    seen: &'a Observation,
    cluster: &'a Cluster,
) -> impl Iterator<Item = &'a ClusterNode> {
    let runs = |node: &&ClusterNode| {
        node.membership == Membership::Member && node.role == ClusterRole::Unpromoted
    };
    others(cluster).filter(runs).filter(|node| {
        !seen.notification.stop.contains(&node.name) || seen.notification.start.contains(&node.name)
    })
}

/// Fetches WAL that a running peer has beyond ours.
///
/// In sync mode none of it was acknowledged, but the peer could not follow a timeline that
/// leaves its own before its end. Peers that the cluster recorded as disconnected, or of which it recorded
/// nothing although it did of others, are not asked, unless they vote: their WAL may be of another history.
pub(in crate::decide) fn wal_of_peers(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    let timeline = report.timeline;
    let votes = |node: &ClusterNode| is_voter(cluster, timeline, &node.name);
    let trusted = |node: &&ClusterNode| match &node.data_status {
        Some(status) => *status != DataStatus::Disconnected || votes(node),
        None => !cluster.has_records() && settings.lists(&node.name) || votes(node),
    };
    let peers: Vec<_> = running_peers(seen, cluster).filter(trusted).collect();
    let silent: Vec<_> =
        peers.iter().filter(|p| p.wal_position.is_none()).map(|p| p.name.clone()).collect();
    if !silent.is_empty() && seen.time.elapsed < POSITIONS {
        return Some(Verdict::Wait(Reason::Positions(silent)));
    }
    let mine = report.position();
    let ahead = peers
        .iter()
        .filter_map(|peer| Some((*peer, peer.wal_position?)))
        .filter(|(_, theirs)| theirs.timeline == mine.timeline && theirs.lsn > mine.lsn)
        .max_by_key(|(_, theirs)| theirs.lsn);
    let (peer, theirs) = ahead?;
    let refused = needed(settings, cluster, peer, votes(peer))
        .then(|| fail(Failure::PeerAhead(peer.name.clone(), theirs, mine)));
    // The restart that it takes before version 13 would be mistaken for the one that promotes.
    if settings.restart_on_promote && !seen.instance.conninfo_reloads {
        return refused;
    }
    for host in hosts(seen, peer) {
        let follow = Step::FollowPeer(peer.name.clone(), host);
        match seen.taken.last(&follow) {
            None => return Some(Verdict::Do(follow)),
            Some(attempt) if seen.time.elapsed < attempt.ended + patience(seen, report) => {
                return Some(Verdict::Wait(Reason::WalOfPeer(peer.name.clone(), theirs)));
            }
            // It answers here: elsewhere it would be no quicker.
            Some(_) if report.is_streaming() => return refused,
            Some(_) => {}
        }
    }
    refused
}

/// Where a peer's server is to be found: at the address that the peer has published, which is in the network of the
/// replication, and else under its node's name, which may lead into another network, or nowhere. Before version 13
/// each try is a restart: there is one.
fn hosts(seen: &Observation, peer: &ClusterNode) -> Vec<String> {
    let name = peer.name.as_str().to_owned();
    let hosts = peer.address.map(|address| address.to_string()).into_iter().chain([name]);
    hosts.take(if seen.instance.conninfo_reloads { 2 } else { 1 }).collect()
}

/// Before PostgreSQL 13 a standby takes a new `primary_conninfo` only by a restart.
pub(in crate::decide) fn restart_to_follow(
    settings: &Settings,
    seen: &Observation,
) -> Option<Verdict> {
    let follows = |attempt: &Attempt| matches!(attempt.step, Step::FollowPeer(..));
    let followed = seen.taken.0.iter().rev().find(|attempt| follows(attempt))?;
    if seen.instance.conninfo_reloads || followed.error.is_some() {
        return None;
    }
    if !seen.taken.tried(&Step::Launch) {
        return escalate_shutdown(seen, settings.stop_escalate_in_slave)
            .or(Some(Verdict::Do(Step::Launch)));
    }
    match &seen.instance.answer {
        Answer::Standby(_) | Answer::Primary(_) => None,
        Answer::NotAsked | Answer::Refused(_) | Answer::Silent(_) | Answer::MonitorSqlFailed(_) => {
            ensure_running(settings, seen)
        }
    }
}

/// A third of the action's time may go into fetching WAL that arrives; less, if none does.
fn patience(seen: &Observation, report: &StandbyReport) -> Duration {
    let third = (seen.time.elapsed + seen.time.remaining) / 3;
    if report.is_streaming() { third } else { third.min(CONNECTION) }
}

/// A peer is ahead and its WAL did not come. What nobody acknowledged is not worth an outage; what
/// a client may have been told is. A synchronous candidate has all of that: no commit was acknowledged without it.
fn needed(settings: &Settings, cluster: &Cluster, peer: &ClusterNode, votes: bool) -> bool {
    let mine = cluster.me().and_then(|me| me.data_status.as_ref());
    let has_all =
        settings.rep_mode == ReplicationMode::Sync && mine == Some(&DataStatus::StreamingSync);
    !has_all && (votes || has_right(settings.rep_mode, cluster, peer))
}

/// Holds a candidate back whose right rests on a quorum of which too few are seen. A voter is seen when
/// its position is final, and what it has beyond ours can be fetched.
pub(in crate::decide) fn unproven(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    let mine = report.position();
    let counts = |node: &ClusterNode, theirs: WalPosition| {
        let running = || running_peers(seen, cluster).any(|peer| peer.name == node.name);
        node.position_is_final && (theirs.lsn <= mine.lsn || running())
    };
    match proof(settings, cluster, mine, counts) {
        Proof::Given => None,
        Proof::NoVoter => Some(fail(Failure::DataOutOfDate(DataStatus::StreamingQuorum))),
        Proof::Unseen(nodes) if seen.time.elapsed < POSITIONS => {
            Some(Verdict::Wait(Reason::Positions(nodes)))
        }
        Proof::Unseen(nodes) => {
            let names: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
            Some(fail(Failure::QuorumUnseen(names.join(", "))))
        }
    }
}
