//! How a mutation bends what the agent sees, says and does, at the edge of the decisions.

use std::borrow::Cow;
use std::time::Duration;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership, QuorumRule};
use pgsql_ha::model::instance::Answer;
use pgsql_ha::model::node::NodeName;
use pgsql_ha::model::observation::{ClusterView, Observation, Taken};
use pgsql_ha::model::policy::SyncAvailability;
use pgsql_ha::model::rejoin::Evidence;
use pgsql_ha::model::settings::Settings;
use pgsql_ha::model::status::{DataStatus, InstanceStatus, PromotionScore};
use pgsql_ha::model::step::Step;
use pgsql_ha::model::verdict::{Outcome, Verdict};
use pgsql_ha::model::wal::{Lsn, WalPosition};

use crate::mutation::Mutation;

/// Bends what the operator asked for.
pub fn settings<'a>(
    mutation: Option<Mutation>,
    local: &NodeName,
    asked: &'a Settings,
) -> Cow<'a, Settings> {
    match mutation {
        Some(Mutation::ListIgnored) if !asked.node_list.contains(local) => {
            let mut settings = asked.clone();
            settings.node_list.push(local.clone());
            Cow::Owned(settings)
        }
        Some(Mutation::StrictIsAvailable) => {
            let mut settings = asked.clone();
            settings.policy.sync_availability = SyncAvailability::Available;
            Cow::Owned(settings)
        }
        Some(_) | None => Cow::Borrowed(asked),
    }
}

/// Bends what is seen.
pub fn distort(mutation: Mutation, seen: &mut Observation, action: Action) {
    match mutation {
        Mutation::QuorumAlways => with_cluster(seen, |cluster| cluster.quorum = true),
        Mutation::LostIsDown => with_cluster(seen, |cluster| {
            let lost = cluster.nodes.iter_mut().filter(|n| n.membership == Membership::Lost);
            lost.for_each(|node| node.membership = Membership::Down);
        }),
        Mutation::ObeyAtOnce | Mutation::CaughtUpAtOnce | Mutation::StreamingIsSync => {
            distort_report(mutation, seen);
        }
        Mutation::LockIgnored => seen.files.lock = None,
        Mutation::FollowedAlways => seen.files.followed_since_cluster_start = true,
        Mutation::UnlockAtOnce => {
            if let Some(Evidence { own: Ok(own), .. }) = &mut seen.evidence {
                own.wal_end = Some(Ok(Lsn(0)));
            }
        }
        Mutation::FetchNothing if action == Action::Promote => {
            seen.time.elapsed += Duration::from_secs(2);
            with_others(seen, |node| node.wal_position = None);
        }
        Mutation::ElectBlindly => {
            seen.time.elapsed += Duration::from_secs(2);
            with_others(seen, |node| {
                node.xlog_location = Some(Lsn(0));
                node.wal_position = None;
            });
        }
        Mutation::QuorumUnproven if is_standby(seen) => with_cluster(seen, |cluster| {
            let records = cluster.nodes.iter_mut().filter_map(|node| node.sync_quorum.as_mut());
            records.filter(|record| record.count > 0).for_each(|record| record.count = 99);
        }),
        Mutation::GateOpen if action == Action::Promote => {
            let Answer::Standby(report) = &seen.instance.answer else { return };
            let nothing = WalPosition { timeline: report.timeline, lsn: Lsn(0) };
            with_others(seen, |node| {
                node.membership = Membership::Member;
                node.wal_position.get_or_insert(nothing);
                node.position_is_final = true;
            });
        }
        Mutation::EverybodyFit if is_standby(seen) => {
            with_me(seen, |node| node.data_status = Some(DataStatus::Latest));
        }
        Mutation::UsurperStays if action == Action::Monitor => {
            with_me(seen, |node| node.data_status = Some(DataStatus::Latest));
            with_others(seen, |node| {
                node.status = node.status.take().filter(|s| *s != InstanceStatus::Primary);
                if node.role == ClusterRole::Promoted {
                    node.role = ClusterRole::Unpromoted;
                }
            });
        }
        Mutation::MarkerIgnored => seen.files.rewinding = None,
        Mutation::ForkIgnored => ignore_fork(seen),
        Mutation::PresumeRights if is_standby(seen) => with_me(seen, |node| {
            node.data_status.get_or_insert(DataStatus::StreamingSync);
        }),
        Mutation::MajorityAlways => {
            with_cluster(seen, |cluster| cluster.quorum_rule = QuorumRule::Majority);
        }
        Mutation::AsksForEver if action == Action::Start => {
            seen.evidence = seen.evidence.take().filter(|evidence| evidence.primary.is_ok());
        }
        Mutation::MarkBelieved if action == Action::Monitor => {
            seen.files.lock_since_cluster_start = false;
        }
        Mutation::DeafAreFit if matches!(seen.instance.answer, Answer::Silent(_)) => {
            with_me(seen, |node| node.data_status = Some(DataStatus::Latest));
            with_others(seen, |node| node.data_status = Some(DataStatus::Disconnected));
        }
        Mutation::NeverStopped if matches!(seen.instance.answer, Answer::Primary(_)) => {
            seen.files.lock_since_cluster_start = true;
            with_me(seen, |node| {
                node.role = ClusterRole::Promoted;
                node.status = Some(InstanceStatus::Primary);
                node.score = Some(PromotionScore::PROMOTE_ME);
            });
        }
        Mutation::UntoldIsNobody => with_others(seen, |node| {
            if node.xlog_location.is_some() && node.wal_position.is_none() {
                node.data_status = Some(DataStatus::Disconnected);
            }
        }),
        Mutation::QuorumRemembered
        | Mutation::ScoresStay
        | Mutation::NoLockLeft
        | Mutation::UnprovenGoesOn
        | Mutation::AsksForEver
        | Mutation::MarkBelieved
        | Mutation::NeverStopped
        | Mutation::DeafAreFit
        | Mutation::RevokeNobody
        | Mutation::ClaimNothing
        | Mutation::RelaxUnrecorded
        | Mutation::PromiseUnrecorded
        | Mutation::FetchNothing
        | Mutation::QuorumUnproven
        | Mutation::StrictIsAvailable
        | Mutation::GateOpen
        | Mutation::EverybodyFit
        | Mutation::UsurperStays
        | Mutation::PresumeRights
        | Mutation::ListIgnored
        | Mutation::StopLies
        | Mutation::PromoteLies => {}
    }
}

fn distort_report(mutation: Mutation, seen: &mut Observation) {
    let Answer::Primary(report) = &mut seen.instance.answer else { return };
    if mutation == Mutation::ObeyAtOnce {
        report.sync_config_applied = true;
    }
    for row in &mut report.standbys {
        if mutation == Mutation::CaughtUpAtOnce {
            row.flush_lsn = Some(report.wal_end);
        }
        if mutation == Mutation::StreamingIsSync && row.state.as_deref() == Some("streaming") {
            row.sync_state = Some("sync".to_owned());
        }
    }
}

/// The end of WAL is taken to be before any fork.
fn ignore_fork(seen: &mut Observation) {
    let Some(Evidence { own: Ok(own), .. }) = &mut seen.evidence else { return };
    own.wal_end = own.wal_end.take().map(|end| end.map(|_| Lsn(0)));
    own.control.checkpoint = Lsn(0);
    own.control.min_recovery =
        own.control.min_recovery.map(|end| WalPosition { lsn: Lsn(0), ..end });
}

fn with_cluster(seen: &mut Observation, bend: impl FnOnce(&mut Cluster)) {
    match &mut seen.cluster {
        ClusterView::Seen(cluster) => bend(cluster),
        ClusterView::NotAsked | ClusterView::Unavailable(_) => {}
    }
}

fn with_others(seen: &mut Observation, bend: impl FnMut(&mut ClusterNode)) {
    let local = seen.local.clone();
    with_cluster(seen, |cluster| {
        cluster.nodes.iter_mut().filter(|node| node.name != local).for_each(bend);
    });
}

fn with_me(seen: &mut Observation, bend: impl FnMut(&mut ClusterNode)) {
    let local = seen.local.clone();
    with_cluster(seen, |cluster| {
        cluster.nodes.iter_mut().filter(|node| node.name == local).for_each(bend);
    });
}

const fn is_standby(seen: &Observation) -> bool {
    matches!(seen.instance.answer, Answer::Standby(_))
}

/// Bends what was decided.
pub fn replace(
    mutation: Option<Mutation>,
    seen: &Observation,
    action: Action,
    verdict: Verdict,
) -> Verdict {
    let tried = !seen.taken.0.is_empty();
    match (mutation, action, &verdict) {
        (Some(Mutation::StopLies), Action::Stop, Verdict::Wait(_))
        | (Some(Mutation::PromoteLies), Action::Promote, Verdict::Wait(_))
            if tried =>
        {
            Verdict::Done(Outcome::Success)
        }
        _ => verdict,
    }
}

/// Tells whether a step is reported as done and is not.
pub fn skips(mutation: Option<Mutation>, action: Action, taken: &Taken, step: &Step) -> bool {
    let compared = || taken.0.iter().any(|a| matches!(a.step, Step::NoteSyncBaseline(..)));
    match (mutation, step) {
        (Some(Mutation::RevokeNobody), Step::SetDataStatus(_, DataStatus::Disconnected)) => {
            action == Action::Promote
        }
        (Some(Mutation::ScoresStay), Step::SetScore(_, PromotionScore::Never)) => {
            action == Action::Promote
        }
        (Some(Mutation::NoLockLeft), Step::CreateLock(_)) => action != Action::Promote,
        (Some(Mutation::ClaimNothing), Step::SetDataStatus(_, DataStatus::Latest)) => true,
        (Some(Mutation::RelaxUnrecorded), Step::SetDataStatus(_, status)) => {
            action != Action::Promote && *status != DataStatus::StreamingSync
        }
        (Some(Mutation::PromiseUnrecorded), Step::SetSyncQuorum(_)) => !compared(),
        _ => false,
    }
}
