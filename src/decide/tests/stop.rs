//! Stop.

use super::scene::Scene;
use super::verdicts::{SUCCESS, failed};
use crate::model::action::Action;
use crate::model::instance::{Answer, DataDirectory, Postmaster};
use crate::model::observation::ClusterView;
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::step::{ShutdownMode, Step};
use crate::model::verdict::{Failure, Reason, Verdict};
use std::time::Duration;

#[test]
fn stop_climbs_the_ladder_within_its_time() {
    let mut scene = Scene::standby(Async, "pm02");
    scene.seen.time.remaining = Duration::from_secs(100);
    scene.settings.stop_escalate_in_slave = Duration::from_secs(90);
    let at = |scene: &mut Scene, elapsed: u64| {
        scene.seen.time.elapsed = Duration::from_secs(elapsed);
        scene.seen.time.remaining = Duration::from_secs(100 - elapsed);
        scene.decide(Action::Stop)
    };
    let shutdown = |mode| Verdict::Do(Step::Shutdown(mode));
    let attempt = |scene: &mut Scene, mode| {
        let instance = scene.seen.instance.clone();
        scene.take(Step::Shutdown(mode));
        scene.seen.instance = instance;
    };
    assert_eq!(at(&mut scene, 0), Verdict::Do(Step::SetPosition(None)));
    scene.take(Step::SetPosition(None));
    assert_eq!(at(&mut scene, 0), shutdown(ShutdownMode::Fast));
    attempt(&mut scene, ShutdownMode::Fast);
    assert_eq!(at(&mut scene, 59), Verdict::Wait(Reason::ServerStops));
    assert_eq!(at(&mut scene, 60), shutdown(ShutdownMode::Immediate));
    attempt(&mut scene, ShutdownMode::Immediate);
    assert_eq!(at(&mut scene, 79), Verdict::Wait(Reason::ServerStops));
    assert_eq!(at(&mut scene, 80), shutdown(ShutdownMode::Kill));
    attempt(&mut scene, ShutdownMode::Kill);
    assert_eq!(at(&mut scene, 99), shutdown(ShutdownMode::Kill));
    attempt(&mut scene, ShutdownMode::Kill);
    assert_eq!(at(&mut scene, 100), failed(Failure::CannotStop));
}

#[test]
fn stop_succeeds_without_cluster_or_data_directory_and_kills_what_was_left() {
    let mut scene = Scene::stopped(Sync, "pm02");
    scene.seen.cluster = ClusterView::Unavailable("down".into());
    scene.seen.instance.data_directory = DataDirectory::Missing;
    assert_eq!(scene.decide(Action::Stop), SUCCESS);
    scene.seen.instance.postmaster = Postmaster::Orphans { count: 3 };
    assert_eq!(scene.decide(Action::Stop), Verdict::Do(Step::Shutdown(ShutdownMode::Kill)));
}

#[test]
fn a_postmaster_that_is_held_takes_no_other_signal_than_sigkill() {
    for action in [Action::Stop, Action::Demote] {
        let mut scene = Scene::primary(Async);
        let held =
            |millis| Postmaster::Running { pid: 42, held: Some(Duration::from_millis(millis)) };
        scene.seen.instance.answer = Answer::Silent("held".into());
        // A debugger's or a tracer's moment is no reason to kill.
        for millis in [0, 30, 1400] {
            scene.seen.instance.postmaster = held(millis);
            let (steps, end) = scene.clone().run(action);
            assert!(!steps.iter().any(|step| matches!(step, Step::Shutdown(_))), "{steps:?}");
            assert_eq!(end, Verdict::Wait(Reason::ServerStops));
        }
        scene.seen.instance.postmaster = held(1500);
        let (steps, _) = scene.run(action);
        let shutdowns: Vec<_> =
            steps.iter().filter(|step| matches!(step, Step::Shutdown(_))).collect();
        assert_eq!(shutdowns, [&Step::Shutdown(ShutdownMode::Kill)], "{action:?}");
    }
}
