//! Whom commits wait for: how many, which ones, and what is done when they go.

use super::scene::{END, Scene, node, row};
use crate::model::action::Action;
use crate::model::cluster::{ClusterRole, Membership, NoQuorumPolicy};
use crate::model::observation::Attempt;
use crate::model::policy::SyncAvailability;
use crate::model::settings::ReplicationMode::Sync;
use crate::model::status::DataStatus;
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Outcome, Reason, Verdict};
use crate::model::wal::{Lsn, WalPosition};
use crate::model::warning::{WaitsBecause, Warning};
use std::time::Duration;

const PROMOTED: Verdict = Verdict::Done(Outcome::RunningPromoted);

pub(super) fn written(steps: &[Step]) -> Vec<String> {
    let names = steps.iter().filter_map(|step| match step {
        Step::WriteSyncNames(names) => Some(names.to_string()),
        _ => None,
    });
    names.collect()
}

/// What the primary makes of these names in force, in its file, and streaming standbys.
fn names_after(mut scene: Scene, effective: &str, file: &str, streaming: &[&str]) -> Vec<String> {
    scene.report().synchronous_standby_names = effective.into();
    scene.seen.files.sync_names = Some(SyncNames::parse(file));
    let listed = SyncNames::parse(effective);
    let state = |name: &str| if listed.contains(name) { "sync" } else { "async" };
    let rows = streaming.iter().map(|name| row(name, "streaming", state(name), END));
    scene.report().standbys = rows.collect();
    written(&scene.run(Action::Monitor).0)
}

#[test]
fn what_is_in_force_decides_and_not_what_was_written_last() {
    for (effective, file, expected) in [
        ("\"pm02\"", "\"pm02\"", vec![]),
        // Killed between the file and the reload: nobody is dropped without a record.
        ("\"pm02\"", "", vec!["\"pm02\""]),
        ("\"pm02\"", "\"pm03\"", vec!["\"pm02\""]),
        // The server is about to read the file.
        ("", "\"pm03\"", vec![]),
        // Somebody else's names: pm02 has a right, and is not exchanged while it has.
        ("pm03, pm02", "pm03, pm02", vec!["\"pm02\""]),
        ("ANY 1 (pm03, pm02)", "", vec!["\"pm02\""]),
        ("\"other\"", "\"pm02\"", vec![]),
    ] {
        let names = names_after(Scene::primary(Sync), effective, file, &["pm02", "pm03"]);
        assert_eq!(names, expected, "{effective} {file}");
    }
}

#[test]
fn names_that_another_source_overrides_are_told_and_give_no_right() {
    let mut scene = Scene::primary(Sync);
    scene.report().synchronous_standby_names = "pm02, pm03".into();
    scene.take(Step::WriteSyncNames(SyncNames::parse("pm02")));
    let (steps, end) = {
        scene.seen.taken.0.clear();
        assert_eq!(scene.decide(Action::Monitor), Verdict::Do(Step::Reload));
        // The reload changes nothing.
        let report = scene.report().clone();
        scene.take(Step::Reload);
        *scene.report() = report;
        assert_eq!(scene.decide(Action::Monitor), Verdict::Wait(Reason::ReloadTakesEffect));
        scene.seen.time.elapsed = Duration::from_secs(2);
        scene.node("pm02").data_status = Some(DataStatus::Disconnected);
        scene.run(Action::Monitor)
    };
    let concern = Warning::NamesOverridden("pm02, pm03".into());
    assert!(steps.contains(&Step::Warn(concern)), "{steps:?}");
    let granted = Step::SetDataStatus(node("pm02"), DataStatus::StreamingSync);
    assert!(!steps.contains(&granted), "PostgreSQL may replace it by pm03: {steps:?}");
    assert_eq!(end, PROMOTED);
}

#[test]
fn a_choice_stays_while_it_is_good() {
    let two = |standbys: usize| {
        let mut scene = Scene::primary(Sync);
        scene.add_node("pm04");
        scene.settings.policy.sync_standbys = standbys;
        for name in ["pm02", "pm03", "pm04"] {
            scene.node(name).data_status = Some(DataStatus::StreamingSync);
        }
        scene
    };
    let all = ["pm02", "pm03", "pm04"];
    for (standbys, effective, streaming, expected) in [
        (1, "\"pm03\"", &all[..], vec![]),
        (1, "\"pm03\"", &["pm02", "pm04"][..], vec!["\"pm02\""]),
        (2, "\"pm04\"", &all[..], vec!["FIRST 2 (\"pm04\", \"pm02\")"]),
        (2, "FIRST 2 (\"pm04\", \"pm02\")", &all[..], vec![]),
        (
            2,
            "FIRST 2 (\"pm04\", \"pm02\")",
            &["pm02", "pm03"][..],
            vec!["FIRST 2 (\"pm02\", \"pm03\")"],
        ),
        (2, "FIRST 2 (\"pm04\", \"pm02\")", &["pm02"][..], vec!["\"pm02\""]),
        (2, "FIRST 2 (\"pm04\", \"pm02\")", &[][..], vec![""]),
        (1, "FIRST 2 (\"pm04\", \"pm02\")", &all[..], vec!["\"pm04\""]),
        (3, "", &all[..2], vec!["FIRST 2 (\"pm02\", \"pm03\")"]),
    ] {
        let names = names_after(two(standbys), effective, effective, streaming);
        assert_eq!(names, expected, "{standbys} {effective} {streaming:?}");
    }
}

#[test]
fn a_standby_that_goes_and_comes_changes_the_names_once() {
    let mut scene = Scene::primary(Sync);
    let rows = scene.report().standbys.clone();
    scene.report().standbys.remove(0);
    let (first, _) = scene.run(Action::Monitor);
    assert_eq!(written(&first), ["\"pm03\""]);
    scene.next_action();
    scene.report().standbys = rows;
    for (row, state) in scene.report().standbys.iter_mut().zip(["async", "sync"]) {
        row.sync_state = Some(state.into());
    }
    let (second, _) = scene.run(Action::Monitor);
    assert_eq!(written(&second), [""; 0]);
    scene.next_action();
    assert_eq!(scene.run(Action::Monitor), (vec![], PROMOTED));
}

#[test]
fn who_is_no_longer_waited_for_loses_its_right_first() {
    let mut scene = Scene::primary(Sync);
    let both = SyncNames::all_of(["pm02", "pm03"].map(str::to_owned));
    scene.take(Step::WriteSyncNames(both));
    scene.take(Step::Reload);
    scene.next_action();
    scene.node("pm03").data_status = Some(DataStatus::StreamingSync);
    let (steps, _) = scene.run(Action::Monitor);
    let place = |wanted: &Step| steps.iter().position(|step| step == wanted);
    let revoked = place(&Step::SetDataStatus(node("pm03"), DataStatus::StreamingAsync));
    let names = place(&Step::WriteSyncNames(SyncNames::parse("pm02")));
    assert!(revoked.is_some() && revoked < names, "{steps:?}");
}

fn strict(mut scene: Scene) -> Scene {
    scene.settings.policy.sync_availability = SyncAvailability::Strict;
    scene
}

#[test]
fn a_strict_primary_never_empties_the_names() {
    let (gate, nobody) = ("\"pm02\", \"pm03\"", "\"no-standby-yet\"");
    for (effective, streaming, expected) in [
        ("\"pm02\"", &[][..], vec![]),
        ("\"pm02\"", &["pm03"][..], vec!["\"pm03\""]),
        (gate, &[][..], vec![]),
        (gate, &["pm03"][..], vec!["\"pm03\""]),
        (gate, &["pm02", "pm03"][..], vec!["\"pm02\""]),
        ("", &[][..], vec![nobody]),
        (nobody, &[][..], vec![]),
        (nobody, &["pm03"][..], vec!["\"pm03\""]),
        ("\"other\"", &[][..], vec![nobody]),
    ] {
        let names = names_after(strict(Scene::primary(Sync)), effective, effective, streaming);
        assert_eq!(names, expected, "{effective} {streaming:?}");
    }
    let mut scene = strict(Scene::primary(Sync));
    scene.report().standbys.clear();
    let (steps, _) = scene.run(Action::Monitor);
    let because = WaitsBecause::Strict;
    let concern = Warning::CommitsWaitFor { standby: "pm02".into(), because };
    assert!(steps.contains(&Step::Warn(concern)), "{steps:?}");
}

#[test]
fn a_lost_host_does_not_hold_up_a_strict_new_primary() {
    let mut scene = strict(Scene::primary(Sync));
    let gate = SyncNames::one_of(["pm02", "pm03"].map(str::to_owned));
    scene.report().synchronous_standby_names = gate.to_string();
    scene.seen.files.sync_names = Some(gate);
    for name in ["pm02", "pm03"] {
        scene.node(name).data_status = Some(DataStatus::Disconnected);
    }
    scene.report().standbys.remove(0);
    scene.node("pm02").membership = Membership::Lost;
    scene.cluster().no_quorum_policy = NoQuorumPolicy::Ignore;
    assert_eq!(written(&scene.run(Action::Monitor).0), ["\"pm03\""]);
}

#[test]
fn a_grant_of_which_nothing_was_heard_is_overwritten_before_commits_stop_waiting() {
    let status = DataStatus::Other("CATCHUP|POTENTIAL".into());
    let revocation = Step::SetDataStatus(node("pm02"), status.clone());
    let grant = Step::SetDataStatus(node("pm02"), DataStatus::StreamingSync);
    let done = |step: &Step| (step.clone(), None);
    let refused = |step: &Step| (step.clone(), Some("no answer".to_owned()));
    let names = Step::WriteSyncNames(SyncNames::parse("pm03"));
    // After the cluster has refused, commits wait for the next action.
    for (attempts, expected) in [
        (vec![], Some(&revocation)),
        (vec![done(&revocation)], Some(&names)),
        (vec![refused(&grant)], None),
        (vec![done(&revocation), refused(&grant)], None),
    ] {
        let mut scene = Scene::primary(Sync);
        scene.report().synchronous_standby_names = "\"pm02\"".into();
        scene.seen.files.sync_names = Some(SyncNames::parse("pm02"));
        scene.report().standbys =
            vec![row("pm02", "catchup", "potential", END), row("pm03", "streaming", "async", END)];
        scene.node("pm02").data_status = Some(status.clone());
        let attempt = |(step, error)| Attempt { step, ended: Duration::ZERO, error };
        scene.seen.taken.0.extend(attempts.into_iter().map(attempt));
        let steps = scene.run(Action::Monitor).0;
        let mut about = steps.iter().filter(|step| [&revocation, &names].contains(step));
        assert_eq!(about.next(), expected, "{steps:?}");
    }
}

#[test]
fn a_strict_primary_is_born_with_names() {
    let nobody = SyncNames::one_of(["no-standby-yet".to_owned()]);
    let mut scene = strict(Scene::stopped(Sync, "pm02"));
    scene.seen.instance.postmaster = crate::model::instance::Postmaster::Absent;
    let (steps, _) = scene.run(Action::Start);
    assert!(steps.contains(&Step::WriteSyncNames(nobody)), "{steps:?}");

    // PostgreSQL would believe pm01, which goes further, and pm04, which may for all that it has read.
    let gate = SyncNames::one_of(["pm03".to_owned()]);
    let mut scene = strict(Scene::standby(Sync, "pm02"));
    scene.add_node("pm04");
    let mine = scene.standby_report().position();
    for (name, is_final) in [("pm03", true), ("pm04", false)] {
        scene.node(name).wal_position = Some(mine);
        scene.node(name).position_is_final = is_final;
    }
    scene.node("pm01").position_is_final = true;
    scene.node("pm01").wal_position = Some(WalPosition { lsn: Lsn(mine.lsn.0 + 8), ..mine });
    (scene.node("pm01").role, scene.node("pm04").role) =
        (ClusterRole::Stopped, ClusterRole::Stopped);
    let (steps, end) = scene.run(Action::Promote);
    assert!(steps.contains(&Step::WriteSyncNames(gate.clone())), "{steps:?}");
    assert!(!steps.contains(&Step::PromoteServer), "{steps:?}");
    assert_eq!(end, Verdict::Wait(Reason::ReloadTakesEffect));
    // Received meanwhile: pm01 will follow as well, and is named by one more reload.
    let mut later = scene.clone();
    later.standby_report().wal_end = Lsn(mine.lsn.0 + 8);
    let both = SyncNames::one_of(["pm01", "pm03"].map(str::to_owned));
    let (steps, _) = later.run(Action::Promote);
    assert!(steps.ends_with(&[Step::WriteSyncNames(both), Step::Reload]), "{steps:?}");
    scene.standby_report().synchronous_standby_names = gate.to_string();
    scene.standby_report().sync_config_applied = false;
    assert_eq!(scene.decide(Action::Promote), Verdict::Wait(Reason::ReloadTakesEffect));
    scene.standby_report().sync_config_applied = true;
    assert_eq!(scene.decide(Action::Promote), Verdict::Do(Step::PromoteServer));
}
