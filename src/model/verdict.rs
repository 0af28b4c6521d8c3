//! What a decision says: a step, a wait, or the end.
//!
//! Reasons are variants, not sentences, so that the log line, the exit reason and the tests speak
//! of the same thing; their wording is at the end of this file, and what can be done about them in `hint`.

mod hint;
mod reason;

use std::fmt;
use std::path::{Path, PathBuf};

use super::exit_reason::{BYTES_MAX, shortened, wrong_parameter};
use super::invariant::Invariant;
use super::node::NodeName;
use super::rejoin::{Refusal, Resync};
use super::status::DataStatus;
use super::step::Step;
use super::wal::WalPosition;

pub use self::reason::Reason;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Take this step, then look again.
    Do(Step),
    /// Look again in a moment.
    Wait(Reason),
    /// The action is over.
    Done(Outcome),
}

/// How the action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It reached what it promises; a running standby or plain instance for a monitor.
    Success,
    /// A monitor found a primary.
    RunningPromoted,
    /// A monitor found nothing running.
    NotRunning,
    /// It failed.
    Failed(Failure),
}

/// Why an action failed.
///
/// Its text is the exit reason, of which Pacemaker shows the first 128 bytes: the evidence comes
/// first, and the remedy where there is room. The hint goes into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// `promote` or `demote` without a replication mode.
    NoReplication,
    /// The data directory is not there.
    DataDirectoryMissing(PathBuf),
    /// The data directory cannot be read.
    DataDirectoryUnreadable(PathBuf, String),
    /// This node has been primary; its data may have diverged.
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// What the cluster recorded of this node's data.
        data_status: Option<DataStatus>,
        /// The primary, if there is one.
        primary: Option<NodeName>,
        /// What makes this node's data the primary's again.
        resync: Resync,
    },
    /// This node's data is not, or not provably, part of the primary's history.
    HistoryMismatch(Box<Refusal>),
    /// A running standby has gone another way than the primary: its end, and where the primary's
    /// timeline left its own.
    Diverged(NodeName, WalPosition, WalPosition),
    /// A `pg_rewind` was begun here and did not come to its end: the marker, and what it says.
    HalfRewound(PathBuf, String),
    /// A start found a primary running.
    AlreadyPrimary,
    /// The server ended because it can listen nowhere.
    CannotListen {
        /// Where it was told to.
        pghost: String,
        /// Its last words.
        line: String,
    },
    /// The server ended while it was awaited.
    ServerDied(Option<String>),
    /// The server did not take connections.
    NotAccepting(String),
    /// The server does not answer.
    Silent(String),
    /// `monitor_sql` failed.
    MonitorSql(String),
    /// `synchronous_standby_names` comes from elsewhere than the agent's file.
    ForeignSyncNames(String),
    /// Another source overrides the agent's `primary_conninfo`.
    ConninfoOverridden(String),
    /// This node's data is not fit for promotion.
    DataOutOfDate(DataStatus),
    /// The cluster has had a primary, and nothing is recorded of this node's data.
    Unrecorded,
    /// The record says that this node has followed a later primary, and its data has not been compared with that one's.
    Uncompared,
    /// `node_list` does not name this node.
    Unlisted(NodeName),
    /// A primary runs here although the cluster has recorded a later promotion elsewhere.
    SupersededPrimary {
        /// What the cluster recorded of this node's data.
        data_status: Option<DataStatus>,
        /// The primary of the cluster.
        primary: Option<NodeName>,
    },
    /// A promotion was asked of an instance that is not running as a standby.
    NotAStandby,
    /// A reachable node has WAL that this node lacks, and it could not be fetched.
    PeerAhead(NodeName, WalPosition, WalPosition),
    /// Acknowledged commits may be on these nodes only, which have not said how far their WAL goes.
    QuorumUnseen(String),
    /// The server could not be stopped.
    CannotStop,
    /// The deadline came first.
    Deadline(Box<Reason>),
    /// The cluster could not be asked.
    ClusterUnavailable(String),
    /// A step was decided that would break an invariant: nothing was changed.
    Broken(Invariant),
    /// A step failed.
    StepFailed(Box<Step>, String),
}

/// The lock file's path is shortened before the advice is.
fn locked(lock: &Path, record: &str, primary: Option<&NodeName>, resync: Resync) -> String {
    let advice = match primary {
        Some(primary) => format!(
            "My data may be inconsistent ({record}, primary {primary}): {} from {primary}, then rm ",
            resync.program()
        ),
        None => format!(
            "My data may be inconsistent ({record}, no primary): if it was the last primary, rm "
        ),
    };
    let room = BYTES_MAX.saturating_sub(advice.len());
    advice + &shortened(&lock.to_string_lossy(), room)
}

const NOT_A_STANDBY: &str = "Can't promote PostgreSQL: it is not running as a standby";

fn wrong_pgdata(path: &Path, problem: &str, remedy: &str) -> String {
    wrong_parameter("pgdata", &path.to_string_lossy(), problem, remedy)
}

fn half_rewound(marker: &Path, text: &str) -> String {
    let advice = format!("{text} was cut off: pg_basebackup from the primary, then rm ");
    let room = BYTES_MAX.saturating_sub(advice.len());
    advice + &shortened(&marker.to_string_lossy(), room)
}

fn recorded(data_status: Option<&DataStatus>) -> String {
    data_status.map_or_else(|| "no data-status".into(), ToString::to_string)
}

const UNCOMPARED: &str = "My data has not been compared with the history of a later primary";
const UNRECORDED: &str = "Nothing is recorded of my data, but of other nodes'";

const UNLISTED: &str = "this node is never promoted; add it to node_list";

const NO_REPLICATION: &str = "Not in a replication mode: set rep_mode to async or sync";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReplication => f.write_str(NO_REPLICATION),
            Self::DataDirectoryMissing(path) => {
                let remedy = "correct the path, or mount its file system";
                f.write_str(&wrong_pgdata(path, "no data directory", remedy))
            }
            Self::DataDirectoryUnreadable(path, error) => {
                f.write_str(&wrong_pgdata(path, error, "check its owner, mode and disk"))
            }
            Self::NotAStandby => f.write_str(NOT_A_STANDBY),
            Self::Locked { lock, data_status, primary, resync } => {
                let record = recorded(data_status.as_ref());
                f.write_str(&locked(lock, &record, primary.as_ref(), *resync))
            }
            Self::HistoryMismatch(refusal) => write!(f, "{refusal}"),
            Self::Diverged(primary, mine, fork) => write!(
                f,
                "My data has diverged: replayed to {mine}, the history of {primary} left it at {}",
                fork.lsn
            ),
            Self::HalfRewound(marker, text) => f.write_str(&half_rewound(marker, text)),
            Self::AlreadyPrimary => write!(f, "PostgreSQL is already running as a primary"),
            Self::CannotListen { pghost, .. } => {
                let remedy = "name an address of this node, and a free port";
                f.write_str(&wrong_parameter("pghost", pghost, "no socket there", remedy))
            }
            Self::ServerDied(Some(line)) => write!(f, "PostgreSQL ended: {line}"),
            Self::ServerDied(None) => write!(f, "PostgreSQL ended without a word in its log"),
            Self::NotAccepting(why) => write!(f, "PostgreSQL refuses connections: {why}"),
            Self::Silent(why) => write!(f, "PostgreSQL does not answer: {why}"),
            Self::MonitorSql(error) => {
                let error = shortened(error, 60);
                write!(f, "monitor_sql failed: {error}: check monitor_sql, monitor_user and pgdb")
            }
            Self::ForeignSyncNames(value) => {
                let stock = "Invalid synchronous_standby_names is set in postgresql.conf";
                write!(f, "{stock}: '{}': remove it", shortened(value, 40))
            }
            // The value may hold a password.
            Self::ConninfoOverridden(_) => {
                write!(f, "primary_conninfo is overridden: remove it from postgresql.auto.conf")
            }
            Self::Unrecorded => f.write_str(UNRECORDED),
            Self::Broken(invariant) => write!(f, "The agent would have made {invariant}"),
            Self::Uncompared => f.write_str(UNCOMPARED),
            Self::Unlisted(node) => write!(f, "node_list does not name {node}: {UNLISTED}"),
            Self::DataOutOfDate(status) => write!(f, "My data is out-of-date. status={status}"),
            Self::SupersededPrimary { data_status, primary } => {
                let record = recorded(data_status.as_ref());
                let primary = primary.as_ref().map_or("unknown", NodeName::as_str);
                let said = "PostgreSQL runs as a primary, but the cluster's primary is";
                write!(f, "{said} {primary} ({record})")
            }
            Self::PeerAhead(peer, theirs, mine) => {
                write!(f, "{peer} has WAL up to {theirs}, this node only up to {mine}")
            }
            Self::QuorumUnseen(nodes) => write!(f, "commits may be on {nodes} only"),
            Self::CannotStop => write!(f, "PostgreSQL could not be stopped, not even by SIGKILL"),
            Self::Deadline(reason) => write!(f, "no time left: {reason}"),
            Self::ClusterUnavailable(error) => write!(f, "the cluster does not answer: {error}"),
            Self::StepFailed(step, error) => f.write_str(&step.failed(error)),
        }
    }
}

#[cfg(test)]
mod tests;
