//! A standby that runs and cannot be asked, while there is nobody else to be promoted.
//!
//! A log-in may hang for what only a primary can end: a lock on the catalog that was replayed (`vacuum full
//! pg_authid`, and then the primary's host is gone). Only a promotion releases it: another start would begin at
//! the same lock. Such a standby is promoted as `pg_ctl promote` does it, without a session, where nothing that it could
//! say matters: it has every acknowledged commit on record, and whether commits wait does not hang on its answer.

use crate::decide::own_record::alone;
use crate::decide::primary::claim::{revoke_scores, take_over, unbound};
use crate::decide::rules::authority::awaited;
use crate::decide::rules::fitness::{NoRight, half_rewound, may_be_promoted, no_right, refuse};
use crate::decide::rules::nodes::others;
use crate::decide::standby::election::{Standing, later_timeline, standing};
use crate::decide::steps::{SUCCESS, best_effort, fail, require, require_once};
use crate::model::cluster::{Cluster, ClusterNode, Membership};
use crate::model::instance::{LockedOut, Postmaster};
use crate::model::observation::Observation;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{DataStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::verdict::{Failure, Reason, Verdict};
use crate::model::wal::{Lsn, Timeline, WalPosition};
use crate::model::warning::Warning;
use std::time::Duration;

/// How long a promotion asks before it does without an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns what is known of the WAL of such a standby, where its answer may be done without: its timeline.
///
/// The last primary has everything, and a synchronous standby has; with a quorum, or in async mode, only an answer
/// shows that no other standby has more. Where commits must wait come what may, they do by the names with which
/// the server was launched. And WAL must not arrive: the primary would live, and hold the lock.
fn dispensable(settings: &Settings, seen: &Observation, cluster: &Cluster) -> Option<WalPosition> {
    if right_refused(settings, seen, cluster).is_some() || is_outdone(settings, cluster) {
        return None;
    }
    let held = !matches!(seen.instance.postmaster, Postmaster::Running { held: None, .. });
    let complete = has_everything(settings, cluster.me()?);
    let waits = seen.files.sync_names.as_ref() == Some(&settings.names_of_nobody());
    let complete = complete && (waits || !settings.is_strict());
    let simple = !settings.restart_on_promote && seen.files.standby_signal;
    let LockedOut { timeline, receives } = seen.instance.locked_out?;
    (!held && !receives && complete && simple)
        .then_some(WalPosition { timeline, lsn: Lsn::default() })
        .filter(|mine| later_timeline(settings, cluster, *mine).is_none())
}

/// Returns why this node may not be promoted. The lock that this promotion has made says nothing against it.
fn right_refused(settings: &Settings, seen: &Observation, cluster: &Cluster) -> Option<NoRight> {
    let begun = seen.taken.0.iter().any(|attempt| matches!(attempt.step, Step::CreateLock(_)));
    no_right(settings, cluster, &seen.files).filter(|_| !begun)
}

/// Tells whether a node has, by the record, all that was ever acknowledged.
fn has_everything(settings: &Settings, node: &ClusterNode) -> bool {
    match node.data_status {
        Some(DataStatus::Latest) => true,
        Some(DataStatus::StreamingSync) => settings.rep_mode == ReplicationMode::Sync,
        Some(_) | None => false,
    }
}

/// Tells whether another node answers that has everything, too: each says how far it is, and one that cannot be asked
/// says that it is nowhere.
fn is_outdone(settings: &Settings, cluster: &Cluster) -> bool {
    let answers = |node: &&ClusterNode| {
        let said = node.wal_position.is_some_and(|position| position.lsn > Lsn::default());
        node.membership == Membership::Member && said
    };
    others(cluster)
        .filter(answers)
        .any(|node| may_be_promoted(settings, cluster, node) && has_everything(settings, node))
}

/// Has a standby into which nobody can log in say that it is nowhere, so that another that has everything waits for it no
/// longer.
pub(in crate::decide) fn stand_back(settings: &Settings, seen: &Observation) -> Option<Step> {
    let cluster = seen.cluster.seen().filter(|cluster| cluster.primary().is_none())?;
    let me = cluster.me()?;
    let LockedOut { timeline, .. } = seen.instance.locked_out?;
    let nowhere = WalPosition { timeline, lsn: Lsn::default() };
    let due = me.wal_position.is_none() && has_everything(settings, me);
    due.then_some(Step::SetPosition(Some(nowhere)))
}

/// Asks for the promotion of a standby that a monitor cannot ask; `None`: its answer is needed, or nobody is to be
/// promoted.
pub(in crate::decide) fn stand_for_election(
    settings: &Settings,
    seen: &Observation,
    error: &str,
) -> Option<Verdict> {
    let cluster = seen.cluster.seen()?;
    let mine = dispensable(settings, seen, cluster)?;
    match standing(settings, cluster, mine, &seen.files) {
        // Data with every acknowledged commit awaits only those that run and do not answer either.
        Standing::First | Standing::Awaiting(_) if awaited(settings, seen, cluster).is_empty() => {}
        Standing::First
        | Standing::Awaiting(_)
        | Standing::Behind(_)
        | Standing::BehindUntold(_)
        | Standing::NoRight(_)
        | Standing::LastPrimaryUnseen(_)
        | Standing::FirstAwaits(_) => return None,
    }
    if seen.probe || cluster.primary().is_some() {
        return None;
    }
    let me = cluster.me()?;
    let score = (me.score != Some(PromotionScore::PROMOTE_ME))
        .then(|| Step::SetScore(me.name.clone(), PromotionScore::PROMOTE_ME));
    let said = Step::Warn(Warning::CannotBeAsked(error.to_owned()));
    let asks = score.is_none();
    let steps =
        std::iter::once(said).chain(alone(me)).chain(stand_back(settings, seen)).chain(score);
    best_effort(seen, steps).or_else(|| asks.then_some(SUCCESS))
}

/// Promotes a standby that does not answer.
pub(in crate::decide) fn promote(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
    error: &str,
) -> Verdict {
    if seen.time.remaining.is_zero() {
        return fail(Failure::Silent(error.to_owned()));
    }
    if seen.taken.done(&Step::PromoteServer) {
        return Verdict::Wait(Reason::PromotionEnds);
    }
    if let Some(why) = right_refused(settings, seen, cluster) {
        return refuse(why, cluster);
    }
    if seen.time.elapsed < PATIENCE {
        return Verdict::Wait(Reason::PromotionEnds);
    }
    // An answer will not come, and while this promotion waits, nobody else can be started or promoted.
    let incomplete = cluster.me().is_some_and(|me| !has_everything(settings, me));
    if is_outdone(settings, cluster) || incomplete && seen.instance.locked_out.is_some() {
        return fail(Failure::Silent(error.to_owned()));
    }
    let Some(mine) = dispensable(settings, seen, cluster) else {
        let said = Step::Warn(Warning::WaitsForAnswer(error.to_owned()));
        return best_effort(seen, [said]).unwrap_or(Verdict::Wait(Reason::PromotionEnds));
    };
    let loose = unbound(settings, cluster);
    let lock = Step::CreateLock(Timeline(mine.timeline.0.saturating_add(1)));
    half_rewound(settings, seen)
        .or_else(|| (!loose.is_empty()).then_some(Verdict::Wait(Reason::RecordBinds(loose))))
        .or_else(|| best_effort(seen, [Step::Warn(Warning::CannotBeAsked(error.to_owned()))]))
        // The lock comes first here: a disk that stands still takes nobody's right.
        .or_else(|| require(seen, seen.files.lock.is_none().then_some(lock)))
        .or_else(|| require(seen, take_over(settings, cluster)))
        .or_else(|| revoke_scores(seen, cluster))
        .or_else(|| require_once(seen, [Some(Step::PromoteServer)]))
        .unwrap_or(Verdict::Wait(Reason::PromotionEnds))
}
