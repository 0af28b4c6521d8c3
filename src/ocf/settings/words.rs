//! The words of the parameters that take one of a few.

use super::Reader;
use crate::model::settings::{Rejoin, ReplicationMode, SslMode};
use crate::ocf::parameter::instance as i;

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

impl Reader<'_> {
    /// Reads `monitor_sslmode`. Another word is an error: what it was to promise cannot be guessed.
    pub(super) fn ssl_mode(&mut self) -> SslMode {
        ssl_mode_of(self.raw(&i::MONITOR_SSLMODE).trim()).unwrap_or_else(|| {
            let remedy = "write disable, allow, prefer, require, verify-ca or verify-full";
            self.error(&i::MONITOR_SSLMODE, "Invalid monitor_sslmode", remedy);
            SslMode::Prefer
        })
    }
}

fn ssl_mode_of(word: &str) -> Option<SslMode> {
    match word {
        "disable" => Some(SslMode::Disable),
        "allow" => Some(SslMode::Allow),
        "prefer" => Some(SslMode::Prefer),
        "require" => Some(SslMode::Require),
        "verify-ca" => Some(SslMode::VerifyCa),
        "verify-full" => Some(SslMode::VerifyFull),
        _ => None,
    }
}
