//! How a primary is stopped: cleanly, unless its standbys were lost and may be promoted without what it writes.

use super::scene::Scene;
use crate::model::action::Action;
use crate::model::cluster::Membership::{self, Down, Lost, Member, NeverSeen};
use crate::model::cluster::QuorumRule;
use crate::model::instance::{Answer, Postmaster};
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::status::DataStatus;
use crate::model::step::{ShutdownMode, Step};

/// The first way in which the action stops the server.
fn stopped_by(scene: &Scene, action: Action) -> ShutdownMode {
    let mut scene = scene.clone();
    scene.seen.notification.stop = vec![scene.seen.local.clone()];
    let (steps, end) = scene.run(action);
    let modes = steps.iter().filter_map(|step| match step {
        Step::Shutdown(mode) => Some(*mode),
        _ => None,
    });
    assert_eq!(end, super::verdicts::SUCCESS, "{steps:?}");
    assert_eq!(scene.seen.instance.postmaster, Postmaster::Absent);
    modes.into_iter().next().expect("the server is stopped")
}

#[test]
fn an_isolated_primary_writes_nothing_more_and_every_other_stops_cleanly() {
    use ShutdownMode::{Fast, Immediate};
    // (quorum, pm02 and pm03, how it is stopped)
    let table: [(bool, Membership, Membership, ShutdownMode); 9] = [
        (true, Member, Member, Fast),
        // Cut off from both.
        (false, Lost, Lost, Immediate),
        // The others were stopped in order, one after the other, and the quorum went with them.
        (false, Down, Down, Fast),
        (false, Down, Lost, Fast),
        (false, Lost, Down, Immediate),
        // One of five, so to speak: whoever is left here is not asked by the others.
        (false, Lost, Member, Immediate),
        // With the quorum nobody is promoted elsewhere.
        (true, Lost, Member, Fast),
        (true, Member, Lost, Fast),
        (false, NeverSeen, NeverSeen, Fast),
    ];
    for (quorum, second, third, mode) in table {
        for action in [Action::Demote, Action::Stop] {
            let mut scene = Scene::primary(Sync);
            scene.cluster().quorum = quorum;
            scene.node("pm02").membership = second;
            scene.node("pm03").membership = third;
            let how = stopped_by(&scene, action);
            assert_eq!(how, mode, "{action:?} {quorum} {second:?} {third:?}");
        }
    }
}

#[test]
fn it_does_not_matter_whether_the_server_answers_and_a_standby_stops_as_ever() {
    let mut scene = Scene::primary(Async);
    scene.cluster().quorum = false;
    for name in ["pm02", "pm03"] {
        scene.node(name).membership = Lost;
    }
    for answer in [Answer::Silent("late".into()), Answer::NotAsked] {
        let mut scene = scene.clone();
        scene.seen.instance.answer = answer;
        assert_eq!(stopped_by(&scene, Action::Demote), ShutdownMode::Immediate);
    }
    scene.seen.files.standby_signal = true;
    assert_eq!(stopped_by(&scene, Action::Stop), ShutdownMode::Fast);
}

#[test]
fn who_is_on_record_as_out_of_date_is_no_rival() {
    for (record, mode) in [
        (Some(DataStatus::Disconnected), ShutdownMode::Fast),
        (Some(DataStatus::StreamingAsync), ShutdownMode::Fast),
        (Some(DataStatus::StreamingSync), ShutdownMode::Immediate),
        (Some(DataStatus::StreamingQuorum), ShutdownMode::Immediate),
    ] {
        let mut scene = Scene::primary(Sync);
        scene.cluster().quorum = false;
        for name in ["pm02", "pm03"] {
            scene.node(name).membership = Lost;
            scene.node(name).data_status.clone_from(&record);
        }
        assert_eq!(stopped_by(&scene, Action::Demote), mode, "{record:?}");
    }
}

#[test]
fn a_minority_records_nothing_and_relaxes_nothing_with_fencing_or_without() {
    for fencing in [true, false] {
        for rule in [QuorumRule::Majority, QuorumRule::Less, QuorumRule::Unknown] {
            let mut scene = Scene::primary(Sync);
            scene.report().standbys.clear();
            for name in ["pm02", "pm03"] {
                scene.node(name).membership = Lost;
            }
            let cluster = scene.cluster();
            (cluster.quorum, cluster.quorum_rule, cluster.fencing) = (false, rule, fencing);
            let (steps, _) = scene.run(Action::Monitor);
            let relaxes =
                |step: &Step| step.changes_record() || matches!(step, Step::WriteSyncNames(_));
            assert!(!steps.iter().any(relaxes), "{rule:?} {fencing}: {steps:?}");
        }
    }
}
