//! What is known when an old primary returns, and why it may not.
//!
//! The facts of both sides, and the words of a refusal. Comparing them is `decide::rejoin`'s
//! business.

use std::fmt;
use std::path::PathBuf;

use super::exit_reason::{BYTES_MAX, shortened};
use super::instance::ControlData;
use super::node::NodeName;
use super::timeline_history::TimelineHistory;
use super::wal::{Lsn, Timeline, WalLayout, WalPosition};

/// The local data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnData {
    /// `pg_control`.
    pub control: ControlData,
    /// The timeline that a running server stays on; `None`: no server runs, or it follows the latest.
    pub stays_on: Option<Timeline>,
    /// The end of the last valid record on its timeline, or why it is not known; `None`: nobody looked,
    /// for it would not matter.
    pub wal_end: Option<Result<Lsn, String>>,
    /// The history of that timeline; `None`: its file is missing or cannot be read.
    pub history: Option<TimelineHistory>,
    /// The newest timeline of which there is a WAL segment.
    pub newest_segment: Option<Timeline>,
    /// Whether it is a copy that has not been started yet (`backup_label`).
    pub is_copy: bool,
}

impl OwnData {
    /// Returns the newest timeline that the data belongs to.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        let known = self.control.newest_timeline();
        self.stays_on.map_or(known, |stays_on| stays_on.max(known))
    }
}

/// What the primary says over the replication protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryData {
    /// The address at which it answered.
    pub address: String,
    /// Identifies the database cluster through all its copies.
    pub system_identifier: u64,
    /// Its timeline and its history.
    pub history: TimelineHistory,
    /// What it is as the source of a `pg_rewind`; asked only when one is permitted.
    pub source: Option<Result<RewindSource, String>>,
}

/// The WAL that only a node has whose data has diverged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostWal {
    /// Its timeline.
    pub timeline: Timeline,
    /// Where the primary's history left that.
    pub from: Lsn,
    /// Where it ends.
    pub to: Lsn,
    /// How it is cut into files.
    pub layout: WalLayout,
}

impl LostWal {
    /// Returns the name of the segment in which it begins.
    #[must_use]
    pub fn first_segment(&self) -> String {
        self.layout.segment_name(self.timeline, self.from)
    }

    /// Returns the name of the segment in which it ends.
    #[must_use]
    pub fn last_segment(&self) -> String {
        self.layout.segment_name(self.timeline, self.to)
    }
}

/// A primary as the source of a `pg_rewind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RewindSource {
    /// Whether `repuser` may call the functions that `pg_rewind` reads files with.
    pub readable: bool,
    /// The timeline of its `pg_control`, by which `pg_rewind` before PostgreSQL 16 judges: the old one
    /// until the first checkpoint after a promotion.
    pub control_timeline: Timeline,
}

/// Both sides, as far as they could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// This node's data.
    pub own: Result<OwnData, String>,
    /// The primary's.
    pub primary: Result<PrimaryData, String>,
}

/// How a node's data becomes the primary's again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resync {
    /// `pg_rewind`, which finds the divergence by the timelines.
    Rewind,
    /// A new copy: `pg_rewind` would see no divergence, or has not what it needs.
    Copy,
}

impl Resync {
    /// Returns the program that does it.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Rewind => "pg_rewind",
            Self::Copy => "pg_basebackup",
        }
    }
}

/// How a node's data stands to the primary's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryRelation {
    /// All of it is part of that history: its WAL ends here, at or before the fork.
    Prefix {
        /// The end of its WAL.
        end: WalPosition,
        /// Where the primary's history left that timeline.
        fork: Lsn,
    },
    /// It has followed the primary's own timeline as a standby, or is a copy from it.
    Followed(Timeline),
    /// It is another database cluster: its system identifier, and the primary's.
    OtherSystem(u64, u64),
    /// Its timeline is not in the primary's history, or is another of the same number: its own, and
    /// the primary's.
    Foreign(Timeline, Timeline),
    /// Its WAL goes on beyond the fork.
    Diverged {
        /// The end of its WAL.
        end: WalPosition,
        /// Where the primary's history left that timeline.
        fork: Lsn,
    },
    /// Nothing is proven either way.
    Unproven(String),
    /// The primary could not be asked.
    Unasked(String),
}

/// Why a node does not start beside the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The primary.
    pub primary: NodeName,
    /// Where it was asked.
    pub address: String,
    /// How this node's data stands to its history.
    pub kinship: HistoryRelation,
    /// What makes the data the primary's again.
    pub resync: Resync,
    /// Why the agent does not rewind by itself; `None`: it was not asked to.
    pub no_rewind: Option<String>,
    /// The data directory.
    pub pgdata: PathBuf,
    /// The lock, if the node has it.
    pub lock: Option<PathBuf>,
}

impl Refusal {
    /// Returns the remedy at length.
    #[must_use]
    pub fn hint(&self) -> String {
        let (primary, address, pgdata) = (&self.primary, &self.address, self.pgdata.display());
        let why = self.no_rewind.as_ref().map(|why| format!("not rewound: {why}. "));
        let why = why.unwrap_or_default();
        let copy = format!(
            "pg_basebackup -h {address} -D {pgdata} -X stream (into the emptied directory)"
        );
        let remedy = match self.resync {
            Resync::Rewind => format!(
                "what only this node has will be lost: look at it first if it matters. Then run \
                 pg_rewind -D {pgdata} --source-server='host={address} dbname=postgres' as the database \
                 user, or {copy}"
            ),
            Resync::Copy => format!("pg_rewind does not help here; {copy}"),
        };
        let known = match (&self.kinship, &self.lock) {
            (HistoryRelation::Unasked(_), _) => format!(
                "the agent asks with psql as repuser, over the replication protocol at master_ip and at \
                 {primary}: check pg_hba.conf and the password. "
            ),
            (HistoryRelation::Unproven(_), Some(lock)) => format!(
                "if you know that this data holds nothing that {primary} lacks, remove {}; otherwise ",
                lock.display()
            ),
            (_, Some(_) | None) => String::new(),
        };
        format!(
            "{known}{why}{remedy}. Then clean the resource up; the data is compared with {primary}'s again"
        )
    }
}

impl fmt::Display for HistoryRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix { end, fork } => {
                write!(
                    f,
                    "WAL ends at {end}, not beyond {fork}, where the primary's history left it"
                )
            }
            Self::Followed(timeline) => {
                write!(f, "data of the primary's own timeline {timeline}, followed or copied")
            }
            Self::OtherSystem(own, primary) => {
                write!(f, "system identifier {own}, the primary's {primary}")
            }
            Self::Foreign(own, primary) => {
                write!(f, "timeline {own} is not in its history (timeline {primary})")
            }
            Self::Diverged { end, fork } => {
                let bytes = end.lsn.bytes_since(*fork);
                write!(f, "WAL ends at {end}, {bytes} bytes past the fork at {fork}")
            }
            Self::Unproven(why) => write!(f, "unproven, {why}"),
            Self::Unasked(why) => write!(f, "cannot ask it, {why}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (primary, program) = (&self.primary, self.resync.program());
        let relation = match self.kinship {
            HistoryRelation::OtherSystem(..) => "My data is not of",
            HistoryRelation::Foreign(..) | HistoryRelation::Diverged { .. } => {
                "My data has diverged from"
            }
            HistoryRelation::Prefix { .. }
            | HistoryRelation::Followed(_)
            | HistoryRelation::Unproven(_)
            | HistoryRelation::Unasked(_) => "My data may have diverged from",
        };
        let remedy = match self.kinship {
            HistoryRelation::Unasked(_) => String::new(),
            HistoryRelation::Prefix { .. }
            | HistoryRelation::Followed(_)
            | HistoryRelation::OtherSystem(..)
            | HistoryRelation::Foreign(..)
            | HistoryRelation::Diverged { .. }
            | HistoryRelation::Unproven(_) => format!("; {program} from it"),
        };
        let room = BYTES_MAX.saturating_sub(format!("{relation} {primary}: {remedy}").len());
        write!(f, "{relation} {primary}: {}{remedy}", shortened(&self.kinship.to_string(), room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_fits_into_what_pacemaker_shows_and_names_the_evidence() {
        let end = WalPosition { timeline: Timeline(12), lsn: Lsn(0x1A_5000_0148) };
        let diverged = HistoryRelation::Diverged { end, fork: Lsn(0x1A_4000_0148) };
        for (kinship, resync, parts) in [
            (
                diverged,
                Resync::Rewind,
                ["12:1A/50000148", "268435456 bytes", "fork at 1A/40000148", "pg_rewind"],
            ),
            (
                HistoryRelation::OtherSystem(u64::MAX, u64::MAX),
                Resync::Copy,
                ["system", "not of", "db-node02", "pg_basebackup"],
            ),
            (
                HistoryRelation::Foreign(Timeline(12), Timeline(11)),
                Resync::Copy,
                ["timeline 12", "timeline 11", "db-node02", "pg_basebackup"],
            ),
        ] {
            let refusal = Refusal {
                primary: NodeName::new("db-node02"),
                address: "192.0.2.1".into(),
                kinship,
                resync,
                no_rewind: None,
                pgdata: "/data".into(),
                lock: None,
            };
            let text = refusal.to_string();
            assert!(text.len() <= BYTES_MAX, "{} bytes: {text}", text.len());
            for part in parts {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}
