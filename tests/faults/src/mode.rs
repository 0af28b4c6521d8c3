//! In which ways the same fault is played: how commits wait, and how quickly fencing acts.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use testbed::Fencing;

/// How commits wait for a standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// For a standby as long as there is one.
    SyncAvailable,
    /// For a standby, come what may.
    SyncStrict,
    /// For none.
    Async,
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SyncAvailable => "sync-available",
            Self::SyncStrict => "sync-strict",
            Self::Async => "async",
        })
    }
}

impl Mode {
    /// Whether an acknowledged row may never be lost.
    pub const fn is_sync(self) -> bool {
        match self {
            Self::SyncAvailable | Self::SyncStrict => true,
            Self::Async => false,
        }
    }

    /// The parameter without which the agent does not have this mode.
    pub const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::SyncStrict => Some("sync_availability"),
            Self::SyncAvailable | Self::Async => None,
        }
    }

    /// The words of the resource's configuration.
    pub const fn words(self) -> &'static str {
        match self {
            Self::SyncAvailable => r#"rep_mode="sync""#,
            Self::SyncStrict => r#"rep_mode="sync" sync_availability="strict""#,
            Self::Async => r#"rep_mode="async""#,
        }
    }
}

/// How quickly fencing acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speed {
    /// At once.
    AtOnce,
    /// After 20 s, as a slow management board does.
    Slow,
}

impl fmt::Display for Speed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AtOnce => "at once",
            Self::Slow => "takes 20 s",
        })
    }
}

impl Speed {
    /// How the power switch obeys.
    pub const fn fencing(self) -> Fencing {
        match self {
            Self::AtOnce => Fencing::Immediate,
            Self::Slow => Fencing::After(Duration::from_secs(20)),
        }
    }
}
