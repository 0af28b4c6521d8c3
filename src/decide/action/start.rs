//! Start: in the replication modes always as a standby.

use std::time::Duration;

use crate::decide::own_record::{alone, is_silent};
use crate::decide::rejoin::start_gate::held_back;
use crate::decide::rejoin::unproven::recovers_to;
use crate::decide::server::ensure_running::{ensure_running, ensure_running_on, standby_settings};
use crate::decide::steps::{SUCCESS, best_effort, fail, require, require_once, without_cluster};
use crate::model::cluster::Cluster;
use crate::model::instance::{Answer, Postmaster, StandbyReport};
use crate::model::observation::Observation;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::{Failure, Verdict};

/// How long a start tries to set the record of this node right.
const RECORD: Duration = Duration::from_secs(20);

/// Decides `start`.
pub(in crate::decide) fn start(settings: &Settings, seen: &Observation) -> Verdict {
    if !settings.is_replication() {
        return ensure_running(settings, seen).unwrap_or(SUCCESS);
    }
    let Some(cluster) = seen.cluster.seen() else { return without_cluster(seen) };
    match seen.instance.postmaster {
        // Processes that were left could still write: they end before the data are judged.
        Postmaster::Absent if !seen.taken.done(&Step::Launch) => {
            let next =
                require(seen, clean_record(cluster)).or_else(|| held_back(settings, seen, cluster));
            if let Some(failure) = next.as_ref().and_then(|next| unrecorded(seen, next)) {
                return fail(failure);
            }
            if let Some(verdict) = next {
                return verdict;
            }
        }
        Postmaster::Absent
        | Postmaster::Orphans { .. }
        | Postmaster::Running { .. }
        | Postmaster::Unknown => {}
    }
    let target = recovers_to(settings, seen);
    ensure_running_on(settings, seen, target)
        .or_else(|| finish(settings, seen, cluster))
        .unwrap_or(SUCCESS)
}

/// Gives a start up whose record the cluster does not take: an attribute daemon that is deaf stays so until Pacemaker is
/// restarted, and Pacemaker promotes nobody anywhere before this start is over.
fn unrecorded(seen: &Observation, next: &Verdict) -> Option<Failure> {
    let Verdict::Do(step) = next else { return None };
    if !step.writes_cluster() {
        return None;
    }
    let error = seen.taken.last(step)?.error.clone().filter(|_| seen.time.elapsed > RECORD)?;
    Some(Failure::StepFailed(Box::new(step.clone()), error))
}

/// Before a start nothing of an earlier life may be believed of this node.
fn clean_record(cluster: &Cluster) -> Vec<Step> {
    let Some(me) = cluster.me() else { return Vec::new() };
    let mut steps = Vec::new();
    if me.status != Some(InstanceStatus::Stopped) {
        steps.push(Step::SetStatus(me.name.clone(), InstanceStatus::Stopped));
    }
    if me.baseline.is_some() {
        steps.push(Step::SetBaseline(None));
    }
    if me.wal_position.is_some() || me.xlog_location.is_some() {
        steps.push(Step::SetPosition(None));
    }
    if me.score != Some(PromotionScore::Never) {
        steps.push(Step::SetScore(me.name.clone(), PromotionScore::Never));
    }
    steps
}

/// The server runs as a standby: is it the standby that it should be?
fn finish(settings: &Settings, seen: &Observation, cluster: &Cluster) -> Option<Verdict> {
    let Answer::Standby(report) = &seen.instance.answer else { return None };
    if !seen.files.standby_settings {
        let present = seen.files.recovers_to.unwrap_or(RecoveryTimeline::Latest);
        let steps = [Some(standby_settings(present)), Some(Step::Reload)];
        if let Some(verdict) = require_once(seen, steps) {
            return Some(verdict);
        }
    }
    let position = match cluster.primary() {
        Some(_) => None,
        None => Some(Step::SetPosition(Some(report.position()))),
    };
    let alone = cluster.me().filter(|me| is_silent(me)).and_then(alone);
    let expired = seen.files.expired_wal.iter().cloned().map(Step::RemoveKeptWal);
    (foreign_settings(settings, seen, report).map(fail))
        .or_else(|| best_effort(seen, expired))
        .or_else(|| best_effort(seen, alone.into_iter().chain(position)))
}

/// Settings from elsewhere that defeat the agent's own.
pub(in crate::decide) fn foreign_settings(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
) -> Option<Failure> {
    let names = &report.synchronous_standby_names;
    let ours = settings.rep_mode == ReplicationMode::Sync
        && seen.files.sync_names.as_ref() == Some(&SyncNames::parse(names));
    if !names.is_empty() && !ours {
        return Some(Failure::ForeignSyncNames(names.clone()));
    }
    match &report.primary_conninfo {
        Some(conninfo) if report.conninfo_overridden => {
            Some(Failure::ConninfoOverridden(conninfo.clone()))
        }
        Some(_) | None => None,
    }
}
