//! Properties that hold for every observation, checked by enumeration.

use std::time::Duration;

use super::scene::{Scene, node};
use crate::decide::rules::fitness::is_fit;
use crate::model::action::Action;
use crate::model::cluster::Membership;
use crate::model::instance::{Answer, DataDirectory, Postmaster, Refusal};
use crate::model::observation::ClusterView;
use crate::model::settings::ReplicationMode;
use crate::model::status::{DataStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::verdict::{Outcome, Verdict};

const MODES: [ReplicationMode; 4] =
    [ReplicationMode::None, ReplicationMode::Async, ReplicationMode::Sync, ReplicationMode::Slave];

/// Every combination of the small enums that a decision looks at, in each replication mode.
fn every_scene() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for mode in MODES {
        let bases =
            [Scene::primary(mode), Scene::standby(mode, "pm01"), Scene::stopped(mode, "pm01")];
        for base in bases {
            for scene in with_every_instance(&base) {
                scenes.extend(with_every_record(&scene));
            }
        }
    }
    scenes
}

fn with_every_instance(base: &Scene) -> Vec<Scene> {
    let mut scenes = vec![base.clone()];
    let answers = [
        Answer::Refused(Refusal::StartingUp),
        Answer::Refused(Refusal::ShuttingDown),
        Answer::Refused(Refusal::Other("no".into())),
        Answer::Silent("late".into()),
        Answer::MonitorSqlFailed("no".into()),
        Answer::NotAsked,
    ];
    for answer in answers {
        let mut scene = base.clone();
        scene.seen.instance.answer = answer;
        scenes.push(scene);
    }
    for postmaster in [Postmaster::Absent, Postmaster::Orphans { count: 1 }] {
        for directory in [DataDirectory::Missing, DataDirectory::Unreadable("EIO".into())] {
            let mut scene = base.clone();
            scene.seen.instance.answer = Answer::NotAsked;
            scene.seen.instance.postmaster = postmaster;
            scene.seen.instance.data_directory = directory;
            scenes.push(scene);
        }
    }
    scenes
}

fn with_every_record(base: &Scene) -> Vec<Scene> {
    let mut scenes = Vec::new();
    let statuses = [
        None,
        Some(DataStatus::Latest),
        Some(DataStatus::StreamingSync),
        Some(DataStatus::StreamingAsync),
        Some(DataStatus::Disconnected),
    ];
    for status in statuses {
        for membership in [Membership::Member, Membership::Lost, Membership::Down] {
            let mut scene = base.clone();
            scene.node("pm01").data_status = status.clone();
            scene.node("pm02").membership = membership;
            scenes.push(scene);
        }
    }
    let mut blind = base.clone();
    blind.seen.cluster = ClusterView::Unavailable("down".into());
    scenes.push(blind);
    scenes
}

const ACTIONS: [Action; 7] = [
    Action::Start,
    Action::Stop,
    Action::Status,
    Action::Monitor,
    Action::Promote,
    Action::Demote,
    Action::Notify,
];

/// Runs an action whose steps never change what is seen: the worst world there is.
fn run_in_a_frozen_world(scene: &Scene, action: Action) -> Verdict {
    let mut scene = scene.clone();
    for _ in 0..60 {
        match scene.decide(action) {
            Verdict::Do(step) => {
                let frozen = (scene.seen.instance.clone(), scene.seen.files.clone());
                match &scene.seen.cluster {
                    ClusterView::Seen(_) => scene.take(step),
                    ClusterView::NotAsked | ClusterView::Unavailable(_) => scene.fail(step),
                }
                (scene.seen.instance, scene.seen.files) = frozen;
            }
            end @ (Verdict::Wait(_) | Verdict::Done(_)) => return end,
        }
    }
    panic!("{action:?} goes round in circles: {:?}", scene.seen.taken);
}

#[test]
fn every_action_ends_or_waits_in_every_world() {
    for scene in every_scene() {
        let stuck = |action: Action| {
            // What may be tried again until the deadline is the agent's loop to bound.
            matches!(action, Action::Promote | Action::Start)
                && matches!(scene.seen.cluster, ClusterView::Unavailable(_))
        };
        for action in ACTIONS {
            if !stuck(action)
                && !matches!(scene.seen.instance.postmaster, Postmaster::Orphans { .. })
            {
                run_in_a_frozen_world(&scene, action);
            }
        }
    }
}

#[test]
fn no_monitor_stops_starts_or_promotes_anything() {
    for mut scene in every_scene() {
        for probe in [false, true] {
            scene.seen.probe = probe;
            let mut scene = scene.clone();
            while let Verdict::Do(step) = scene.decide(Action::Monitor) {
                let harmless = !matches!(
                    step,
                    Step::Launch
                        | Step::Shutdown(_)
                        | Step::PromoteServer
                        | Step::WriteStandbySettings
                        | Step::RemoveStandbyMark
                        | Step::FollowPeer(..)
                );
                assert!(harmless, "{step:?}");
                match &scene.seen.cluster {
                    ClusterView::Seen(_) => scene.take(step),
                    ClusterView::NotAsked | ClusterView::Unavailable(_) => scene.fail(step),
                }
            }
        }
    }
}

#[test]
fn stop_is_never_a_success_while_anything_runs() {
    for scene in every_scene() {
        let gone = matches!(scene.seen.instance.postmaster, Postmaster::Absent);
        let success = scene.decide(Action::Stop) == Verdict::Done(Outcome::Success);
        assert!(gone || !success, "{:?}", scene.seen.instance);
    }
}

#[test]
fn promote_never_touches_unfit_data() {
    for mode in [ReplicationMode::Async, ReplicationMode::Sync] {
        for mut scene in with_every_record(&Scene::standby(mode, "pm01")) {
            let fit = match &scene.seen.cluster {
                ClusterView::Seen(_) => {
                    let recorded = scene.node("pm01").data_status.clone();
                    // Without a record here there is none at all.
                    recorded.is_none_or(|status| is_fit(mode, &status))
                }
                ClusterView::NotAsked | ClusterView::Unavailable(_) => false,
            };
            scene.seen.time.elapsed = Duration::from_secs(5);
            if matches!(scene.seen.cluster, ClusterView::Unavailable(_)) {
                assert!(matches!(scene.decide(Action::Promote), Verdict::Wait(_)));
                continue;
            }
            let (steps, _) = scene.run(Action::Promote);
            assert_eq!(steps.contains(&Step::PromoteServer), fit, "{mode:?} {steps:?}");
        }
    }
}

#[test]
fn only_the_node_itself_ever_asks_to_be_promoted() {
    for mut scene in every_scene() {
        if matches!(scene.seen.cluster, ClusterView::Unavailable(_)) {
            continue;
        }
        for action in [Action::Monitor, Action::Notify, Action::Start] {
            scene.next_action();
            let (steps, _) = scene.clone().run(action);
            for step in steps {
                if let Step::SetScore(name, PromotionScore::PROMOTE_ME) = step {
                    assert_eq!(name, node("pm01"));
                }
            }
        }
    }
}
