//! Monitor and status: how is the instance, and is the cluster's record of it true?

use std::time::Duration;

use crate::decide::action::start::foreign_settings;
use crate::decide::own_record::{alone, is_silent};
use crate::decide::primary::by_hand::{
    is_outsider, is_superseded, publish_as_primary, rival, superseded, withdraw_primary,
};
use crate::decide::primary::slots;
use crate::decide::rejoin::unproven::{compare, restarting};
use crate::decide::server::ensure_running::standby_settings;
use crate::decide::standby::candidacy::stand_for_election;
use crate::decide::standby::unasked;
use crate::decide::steps::{SUCCESS, best_effort, fail, in_time};
use crate::model::cluster::{Cluster, ClusterRole};
use crate::model::instance::{
    Answer, DataDirectory, Postmaster, PrimaryReport, Refusal, StandbyReport,
};
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::rejoin::Evidence;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{DataStatus, PromotionScore, ReceiverStatus};
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};
use crate::model::warning::Warning;

/// How long a monitor asks again when the server is alive and a question fails: a connection that
/// was ended, no process or no place for one more.
const HICCUP: Duration = Duration::from_secs(5);

/// How long a monitor asks a standby before it looks at it from outside, or less.
const QUESTION: Duration = Duration::from_secs(10);

/// Decides `status`: the process table alone.
pub(in crate::decide) fn status(seen: &Observation) -> Verdict {
    match seen.instance.postmaster {
        Postmaster::Running { .. } => SUCCESS,
        Postmaster::Absent | Postmaster::Orphans { .. } => Verdict::Done(Outcome::NotRunning),
        Postmaster::Unknown => nothing_proven(seen),
    }
}

/// The process table cannot be read right now: that is no proof that nothing runs.
fn nothing_proven(seen: &Observation) -> Verdict {
    match seen.time.elapsed < HICCUP && !seen.time.remaining.is_zero() {
        true => Verdict::Wait(Reason::ServerAnswers),
        false => fail(Failure::Silent("the process table cannot be read".into())),
    }
}

/// Decides `monitor`, recurring or probe.
pub(in crate::decide) fn monitor(settings: &Settings, seen: &Observation) -> Verdict {
    if let Some(verdict) = restarting(settings, seen) {
        return verdict;
    }
    match (&seen.instance.postmaster, &seen.instance.data_directory) {
        (Postmaster::Absent | Postmaster::Orphans { .. }, DataDirectory::Unreadable(error))
            if !seen.probe =>
        {
            let path = settings.pgdata.clone();
            return fail(Failure::DataDirectoryUnreadable(path, error.clone()));
        }
        (Postmaster::Absent | Postmaster::Orphans { .. }, _) => {
            return receiver_status(settings, seen, None)
                .unwrap_or(Verdict::Done(Outcome::NotRunning));
        }
        (Postmaster::Unknown, _) => return nothing_proven(seen),
        (Postmaster::Running { .. }, _) => {}
    }
    let hiccup = seen.time.elapsed < HICCUP && !seen.time.remaining.is_zero();
    match &seen.instance.answer {
        Answer::Primary(report) => primary(settings, seen, report),
        Answer::Standby(report) => standby(settings, seen, report),
        Answer::Refused(Refusal::StartingUp) => starting_up(seen),
        Answer::Refused(Refusal::ShuttingDown) => match seen.time.remaining.is_zero() {
            true => fail(Failure::NotAccepting("the database system is shutting down".into())),
            false => Verdict::Wait(Reason::ServerStops),
        },
        Answer::Refused(Refusal::Other(_) | Refusal::Full) | Answer::Silent(_) if hiccup => {
            Verdict::Wait(Reason::ServerAnswers)
        }
        Answer::Refused(Refusal::Full) => {
            unasked::stand_for_election(settings, seen, "no connection is free")
                .unwrap_or_else(|| busy(settings, seen))
        }
        Answer::Refused(Refusal::Other(error)) => fail(Failure::NotAccepting(error.clone())),
        Answer::MonitorSqlFailed(error) => fail(Failure::MonitorSql(error.clone())),
        Answer::Silent(error) => unasked::stand_for_election(settings, seen, error)
            .unwrap_or_else(|| silent(settings, seen, error)),
        Answer::NotAsked => fail(Failure::Silent("it was not asked".into())),
    }
}

/// A server that does not answer. A standby is asked for only a part of the time at once, to be looked at in between.
fn silent(settings: &Settings, seen: &Observation, error: &str) -> Verdict {
    if seen.files.standby_signal && seen.instance.locked_out.is_some() {
        // Another start would only replay the same lock.
        let said = Step::Warn(Warning::LockedOut(error.to_owned()));
        let nowhere = unasked::stand_back(settings, seen).filter(|_| !seen.probe);
        return best_effort(seen, std::iter::once(said).chain(nowhere)).unwrap_or(SUCCESS);
    }
    let asks = seen.files.standby_signal && seen.time.elapsed >= QUESTION;
    match asks && !seen.time.remaining.is_zero() {
        true => Verdict::Wait(Reason::ServerAnswers),
        false => fail(Failure::Silent(error.to_owned())),
    }
}

/// A server whose connections are all in use is what its files say that it is. A failover would not
/// help: the clients would use up the next one's.
fn busy(settings: &Settings, seen: &Observation) -> Verdict {
    let running = match settings.is_replication() && !seen.files.standby_signal {
        true => primary_runs(settings, seen),
        false => SUCCESS,
    };
    best_effort(seen, [Step::Warn(Warning::NoConnectionFree)]).unwrap_or(running)
}

/// A server that recovers. A standby may take long for it; a primary that restarted itself after a
/// crash gets the time of this monitor.
fn starting_up(seen: &Observation) -> Verdict {
    if seen.files.standby_signal {
        return SUCCESS;
    }
    match seen.time.remaining.is_zero() {
        true => fail(Failure::NotAccepting("the database system is starting up".into())),
        false => Verdict::Wait(Reason::ServerStarts),
    }
}

fn primary(settings: &Settings, seen: &Observation, report: &PrimaryReport) -> Verdict {
    let running = match settings.rep_mode {
        ReplicationMode::None | ReplicationMode::Slave => return plain(settings, seen),
        ReplicationMode::Async | ReplicationMode::Sync => Verdict::Done(Outcome::RunningPromoted),
    };
    let Some(cluster) = seen.cluster.seen() else { return running };
    if let Some(failure) = superseded(settings, seen, cluster) {
        return withdraw_primary(seen, cluster, failure);
    }
    if seen.probe {
        // Whatever score it had as a standby: without this one Pacemaker demotes it.
        let score = cluster.me().filter(|me| me.score != Some(PromotionScore::PROMOTE_ME));
        let outsider = is_outsider(settings, seen, cluster);
        let score = score.filter(|_| !is_superseded(settings, seen, cluster) && !outsider);
        let step = score.map(|me| Step::SetScore(me.name.clone(), PromotionScore::PROMOTE_ME));
        return best_effort(seen, step).unwrap_or(running);
    }
    let bookkeeping = receiver_status(settings, seen, Some(ReceiverStatus::NormalPrimary))
        .or_else(|| best_effort(seen, unlisted(settings, cluster)))
        .or_else(|| publish_as_primary(settings, seen, report, cluster));
    in_time(seen, bookkeeping).unwrap_or_else(|| primary_runs(settings, seen))
}

/// Says that a primary runs; but not of a primary by hand that Pacemaker takes for a standby and will promote: a
/// primary where a standby should be is a failure to it, and it would restart the server.
fn primary_runs(settings: &Settings, seen: &Observation) -> Verdict {
    let running = Verdict::Done(Outcome::RunningPromoted);
    let Some(cluster) = seen.cluster.seen().filter(|_| seen.of_standby) else { return running };
    let unpromoted = cluster.me().is_some_and(|me| me.role == ClusterRole::Unpromoted);
    if !unpromoted || is_outsider(settings, seen, cluster) {
        return running;
    }
    // Of a rival on record nothing has been heard since, or it lives.
    if let Some(rival) = rival(cluster) {
        return match &seen.evidence {
            None if !seen.time.remaining.is_zero() => {
                Verdict::Wait(Reason::HistoryOf(rival.name.clone()))
            }
            Some(Evidence { primary: Err(_), .. }) => SUCCESS,
            Some(Evidence { primary: Ok(_), .. }) | None => running,
        };
    }
    SUCCESS
}

fn standby(settings: &Settings, seen: &Observation, report: &StandbyReport) -> Verdict {
    match settings.rep_mode {
        ReplicationMode::None | ReplicationMode::Slave => return plain(settings, seen),
        ReplicationMode::Async | ReplicationMode::Sync => {}
    }
    let Some(cluster) = seen.cluster.seen() else { return SUCCESS };
    if seen.probe {
        return initial_score(seen, cluster, PromotionScore::Never).unwrap_or(SUCCESS);
    }
    let receiver = match report.receiver {
        Some(_) => ReceiverStatus::Normal,
        None => ReceiverStatus::Error,
    };
    let bookkeeping = receiver_status(settings, seen, Some(receiver))
        .or_else(|| best_effort(seen, unlisted(settings, cluster)))
        .or_else(|| best_effort(seen, follow_the_address_again(seen)))
        .or_else(|| best_effort(seen, overridden(settings, seen, report)))
        .or_else(|| best_effort(seen, slots::of_a_standby(settings, seen, cluster, report)))
        .or_else(|| match cluster.primary() {
            Some(primary) if primary.name != cluster.local => {
                followed(seen, cluster, report, &primary.name)
                    .or_else(|| compare(settings, seen, report, &primary.name))
            }
            Some(_) | None => stand_for_election(settings, seen, report, cluster),
        });
    in_time(seen, bookkeeping).unwrap_or(SUCCESS)
}

/// Says that this node is outside of `node_list`: nobody would notice it before the failover.
fn unlisted(settings: &Settings, cluster: &Cluster) -> Option<Step> {
    let due = !settings.lists(&cluster.local);
    due.then(|| Step::Warn(Warning::Unlisted(cluster.local.clone())))
}

/// Says what overrides the agent's settings: a start that ended while the server still recovered has not seen it.
fn overridden(settings: &Settings, seen: &Observation, report: &StandbyReport) -> Option<Step> {
    let failure = foreign_settings(settings, seen, report).filter(|_| seen.files.standby_settings);
    failure.map(|failure| Step::Warn(Warning::Overridden(Box::new(failure))))
}

/// An instance without replication: it answered, and that is all.
fn plain(settings: &Settings, seen: &Observation) -> Verdict {
    let receiver = match &seen.instance.answer {
        Answer::Standby(report) if report.receiver.is_none() => ReceiverStatus::Error,
        Answer::Standby(_) => ReceiverStatus::Normal,
        Answer::Primary(_)
        | Answer::NotAsked
        | Answer::Refused(_)
        | Answer::Silent(_)
        | Answer::MonitorSqlFailed(_) => ReceiverStatus::Error,
    };
    receiver_status(settings, seen, Some(receiver)).unwrap_or(SUCCESS)
}

/// The score of an instance that runs although the cluster has just begun to look at it.
fn initial_score(seen: &Observation, cluster: &Cluster, score: PromotionScore) -> Option<Verdict> {
    let me = cluster.me()?;
    match me.score {
        Some(_) => None,
        None => best_effort(seen, [Step::SetScore(me.name.clone(), score)]),
    }
}

/// After a promotion that was begun and given up, a standby may still receive from another standby.
fn follow_the_address_again(seen: &Observation) -> Vec<Step> {
    let present = seen.files.recovers_to.unwrap_or(RecoveryTimeline::Latest);
    match (seen.files.standby_settings, seen.instance.conninfo_reloads) {
        (true, _) => Vec::new(),
        (false, true) => vec![standby_settings(present), Step::Reload],
        (false, false) => vec![standby_settings(present)],
    }
}

/// A standby with a primary: the primary keeps its record, except for what only it can say.
fn followed(
    seen: &Observation,
    cluster: &Cluster,
    report: &StandbyReport,
    primary: &NodeName,
) -> Option<Verdict> {
    let me = cluster.me()?;
    let mut steps = Vec::new();
    if me.score.is_none() {
        steps.push(Step::SetScore(me.name.clone(), PromotionScore::Never));
    }
    if !seen.files.followed_since_cluster_start {
        steps.push(Step::NoteFollowed);
    }
    if me.data_status == Some(DataStatus::Disconnected) || is_silent(me) {
        steps.extend(alone(me));
    }
    if me.position_is_final {
        // It was for a promotion that is over, or was given up.
        steps.push(Step::SetPosition(None));
    }
    if !report.is_streaming() {
        steps.push(Step::Warn(Warning::NotStreaming(primary.clone())));
    }
    best_effort(seen, steps)
}

/// Keeps `<rsc>-receiver-status`; `None` removes it.
fn receiver_status(
    settings: &Settings,
    seen: &Observation,
    actual: Option<ReceiverStatus>,
) -> Option<Verdict> {
    if !settings.check_wal_receiver {
        return None;
    }
    let recorded = seen.cluster.seen()?.me()?.receiver_status.clone();
    if recorded == actual.map(|status| status.to_string()) {
        return None;
    }
    best_effort(seen, [Step::SetReceiverStatus(actual)])
}
