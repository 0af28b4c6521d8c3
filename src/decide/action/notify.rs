//! Notify: what other instances of the clone have to know, before and after an action.
//!
//! Pacemaker ignores the result of a notification, so nothing here fails; it also blocks the
//! transition until every instance has answered, so everything here is short.

use std::time::Duration;

use crate::decide::own_record::alone;
use crate::decide::primary::by_hand::{is_superseded, publish_as_primary, superseded};
use crate::decide::rules::quorum::record_of;
use crate::decide::standby::candidacy::stand_for_election;
use crate::decide::steps::{SUCCESS, best_effort, in_time};
use crate::model::cluster::{Cluster, Membership};
use crate::model::instance::{Answer, Postmaster, StandbyReport};
use crate::model::notification::{NotificationType, NotifiedOperation};
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::status::PromotionScore;
use crate::model::step::Step;
use crate::model::verdict::{Reason, Verdict};
use crate::model::wal::WalPosition;

/// How long the standbys of a new cluster wait for each other's WAL positions, and one that has just
/// been started for its own end of WAL.
const POSITIONS: Duration = Duration::from_secs(2);

/// Decides `notify`.
pub(in crate::decide) fn notify(settings: &Settings, seen: &Observation) -> Verdict {
    let (Some(event), Some(cluster)) = (seen.notification.event, seen.cluster.seen()) else {
        return SUCCESS;
    };
    let told = match event {
        (NotificationType::Pre, NotifiedOperation::Promote) => {
            before_promotion(settings, seen, cluster)
        }
        (NotificationType::Post, NotifiedOperation::Promote) => after_promotion(seen, cluster),
        (NotificationType::Post, NotifiedOperation::Demote) => after_demotion(seen, cluster),
        (NotificationType::Post, NotifiedOperation::Start) => {
            refresh(settings, seen, cluster).or_else(|| open_election(settings, seen, cluster))
        }
        (NotificationType::Post, NotifiedOperation::Stop) => refresh(settings, seen, cluster),
        (
            NotificationType::Pre,
            NotifiedOperation::Start | NotifiedOperation::Stop | NotifiedOperation::Demote,
        ) => None,
    };
    in_time(seen, told).unwrap_or(SUCCESS)
}

fn local_standby(seen: &Observation) -> Option<&StandbyReport> {
    match (&seen.instance.postmaster, &seen.instance.answer) {
        (Postmaster::Running { .. }, Answer::Standby(report)) => Some(report),
        (
            Postmaster::Running { .. }
            | Postmaster::Absent
            | Postmaster::Orphans { .. }
            | Postmaster::Unknown,
            Answer::Standby(_)
            | Answer::Primary(_)
            | Answer::NotAsked
            | Answer::Refused(_)
            | Answer::Silent(_)
            | Answer::MonitorSqlFailed(_),
        ) => None,
    }
}

/// Every standby says how far its WAL goes, so that the one to be promoted can fetch what it lacks. Where a
/// right rests on that, it also says whether it knows.
fn before_promotion(settings: &Settings, seen: &Observation, cluster: &Cluster) -> Option<Verdict> {
    // Somebody made this node a primary by hand: whoever is to be promoted learns of its timeline, and is not.
    if let Answer::Primary(report) = &seen.instance.answer
        && superseded(settings, seen, cluster).is_none()
    {
        let position = WalPosition { timeline: report.timeline, lsn: report.wal_end };
        return best_effort(seen, [Step::SetPosition(Some(position))]);
    }
    let report = local_standby(seen)?;
    // The end of WAL may still move while the last of it is replayed; the first word is enough,
    // for a candidate compares it with what it has itself.
    let says = |step: &Step| matches!(step, Step::SetPosition(Some(_)) | Step::SetFinalPosition(_));
    let said = seen.taken.0.iter().any(|attempt| says(&attempt.step));
    let position = report.position();
    let counts = record_of(cluster, position.timeline).is_some() || settings.is_strict();
    let step = match report.local_wal_exhausted {
        true if counts => Step::SetFinalPosition(position),
        false if counts && !said && seen.time.elapsed < POSITIONS => {
            return Some(Verdict::Wait(Reason::ServerStarts));
        }
        true | false => Step::SetPosition(Some(position)),
    };
    (!said).then_some(Verdict::Do(step))
}

fn after_promotion(seen: &Observation, cluster: &Cluster) -> Option<Verdict> {
    let me = cluster.me()?;
    let mut steps = Vec::new();
    if me.wal_position.is_some() || me.xlog_location.is_some() {
        steps.push(Step::SetPosition(None));
    }
    let promoted_here = seen.notification.promote.contains(&seen.local);
    if !promoted_here && me.baseline.is_some() {
        steps.push(Step::SetBaseline(None));
    }
    best_effort(seen, steps).or_else(|| match promoted_here {
        true => None,
        false => leave_old_primary(seen),
    })
}

/// Ends a connection that is older than the promotion, or an attempt at one: it is to the old primary, whose
/// host may be dead without its connections having been closed. Recovery then looks for the new primary
/// by itself; waiting for it here would hold up the address that it is to be found at.
fn leave_old_primary(seen: &Observation) -> Option<Verdict> {
    local_standby(seen)?;
    best_effort(seen, [Step::RestartReceiver])
}

fn after_demotion(seen: &Observation, cluster: &Cluster) -> Option<Verdict> {
    let report = local_standby(seen)?;
    let me = cluster.me()?;
    let demoted_here = seen.notification.demote.contains(&seen.local);
    let another =
        seen.notification.promoted.iter().any(|node| !seen.notification.demote.contains(node));
    if demoted_here || another {
        return None;
    }
    let mut steps = Vec::new();
    if me.baseline.is_none() {
        steps.push(Step::SetBaseline(Some(report.wal_end)));
    }
    steps.extend(alone(me));
    best_effort(seen, steps)
}

/// A standby came or went: the primary's record follows at once.
fn refresh(settings: &Settings, seen: &Observation, cluster: &Cluster) -> Option<Verdict> {
    match &seen.instance.answer {
        Answer::Primary(_) if is_superseded(settings, seen, cluster) => None,
        Answer::Primary(report) => publish_as_primary(settings, seen, report, cluster),
        Answer::Standby(_)
        | Answer::NotAsked
        | Answer::Refused(_)
        | Answer::Silent(_)
        | Answer::MonitorSqlFailed(_) => None,
    }
}

/// Without a primary the standbys elect one, now that all of them have started.
fn open_election(settings: &Settings, seen: &Observation, cluster: &Cluster) -> Option<Verdict> {
    let report = local_standby(seen)?;
    // Who already may be promoted is: a second candidate would only have the transition begin anew.
    let somebody_may = cluster.nodes.iter().any(|node| {
        node.name != cluster.local
            && node.membership == Membership::Member
            && node.score.is_some_and(|score| score > PromotionScore::Points(0))
    });
    if cluster.primary().is_some() || somebody_may {
        return None;
    }
    let verdict = stand_for_election(settings, seen, report, cluster);
    let silent: Vec<_> = seen
        .notification
        .start
        .iter()
        .filter_map(|name| cluster.node(name))
        .filter(|node| node.name != cluster.local && node.wal_position.is_none())
        .map(|node| node.name.clone())
        .collect();
    verdict.or_else(|| {
        let wait = !silent.is_empty() && seen.time.elapsed < POSITIONS;
        wait.then_some(Verdict::Wait(Reason::Positions(silent)))
    })
}
