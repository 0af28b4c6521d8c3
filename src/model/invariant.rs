//! What may not be, whatever was decided: the names of it. They are checked in `decide::invariants`.

use std::fmt;

/// A rule that a step would have broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// A server is promoted only when the record says that it has the latest data, and gives nobody else a right.
    PromotedAlone,
    /// Commits stop waiting for a standby only when the record gives it no right.
    RelaxedAfterRevoked,
    /// A standby is on record as synchronous only while commits wait for it.
    GrantedAfterWaiting,
    /// The record of a quorum promises no more than the names in force do.
    QuorumIsTrue,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PromotedAlone => "a promotion while others have a right",
            Self::RelaxedAfterRevoked => "commits that do not wait for a node with a right",
            Self::GrantedAfterWaiting => "a right of a node that commits do not wait for",
            Self::QuorumIsTrue => "a quorum that commits do not wait for",
        })
    }
}
