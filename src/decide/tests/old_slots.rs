//! Slots that the agent has made and that no node of `node_list` has now.

use super::scene::{END, Scene, node, slot};
use super::slots::changes;
use crate::model::action::Action;
use crate::model::cluster::ClusterRole;
use crate::model::instance::SlotRow;
use crate::model::settings::ReplicationMode::Sync;
use crate::model::slot::{DropReason, MadeSlot, SlotName};
use crate::model::step::Step;
use crate::model::verdict::Verdict;
use crate::model::wal::Lsn;
use crate::model::warning::Warning;
use std::time::Duration;

/// Notes that the agent made a slot of this name for this node.
fn made(scene: &mut Scene, name: &str, of: &str) {
    let slot = MadeSlot { name: SlotName::parse(name).expect("a name"), node: node(of) };
    scene.seen.files.made_slots.as_mut().expect("a record").push(slot);
}

fn recorded(scene: &Scene) -> Vec<String> {
    let made = scene.seen.files.made_slots.as_ref().expect("a record");
    made.iter().map(|slot| format!("{} {}", slot.name, slot.node)).collect()
}

#[test]
fn what_is_made_is_noted_before_it_is_made_and_forgotten_when_it_is_gone() {
    for mut scene in [Scene::primary(Sync), Scene::standby(Sync, "pm01")] {
        scene.settings.replication_slot_name = "s".into();
        made(&mut scene, "s_gone", "gone");
        let (steps, _) = scene.run(Action::Monitor);
        let of_slots = |step: &&Step| matches!(step, Step::RecordSlots(_) | Step::CreateSlot(_));
        let first = steps.iter().find(of_slots);
        assert!(matches!(first, Some(Step::RecordSlots(_))), "{steps:?}");
        assert_eq!(recorded(&scene), ["s_pm02 pm02", "s_pm03 pm03"]);
        scene.next_action();
        let (steps, _) = scene.run(Action::Monitor);
        assert!(!steps.iter().any(|step| matches!(step, Step::RecordSlots(_))), "{steps:?}");
    }
    // A record that cannot be read is neither believed to be empty nor written over.
    let mut scene = Scene::primary(Sync);
    scene.settings.replication_slot_name = "s".into();
    scene.seen.files.made_slots = None;
    scene.run(Action::Monitor);
    assert_eq!(scene.seen.files.made_slots, None);
}

#[test]
fn a_slot_of_ours_that_nobody_needs_goes_and_others_stay() {
    let unset = |scene: &mut Scene| scene.settings.replication_slot_name.clear();
    let removed = |scene: &mut Scene| scene.settings.node_list.retain(|name| *name != node("pm03"));
    let away = |scene: &mut Scene| scene.report().standbys.retain(|r| r.application_name != "pm03");
    type Change<'a> = &'a dyn Fn(&mut Scene);
    let cases: [(&str, &str, &[Change<'_>], Option<DropReason>); 10] = [
        (
            "the node left the list, and is still a member",
            "s_pm03",
            &[&removed],
            Some(DropReason::Left),
        ),
        ("it is not even a member", "s_pm09", &[], Some(DropReason::Left)),
        ("another prefix, and it streams", "old_pm03", &[], Some(DropReason::Replaced)),
        ("another prefix, and it is away", "old_pm03", &[&away], None),
        ("no prefix any more, and it streams", "s_pm03", &[&unset], Some(DropReason::Replaced)),
        ("no prefix any more, and it is away", "s_pm03", &[&unset, &away], None),
        ("this node's own, another prefix", "old_pm01", &[], Some(DropReason::Own)),
        ("the present one, and it is away", "s_pm03", &[&away], None),
        ("both changed", "old_pm03", &[&removed, &unset], Some(DropReason::Left)),
        ("the present one of a node that streams", "s_pm03", &[], None),
    ];
    for (what, slot_name, changes_of, reason) in cases {
        for (ours, active) in [(true, false), (true, true), (false, false)] {
            let mut scene = Scene::primary(Sync);
            scene.settings.replication_slot_name = "s".into();
            changes_of.iter().for_each(|change| change(&mut scene));
            if ours {
                made(&mut scene, slot_name, &slot_name[slot_name.len() - 4..]);
            }
            let row = SlotRow { active, ..slot(slot_name, Some(END)) };
            scene.report().slots = vec![slot("s_backup", Some(Lsn(8))), row];
            let dropped: Vec<Step> = changes(scene.run(Action::Monitor).0)
                .into_iter()
                .filter(|step| matches!(step, Step::DropSlot(..)))
                .collect();
            let name = SlotName::parse(slot_name).expect("a name");
            let expected = reason.filter(|_| ours && !active).map(|r| Step::DropSlot(name, r));
            assert_eq!(dropped, expected.into_iter().collect::<Vec<_>>(), "{what} {ours} {active}");
        }
    }
}

#[test]
fn limits_and_warnings_hold_for_old_slots_of_ours_too() {
    let kept = 1000;
    for (limit, expire, dropped) in [
        (0, 0, None),
        (999, 0, Some(DropReason::TooMuch(kept))),
        (1000, 0, None),
        (0, 1, Some(DropReason::Expired(Duration::from_secs(2)))),
    ] {
        let mut scene = Scene::primary(Sync);
        scene.settings.policy.slot_max_retained = limit;
        scene.settings.policy.slot_expire = Duration::from_secs(expire);
        scene.node("pm03").role = ClusterRole::Stopped;
        scene.report().standbys.retain(|row| row.application_name != "pm03");
        made(&mut scene, "old_pm03", "pm03");
        let old = SlotName::parse("old_pm03").expect("a name");
        let idle = Some(Duration::from_secs(2));
        let row = SlotRow { idle, ..slot("old_pm03", Some(Lsn(END.0 - kept))) };
        scene.report().slots = vec![row, slot("other", Some(Lsn(1)))];
        let (steps, _) = scene.run(Action::Monitor);
        let warning = Step::Warn(Warning::SlotKeeps(old.clone(), kept));
        assert_eq!(steps.contains(&warning), limit == 1000, "{limit}: {steps:?}");
        let expected = dropped.map(|reason| Step::DropSlot(old, reason));
        assert_eq!(changes(steps), expected.into_iter().collect::<Vec<_>>(), "{limit} {expire}");
    }
}

#[test]
fn a_standby_drops_old_slots_once_the_new_ones_keep_as_much() {
    let keep = 1000;
    // (prefix, where the old one begins, where the new one does) -> dropped
    for (prefix, old, new, dropped) in [
        ("s", 500, Some(500), true),
        ("s", 500, Some(400), false),
        ("s", 1250, Some(400), false),
        ("s", 1251, Some(400), true),
        ("s", 500, None, false),
        ("", 1, None, true),
    ] {
        let mut scene = Scene::standby(Sync, "pm02");
        scene.settings.replication_slot_name = prefix.into();
        scene.settings.policy.standby_slot_keep_size = keep;
        made(&mut scene, "old_pm03", "pm03");
        made(&mut scene, "old_pm04", "pm04");
        let at = |behind: u64| Some(Lsn(END.0 - behind));
        let mut rows = vec![slot("old_pm03", at(old)), slot("old_pm04", at(0)), slot("s_x", at(0))];
        rows.extend(new.map(|behind| slot("s_pm03", at(behind))));
        scene.standby_report().slots = rows;
        // As it stands: what this very monitor makes does not count yet.
        let Verdict::Do(first) = scene.decide(Action::Monitor) else { panic!("nothing to do") };
        assert!(matches!(first, Step::RecordSlots(_)) == (prefix == "s"), "{first:?}");
        let drops: Vec<Step> = changes(scene.run(Action::Monitor).0)
            .into_iter()
            .filter(|step| matches!(step, Step::DropSlot(..)))
            .collect();
        let [three, four] = ["old_pm03", "old_pm04"].map(|n| SlotName::parse(n).expect("a name"));
        let left = Step::DropSlot(four, DropReason::Left);
        let replaced = dropped.then_some(Step::DropSlot(three, DropReason::Replaced));
        assert_eq!(drops, replaced.into_iter().chain([left]).collect::<Vec<_>>(), "{old} {new:?}");
    }
}
