//! What a new primary records, promoted by the cluster or by hand: nobody else keeps a right, and its data is the
//! latest.

use crate::decide::rules::authority::record_is_binding;
use crate::decide::rules::fitness::is_fit;
use crate::decide::rules::nodes::{is_of_the_shell_agent, others};
use crate::model::cluster::{Cluster, ClusterNode, Membership};
use crate::model::instance::PrimaryReport;
use crate::model::node::NodeName;
use crate::model::observation::{Attempt, Observation};
use crate::model::settings::Settings;
use crate::model::status::{DataStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::verdict::Verdict;

/// From here on only this node may be promoted, whatever happens next. Its claim comes last, for it may be killed
/// before; in a cluster without any record it comes first, and takes the right of all who have none.
pub(in crate::decide) fn take_over(settings: &Settings, cluster: &Cluster) -> Vec<Step> {
    let revoked = revoke_all_others(settings, cluster);
    match cluster.has_records() {
        true => revoked.into_iter().chain(claim(cluster)).collect(),
        false => claim(cluster).into_iter().chain(revoked).collect(),
    }
}

/// Nobody else keeps a right: no peer, nor a node that has left `node_list`.
fn revoke_all_others(settings: &Settings, cluster: &Cluster) -> Vec<Step> {
    let due = |node: &&ClusterNode| match &node.data_status {
        Some(status) => *status != DataStatus::Disconnected,
        None => settings.lists(&node.name),
    };
    others(cluster)
        .filter(due)
        .map(|node| Step::SetDataStatus(node.name.clone(), DataStatus::Disconnected))
        .collect()
}

/// Claims to have the latest data, before the server is touched: a promotion that does not come to
/// its end must not leave a cluster in which nobody may be promoted. It grants nothing new, for
/// this node was fit and all others have just been recorded as out of date.
fn claim(cluster: &Cluster) -> Option<Step> {
    let me = cluster.me()?;
    let due = me.data_status != Some(DataStatus::Latest);
    due.then(|| Step::SetDataStatus(me.name.clone(), DataStatus::Latest))
}

/// The lock of a primary, unless it has one that says on which timeline it is primary.
pub(in crate::decide) fn lock(seen: &Observation, report: &PrimaryReport) -> Option<Step> {
    let noted = seen.files.lock.and_then(|lock| lock.timeline);
    (noted != Some(report.timeline)).then_some(Step::CreateLock(report.timeline))
}

/// The nodes that could be promoted on an older record than ours: `node_list` names them, or they have a right on
/// record, and our copy does not bind whoever could promote them.
pub(in crate::decide) fn unbound(settings: &Settings, cluster: &Cluster) -> Vec<NodeName> {
    let has_right = |node: &ClusterNode| {
        node.data_status.as_ref().is_some_and(|status| is_fit(settings.rep_mode, status))
    };
    others(cluster)
        .filter(|node| settings.lists(&node.name) || has_right(node))
        .filter(|node| !record_is_binding(cluster, node.membership))
        .map(|node| node.name.clone())
        .collect()
}

/// Takes the scores of those who asked to be promoted as well, or could be. This agent looks at the record when it is told to
/// promote, but the shell agent does not: its score is all that keeps it from that when this node dies. So it is tried
/// although other writes have failed, and before and after the server is promoted where a candidate of the shell agent
/// may just be asking; a promotion does not wait for it.
pub(in crate::decide) fn revoke_scores(seen: &Observation, cluster: &Cluster) -> Option<Verdict> {
    let asks = |node: &&ClusterNode| {
        let scored = node.score.is_some_and(|score| score != PromotionScore::Never);
        node.membership == Membership::Member && (scored || is_of_the_shell_agent(node))
    };
    let before =
        |attempt: &&Attempt| !matches!(attempt.step, Step::PromoteServer | Step::RemoveStandbyMark);
    let since = seen.taken.0.iter().rev().take_while(before);
    let tried: Vec<&Step> = since.map(|attempt| &attempt.step).collect();
    others(cluster)
        .filter(asks)
        .map(|node| Step::SetScore(node.name.clone(), PromotionScore::Never))
        .find(|step| !tried.contains(&step))
        .filter(|_| !seen.time.remaining.is_zero())
        .map(Verdict::Do)
}
