//! A primary that the agent has not promoted: a usurper, or the one that the operator wants.
//!
//! Who is promoted records every other node as out of date first. So a record that says so, or another primary
//! with the latest data, proves a later promotion, and nothing else does: a standby that was promoted by hand
//! (maintenance mode, `pg_ctl promote`) still has the record of a standby. But a record can be older than what it
//! speaks of: it was restored, or a write that was given up took effect late. Evidence beats it.

use crate::decide::primary::claim::{self, unbound};
use crate::decide::primary::publish::publish;
use crate::decide::rules::fitness::may_be_promoted;
use crate::decide::rules::nodes::others;
use crate::decide::steps::{best_effort, fail};
use crate::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership};
use crate::model::instance::{Answer, PrimaryReport};
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Verdict};
use crate::model::warning::Warning;

/// Tells whether the cluster has recorded a later promotion than this primary's, or knows better data than its own.
/// Such a primary was started or promoted behind the cluster's back, and must not touch the record of the right one.
///
/// A rival on record alone deposes only a node of which nothing is recorded. It may be what is left of a primary
/// that was stopped by hand; and if it lives, it records soon that this node does not stream. But no hand gives a
/// right that the record denies while somebody else has one.
pub(in crate::decide) fn superseded(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
) -> Option<Failure> {
    let me = cluster.me()?;
    let rival = rival(cluster);
    let heir = || others(cluster).find(|node| may_be_promoted(settings, cluster, node));
    let lost_its_record = lost_its_record(seen, cluster) && settings.lists(&me.name);
    let evident = is_evidently_the_last(seen, cluster, me);
    let without_right = !may_be_promoted(settings, cluster, me) && !lost_its_record && !evident;
    let deposed = match &me.data_status {
        Some(DataStatus::Latest) => false,
        Some(DataStatus::Disconnected) => !evident,
        None => rival.is_some() || without_right && heir().is_some(),
        Some(_) => without_right && heir().is_some(),
    };
    deposed.then(|| Failure::SupersededPrimary {
        data_status: me.data_status.clone(),
        primary: rival.or_else(heir).map(|node| node.name.clone()),
    })
}

/// Tells whether another node is, or may be, the right primary.
pub(in crate::decide) fn is_superseded(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
) -> bool {
    let on_record = cluster.me().is_some_and(|me| me.data_status == Some(DataStatus::Latest));
    superseded(settings, seen, cluster).is_some() || !on_record && rival(cluster).is_some()
}

/// Tells whether the cluster has promoted this primary, and its record is gone: its lock is of the timeline on which
/// it runs, and nobody else has the latest data, as whoever was promoted since would.
fn lost_its_record(seen: &Observation, cluster: &Cluster) -> bool {
    let latest = |node: &ClusterNode| node.data_status == Some(DataStatus::Latest);
    is_on_its_own_lock(seen) && !others(cluster).any(latest)
}

/// Tells whether the lock names the timeline on which this primary runs: the cluster has promoted it.
fn is_on_its_own_lock(seen: &Observation) -> bool {
    let Answer::Primary(report) = &seen.instance.answer else { return false };
    seen.files.lock.and_then(|lock| lock.timeline) == Some(report.timeline)
}

/// Tells whether this primary is one that `node_list` does not name: nobody has a right there, by whichever hand, but for
/// the last primary, which may have left it. The monitor says so.
pub(in crate::decide) fn is_outsider(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
) -> bool {
    let was_promoted = |me: &ClusterNode| {
        me.data_status == Some(DataStatus::Latest) || is_evidently_the_last(seen, cluster, me)
    };
    !settings.lists(&cluster.local) && !cluster.me().is_some_and(was_promoted)
}

/// Tells whether nobody can have been promoted after this primary, whatever the record says.
///
/// Pacemaker promotes nobody else before it has demoted or stopped this one, or has fenced its node. It was not
/// fenced: the lock is of this life of Pacemaker, and of this very timeline. It was neither demoted nor stopped:
/// that is in Pacemaker's history, and takes the score and the status that the monitor of a primary keeps, which a
/// server that was started again by hand does not get back. Without fencing none of that proves anything.
fn is_evidently_the_last(seen: &Observation, cluster: &Cluster, me: &ClusterNode) -> bool {
    let locked = is_on_its_own_lock(seen) && seen.files.lock_since_cluster_start;
    let stayed = me.role == ClusterRole::Promoted
        && me.status == Some(InstanceStatus::Primary)
        && me.score == Some(PromotionScore::PROMOTE_ME);
    let promoted = |node: &ClusterNode| {
        node.role == ClusterRole::Promoted || node.status == Some(InstanceStatus::Primary)
    };
    let fenced = cluster.fencing && cluster.startup_fencing;
    fenced && locked && stayed && !others(cluster).any(promoted)
}

/// Finds the primary on record that is another node, and of which nothing says that it does not run.
pub(in crate::decide) fn rival(cluster: &Cluster) -> Option<&ClusterNode> {
    others(cluster).find(|node| is_a_primary(node))
}

/// Tells whether a node is the primary on record, and nothing says that it does not run.
fn is_a_primary(node: &ClusterNode) -> bool {
    let promoted = match node.role {
        ClusterRole::Promoted => true,
        ClusterRole::Unpromoted | ClusterRole::Unknown => {
            node.status == Some(InstanceStatus::Primary)
        }
        ClusterRole::Stopped | ClusterRole::Starting | ClusterRole::StartFailed => false,
    };
    node.membership == Membership::Member
        && node.data_status == Some(DataStatus::Latest)
        && promoted
}

/// Takes the usurper's own score and says so; a probe only says what runs.
pub(in crate::decide) fn withdraw_primary(
    seen: &Observation,
    cluster: &Cluster,
    failure: Failure,
) -> Verdict {
    let scored = |me: &&ClusterNode| me.score != Some(PromotionScore::Never);
    let score = cluster
        .me()
        .filter(scored)
        .map(|me| Step::SetScore(me.name.clone(), PromotionScore::Never));
    best_effort(seen, score).unwrap_or(match seen.probe {
        true => Verdict::Done(Outcome::RunningPromoted),
        false => fail(failure),
    })
}

/// Says the next step of a primary's bookkeeping: first that it is the one on record.
pub(in crate::decide) fn publish_as_primary(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    match take_over(settings, seen, report, cluster) {
        TakeOver::NotDue => publish(settings, seen, report, cluster),
        TakeOver::Next(verdict) => Some(verdict),
        TakeOver::Held => None,
    }
}

/// Puts a primary by hand on record before it is demoted or stopped, if it can be: what it has acknowledged would be
/// lost with the next promotion of somebody else.
pub(in crate::decide) fn put_on_record(settings: &Settings, seen: &Observation) -> Option<Verdict> {
    let Answer::Primary(report) = &seen.instance.answer else { return None };
    let cluster = seen.cluster.seen().filter(|_| settings.is_replication())?;
    if superseded(settings, seen, cluster).is_some() {
        return None;
    }
    match take_over(settings, seen, report, cluster) {
        TakeOver::Next(verdict) => Some(verdict),
        TakeOver::NotDue | TakeOver::Held => None,
    }
}

/// Leaves a lock on a primary that is deposed and about to be stopped: somebody started or promoted it behind the cluster's
/// back, perhaps a copy that was to become a standby, and it has written on a timeline that may be another's, too. Only
/// the lock shows that when it returns.
pub(in crate::decide) fn lock_superseded(settings: &Settings, seen: &Observation) -> Option<Step> {
    let Answer::Primary(report) = &seen.instance.answer else { return None };
    let cluster = seen.cluster.seen().filter(|_| settings.is_replication())?;
    superseded(settings, seen, cluster).and_then(|_| claim::lock(seen, report))
}

/// What a primary has to do before it publishes anything of others.
enum TakeOver {
    /// It is the primary on record.
    NotDue,
    /// This.
    Next(Verdict),
    /// Nothing, for now.
    Held,
}

/// Makes a primary that somebody promoted by hand the one on record, as a promotion does: all others are
/// recorded as out of date first, and it has the lock. Where that record would bind nobody, or cannot be
/// written, it waits for a later monitor: a primary that answers is not failed for its record.
fn take_over(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> TakeOver {
    let Some(me) = cluster.me() else { return TakeOver::NotDue };
    let claimed = Step::SetDataStatus(me.name.clone(), DataStatus::Latest);
    let begun = seen.taken.tried(&claimed);
    if is_outsider(settings, seen, cluster) {
        return TakeOver::Held;
    }
    match &me.data_status {
        Some(DataStatus::Latest) if !begun => return TakeOver::NotDue,
        // A record that was lost is made again. Nor has a claim to be announced where nobody has a record.
        None if lost_its_record(seen, cluster) || !cluster.has_records() => {
            return TakeOver::NotDue;
        }
        Some(_) | None => {}
    }
    if !begun {
        let told = Step::Warn(match &me.data_status {
            Some(DataStatus::Disconnected) => Warning::OldRecord,
            Some(_) | None => Warning::PromotedByHand,
        });
        if !unbound(settings, cluster).is_empty() || rival(cluster).is_some() {
            return best_effort(seen, [told]).map_or(TakeOver::Held, TakeOver::Next);
        }
        let mut revoked = claim::take_over(settings, cluster);
        revoked.retain(|step| *step != claimed);
        let left = !revoked.is_empty();
        if let Some(verdict) = best_effort(seen, std::iter::once(told).chain(revoked)) {
            return TakeOver::Next(verdict);
        }
        if left {
            return TakeOver::Held;
        }
    }
    let lock = claim::lock(seen, report);
    match best_effort(seen, std::iter::once(claimed).chain(lock)) {
        Some(verdict) => TakeOver::Next(verdict),
        None => TakeOver::NotDue,
    }
}
