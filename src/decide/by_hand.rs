//! A primary that the agent has not promoted: a usurper, or the one that the operator wants.
//!
//! Who is promoted records every other node as out of date first. So a record that says so, or another primary
//! with the latest data, proves a later promotion, and nothing else does: a standby that was promoted by hand
//! (maintenance mode, `pg_ctl promote`) still has the record of a standby.

use super::sync_policy::record_is_binding;
use super::{fail, try_once};
use crate::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership};
use crate::model::concern::Concern;
use crate::model::instance::PrimaryReport;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Verdict};

/// Tells whether the cluster has recorded a later promotion than this primary's. Such a primary was started or
/// promoted behind the cluster's back, and must not touch the record of the right one.
pub(super) fn usurps(cluster: &Cluster) -> Option<Failure> {
    let me = cluster.me()?;
    let rival = cluster.nodes.iter().find(|node| node.name != me.name && is_a_primary(node));
    let deposed = match &me.data_status {
        Some(DataStatus::Latest) => false,
        Some(DataStatus::Disconnected) => true,
        Some(_) | None => rival.is_some(),
    };
    deposed.then(|| Failure::Usurper {
        data_status: me.data_status.clone(),
        primary: rival.map(|node| node.name.clone()),
    })
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
pub(super) fn depose(seen: &Observation, cluster: &Cluster, failure: Failure) -> Verdict {
    let scored = |me: &&ClusterNode| me.score != Some(PromotionScore::Never);
    let score = cluster
        .me()
        .filter(scored)
        .map(|me| Step::SetScore(me.name.clone(), PromotionScore::Never));
    try_once(seen, score).unwrap_or(match seen.probe {
        true => Verdict::Done(Outcome::RunningPromoted),
        false => fail(failure),
    })
}

/// What a primary has to do before it publishes anything of others.
pub(super) enum TakeOver {
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
pub(super) fn take_over(
    settings: &Settings,
    seen: &Observation,
    report: &PrimaryReport,
    cluster: &Cluster,
) -> TakeOver {
    let Some(me) = cluster.me() else { return TakeOver::NotDue };
    let claim = Step::SetDataStatus(me.name.clone(), DataStatus::Latest);
    let begun = seen.taken.tried(&claim);
    match &me.data_status {
        Some(DataStatus::Latest) if !begun => return TakeOver::NotDue,
        None => return TakeOver::NotDue,
        Some(_) => {}
    }
    // A forgotten entry of the cluster's configuration is nobody who could be promoted.
    let concerned = |node: &&ClusterNode| {
        node.name != me.name
            && (settings.node_list.contains(&node.name) || node.data_status.is_some())
    };
    let others = || cluster.nodes.iter().filter(concerned);
    let has_right = |node: &&ClusterNode| node.data_status != Some(DataStatus::Disconnected);
    let revoke =
        |node: &ClusterNode| Step::SetDataStatus(node.name.clone(), DataStatus::Disconnected);
    if !begun {
        let told = Step::Warn(Concern::PromotedByHand);
        if others().any(|node| !record_is_binding(cluster, node.membership)) {
            return try_once(seen, [told]).map_or(TakeOver::Held, TakeOver::Next);
        }
        let steps = std::iter::once(told).chain(others().filter(has_right).map(revoke));
        if let Some(verdict) = try_once(seen, steps) {
            return TakeOver::Next(verdict);
        }
        if others().any(|node| has_right(&node)) {
            return TakeOver::Held;
        }
    }
    let noted = seen.files.lock.and_then(|lock| lock.timeline);
    let lock = (noted != Some(report.timeline)).then_some(Step::CreateLock(report.timeline));
    match try_once(seen, std::iter::once(claim).chain(lock)) {
        Some(verdict) => TakeOver::Next(verdict),
        None => TakeOver::NotDue,
    }
}
