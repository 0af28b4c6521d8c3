//! The rows of `pg_stat_replication`, and the nodes that they are of.

use crate::model::cluster::{Cluster, ClusterNode};
use crate::model::instance::{PrimaryReport, StandbyRow};
use crate::model::settings::Settings;
use crate::model::status::PromotionScore;
use crate::model::step::Step;

/// Every configured peer that the cluster knows, with its row of `pg_stat_replication`.
pub(in crate::decide) fn peers<'a>(
    settings: &'a Settings,
    cluster: &'a Cluster,
    report: &'a PrimaryReport,
) -> impl Iterator<Item = (&'a ClusterNode, Option<&'a StandbyRow>)> {
    settings.peers(&cluster.local).filter_map(|name| {
        let node = cluster.node(name)?;
        Some((node, row_of(report, &name.application_name())))
    })
}

/// Takes a node's score, if it has one with which it could be promoted.
pub(in crate::decide) fn revoked_score(node: &ClusterNode) -> Option<Step> {
    let scored = node.score.is_some_and(|score| score != PromotionScore::Never);
    scored.then(|| Step::SetScore(node.name.clone(), PromotionScore::Never))
}

/// Finds the row of a standby. While a connection that broke is still listed beside its successor,
/// the one that has flushed less speaks for the standby.
pub(in crate::decide) fn row_of<'a>(
    report: &'a PrimaryReport,
    name: &str,
) -> Option<&'a StandbyRow> {
    let rows = report.standbys.iter().filter(|row| row.application_name.eq_ignore_ascii_case(name));
    rows.min_by_key(|row| (!is_streaming(row), row.flush_lsn))
}

/// Tells whether a standby streams: it has caught up once and receives WAL as it is written, of this
/// primary's own timeline.
pub(in crate::decide) fn is_streaming(row: &StandbyRow) -> bool {
    row.state.as_deref() == Some("streaming") && row.shares_history
}
