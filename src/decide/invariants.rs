//! What may not be, whatever was decided: looked at once more before a step is taken.
//!
//! These are few and cheap, and written apart from the rules that ought to keep them. A step that would break one is not
//! taken, and the action says so.

use crate::decide::rules::fitness::has_right;
use crate::decide::rules::nodes::others;
use crate::model::action::Action;
use crate::model::cluster::{Cluster, ClusterNode};
use crate::model::instance::{Answer, PrimaryReport};
use crate::model::invariant::Invariant;
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::DataStatus;
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::sync_quorum::SyncQuorum;
use crate::model::verdict::{Failure, Outcome, Verdict};
use crate::model::warning::Warning;

/// Returns the verdict, unless it is a step that would break an invariant. A healthy instance is not failed for that: its
/// monitor warns, and leaves everything as it is.
pub(in crate::decide) fn kept(
    action: Action,
    settings: &Settings,
    seen: &Observation,
    verdict: Verdict,
) -> Verdict {
    let Verdict::Do(step) = &verdict else { return verdict };
    let Some(invariant) = broken(action, settings, seen, step) else { return verdict };
    let healthy = match (action, &seen.instance.answer) {
        (Action::Monitor, Answer::Primary(_)) => Outcome::RunningPromoted,
        (Action::Monitor, Answer::Standby(_)) | (Action::Notify, _) => Outcome::Success,
        (
            Action::Monitor
            | Action::Start
            | Action::Stop
            | Action::Status
            | Action::Promote
            | Action::Demote,
            _,
        ) => return Verdict::Done(Outcome::Failed(Failure::Broken(invariant))),
    };
    let said = Step::Warn(Warning::Broken(invariant));
    match seen.taken.tried(&said) {
        true => Verdict::Done(healthy),
        false => Verdict::Do(said),
    }
}

/// Returns the invariant that a step would break.
fn broken(
    action: Action,
    settings: &Settings,
    seen: &Observation,
    step: &Step,
) -> Option<Invariant> {
    let cluster = seen.cluster.seen().filter(|_| settings.is_replication())?;
    let report = seen.instance.answer.primary();
    let sync = settings.rep_mode == ReplicationMode::Sync;
    match (step, report) {
        (Step::PromoteServer, _) => promotes(settings, cluster),
        (Step::RemoveStandbyMark, _) if action == Action::Promote => promotes(settings, cluster),
        (Step::WriteSyncNames(names), Some(report)) if sync => relaxes(cluster, report, names),
        (Step::SetDataStatus(node, DataStatus::StreamingSync), Some(report)) if sync => {
            grants(seen, cluster, report, node)
        }
        (Step::SetSyncQuorum(Some(record)), Some(report)) if sync => {
            let names = SyncNames::parse(&report.synchronous_standby_names);
            (!is_true_of(record, &names)).then_some(Invariant::QuorumIsTrue)
        }
        (_, Some(_) | None) => None,
    }
}

fn promotes(settings: &Settings, cluster: &Cluster) -> Option<Invariant> {
    let rival = |node: &ClusterNode| has_right(settings.rep_mode, cluster, node);
    let latest = cluster.me().is_some_and(|me| me.data_status == Some(DataStatus::Latest));
    (!latest || others(cluster).any(rival)).then_some(Invariant::PromotedAlone)
}

fn relaxes(cluster: &Cluster, report: &PrimaryReport, names: &SyncNames) -> Option<Invariant> {
    let present = SyncNames::parse(&report.synchronous_standby_names);
    let dropped = |node: &ClusterNode| {
        let name = node.name.application_name();
        let has_right = node.data_status == Some(DataStatus::StreamingSync);
        has_right && present.contains(&name) && !names.contains(&name)
    };
    if others(cluster).any(dropped) {
        return Some(Invariant::RelaxedAfterRevoked);
    }
    let record = cluster.me().and_then(|me| me.sync_quorum.as_ref());
    let record = record.filter(|record| record.timeline == report.timeline);
    record.filter(|record| !is_true_of(record, names)).map(|_| Invariant::QuorumIsTrue)
}

fn grants(
    seen: &Observation,
    cluster: &Cluster,
    report: &PrimaryReport,
    node: &NodeName,
) -> Option<Invariant> {
    let names = SyncNames::parse(&report.synchronous_standby_names);
    // They obeyed when the baseline was taken; a checkpointer that is busy since has not forgotten it.
    let obey = report.sync_config_applied || seen.taken.sync_baseline(node).is_some();
    let waits = names.contains(&node.application_name()) && obey;
    let had = cluster.node(node).and_then(|node| node.data_status.as_ref());
    let new = had != Some(&DataStatus::StreamingSync);
    (new && !waits).then_some(Invariant::GrantedAfterWaiting)
}

/// The first rule of `quorum`: all that commits wait for are voters, and as many of them as the record says.
fn is_true_of(record: &SyncQuorum, names: &SyncNames) -> bool {
    let is_voter = |name: &str| record.voters.iter().any(|voter| voter == name);
    record.count == 0 || record.count <= names.count() && names.iter().all(is_voter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::tests::scene::{Scene, node};
    use crate::model::settings::ReplicationMode::Sync;
    use crate::model::wal::Timeline;

    fn of(scene: &Scene, step: Step) -> Option<Invariant> {
        broken(Action::Monitor, &scene.settings, &scene.seen, &step)
    }

    #[test]
    fn a_promotion_beside_a_right_is_not_begun() {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.node("pm02").data_status = Some(DataStatus::Latest);
        scene.node("pm01").data_status = Some(DataStatus::StreamingSync);
        assert_eq!(of(&scene, Step::PromoteServer), Some(Invariant::PromotedAlone));
        scene.node("pm01").data_status = Some(DataStatus::Disconnected);
        assert_eq!(of(&scene, Step::PromoteServer), None);
        scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
        assert_eq!(of(&scene, Step::PromoteServer), Some(Invariant::PromotedAlone));
    }

    #[test]
    fn names_and_rights_change_in_their_order() {
        let mut scene = Scene::primary(Sync);
        let nobody = || Step::WriteSyncNames(SyncNames::nobody());
        let right = |name| Step::SetDataStatus(node(name), DataStatus::StreamingSync);
        assert_eq!(of(&scene, nobody()), Some(Invariant::RelaxedAfterRevoked));
        assert_eq!(of(&scene, right("pm03")), Some(Invariant::GrantedAfterWaiting));
        scene.node("pm02").data_status = Some(DataStatus::Disconnected);
        assert_eq!(of(&scene, nobody()), None);
        assert_eq!(of(&scene, right("pm02")), None);
        scene.report().sync_config_applied = false;
        assert_eq!(of(&scene, right("pm02")), Some(Invariant::GrantedAfterWaiting));
    }

    #[test]
    fn a_quorum_promises_no_more_than_the_names() {
        let mut scene = Scene::primary(Sync);
        scene.node("pm02").data_status = Some(DataStatus::StreamingQuorum);
        let voters = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let record = |count, names: &[&str]| SyncQuorum {
            timeline: Timeline(1),
            count,
            voters: voters(names),
        };
        let set = |record| Step::SetSyncQuorum(Some(record));
        assert_eq!(of(&scene, set(record(1, &["pm02", "pm03"]))), None);
        assert_eq!(of(&scene, set(record(0, &[]))), None);
        for wrong in [record(2, &["pm02", "pm03"]), record(1, &["pm03"])] {
            assert_eq!(of(&scene, set(wrong)), Some(Invariant::QuorumIsTrue));
        }
        scene.node("pm01").sync_quorum = Some(record(1, &["pm02"]));
        let any = |names: &[&str]| {
            Step::WriteSyncNames(SyncNames::any_of(1, names.iter().map(|name| (*name).to_owned())))
        };
        assert_eq!(of(&scene, any(&["pm02"])), None);
        assert_eq!(of(&scene, any(&["pm02", "pm03"])), Some(Invariant::QuorumIsTrue));
    }

    #[test]
    fn a_healthy_primary_is_warned_of_and_left_as_it_is() {
        let mut scene = Scene::primary(Sync);
        let wrong = || Verdict::Do(Step::WriteSyncNames(SyncNames::nobody()));
        let said = Step::Warn(Warning::Broken(Invariant::RelaxedAfterRevoked));
        let kept = |scene: &Scene, action| kept(action, &scene.settings, &scene.seen, wrong());
        assert_eq!(kept(&scene, Action::Monitor), Verdict::Do(said.clone()));
        scene.take(said);
        assert_eq!(kept(&scene, Action::Monitor), Verdict::Done(Outcome::RunningPromoted));
        let failed = Failure::Broken(Invariant::RelaxedAfterRevoked);
        assert_eq!(kept(&scene, Action::Promote), Verdict::Done(Outcome::Failed(failed)));
    }
}
