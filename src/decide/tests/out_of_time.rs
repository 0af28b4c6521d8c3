//! Bookkeeping whose time is over: an instance that has answered is well, whatever the record lacks.

use std::time::Duration;

use super::scene::{END, Scene, row};
use super::verdicts::SUCCESS;
use crate::model::action::Action;
use crate::model::instance::StandbyRow;
use crate::model::notification::{NotificationType, NotifiedOperation};
use crate::model::observation::ClusterView;
use crate::model::policy::SyncAvailability;
use crate::model::settings::ReplicationMode::{self, Async, Sync};
use crate::model::status::DataStatus;
use crate::model::step::Step;
use crate::model::sync_names::{SyncMethod, SyncNames};
use crate::model::sync_quorum::SyncQuorum;
use crate::model::verdict::{Outcome, Verdict};
use crate::model::wal::{Lsn, Timeline};

/// Every primary that answers, with every mode, every state of the names, of the standbys and of the record.
fn every_primary() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for mode in [ReplicationMode::None, ReplicationMode::Slave, Async, Sync] {
        scenes.push(Scene::primary(mode));
    }
    let change = |scenes: Vec<Scene>, count: usize, apply: &dyn Fn(&mut Scene, usize)| {
        let mut changed = Vec::new();
        for scene in scenes {
            for variant in 0..count {
                let mut scene = scene.clone();
                apply(&mut scene, variant);
                changed.push(scene);
            }
        }
        changed
    };
    let policies = [
        (SyncMethod::First, SyncAvailability::default()),
        (SyncMethod::Any, SyncAvailability::default()),
        (SyncMethod::Any, SyncAvailability::Strict),
    ];
    let scenes = change(scenes, policies.len(), &|scene, at| {
        (scene.settings.policy.sync_method, scene.settings.policy.sync_availability) = policies[at];
    });
    let names = ["", "\"pm02\"", "ANY 1 (\"pm02\", \"pm03\")", "other"];
    let scenes = change(scenes, names.len(), &|scene, at| {
        scene.report().synchronous_standby_names = names[at].into();
    });
    let scenes = change(scenes, names.len(), &|scene, at| {
        scene.seen.files.sync_names = (at > 0).then(|| SyncNames::parse(names[at - 1]));
    });
    let behind = Lsn(END.0 - 8);
    let rows: [Vec<StandbyRow>; 3] = [
        vec![row("pm02", "streaming", "sync", END), row("pm03", "streaming", "async", END)],
        vec![row("pm02", "streaming", "quorum", behind), row("pm03", "catchup", "async", behind)],
        Vec::new(),
    ];
    let scenes = change(scenes, rows.len(), &|scene, at| {
        scene.report().standbys.clone_from(&rows[at]);
    });
    let scenes = change(scenes, 2, &|scene, at| scene.report().sync_config_applied = at == 0);
    let records = [
        None,
        Some(DataStatus::StreamingSync),
        Some(DataStatus::StreamingQuorum),
        Some(DataStatus::Disconnected),
    ];
    change(scenes, records.len(), &|scene, at| {
        scene.node("pm02").data_status.clone_from(&records[at]);
        let voters = vec!["pm02".into(), "pm03".into()];
        let record = SyncQuorum { timeline: Timeline(1), count: 1, voters };
        scene.node("pm01").sync_quorum = (at == 2).then_some(record);
    })
}

/// Asserts the end of an action whose time is over after each of its steps, done or failed.
fn ends_at_any_moment(scene: &Scene, action: Action, end: &Verdict) {
    for refused in [false, true] {
        let mut scene = scene.clone();
        loop {
            let mut over = scene.clone();
            over.seen.time.remaining = Duration::ZERO;
            assert_eq!(over.decide(action), *end, "{action:?} {:?}", over.seen);
            match scene.decide(action) {
                Verdict::Do(step) => match refused && step.writes_cluster() {
                    true => scene.fail(step),
                    false => scene.take(step),
                },
                Verdict::Wait(_) | Verdict::Done(_) => break,
            }
            assert!(scene.seen.taken.0.len() < 50, "it goes round in circles");
        }
    }
}

#[test]
fn a_primary_that_answers_is_a_primary_whatever_its_record_lacks() {
    for mut scene in every_primary() {
        let end = match scene.settings.is_replication() {
            true => Verdict::Done(Outcome::RunningPromoted),
            false => SUCCESS,
        };
        ends_at_any_moment(&scene, Action::Monitor, &end);
        scene.seen.notification.event = Some((NotificationType::Post, NotifiedOperation::Start));
        ends_at_any_moment(&scene, Action::Notify, &SUCCESS);
        scene.seen.cluster = ClusterView::Unavailable("it takes too long".into());
        ends_at_any_moment(&scene, Action::Notify, &SUCCESS);
        assert_eq!(scene.decide(Action::Monitor), end);
    }
}

#[test]
fn so_is_a_standby() {
    for mode in [Async, Sync] {
        for settings_are_current in [true, false] {
            for has_primary in [true, false] {
                let mut scene = Scene::standby(mode, "pm02");
                scene.seen.files.standby_settings = settings_are_current;
                if has_primary {
                    scene.node("pm01").role = crate::model::cluster::ClusterRole::Promoted;
                }
                let me = scene.node("pm02");
                (me.score, me.wal_position, me.status) = (None, None, None);
                ends_at_any_moment(&scene, Action::Monitor, &SUCCESS);
            }
        }
    }
}

#[test]
fn what_was_not_done_in_time_is_done_by_the_next_monitor() {
    let mut scene = Scene::primary(Sync);
    scene.seen.files.sync_names = None;
    scene.report().synchronous_standby_names.clear();
    scene.seen.time.remaining = Duration::ZERO;
    assert_eq!(scene.decide(Action::Monitor), Verdict::Done(Outcome::RunningPromoted));
    scene.seen.time.remaining = Duration::from_secs(60);
    let (steps, _) = scene.run(Action::Monitor);
    assert!(steps.iter().any(|step| matches!(step, Step::WriteSyncNames(_))), "{steps:?}");
}
