//! Who may be promoted, by what the cluster recorded of its data.

use crate::model::settings::ReplicationMode;
use crate::model::status::DataStatus;

/// Tells whether a node with this record may be promoted (stock: `have_master_right`).
///
/// No record at all means a cluster that has never had a primary.
#[must_use]
pub(super) fn is_fit(mode: ReplicationMode, recorded: Option<&DataStatus>) -> bool {
    match recorded {
        None | Some(DataStatus::Latest | DataStatus::StreamingSync) => true,
        // Whether it has every acknowledged commit is for `quorum` to say.
        Some(DataStatus::StreamingQuorum) => mode.is_replication(),
        Some(DataStatus::StreamingAsync) => match mode {
            ReplicationMode::Async => true,
            ReplicationMode::Sync | ReplicationMode::None | ReplicationMode::Slave => false,
        },
        Some(
            DataStatus::StreamingBehind
            | DataStatus::StreamingPotential
            | DataStatus::Other(_)
            | DataStatus::Disconnected,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_with_every_acknowledged_commit_is_fit_in_sync_mode() {
        use DataStatus::{
            Disconnected, Latest, Other, StreamingAsync, StreamingBehind, StreamingPotential,
            StreamingQuorum, StreamingSync,
        };
        let table = [
            (None, true, true),
            (Some(Latest), true, true),
            (Some(StreamingSync), true, true),
            (Some(StreamingAsync), false, true),
            (Some(StreamingQuorum), true, true),
            (Some(StreamingBehind), false, false),
            (Some(StreamingPotential), false, false),
            (Some(Other("CATCHUP|ASYNC".into())), false, false),
            (Some(Disconnected), false, false),
        ];
        for (recorded, sync, asynchronous) in table {
            assert_eq!(is_fit(ReplicationMode::Sync, recorded.as_ref()), sync, "{recorded:?}");
            assert_eq!(
                is_fit(ReplicationMode::Async, recorded.as_ref()),
                asynchronous,
                "{recorded:?}"
            );
        }
    }
}
