//! The values of the cluster attributes that administrators' constraints and tools read.
//!
//! The words are the stock agent's, to the letter.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// Value of `<rsc>-status`: what this instance is right now (transient attribute).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceStatus {
    /// The primary.
    Primary,
    /// A standby whose acknowledgement commits wait for.
    Sync,
    /// A standby that commits do not wait for.
    Async,
    /// A standby that becomes synchronous when the present one fails.
    Potential,
    /// A standby that is connected but does not stream yet (catching up, backing up).
    Connected,
    /// A standby without a primary.
    Alone,
    /// Not running.
    Stopped,
    /// Could not be stopped: nobody knows.
    Unknown,
    /// A word that this agent does not write.
    Other(String),
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "PRI",
            Self::Sync => "HS:sync",
            Self::Async => "HS:async",
            Self::Potential => "HS:potential",
            Self::Connected => "HS:connected",
            Self::Alone => "HS:alone",
            Self::Stopped => "STOP",
            Self::Unknown => "UNKNOWN",
            Self::Other(word) => word,
        })
    }
}

impl FromStr for InstanceStatus {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [
            Self::Primary,
            Self::Sync,
            Self::Async,
            Self::Potential,
            Self::Connected,
            Self::Alone,
            Self::Stopped,
            Self::Unknown,
        ];
        Ok(known
            .into_iter()
            .find(|status| status.to_string() == text)
            .unwrap_or_else(|| Self::Other(text.to_owned())))
    }
}

/// Value of `<rsc>-data-status`: how this node's data stands to the primary's (permanent
/// attribute; it survives reboots and decides who may be promoted).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataStatus {
    /// The data of the primary itself.
    Latest,
    /// Has every acknowledged commit.
    StreamingSync,
    /// Streams, but commits do not wait for it.
    StreamingAsync,
    /// One of several of which commits wait for some: which commits it has, only a comparison
    /// with the others can tell.
    StreamingQuorum,
    /// Streams, but is further behind than `max_lag_on_failover` allows.
    StreamingBehind,
    /// Streams, next in line to be synchronous.
    StreamingPotential,
    /// Any other state that `pg_stat_replication` shows, such as `CATCHUP|ASYNC`.
    Other(String),
    /// Not connected to the primary: out of date.
    Disconnected,
}

impl fmt::Display for DataStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latest => "LATEST",
            Self::StreamingSync => "STREAMING|SYNC",
            Self::StreamingAsync => "STREAMING|ASYNC",
            Self::StreamingQuorum => "STREAMING|QUORUM",
            Self::StreamingBehind => "STREAMING|BEHIND",
            Self::StreamingPotential => "STREAMING|POTENTIAL",
            Self::Other(word) => word,
            Self::Disconnected => "DISCONNECT",
        })
    }
}

impl FromStr for DataStatus {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [
            Self::Latest,
            Self::StreamingSync,
            Self::StreamingAsync,
            Self::StreamingQuorum,
            Self::StreamingBehind,
            Self::StreamingPotential,
            Self::Disconnected,
        ];
        Ok(known
            .into_iter()
            .find(|status| status.to_string() == text)
            .unwrap_or_else(|| Self::Other(text.to_owned())))
    }
}

/// Value of `<rsc>-receiver-status` (with `check_wal_receiver`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiverStatus {
    /// The WAL receiver runs.
    Normal,
    /// A primary needs none.
    NormalPrimary,
    /// A standby without a WAL receiver.
    Error,
}

impl fmt::Display for ReceiverStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::NormalPrimary => "normal (master)",
            Self::Error => "ERROR",
        })
    }
}

/// A promotion score: how much Pacemaker should want to promote a node (attribute `master-<rsc>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PromotionScore {
    /// Never (`-INFINITY`).
    Never,
    /// A number.
    Points(i32),
}

impl PromotionScore {
    /// A standby that has all it needs.
    pub const CAN_PROMOTE: Self = Self::Points(100);
    /// A standby that may be promoted, but is behind others.
    pub const BEHIND: Self = Self::Points(50);
    /// The primary, or the node that should become it.
    pub const PROMOTE_ME: Self = Self::Points(1000);
}

impl fmt::Display for PromotionScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("-INFINITY"),
            Self::Points(points) => write!(f, "{points}"),
        }
    }
}

impl FromStr for PromotionScore {
    type Err = std::num::ParseIntError;

    /// Reads a score as Pacemaker writes it: `INFINITY` is 1000000.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-INFINITY" | "-1000000" => Ok(Self::Never),
            "INFINITY" | "+INFINITY" => Ok(Self::Points(1_000_000)),
            number => number.parse().map(Self::Points),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for word in [
            "PRI",
            "HS:sync",
            "HS:async",
            "HS:potential",
            "HS:connected",
            "HS:alone",
            "STOP",
            "UNKNOWN",
            "HS:later",
        ] {
            let status: InstanceStatus = word.parse().expect("infallible");
            assert_eq!(status.to_string(), word);
        }
        for word in [
            "LATEST",
            "STREAMING|SYNC",
            "STREAMING|ASYNC",
            "STREAMING|QUORUM",
            "STREAMING|BEHIND",
            "STREAMING|POTENTIAL",
            "DISCONNECT",
            "CATCHUP|ASYNC",
        ] {
            let status: DataStatus = word.parse().expect("infallible");
            assert_eq!(status.to_string(), word);
        }
        for (word, score) in
            [("-INFINITY", PromotionScore::Never), ("1000", PromotionScore::PROMOTE_ME)]
        {
            assert_eq!(word.parse(), Ok(score));
            assert_eq!(score.to_string(), word);
        }
    }
}
