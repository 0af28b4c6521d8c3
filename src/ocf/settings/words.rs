//! The words of the parameters that take one of a few.

use crate::model::settings::{Rejoin, ReplicationMode};

/// Reads a word of `rep_mode`.
pub(super) fn mode_of(word: &str) -> Option<ReplicationMode> {
    match word {
        "none" => Some(ReplicationMode::None),
        "async" => Some(ReplicationMode::Async),
        "sync" => Some(ReplicationMode::Sync),
        "slave" => Some(ReplicationMode::Slave),
        _ => None,
    }
}

/// Returns the word of `rep_mode`.
#[must_use]
pub const fn mode_word(mode: ReplicationMode) -> &'static str {
    match mode {
        ReplicationMode::None => "none",
        ReplicationMode::Async => "async",
        ReplicationMode::Sync => "sync",
        ReplicationMode::Slave => "slave",
    }
}

/// Reads a word of `rejoin`.
pub(super) fn rejoin_of(word: &str) -> Option<Rejoin> {
    match word {
        "verify" => Some(Rejoin::Verify),
        "rewind" => Some(Rejoin::Rewind),
        "off" => Some(Rejoin::Off),
        _ => None,
    }
}
