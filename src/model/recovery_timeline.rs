//! Which timeline a standby recovers to (`recovery_target_timeline`).
//!
//! What follows from it is `decide::rejoin`'s business; how it is written, `postgres::standby`'s.

use super::wal::Timeline;

/// Which timeline a standby recovers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryTimeline {
    /// The newest one of which there is a history file, here or in the archive: it follows each promotion.
    Latest,
    /// Its own, so that nothing leads it elsewhere before its data has been compared; `None`: whichever
    /// `pg_control` names.
    Own(Option<Timeline>),
}
