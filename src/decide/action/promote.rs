//! Promote: fetch what reachable peers have beyond us, record, lock, promote, make slots.

use std::time::Duration;

use crate::decide::primary::claim::{lock, revoke_scores, take_over, unbound};
use crate::decide::primary::slots;
use crate::decide::primary::standby_names::{SIGNAL, are_unread, settled};
use crate::decide::primary::sync_policy::names_at_promotion;
use crate::decide::rules::fitness::{half_rewound, no_right, refuse};
use crate::decide::server::ensure_running::ensure_running;
use crate::decide::server::shutdown::escalate_shutdown;
use crate::decide::standby::catch_up::{restart_to_follow, unproven, wal_of_peers};
use crate::decide::standby::election::later_timeline;
use crate::decide::standby::unasked;
use crate::decide::steps::{SUCCESS, best_effort, fail, require, require_once, without_cluster};
use crate::model::cluster::Cluster;
use crate::model::instance::{Answer, Postmaster, PrimaryReport, Refusal, StandbyReport};
use crate::model::observation::{Attempt, Observation};
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Failure, Reason, Verdict};
use crate::model::wal::{Timeline, WalPosition};

/// How long no more WAL may arrive, once some has, before the primary counts as silent,
const WRITES: Duration = Duration::from_secs(1);

/// and how long a promotion waits for that.
const LOST_SIGHT: Duration = Duration::from_secs(10);

/// Decides `promote`.
pub(in crate::decide) fn promote(settings: &Settings, seen: &Observation) -> Verdict {
    if !settings.is_replication() {
        return fail(Failure::NoReplication);
    }
    let Some(cluster) = seen.cluster.seen() else { return without_cluster(seen) };
    if restarting(settings, seen) {
        return restart_as_primary(settings, seen, cluster);
    }
    if let Some(verdict) = restart_to_follow(settings, seen) {
        return verdict;
    }
    match (&seen.instance.postmaster, &seen.instance.answer) {
        (Postmaster::Absent | Postmaster::Orphans { .. }, _) => {
            match seen.taken.done(&Step::PromoteServer) {
                true => fail(Failure::ServerDied(seen.instance.last_fatal.clone())),
                false => fail(Failure::NotAStandby),
            }
        }
        (Postmaster::Unknown, _) => Verdict::Wait(Reason::ServerAnswers),
        (Postmaster::Running { .. }, Answer::Primary(report)) => {
            finish(settings, seen, report, cluster)
        }
        (Postmaster::Running { .. }, Answer::Standby(report)) => {
            standby(settings, seen, report, cluster)
        }
        (Postmaster::Running { .. }, Answer::Refused(Refusal::Other(error))) => {
            fail(Failure::NotAccepting(error.clone()))
        }
        (Postmaster::Running { .. }, Answer::MonitorSqlFailed(error)) => {
            fail(Failure::MonitorSql(error.clone()))
        }
        (Postmaster::Running { .. }, Answer::Silent(error)) => {
            unasked::promote(settings, seen, cluster, error)
        }
        // Clients that wait for the lock as well may have all connections.
        (Postmaster::Running { .. }, Answer::Refused(Refusal::Full)) => {
            unasked::promote(settings, seen, cluster, "no connection is free")
        }
        (
            Postmaster::Running { .. },
            Answer::Refused(Refusal::StartingUp | Refusal::ShuttingDown),
        )
        | (Postmaster::Running { .. }, Answer::NotAsked) => Verdict::Wait(Reason::PromotionEnds),
    }
}

fn standby(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
    cluster: &Cluster,
) -> Verdict {
    if seen.taken.done(&Step::PromoteServer) {
        return Verdict::Wait(Reason::PromotionEnds);
    }
    if let Some(why) = no_right(settings, cluster, &seen.files) {
        return refuse(why, cluster);
    }
    // Once the others are recorded, what was to be fetched has been: that the receiver may forget
    // how far it was when it is restarted changes nothing of what is on disk.
    let begun = seen.taken.0.iter().any(|attempt| matches!(attempt.step, Step::SetDataStatus(..)));
    let fetched = || match begun {
        true => None,
        false => wal_of_peers(settings, seen, report, cluster),
    };
    let names = names_at_promotion(settings, cluster, report.position());
    half_rewound(settings, seen)
        .or_else(|| later_history(settings, cluster, report))
        .or_else(|| if begun { None } else { unproven(settings, seen, report, cluster) })
        .or_else(fetched)
        .or_else(|| if begun { None } else { a_primary_writes(seen, report, cluster) })
        .or_else(|| wait_for_unbound(settings, cluster))
        .or_else(|| require(seen, take_over(settings, cluster)))
        .or_else(|| revoke_scores(seen, cluster))
        .or_else(|| best_effort(seen, baseline(report, cluster)))
        .or_else(|| require(seen, prepare(settings, seen, report, &names)))
        .or_else(|| commits_wait(settings, seen, report, &names))
        .or_else(|| match settings.restart_on_promote {
            true => escalate_shutdown(seen, settings.stop_escalate_in_slave),
            false => {
                resume_replay(seen).or_else(|| require_once(seen, [Some(Step::PromoteServer)]))
            }
        })
        .unwrap_or(Verdict::Wait(Reason::PromotionEnds))
}

/// Refuses beside a member on a later timeline, whatever is recorded of it: it belongs to a promotion
/// that this node knows nothing of.
fn later_history(
    settings: &Settings,
    cluster: &Cluster,
    report: &StandbyReport,
) -> Option<Verdict> {
    let mine = report.position();
    let (peer, theirs) = later_timeline(settings, cluster, mine)?;
    Some(fail(Failure::PeerAhead(peer.name.clone(), theirs, mine)))
}

/// Waits while a node could be promoted on an older record than ours, before that is written and
/// after: the cluster may have split since Pacemaker decided on this promotion. What would be
/// acknowledged here would be lost there, and when the partitions meet, the copy with more changes
/// wins, be it the one of those who should have changed nothing.
fn wait_for_unbound(settings: &Settings, cluster: &Cluster) -> Option<Verdict> {
    let loose = unbound(settings, cluster);
    (!loose.is_empty()).then_some(Verdict::Wait(Reason::RecordBinds(loose)))
}

/// Waits, and then gives up, when WAL has arrived since this node said how far it is: a primary writes that the
/// cluster has lost sight of, as for a moment when Pacemaker's controller was restarted beside it; a probe will find
/// it. A receiver whose primary is gone may go on for `wal_receiver_timeout`, but receives nothing.
fn a_primary_writes(
    seen: &Observation,
    report: &StandbyReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    let follows = |attempt: &Attempt| matches!(attempt.step, Step::FollowPeer(..));
    if !report.is_streaming() || seen.taken.0.iter().any(follows) {
        return None;
    }
    let mine = report.position();
    let beyond = |before: WalPosition| (mine.timeline, mine.lsn) > (before.timeline, before.lsn);
    let said: Vec<_> = (seen.taken.0.iter())
        .filter_map(|attempt| Some((said_position(&attempt.step)?, attempt.ended)))
        .collect();
    let Some((last, ended)) = said.last() else {
        // The notification before this promotion has said it.
        let arrived = cluster.me()?.wal_position.is_some_and(beyond);
        return arrived.then_some(Verdict::Do(Step::SetPosition(Some(mine))));
    };
    let too_long = || seen.time.elapsed > said[0].1 + LOST_SIGHT;
    match seen.time.elapsed >= *ended + WRITES {
        false => Some(Verdict::Wait(Reason::PrimaryWrites)),
        true if !beyond(*last) => None,
        true if too_long() => Some(fail(Failure::Deadline(Box::new(Reason::PrimaryWrites)))),
        true => Some(Verdict::Do(Step::SetPosition(Some(mine)))),
    }
}

const fn said_position(step: &Step) -> Option<WalPosition> {
    if let Step::SetPosition(position) = step { *position } else { None }
}

fn baseline(report: &StandbyReport, cluster: &Cluster) -> Option<Step> {
    let due = cluster.me().is_some_and(|me| me.baseline != Some(report.wal_end));
    due.then_some(Step::SetBaseline(Some(report.wal_end)))
}

fn prepare(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
    names: &SyncNames,
) -> Vec<Step> {
    let mut steps = Vec::new();
    if seen.files.lock.is_none() {
        steps.push(Step::CreateLock(Timeline(report.timeline.0.saturating_add(1))));
    }
    if settings.rep_mode == ReplicationMode::Sync && seen.files.sync_names.as_ref() != Some(names) {
        steps.push(Step::WriteSyncNames(names.clone()));
        steps.push(Step::Reload);
    }
    steps
}

/// With `sync_availability=strict` no commit may be acknowledged before one waits for a standby: the
/// names are in force before the server takes writes.
fn commits_wait(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
    names: &SyncNames,
) -> Option<Verdict> {
    let in_force = SyncNames::parse(&report.synchronous_standby_names) == *names;
    if !settings.is_strict() || in_force && settled(seen, report.sync_config_applied, SIGNAL) {
        return None;
    }
    // While this node receives WAL, others become part of its history: the names may change once more.
    let reloaded = seen.taken.tried(&Step::Reload) && !are_unread(seen, names);
    Some(match in_force || reloaded {
        true => Verdict::Wait(Reason::ReloadTakesEffect),
        false => Verdict::Do(Step::Reload),
    })
}

/// While replay is paused, a server before version 13 does not look at its trigger (`recoveryPausesHere` in
/// xlog.c); a later one goes on by itself.
fn resume_replay(seen: &Observation) -> Option<Verdict> {
    let waits = !seen.instance.conninfo_reloads;
    best_effort(seen, waits.then_some(Step::ResumeReplay))
}

/// Tells whether `restart_on_promote` has begun to restart the server.
fn restarting(settings: &Settings, seen: &Observation) -> bool {
    let shut =
        |attempt: &Attempt| matches!(attempt.step, Step::Shutdown(_) | Step::RemoveStandbyMark);
    settings.restart_on_promote && seen.taken.0.iter().any(shut)
}

fn restart_as_primary(settings: &Settings, seen: &Observation, cluster: &Cluster) -> Verdict {
    if !seen.taken.tried(&Step::RemoveStandbyMark) {
        return escalate_shutdown(seen, settings.stop_escalate_in_slave)
            .unwrap_or(Verdict::Do(Step::RemoveStandbyMark));
    }
    if let (Postmaster::Running { .. }, Answer::Primary(report)) =
        (&seen.instance.postmaster, &seen.instance.answer)
    {
        return finish(settings, seen, report, cluster);
    }
    match seen.instance.postmaster {
        Postmaster::Absent if !seen.taken.tried(&Step::Launch) => {
            require_once(seen, [Some(Step::RemoveStandbyMark), Some(Step::Launch)])
                .unwrap_or(Verdict::Wait(Reason::PromotionEnds))
        }
        Postmaster::Absent
        | Postmaster::Orphans { .. }
        | Postmaster::Unknown
        | Postmaster::Running { .. } => {
            ensure_running(settings, seen).unwrap_or(Verdict::Wait(Reason::PromotionEnds))
        }
    }
}

/// The server accepts writes: slots, and the record that makes it the primary.
fn finish(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Verdict {
    // Someone promoted the server by hand: the others have not been told yet.
    let unannounced = cluster.me().is_some_and(|me| me.data_status != Some(DataStatus::Latest));
    if unannounced && let Some(verdict) = require(seen, take_over(settings, cluster)) {
        return verdict;
    }
    // A primary that accepts writes is a success even without a slot or a lock.
    best_effort(seen, lock(seen, report))
        .or_else(|| revoke_scores(seen, cluster))
        .or_else(|| best_effort(seen, slots::of_a_new_primary(settings, seen, cluster, report)))
        .or_else(|| best_effort(seen, announce(cluster)))
        .unwrap_or(SUCCESS)
}

fn announce(cluster: &Cluster) -> Vec<Step> {
    let Some(me) = cluster.me() else { return Vec::new() };
    let mut steps = Vec::new();
    if me.score != Some(PromotionScore::PROMOTE_ME) {
        steps.push(Step::SetScore(me.name.clone(), PromotionScore::PROMOTE_ME));
    }
    if me.status != Some(InstanceStatus::Primary) {
        steps.push(Step::SetStatus(me.name.clone(), InstanceStatus::Primary));
    }
    steps
}
