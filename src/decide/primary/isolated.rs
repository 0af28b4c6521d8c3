//! How a primary is stopped whose standbys may be promoted out of its sight: at once, without another record.
//!
//! A clean shutdown writes: a checkpoint, and with archiving a switch to another WAL file
//! (`ShutdownXLOG` in xlog.c). Where no standby receives that, the shutdown by itself makes the old primary's
//! data diverge from the next primary's. An immediate shutdown writes nothing; all that was flushed, and so
//! every commit that waited for that, is recovered by the next start. It costs what a crash does: what commits
//! with `synchronous_commit=off` wrote in the last moments, and the contents of unlogged tables.

use std::time::Duration;

use crate::decide::rules::authority::record_is_binding;
use crate::decide::rules::fitness::may_be_promoted;
use crate::decide::server::shutdown::escalate_shutdown;
use crate::decide::steps::best_effort;
use crate::model::cluster::{Cluster, Membership};
use crate::model::node::NodeName;
use crate::model::observation::{ClusterView, Observation};
use crate::model::settings::Settings;
use crate::model::step::Step;
use crate::model::verdict::Verdict;
use crate::model::warning::Warning;

/// Returns the next rung of the ladder that suits, as `shutdown` does: cleanly, or at once.
pub(in crate::decide) fn stop_primary(
    settings: &Settings,
    seen: &Observation,
    patience: Duration,
) -> Option<Verdict> {
    let rivals = match (settings.is_replication(), seen.files.standby_signal, &seen.cluster) {
        (true, false, ClusterView::Seen(cluster)) => rivals(settings, cluster),
        // A standby writes no WAL of its own when it stops.
        (true | false, ..) => Vec::new(),
    };
    if rivals.is_empty() {
        return escalate_shutdown(seen, patience);
    }
    let gone = escalate_shutdown(seen, Duration::ZERO)?;
    best_effort(seen, [Step::Warn(Warning::StopsAtOnce(rivals))]).or(Some(gone))
}

/// Returns the nodes that were lost, not stopped in order, and may be promoted on the record that they have: this
/// partition has no quorum, or for another reason can no longer take that right from them.
fn rivals(settings: &Settings, cluster: &Cluster) -> Vec<NodeName> {
    settings
        .peers(&cluster.local)
        .filter_map(|name| cluster.node(name))
        .filter(|peer| peer.membership == Membership::Lost)
        .filter(|peer| !cluster.quorum || !record_is_binding(cluster, peer.membership))
        .filter(|peer| may_be_promoted(settings, cluster, peer))
        .map(|peer| peer.name.clone())
        .collect()
}
