//! Stop: success only when the server is proven gone.

use crate::decide::primary::by_hand::{lock_superseded, put_on_record};
use crate::decide::primary::isolated::stop_primary;
use crate::decide::steps::{SUCCESS, best_effort};
use crate::model::instance::Postmaster;
use crate::model::observation::Observation;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::Verdict;

/// Decides `stop`. The cluster's record is kept when it can be, but no record holds a stop back.
pub(in crate::decide) fn stop(settings: &Settings, seen: &Observation) -> Verdict {
    // Pacemaker demotes a primary before it stops it; one by hand it may not know of.
    if let Some(verdict) = put_on_record(settings, seen) {
        return verdict;
    }
    let patience = match settings.is_replication() {
        true => settings.stop_escalate_in_slave,
        false => settings.stop_escalate,
    };
    let before = match seen.instance.postmaster {
        Postmaster::Absent => None,
        Postmaster::Running { .. } | Postmaster::Orphans { .. } | Postmaster::Unknown => {
            best_effort(seen, withdraw_candidacy(settings, seen))
        }
    };
    before
        .or_else(|| best_effort(seen, lock_superseded(settings, seen)))
        .or_else(|| stop_primary(settings, seen, patience))
        .or_else(|| best_effort(seen, withdraw_candidacy(settings, seen)))
        .or_else(|| best_effort(seen, record_stopped(settings, seen)))
        .unwrap_or(SUCCESS)
}

/// What must be known before the server ends: it is not to be promoted.
fn withdraw_candidacy(settings: &Settings, seen: &Observation) -> Vec<Step> {
    let mut steps = Vec::new();
    let me = seen.cluster.seen().and_then(|cluster| cluster.me());
    let Some(me) = me else { return steps };
    if settings.check_wal_receiver && me.receiver_status.is_some() {
        steps.push(Step::SetReceiverStatus(None));
    }
    if !settings.is_replication() {
        return steps;
    }
    if me.score != Some(PromotionScore::Never) {
        steps.push(Step::SetScore(me.name.clone(), PromotionScore::Never));
    }
    if me.wal_position.is_some() || me.xlog_location.is_some() {
        steps.push(Step::SetPosition(None));
    }
    steps
}

/// What is true once the server is gone.
pub(in crate::decide) fn record_stopped(settings: &Settings, seen: &Observation) -> Vec<Step> {
    let mut steps = Vec::new();
    if !settings.is_replication() {
        return steps;
    }
    if let Some(me) = seen.cluster.seen().and_then(|cluster| cluster.me()) {
        if me.status != Some(InstanceStatus::Stopped) {
            steps.push(Step::SetStatus(me.name.clone(), InstanceStatus::Stopped));
        }
        if me.baseline.is_some() {
            steps.push(Step::SetBaseline(None));
        }
    }
    let waits = seen.files.sync_names.as_ref().is_some_and(|names| !names.is_nobody());
    if settings.rep_mode == ReplicationMode::Sync && waits {
        steps.push(Step::WriteSyncNames(SyncNames::nobody()));
    }
    steps
}
