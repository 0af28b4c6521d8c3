//! Standbys whose rows the asking user may not read: unknown, never "nobody streams".

use super::scene::Scene;
use crate::model::action::Action;
use crate::model::settings::ReplicationMode::{Async, Sync};
use crate::model::step::Step;
use crate::model::sync_names::{SyncMethod, SyncNames};
use crate::model::verdict::{Outcome, Verdict};
use crate::model::warning::Warning;

/// What `pg_stat_replication` shows of a standby to a user without `pg_read_all_stats`.
fn hide(scene: &mut Scene) {
    for row in &mut scene.report().standbys {
        (row.state, row.sync_state, row.sent_lsn, row.flush_lsn) = (None, None, None, None);
        row.shares_history = false;
    }
    // Nor is the checkpointer's state shown.
    scene.report().sync_config_applied = false;
}

#[test]
fn on_hidden_rows_nothing_is_revoked_relaxed_or_granted() {
    for (mode, method) in
        [(Sync, SyncMethod::First), (Sync, SyncMethod::Any), (Async, SyncMethod::First)]
    {
        let mut scene = Scene::primary(mode);
        scene.settings.policy.sync_method = method;
        if method == SyncMethod::Any {
            let names = SyncNames::parse("ANY 1 (\"pm02\", \"pm03\")");
            scene.report().synchronous_standby_names = names.to_string();
            scene.seen.files.sync_names = Some(names);
        }
        hide(&mut scene);
        let (steps, end) = scene.run(Action::Monitor);
        assert_eq!(end, Verdict::Done(Outcome::RunningPromoted), "{mode:?} {method:?}");
        let [Step::Warn(concern @ Warning::NoMonitorPrivilege(_))] = &steps[..] else {
            panic!("{mode:?} {method:?}: {steps:?}");
        };
        let said = concern.to_string();
        assert!(concern.is_severe() && said.contains("GRANT pg_monitor TO \"watcher\""), "{said}");
    }
}

#[test]
fn a_record_that_was_lost_is_not_made_up_of_hidden_rows() {
    let mut scene = Scene::primary(Sync);
    for name in ["pm02", "pm03"] {
        let peer = scene.node(name);
        (peer.data_status, peer.score, peer.status) = (None, None, None);
    }
    hide(&mut scene);
    let (steps, _) = scene.run(Action::Monitor);
    assert!(matches!(&steps[..], [Step::Warn(Warning::NoMonitorPrivilege(_))]), "{steps:?}");
}
