//! Slots on primaries and standbys, and standbys that are too far behind.

use super::scene::{END, Scene, node, row, slot};
use crate::model::action::Action;
use crate::model::cluster::ClusterRole;
use crate::model::instance::{DiskSpace, SlotRow};
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::slot::{DropReason, SlotName};
use crate::model::status::{DataStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::wal::Lsn;
use crate::model::warning::Warning;
use std::time::Duration;

fn name(scene: &Scene, of: &str) -> SlotName {
    SlotName::of("s", &node(of), &scene.settings.node_list)
}

pub(super) fn changes(steps: Vec<Step>) -> Vec<Step> {
    let of_slots = |step: &Step| {
        matches!(step, Step::CreateSlot(_) | Step::DropSlot(..) | Step::AdvanceSlot(..))
    };
    steps.into_iter().filter(of_slots).collect()
}

#[test]
fn a_standby_keeps_a_slot_for_every_other_node_and_moves_it_on_seldom() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.settings.replication_slot_name = "s".into();
    let steps = changes(scene.run(Action::Monitor).0);
    let [one, three] = ["pm01", "pm03"].map(|of| name(&scene, of));
    assert_eq!(steps, [Step::CreateSlot(one), Step::CreateSlot(three.clone())]);
    scene.next_action();
    assert_eq!(changes(scene.run(Action::Monitor).0), []);

    let keep = 1000;
    scene.settings.policy.standby_slot_keep_size = keep;
    for (lag, advanced) in [(0, false), (1000, false), (1250, false), (1251, true)] {
        for (active, lost) in [(false, false), (true, false)] {
            scene.next_action();
            let rows = &mut scene.standby_report().slots;
            *rows = vec![slot("s_pm01", Some(END)), slot("s_pm03", Some(Lsn(END.0 - lag)))];
            (rows[1].active, rows[1].lost) = (active, lost);
            let steps = changes(scene.run(Action::Monitor).0);
            let expected =
                (advanced && !active).then(|| Step::AdvanceSlot(three.clone(), Lsn(END.0 - keep)));
            assert_eq!(steps, expected.into_iter().collect::<Vec<_>>(), "{lag} {active}");
        }
    }
}

#[test]
fn a_standby_keeps_nothing_for_others_on_a_disk_that_is_nearly_full() {
    let mut scene = Scene::standby(Sync, "pm02");
    scene.settings.replication_slot_name = "s".into();
    scene.seen.instance.disk = Some(DiskSpace { free: 99, total: 1000 });
    scene.standby_report().slots = vec![slot("s_pm01", Some(END)), slot("s_pm03", Some(Lsn(8)))];
    let three = name(&scene, "pm03");
    assert_eq!(changes(scene.run(Action::Monitor).0), [Step::AdvanceSlot(three, END)]);
}

#[test]
fn a_standby_that_cannot_move_slots_on_makes_none_and_drops_what_fills_its_disk() {
    for (keep, advances, kept, dropped) in [
        (0, true, 0, false),
        (0, true, 1, true),
        (1000, false, 1250, false),
        (1000, false, 1251, true),
    ] {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.settings.replication_slot_name = "s".into();
        scene.settings.policy.standby_slot_keep_size = keep;
        scene.standby_report().slots_advance = advances;
        scene.standby_report().slots = vec![slot("s_pm03", Some(Lsn(END.0 - kept)))];
        let three = name(&scene, "pm03");
        let drop = dropped.then_some(Step::DropSlot(three, DropReason::OnStandby(kept)));
        let steps = changes(scene.run(Action::Monitor).0);
        assert_eq!(steps, drop.into_iter().collect::<Vec<_>>(), "{keep} {advances} {kept}");
    }
}

#[test]
fn a_slot_that_nobody_can_use_is_dropped_and_made_anew_for_a_node_that_runs() {
    let lost = |of: &str| SlotRow { lost: true, ..slot(of, None) };
    let mut scene = Scene::primary(Sync);
    scene.settings.replication_slot_name = "s".into();
    scene.node("pm03").role = ClusterRole::Stopped;
    scene.report().slots =
        vec![lost("s_pm02"), lost("s_pm03"), lost("foreign"), slot("s_pm01", None)];
    let [own, two, three] = ["pm01", "pm02", "pm03"].map(|of| name(&scene, of));
    assert_eq!(
        changes(scene.run(Action::Monitor).0),
        [
            Step::DropSlot(own, DropReason::Own),
            Step::DropSlot(two.clone(), DropReason::Lost),
            Step::DropSlot(three, DropReason::Lost),
            Step::CreateSlot(two),
        ]
    );
}

#[test]
fn only_the_slot_of_an_absent_standby_is_limited_and_only_if_the_operator_says_so() {
    let kept = 1000;
    // (limit, active, running) -> dropped, warned
    for (limit, active, dropped, warned) in [
        (0, false, false, false),
        (999, false, true, false),
        (999, true, false, false),
        (1000, false, false, true),
        (1249, false, false, true),
        (1250, false, false, false),
    ] {
        let mut scene = Scene::primary(Sync);
        scene.settings.replication_slot_name = "s".into();
        scene.settings.policy.slot_max_retained = limit;
        scene.node("pm03").role = ClusterRole::Stopped;
        let row = SlotRow { active, ..slot("s_pm03", Some(Lsn(END.0 - kept))) };
        let foreign = slot("backup", Some(Lsn(1)));
        scene.report().slots = vec![slot("s_pm02", Some(END)), row, foreign];
        let three = name(&scene, "pm03");
        let (steps, _) = scene.run(Action::Monitor);
        let warning = Step::Warn(Warning::SlotKeeps(three.clone(), kept));
        assert_eq!(steps.contains(&warning), warned, "{limit} {active}: {steps:?}");
        let drop = dropped.then_some(Step::DropSlot(three, DropReason::TooMuch(kept)));
        assert_eq!(changes(steps), drop.into_iter().collect::<Vec<_>>(), "{limit} {active}");
    }
}

#[test]
fn the_slot_of_a_node_that_stays_away_expires() {
    let hour = Duration::from_secs(3600);
    for (expire, idle, role, dropped) in [
        (Duration::ZERO, Some(hour * 2), ClusterRole::Stopped, false),
        (hour, Some(hour * 2), ClusterRole::Stopped, true),
        (hour, Some(hour), ClusterRole::Stopped, false),
        (hour, None, ClusterRole::Stopped, false),
        (hour, Some(hour * 2), ClusterRole::Unpromoted, false),
    ] {
        let mut scene = Scene::primary(Sync);
        scene.settings.replication_slot_name = "s".into();
        scene.settings.policy.slot_expire = expire;
        scene.node("pm03").role = role;
        let row = SlotRow { idle, ..slot("s_pm03", Some(END)) };
        scene.report().slots = vec![slot("s_pm02", Some(END)), row];
        let steps = changes(scene.run(Action::Monitor).0);
        let expected =
            dropped.then(|| Step::DropSlot(name(&scene, "pm03"), DropReason::Expired(hour * 2)));
        assert_eq!(steps, expected.into_iter().collect::<Vec<_>>(), "{expire:?} {idle:?} {role:?}");
    }
}

#[test]
fn a_disk_that_fills_up_is_told_with_the_slot_that_fills_it() {
    for (free, told) in [(99, true), (100, false)] {
        let mut scene = Scene::primary(Sync);
        scene.seen.instance.disk = Some(DiskSpace { free, total: 1000 });
        scene.report().slots = vec![slot("a", Some(END)), slot("b", Some(Lsn(END.0 - 50)))];
        let warning = Warning::DiskNearlyFull { free, slot: Some(("b".into(), 50)) };
        let (steps, _) = scene.run(Action::Monitor);
        assert_eq!(steps.contains(&Step::Warn(warning)), told, "{free}: {steps:?}");
    }
}

#[test]
fn in_async_mode_a_standby_that_lacks_too_much_has_no_right_until_it_has_caught_up() {
    let behind = Some(DataStatus::StreamingBehind);
    let fit = Some(DataStatus::StreamingAsync);
    for (limit, before, lag, expected) in [
        (0, &fit, 1 << 40, &fit),
        (1000, &fit, 1000, &fit),
        (1000, &fit, 1001, &behind),
        (1000, &behind, 501, &behind),
        (1000, &behind, 500, &fit),
    ] {
        let mut scene = Scene::primary(Async);
        scene.settings.policy.max_lag_on_failover = limit;
        scene.report().wal_end = Lsn(1 << 41);
        let flushed = [("pm02", 1 << 41), ("pm03", (1 << 41) - lag)];
        scene.report().standbys =
            flushed.map(|(name, lsn)| row(name, "streaming", "async", Lsn(lsn))).to_vec();
        scene.node("pm03").data_status.clone_from(before);
        scene.run(Action::Monitor);
        assert_eq!(scene.node("pm03").data_status, *expected, "{limit} {before:?} {lag}");
        let never = scene.node("pm03").score == Some(PromotionScore::Never);
        assert_eq!(never, *expected == behind, "{limit} {before:?} {lag}");
        assert_eq!(scene.node("pm02").data_status, fit);
    }
    // Without a primary it does not ask to be promoted, and says why.
    let mut scene = Scene::standby(Async, "pm01");
    scene.node("pm01").data_status = behind;
    let (steps, _) = scene.run(Action::Monitor);
    let warning = Step::Warn(Warning::Unfit(DataStatus::StreamingBehind));
    assert!(steps.contains(&warning), "{steps:?}");
    assert_ne!(scene.node("pm01").score, Some(PromotionScore::PROMOTE_ME));
}
