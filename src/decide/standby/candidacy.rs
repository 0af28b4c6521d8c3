//! A standby without a primary: what it publishes, and whether it asks to be promoted.
//!
//! Who comes first among several is `election`'s business.

use crate::decide::own_record::alone;
use crate::decide::rules::authority::awaited;
use crate::decide::rules::fitness::{NoRight, disclaim};
use crate::decide::standby::election::{Standing, standing};
use crate::decide::steps::best_effort;
use crate::model::cluster::{Cluster, ClusterNode};
use crate::model::instance::StandbyReport;
use crate::model::node::NodeName;
use crate::model::observation::{Attempt, Observation};
use crate::model::settings::Settings;
use crate::model::status::PromotionScore;
use crate::model::step::Step;
use crate::model::verdict::Verdict;
use crate::model::warning::Warning;

/// A standby without a primary: says how far its WAL goes, and asks to be promoted if it is first.
pub(in crate::decide) fn stand_for_election(
    settings: &Settings,
    seen: &Observation,
    report: &StandbyReport,
    cluster: &Cluster,
) -> Option<Verdict> {
    let me = cluster.me()?;
    let mut steps: Vec<_> = alone(me).into_iter().collect();
    if me.score.is_none() {
        steps.push(Step::SetScore(me.name.clone(), PromotionScore::Never));
    }
    if me.wal_position != Some(report.position()) {
        steps.push(Step::SetPosition(Some(report.position())));
    }
    let awaited = awaited(settings, seen, cluster);
    let standing = standing(settings, cluster, report.position(), &seen.files);
    let location = location(&standing, &awaited, report, me);
    match standing {
        Standing::First if receives(seen, report) => {
            steps.push(Step::Warn(Warning::PrimaryUnseen));
        }
        Standing::First if !awaited.is_empty() => {
            steps.push(Step::Warn(Warning::MayBeOvertaken(awaited)));
        }
        Standing::First if me.score != Some(PromotionScore::PROMOTE_ME) => {
            steps.push(Step::SetScore(me.name.clone(), PromotionScore::PROMOTE_ME));
        }
        Standing::First | Standing::Behind(_) => {}
        Standing::NoRight(NoRight::Unfit(status)) => steps.push(Step::Warn(Warning::Unfit(status))),
        Standing::NoRight(NoRight::Unproven) => {
            steps.push(Step::Warn(Warning::Uncompared));
            steps.extend(disclaim(cluster, &seen.files));
        }
        Standing::NoRight(NoRight::Unrecorded) => steps.push(Step::Warn(Warning::Unrecorded)),
        // Every monitor says so, with a primary and without.
        Standing::NoRight(NoRight::Unlisted) => {}
        Standing::FirstAwaits(nodes) => {
            steps.push(Step::Warn(Warning::FirstAwaits(nodes, settings.resource.clone())));
        }
        Standing::LastPrimaryUnseen(last) => {
            steps.push(Step::Warn(Warning::LastPrimaryUnseen(last, settings.resource.clone())));
        }
        Standing::Awaiting(nodes) => steps.push(Step::Warn(Warning::ElectionAwaits(nodes))),
        Standing::BehindUntold(node) => {
            steps.push(Step::Warn(Warning::ElectionAwaits(vec![node])));
        }
    }
    steps.extend(location);
    best_effort(seen, steps)
}

/// Says how far its WAL goes in the words of the shell agent, which compares nothing else: only who has a right does, as
/// there, is behind nobody, and waits for nobody who is not here. Beside a further one, be it of an older timeline, an
/// instance of the shell agent records itself as out of date.
fn location(
    standing: &Standing,
    awaited: &[NodeName],
    report: &StandbyReport,
    me: &ClusterNode,
) -> Option<Step> {
    let stands = match standing {
        Standing::First => awaited.is_empty(),
        Standing::Awaiting(_) => true,
        Standing::Behind(_)
        | Standing::BehindUntold(_)
        | Standing::NoRight(_)
        | Standing::LastPrimaryUnseen(_)
        | Standing::FirstAwaits(_) => false,
    };
    let wanted = stands.then_some(report.wal_end);
    (me.xlog_location != wanted).then_some(Step::SetXlogLocation(wanted))
}

/// Tells whether WAL has arrived since this monitor said how far it is: a primary writes that the cluster does not
/// know of.
fn receives(seen: &Observation, report: &StandbyReport) -> bool {
    let mine = Step::SetPosition(Some(report.position()));
    let moved = |attempt: &Attempt| mine.says_anew(&attempt.step) && attempt.step != mine;
    report.is_streaming() && seen.taken.0.iter().any(moved)
}
