//! Who has a right to be promoted: over all nodes that the cluster knows, and by whose votes.

use super::scene::{END, Scene, node, position, row};
use super::verdicts::{PROMOTED, SUCCESS, asks_to_be_promoted, failed};
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership, NoQuorumPolicy, QuorumRule};
use crate::model::settings::ReplicationMode::{self, Async, Sync};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Failure, Reason, Verdict};
use crate::model::wal::Lsn;
use crate::model::warning::Warning;

fn disconnect(name: &str) -> Step {
    Step::SetDataStatus(node(name), DataStatus::Disconnected)
}

/// `pm03` runs as a standby without a primary, and `node_list` does not name it.
fn stranger(mode: ReplicationMode) -> Scene {
    let mut scene = Scene::standby(mode, "pm03");
    scene.settings.node_list.truncate(2);
    scene
}

#[test]
fn no_record_is_no_right_where_another_node_has_one() {
    for mode in [Sync, Async] {
        for (other, membership) in [
            (DataStatus::Latest, Membership::Down),
            (DataStatus::StreamingSync, Membership::Member),
            (DataStatus::Disconnected, Membership::NeverSeen),
        ] {
            let mut scene = Scene::standby(mode, "pm03");
            scene.standby_report().wal_end = Lsn(END.0 + 800);
            scene.node("pm01").membership = membership;
            scene.node("pm01").data_status = Some(other.clone());
            assert!(!asks_to_be_promoted(&mut scene), "{mode:?} {other}");
            scene.next_action();
            assert_eq!(scene.decide(Action::Promote), failed(Failure::Unrecorded), "{other}");
        }
    }
}

#[test]
fn a_standby_does_not_wait_for_a_node_without_a_right() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm01").data_status = Some(DataStatus::Latest);
    scene.node("pm01").membership = Membership::Down;
    // It has just joined, and has more WAL of another history.
    scene.node("pm03").wal_position = Some(position(1, END.0 + 800));
    assert!(asks_to_be_promoted(&mut scene));
}

#[test]
fn a_node_outside_of_node_list_is_never_promoted_and_says_so() {
    for mode in [Sync, Async] {
        for recorded in [None, Some(DataStatus::Latest), Some(DataStatus::StreamingSync)] {
            let mut scene = stranger(mode);
            scene.standby_report().wal_end = Lsn(END.0 + 800);
            scene.node("pm03").data_status = recorded.clone();
            let (steps, end) = scene.run(Action::Monitor);
            let said = Step::Warn(Warning::Unlisted(node("pm03")));
            assert!(steps.contains(&said), "{steps:?}");
            let asks = Step::SetScore(node("pm03"), PromotionScore::PROMOTE_ME);
            assert!(!steps.contains(&asks), "{recorded:?}: {steps:?}");
            assert_eq!(end, SUCCESS);
            scene.next_action();
            let refused = failed(Failure::Unlisted(node("pm03")));
            assert_eq!(scene.decide(Action::Promote), refused, "{recorded:?}");
        }
    }
}

#[test]
fn a_primary_that_has_left_node_list_stays_one_until_it_is_stopped() {
    let mut scene = Scene::primary(Sync);
    scene.settings.node_list.remove(0);
    let (steps, end) = scene.run(Action::Monitor);
    assert_eq!(steps, [Step::Warn(Warning::Unlisted(node("pm01")))]);
    assert_eq!(end, PROMOTED);
}

#[test]
fn a_primary_takes_every_right_from_nodes_outside_of_node_list() {
    let mut scene = Scene::primary(Sync);
    scene.settings.node_list.remove(1);
    scene.report().standbys =
        vec![row("pm02", "streaming", "sync", END), row("pm03", "streaming", "async", END)];
    let (steps, end) = scene.run(Action::Monitor);
    let names = SyncNames::all_of(["pm03".to_owned()]);
    let place = |step: &Step| steps.iter().position(|taken| taken == step);
    let dropped = place(&Step::WriteSyncNames(names));
    assert!(place(&disconnect("pm02")).is_some_and(|at| Some(at) < dropped), "{steps:?}");
    assert_eq!(scene.node("pm02").score, Some(PromotionScore::Never));
    assert_eq!(end, PROMOTED);
    scene.next_action();
    let (steps, _) = scene.run(Action::Monitor);
    let again = steps
        .iter()
        .any(|step| matches!(step, Step::SetDataStatus(name, _) if *name == node("pm02")));
    assert!(!again, "it is done once: {steps:?}");
}

#[test]
fn commits_wait_for_a_node_outside_of_node_list_until_its_record_binds() {
    let mut scene = Scene::primary(Sync);
    scene.keep_hosts(2);
    scene.settings.node_list.truncate(1);
    scene.report().standbys.clear();
    scene.node("pm02").membership = Membership::Lost;
    let (steps, end) = scene.run(Action::Monitor);
    assert!(!steps.contains(&disconnect("pm02")), "{steps:?}");
    assert!(!steps.iter().any(|step| matches!(step, Step::WriteSyncNames(_))), "{steps:?}");
    assert_eq!(end, PROMOTED);
}

#[test]
fn a_promotion_takes_every_right_from_nodes_outside_of_node_list() {
    let mut scene = Scene::standby(Sync, "pm01");
    scene.settings.node_list.truncate(2);
    scene.node("pm01").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm03").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm03").score = Some(PromotionScore::CAN_PROMOTE);
    let (steps, _) = scene.run(Action::Promote);
    let place = |step: &Step| steps.iter().position(|taken| taken == step);
    let promoted = place(&Step::PromoteServer);
    for step in [disconnect("pm03"), Step::SetScore(node("pm03"), PromotionScore::Never)] {
        assert!(place(&step).is_some_and(|at| Some(at) < promoted), "{step:?}: {steps:?}");
    }
}

#[test]
fn the_wal_of_a_primary_that_has_left_node_list_is_fetched() {
    for (recorded, fetches) in
        [(Some(DataStatus::Latest), true), (Some(DataStatus::Disconnected), false), (None, false)]
    {
        let mut scene = Scene::standby(Async, "pm02");
        scene.settings.node_list.remove(0);
        scene.node("pm02").data_status = Some(DataStatus::StreamingAsync);
        scene.node("pm01").data_status = recorded.clone();
        scene.node("pm01").wal_position = Some(position(1, END.0 + 800));
        scene.node("pm01").role = ClusterRole::Unpromoted;
        let (steps, _) = scene.run(Action::Promote);
        let follows = steps.iter().any(|step| matches!(step, Step::FollowPeer(..)));
        assert_eq!(follows, fetches, "{recorded:?}: {steps:?}");
    }
}

#[test]
fn a_forgotten_node_without_a_record_holds_up_no_promotion() {
    let mut scene = Scene::standby(Sync, "pm01");
    scene.settings.node_list.truncate(2);
    scene.cluster().quorum_rule = QuorumRule::TwoNodes;
    scene.node("pm01").data_status = Some(DataStatus::StreamingSync);
    scene.node("pm02").membership = Membership::Down;
    scene.node("pm03").membership = Membership::NeverSeen;
    let (steps, _) = scene.run(Action::Promote);
    assert!(steps.contains(&Step::PromoteServer), "{steps:?}");
    assert!(!steps.contains(&disconnect("pm03")), "nothing to take: {steps:?}");

    let mut fit = scene.clone();
    fit.next_action();
    fit.node("pm01").data_status = Some(DataStatus::StreamingSync);
    fit.node("pm03").data_status = Some(DataStatus::StreamingSync);
    let (_, end) = fit.run(Action::Promote);
    assert_eq!(end, Verdict::Wait(Reason::RecordBinds(vec![node("pm03")])));
}

#[test]
fn the_first_promotion_claims_before_it_revokes() {
    let mut scene = Scene::standby(Sync, "pm01");
    let (steps, _) = scene.run(Action::Promote);
    let recorded: Vec<_> =
        steps.into_iter().filter(|step| matches!(step, Step::SetDataStatus(..))).collect();
    let claim = Step::SetDataStatus(node("pm01"), DataStatus::Latest);
    assert_eq!(recorded, [claim, disconnect("pm02"), disconnect("pm03")]);
}

#[test]
fn only_a_majority_of_corosyncs_votes_relaxes_without_a_lost_standby() {
    use QuorumRule::{Device, Less, Majority, TwoNodes, Unknown};
    // Three nodes are in the cluster information base, one of them forgotten or without a server.
    for (rule, relaxes) in
        [(Majority, true), (TwoNodes, false), (Device, false), (Less, false), (Unknown, false)]
    {
        let mut scene = Scene::primary(Sync);
        scene.settings.node_list.truncate(2);
        scene.report().standbys.clear();
        scene.cluster().quorum_rule = rule;
        scene.node("pm02").membership = Membership::Lost;
        scene.node("pm03").membership = Membership::NeverSeen;
        let (steps, _) = scene.run(Action::Monitor);
        assert_eq!(steps.contains(&disconnect("pm02")), relaxes, "{rule:?}: {steps:?}");
        let relaxed = steps.contains(&Step::WriteSyncNames(SyncNames::nobody()));
        assert_eq!(relaxed, relaxes, "{rule:?}: {steps:?}");
    }
}

/// Two hosts: `pm02` has every acknowledged commit, but its first promotion has failed, so that it has no score.
fn failed_once(last_primary: Membership, followed: bool) -> Scene {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.keep_hosts(2);
    scene.cluster().no_quorum_policy = NoQuorumPolicy::Ignore;
    scene.node("pm02").data_status = Some(DataStatus::StreamingSync);
    scene.seen.files.followed_since_cluster_start = followed;
    let last = scene.node("pm01");
    (last.membership, last.role) = (last_primary, ClusterRole::Unknown);
    (last.data_status, last.wal_position) = (Some(DataStatus::Latest), None);
    scene
}

#[test]
fn of_two_hosts_a_standby_that_never_left_is_promoted_once_the_primary_is_known_to_be_down() {
    use Membership::{Down, Lost, NeverSeen};
    for (membership, followed, asks) in [
        (Down, true, true),
        // It has been away: the primary may have gone on alone.
        (Down, false, false),
        (Lost, true, false),
        (NeverSeen, true, false),
    ] {
        let mut scene = failed_once(membership, followed);
        assert_eq!(asks_to_be_promoted(&mut scene), asks, "{membership:?} {followed}");
    }
    let mut unfenced = failed_once(Down, true);
    unfenced.cluster().fencing = false;
    assert!(!asks_to_be_promoted(&mut unfenced), "nobody has made sure that it is down");
    for (rule, asks) in
        [(QuorumRule::Device, true), (QuorumRule::Less, false), (QuorumRule::Unknown, false)]
    {
        let mut scene = failed_once(Down, true);
        scene.cluster().quorum_rule = rule;
        assert_eq!(
            asks_to_be_promoted(&mut scene),
            asks,
            "{rule:?}: it may have gone on with others"
        );
    }
}

#[test]
fn of_two_hosts_without_any_record_nobody_is_promoted_before_both_are_there() {
    use Membership::{Down, Lost, Member, NeverSeen};
    for (hosts, membership, fencing, asks) in [
        (2, Member, true, true),
        (2, Down, true, false),
        (2, Lost, true, false),
        (2, NeverSeen, true, false),
        // Nobody promised anything.
        (2, Lost, false, true),
        (3, Down, true, true),
    ] {
        let mut scene = Scene::standby(Sync, "pm01");
        scene.keep_hosts(hosts);
        scene.cluster().fencing = fencing;
        scene.node("pm02").membership = membership;
        let case = format!("{hosts} {membership:?} {fencing}");
        assert_eq!(asks_to_be_promoted(&mut scene), asks, "{case}");
        scene.next_action();
        let said = |step: &Step| matches!(step, Step::Warn(Warning::FirstAwaits(..)));
        assert_eq!(scene.run(Action::Monitor).0.iter().any(said), !asks, "{case}");
        // Clusters are set up one host after the other.
        scene.next_action();
        scene.seen.files.first_start_since_boot = true;
        scene.node("pm01").score = Some(PromotionScore::Never);
        assert!(asks_to_be_promoted(&mut scene), "{case}");
    }
}

#[test]
fn who_waits_for_the_last_primary_says_what_to_do() {
    let mut scene = failed_once(Membership::Down, false);
    let (steps, _) = scene.run(Action::Monitor);
    let said = steps.iter().find_map(|step| match step {
        Step::Warn(concern @ Warning::LastPrimaryUnseen(..)) => Some(concern.clone()),
        _ => None,
    });
    let said = said.expect("it says whom it waits for");
    assert!(said.is_severe());
    for word in ["pm01", "node_list", "crm_attribute", "pgsql-data-status"] {
        assert!(said.to_string().contains(word), "{said}");
    }
}

#[test]
fn a_standby_notes_once_that_it_follows_a_primary() {
    let mut scene = Scene::standby(Sync, "pm02");
    let primary = scene.node("pm01");
    (primary.role, primary.status) = (ClusterRole::Promoted, Some(InstanceStatus::Primary));
    scene.stream_from(1);
    assert!(scene.run(Action::Monitor).0.contains(&Step::NoteFollowed));
    scene.next_action();
    assert!(!scene.run(Action::Monitor).0.contains(&Step::NoteFollowed));
}
