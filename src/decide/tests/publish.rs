//! The primary's bookkeeping: what is written when a standby comes or goes, and in which order.

use super::scene::{END, Scene, node, row};
use super::verdicts::PROMOTED;
use crate::model::action::Action;
use crate::model::cluster::{Membership, NoQuorumPolicy};
use crate::model::instance::Lock;
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Reason, Verdict};
use crate::model::wal::{Lsn, Timeline};

fn names(name: &str) -> SyncNames {
    SyncNames::all_of([name.to_owned()])
}

#[test]
fn a_steady_state_writes_nothing() {
    for mode in [Sync, Async] {
        assert_eq!(Scene::primary(mode).run(Action::Monitor), (vec![], PROMOTED), "{mode:?}");
    }
}

#[test]
fn a_lost_sync_standby_is_recorded_before_commits_stop_waiting_for_it() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys.remove(0);
    let (steps, end) = scene.run(Action::Monitor);
    assert_eq!(
        steps[..4],
        [
            Step::SetDataStatus(node("pm02"), DataStatus::Disconnected),
            Step::SetScore(node("pm02"), PromotionScore::Never),
            Step::WriteSyncNames(names("pm03")),
            Step::Reload,
        ]
    );
    assert_eq!(end, PROMOTED);
    assert_eq!(scene.node("pm03").data_status, Some(DataStatus::StreamingSync));
}

#[test]
fn the_last_sync_standby_is_dropped_only_when_its_record_binds() {
    use Membership::{Down, Lost, Member, NeverSeen};
    // (nodes, policy ignore, quorum, fencing, membership of pm02) -> dropped
    let table = [
        (3, false, true, true, Member, true),
        (3, false, true, true, Lost, true),
        (3, false, false, true, Lost, false),
        (3, false, false, true, Member, false),
        (3, true, true, true, Lost, false),
        (3, true, true, true, Down, true),
        (2, false, true, true, Lost, false),
        (2, false, true, true, NeverSeen, false),
        (2, false, true, true, Down, true),
        (2, true, false, true, Lost, false),
        (2, true, false, true, Member, true),
        (2, true, true, false, Lost, true),
    ];
    for (nodes, ignore, quorum, fencing, membership, dropped) in table {
        let mut scene = Scene::primary(Sync);
        scene.report().standbys.clear();
        scene.keep_hosts(nodes);
        let cluster = scene.cluster();
        cluster.quorum = quorum;
        cluster.fencing = fencing;
        cluster.no_quorum_policy =
            if ignore { NoQuorumPolicy::Ignore } else { NoQuorumPolicy::Respect };
        scene.node("pm02").membership = membership;
        let (steps, end) = scene.run(Action::Monitor);
        let relaxed = steps.contains(&Step::WriteSyncNames(SyncNames::nobody()));
        let case = (nodes, ignore, quorum, fencing, membership);
        assert_eq!(relaxed, dropped, "{case:?}: {steps:?}");
        let record = Step::SetDataStatus(node("pm02"), DataStatus::Disconnected);
        assert_eq!(steps.contains(&record), dropped, "{case:?}: {steps:?}");
        let warned = steps.iter().any(|step| matches!(step, Step::Warn(_)));
        assert_eq!(warned, !dropped, "hanging commits are explained: {case:?}: {steps:?}");
        assert_eq!(end, PROMOTED, "{case:?}");
    }
}

#[test]
fn nothing_is_relaxed_when_the_record_cannot_be_written() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys.clear();
    scene.fail(Step::SetDataStatus(node("pm02"), DataStatus::Disconnected));
    let (steps, end) = scene.run(Action::Monitor);
    assert!(!steps.iter().any(|step| matches!(step, Step::WriteSyncNames(_))), "{steps:?}");
    assert_eq!(end, PROMOTED);
}

#[test]
fn a_returning_standby_gets_its_right_only_with_all_earlier_wal() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys = vec![row("pm02", "streaming", "async", Lsn(END.0 - 8))];
    scene.report().synchronous_standby_names = String::new();
    scene.seen.files.sync_names = Some(SyncNames::nobody());
    let record = scene.node("pm02");
    record.data_status = Some(DataStatus::Disconnected);
    record.score = Some(PromotionScore::Never);
    record.status = Some(InstanceStatus::Alone);
    let (steps, end) = scene.run(Action::Monitor);
    assert!(steps.contains(&Step::WriteSyncNames(names("pm02"))), "{steps:?}");
    assert!(steps.contains(&Step::NoteSyncBaseline(node("pm02"), END)), "{steps:?}");
    assert_eq!(end, Verdict::Wait(Reason::StandbyCatchesUp(node("pm02"))));
    assert_ne!(scene.node("pm02").data_status, Some(DataStatus::StreamingSync));

    scene.report().standbys[0].flush_lsn = Some(END);
    let (steps, end) = scene.run(Action::Monitor);
    assert_eq!(
        steps,
        [
            Step::SetDataStatus(node("pm02"), DataStatus::StreamingSync),
            Step::SetScore(node("pm02"), PromotionScore::CAN_PROMOTE),
            Step::SetStatus(node("pm02"), InstanceStatus::Sync),
        ]
    );
    assert_eq!(end, PROMOTED);
}

#[test]
fn a_sync_standby_is_not_exchanged_while_it_streams() {
    let mut scene = Scene::primary(Sync);
    scene.report().standbys.reverse();
    scene.report().standbys[1].flush_lsn = Some(Lsn(1));
    assert_eq!(scene.run(Action::Monitor), (vec![], PROMOTED));
}

#[test]
fn what_a_stopping_node_said_of_itself_is_not_overwritten() {
    for said in [InstanceStatus::Stopped, InstanceStatus::Unknown] {
        let mut scene = Scene::primary(Async);
        scene.node("pm02").status = Some(said);
        let (steps, _) = scene.run(Action::Monitor);
        assert!(!steps.iter().any(|step| matches!(step, Step::SetStatus(..))), "{steps:?}");
    }
}

#[test]
fn a_far_lagging_standby_ranks_lower_in_async_mode() {
    let mut scene = Scene::primary(Async);
    scene.report().standbys[0].flush_lsn = Some(Lsn(END.0 - (1 << 20)));
    assert_eq!(scene.run(Action::Monitor), (vec![], PROMOTED), "a little lag changes nothing");
    scene.report().standbys[1].flush_lsn = Some(Lsn(END.0 + (64 << 20)));
    let (steps, _) = scene.run(Action::Monitor);
    assert_eq!(steps, [Step::SetScore(node("pm02"), PromotionScore::BEHIND)]);
}

#[test]
fn a_slot_is_made_for_a_running_peer_without_one() {
    let mut scene = Scene::primary(Async);
    scene.settings.replication_slot_name = "test".into();
    scene.node("pm03").role = crate::model::cluster::ClusterRole::Stopped;
    let (steps, _) = scene.run(Action::Monitor);
    let slots: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::CreateSlot(slot) => Some(slot.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(slots, ["test_pm02"], "pm03 is not running: its slot is the operator's to keep");
}

#[test]
fn an_external_standby_joins_and_leaves_the_synchronous_set() {
    let mut scene = Scene::primary(Sync);
    scene.settings.external_standby_node_list = vec!["dr1".into()];
    scene.report().standbys.push(row("dr1", "streaming", "async", END));
    let (steps, _) = scene.run(Action::Monitor);
    let all = SyncNames::all_of(["pm02", "pm03", "dr1"].map(str::to_owned));
    assert!(steps.contains(&Step::WriteSyncNames(all)), "{steps:?}");
    scene.next_action();
    scene.report().standbys.pop();
    let (steps, _) = scene.run(Action::Monitor);
    let inside = SyncNames::all_of(["pm02", "pm03"].map(str::to_owned));
    assert!(steps.contains(&Step::WriteSyncNames(inside)), "{steps:?}");
}

#[test]
fn a_primary_signs_the_stock_agents_lock() {
    let mut scene = Scene::primary(Sync);
    scene.seen.files.lock = Some(Lock { timeline: None });
    assert_eq!(scene.run(Action::Monitor).0, [Step::CreateLock(Timeline(1))]);
}

#[test]
fn a_standby_that_streams_another_history_has_no_right_and_no_commit_waits_for_it() {
    for mode in [Sync, Async] {
        let mut scene = Scene::primary(mode);
        for row in &mut scene.report().standbys {
            row.shares_history = false;
        }
        let (_, end) = scene.run(Action::Monitor);
        assert_eq!(end, PROMOTED);
        for name in ["pm02", "pm03"] {
            let expected = Some(DataStatus::Other("CATCHUP|ASYNC".into()));
            assert_eq!(scene.node(name).data_status, expected, "{mode:?} {name}");
            assert_eq!(scene.node(name).score, Some(PromotionScore::Never), "{mode:?} {name}");
        }
        if mode == Sync {
            assert_eq!(scene.seen.files.sync_names, Some(SyncNames::nobody()));
        }
    }
}

#[test]
fn a_lock_is_signed_anew_while_every_promotion_elsewhere_would_be_on_record() {
    use Membership::{Down, Member};
    // (nodes, membership of pm02) -> signs
    for (nodes, membership, signs) in
        [(3, Member, true), (3, Down, true), (2, Member, true), (2, Down, false)]
    {
        let mut scene = Scene::primary(Sync);
        scene.keep_hosts(nodes);
        scene.node("pm02").membership = membership;
        scene.seen.files.lock_since_cluster_start = false;
        let (steps, _) = scene.run(Action::Monitor);
        let signed = steps.contains(&Step::CreateLock(Timeline(1)));
        assert_eq!(signed, signs, "{nodes} {membership:?}: {steps:?}");
    }
}
