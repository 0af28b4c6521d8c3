//! Demote: a clean shutdown, then the same instance again as a standby.

use std::time::Duration;

use crate::decide::action::stop::record_stopped;
use crate::decide::primary::by_hand::{is_superseded, lock_superseded, put_on_record};
use crate::decide::primary::isolated::stop_primary;
use crate::decide::rules::fitness::may_be_promoted;
use crate::decide::server::ensure_running::ensure_running;
use crate::decide::server::shutdown::escalate_shutdown;
use crate::decide::steps::{SUCCESS, best_effort, fail};
use crate::model::cluster::{Cluster, ClusterNode, Membership};
use crate::model::instance::{Answer, ControlState, Postmaster};
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::status::{InstanceStatus, PromotionScore};
use crate::model::step::{ShutdownMode, Step};
use crate::model::verdict::{Failure, Outcome, Verdict};
use crate::model::warning::Warning;

/// The least time that a clean shutdown is given. Users set `stop_escalate=0` so that a failing
/// node is stopped at once; a demotion that loses the shutdown checkpoint, however, may cost the
/// old primary its place in the new primary's history.
const CLEAN_SHUTDOWN: Duration = Duration::from_secs(10);

/// How long the new standby may take to accept connections before the demotion ends without
/// having seen it: the monitor that follows looks again.
const STANDBY_START: Duration = Duration::from_secs(15);

/// Decides `demote`.
pub(in crate::decide) fn demote(settings: &Settings, seen: &Observation) -> Verdict {
    if !settings.is_replication() {
        return fail(Failure::NoReplication);
    }
    if let Some(verdict) = put_on_record(settings, seen) {
        return verdict;
    }
    if let Some(verdict) = best_effort(seen, lock_superseded(settings, seen)) {
        return verdict;
    }
    if let Some(verdict) = best_effort(seen, step_down(seen)) {
        return verdict;
    }
    if seen.taken.tried(&Step::Launch) {
        return relaunched(settings, seen);
    }
    match (&seen.instance.postmaster, &seen.instance.answer) {
        // Beside a lock, a promotion may have been begun that has not come to its end: the server
        // would become a primary after the demotion had reported success.
        (Postmaster::Running { .. }, Answer::Standby(_)) if seen.files.lock.is_none() => {
            return finish(seen, InstanceStatus::Alone);
        }
        (
            Postmaster::Running { .. }
            | Postmaster::Absent
            | Postmaster::Orphans { .. }
            | Postmaster::Unknown,
            _,
        ) => {}
    }
    let patience = settings.stop_escalate.max(CLEAN_SHUTDOWN);
    if let Some(verdict) = stop_primary(settings, seen, patience) {
        return verdict;
    }
    if let Some(verdict) = best_effort(seen, end_unknown(seen)) {
        return verdict;
    }
    let usurper = seen.cluster.seen().is_some_and(|cluster| is_superseded(settings, seen, cluster));
    if !(was_clean(seen) || was_standby(seen)) || stops_anyway(seen) || usurper {
        return stay_stopped(settings, seen);
    }
    return_as_standby(settings, seen)
}

fn step_down(seen: &Observation) -> Vec<Step> {
    let Some(me) = seen.cluster.seen().and_then(Cluster::me) else { return Vec::new() };
    let mut steps = Vec::new();
    if me.score != Some(PromotionScore::Never) {
        steps.push(Step::SetScore(me.name.clone(), PromotionScore::Never));
    }
    if me.baseline.is_some() {
        steps.push(Step::SetBaseline(None));
    }
    steps
}

/// Tells whether the server wrote its shutdown checkpoint in this very action. A server that was
/// found dead, or had to be hurried, is left to the next start, which asks more questions.
fn was_clean(seen: &Observation) -> bool {
    seen.taken.tried(&Step::Shutdown(ShutdownMode::Fast)) && ended(seen, &ControlState::ShutDown)
}

/// Tells whether the server ended in this action as a clean standby: it had been demoted already, or its
/// promotion had not begun to write.
fn was_standby(seen: &Observation) -> bool {
    ended(seen, &ControlState::ShutDownInRecovery)
}

fn ended(seen: &Observation, state: &ControlState) -> bool {
    let control = seen.instance.control.as_ref();
    !hurried(seen) && control.is_some_and(|control| control.state == *state)
}

fn hurried(seen: &Observation) -> bool {
    let modes = [ShutdownMode::Immediate, ShutdownMode::Kill];
    modes.into_iter().any(|mode| seen.taken.tried(&Step::Shutdown(mode)))
}

/// A shutdown that may have been clean and is not known to have been has consequences.
fn end_unknown(seen: &Observation) -> Option<Step> {
    let asked = seen.taken.tried(&Step::Shutdown(ShutdownMode::Fast)) && !hurried(seen);
    (asked && seen.instance.control.is_none()).then_some(Step::Warn(Warning::EndUnknown))
}

/// Tells whether Pacemaker stops this instance in the same transition, and does not start it again. A restart
/// may not come to its end: the demotion's own attributes have Pacemaker plan anew, and then it takes
/// the instance for one that runs already with what has changed.
fn stops_anyway(seen: &Observation) -> bool {
    let notification = &seen.notification;
    notification.stop.contains(&seen.local) && !notification.start.contains(&seen.local)
}

fn stay_stopped(settings: &Settings, seen: &Observation) -> Verdict {
    best_effort(seen, last_one_out(settings, seen))
        .or_else(|| best_effort(seen, record_stopped(settings, seen)))
        .unwrap_or(SUCCESS)
}

/// Removes the lock of a primary that is cleanly shut down when no standby runs anywhere, as the
/// stock agent does: its data is the latest whoever starts next. Nobody may be out of sight, or on record
/// as fit: whoever comes back as such may be promoted without the last of our WAL.
fn last_one_out(settings: &Settings, seen: &Observation) -> Option<Step> {
    let cluster = seen.cluster.seen()?;
    seen.files.lock?;
    let others = seen.notification.unpromoted.iter().any(|node| *node != seen.local);
    let is_no_heir = |peer: &ClusterNode| match peer.membership {
        Membership::Member | Membership::Down => !may_be_promoted(settings, cluster, peer),
        Membership::Lost | Membership::NeverSeen => false,
    };
    let mut peers = settings.peers(&cluster.local).filter_map(|name| cluster.node(name));
    let last = seen.notification.present && !others && peers.all(is_no_heir) && was_clean(seen);
    last.then_some(Step::RemoveLock)
}

/// What was launched to be a standby is no success as a primary: somebody took the mark away that makes it one,
/// or promoted it. It is stopped, as quickly as may be, for it takes writes that are lost.
fn relaunched(settings: &Settings, seen: &Observation) -> Verdict {
    let runs = matches!(seen.instance.postmaster, Postmaster::Running { .. });
    let is_primary = match &seen.instance.answer {
        Answer::Primary(_) => runs,
        Answer::Standby(_) => false,
        Answer::NotAsked | Answer::Refused(_) | Answer::Silent(_) | Answer::MonitorSqlFailed(_) => {
            runs && !seen.files.standby_signal
        }
    };
    if !is_primary && !hurried(seen) {
        return return_as_standby(settings, seen);
    }
    escalate_shutdown(seen, Duration::ZERO).unwrap_or_else(|| stay_stopped(settings, seen))
}

/// Starts the instance as a standby. Whatever goes wrong here, the demotion itself has succeeded:
/// the instance is no primary. A failed demotion would get the node fenced for nothing.
fn return_as_standby(settings: &Settings, seen: &Observation) -> Verdict {
    let launched = seen.taken.last(&Step::Launch).map(|attempt| attempt.ended);
    match ensure_running(settings, seen) {
        None => finish(seen, InstanceStatus::Alone),
        Some(Verdict::Done(Outcome::Failed(_))) => stay_stopped(settings, seen),
        Some(Verdict::Done(Outcome::Success | Outcome::RunningPromoted | Outcome::NotRunning)) => {
            finish(seen, InstanceStatus::Alone)
        }
        Some(Verdict::Wait(_))
            if launched.is_some_and(|at| seen.time.elapsed > at + STANDBY_START) =>
        {
            finish(seen, InstanceStatus::Alone)
        }
        Some(verdict @ (Verdict::Wait(_) | Verdict::Do(_))) => verdict,
    }
}

fn finish(seen: &Observation, status: InstanceStatus) -> Verdict {
    let me = seen.cluster.seen().and_then(Cluster::me);
    let step = me
        .filter(|me| me.status.as_ref() != Some(&status))
        .map(|me| Step::SetStatus(me.name.clone(), status));
    best_effort(seen, step).unwrap_or(SUCCESS)
}
