//! What a decision says: a step, a wait, or the end.
//!
//! Reasons are variants, not sentences, so that the log line, the exit reason and the tests speak
//! of the same thing; their wording is at the end of this file.

use std::fmt;
use std::path::PathBuf;

use super::node::NodeName;
use super::status::DataStatus;
use super::step::Step;
use super::wal::WalPosition;

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

/// What the action waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The server to take connections.
    ServerStarts,
    /// The server to answer.
    ServerAnswers,
    /// The server to end.
    ServerStops,
    /// The standby to become a primary.
    PromotionEnds,
    /// A reload to take effect.
    ReloadTakesEffect,
    /// A standby to have all WAL of the time before commits waited for it.
    StandbyCatchesUp(NodeName),
    /// WAL that this peer has beyond ours.
    WalOfPeer(NodeName, WalPosition),
    /// These nodes to say how far their WAL goes.
    Positions(Vec<NodeName>),
    /// The cluster's information base to answer.
    ClusterAnswers,
    /// A step that failed to be tried again.
    Retry(String),
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

/// How a node's data becomes the primary's again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resync {
    /// `pg_rewind`, which finds the divergence by the timelines.
    Rewind,
    /// A new copy: with `restart_on_promote` the timeline stays, and `pg_rewind` sees no divergence.
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
    /// A start found a primary running.
    AlreadyPrimary,
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
    /// A primary runs here although the cluster has recorded a later promotion elsewhere.
    Usurper {
        /// What the cluster recorded of this node's data.
        data_status: Option<DataStatus>,
        /// The primary of the cluster.
        primary: Option<NodeName>,
    },
    /// A promotion was asked of an instance that is not running as a standby.
    NotAStandby,
    /// A reachable node has WAL that this node lacks, and it could not be fetched.
    PeerAhead(NodeName, WalPosition, WalPosition),
    /// The server could not be stopped.
    CannotStop,
    /// The deadline came first.
    Deadline(Box<Reason>),
    /// The cluster could not be asked.
    ClusterUnavailable(String),
    /// A step failed.
    StepFailed(Box<Step>, String),
}

impl Failure {
    /// Returns what the operator can do about it, if there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoReplication => {
                Some("set rep_mode to async or sync for a promotable clone".into())
            }
            Self::DataDirectoryMissing(_) => {
                Some("check pgdata, and that its file system is mounted".into())
            }
            Self::DataDirectoryUnreadable(..) => {
                Some("check the owner, the mode and the disk".into())
            }
            Self::Locked { lock, primary, resync, .. } => Some(match primary {
                Some(primary) => format!(
                    "{} says that this node was primary, and {primary} has been promoted since. If this \
                     node's data holds nothing that {primary} lacks, remove the file; otherwise run \
                     {} from {primary} first. Then clean the resource up",
                    lock.display(),
                    match resync {
                        Resync::Rewind => "pg_rewind or pg_basebackup",
                        Resync::Copy => "pg_basebackup",
                    }
                ),
                None => format!(
                    "if this node was the last primary, remove {} and clean the resource up; otherwise \
                     start the last primary first",
                    lock.display()
                ),
            }),
            Self::AlreadyPrimary => {
                Some("stop the server with pg_ctl; the cluster starts it as a standby".into())
            }
            Self::ServerDied(_) | Self::NotAccepting(_) | Self::Silent(_) => {
                Some("see the server's log file (parameter logfile)".into())
            }
            Self::MonitorSql(_) => Some("check monitor_sql, monitor_user and pgdb".into()),
            Self::ForeignSyncNames(_) => Some(
                "remove synchronous_standby_names from postgresql.conf and postgresql.auto.conf"
                    .into(),
            ),
            Self::ConninfoOverridden(_) => Some(
                "remove primary_conninfo from postgresql.auto.conf (ALTER SYSTEM RESET)".into(),
            ),
            Self::DataOutOfDate(_) => {
                Some("let this node stream from a primary first, or promote another node".into())
            }
            Self::PeerAhead(peer, ..) => {
                Some(format!("promote {peer}, or check that this node can reach its server"))
            }
            Self::Usurper { .. } => Some(
                "nothing of it is recorded; see who started or promoted this server (systemctl disable \
                 postgresql), and compare its data before it is overwritten"
                    .into(),
            ),
            Self::NotAStandby
            | Self::CannotStop
            | Self::Deadline(_)
            | Self::ClusterUnavailable(_)
            | Self::StepFailed(..) => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerStarts => write!(f, "PostgreSQL still hasn't started yet"),
            Self::ServerAnswers => write!(f, "PostgreSQL has not answered yet"),
            Self::ServerStops => write!(f, "PostgreSQL still hasn't stopped yet"),
            Self::PromotionEnds => write!(f, "PostgreSQL still hasn't promoted yet"),
            Self::ReloadTakesEffect => write!(f, "the reload has not taken effect yet"),
            Self::StandbyCatchesUp(node) => write!(f, "{node} has not received everything yet"),
            Self::WalOfPeer(node, position) => {
                write!(f, "WAL of {node} up to {position} is missing")
            }
            Self::Positions(nodes) => {
                let names: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
                write!(f, "no WAL position yet of {}", names.join(", "))
            }
            Self::ClusterAnswers => write!(f, "the cluster information base has not answered yet"),
            Self::Retry(error) => write!(f, "trying again: {error}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReplication => write!(f, "Not in a replication mode."),
            Self::DataDirectoryMissing(path) => {
                write!(f, "{} is not a PostgreSQL data directory", path.display())
            }
            Self::DataDirectoryUnreadable(path, error) => {
                write!(f, "cannot read {}: {error}", path.display())
            }
            Self::Locked { lock, data_status, primary, resync } => {
                let record =
                    data_status.as_ref().map_or("no data-status".into(), |s| s.to_string());
                let lock = lock.display();
                match primary {
                    Some(primary) => write!(
                        f,
                        "My data may be inconsistent ({record}, primary {primary}): {} from \
                         {primary}, then rm {lock}",
                        resync.program()
                    ),
                    None => write!(
                        f,
                        "My data may be inconsistent ({record}, no primary): if it was the last \
                         primary, rm {lock}"
                    ),
                }
            }
            Self::AlreadyPrimary => write!(f, "PostgreSQL is already running as a primary"),
            Self::ServerDied(Some(line)) => write!(f, "PostgreSQL ended: {line}"),
            Self::ServerDied(None) => write!(f, "PostgreSQL ended without a word in its log"),
            Self::NotAccepting(why) => write!(f, "PostgreSQL refuses connections: {why}"),
            Self::Silent(why) => write!(f, "PostgreSQL does not answer: {why}"),
            Self::MonitorSql(error) => write!(f, "monitor_sql failed: {error}"),
            Self::ForeignSyncNames(value) => {
                write!(f, "Invalid synchronous_standby_names is set in postgresql.conf: '{value}'")
            }
            Self::ConninfoOverridden(value) => {
                write!(f, "primary_conninfo is overridden, the standby follows '{value}'")
            }
            Self::DataOutOfDate(status) => write!(f, "My data is out-of-date. status={status}"),
            Self::Usurper { data_status, primary } => {
                let record =
                    data_status.as_ref().map_or("no data-status".into(), |s| s.to_string());
                let primary = primary.as_ref().map_or("unknown", NodeName::as_str);
                write!(
                    f,
                    "PostgreSQL runs as a primary, but the cluster's primary is {primary} ({record})"
                )
            }
            Self::NotAStandby => {
                write!(f, "Can't promote PostgreSQL: it is not running as a standby")
            }
            Self::PeerAhead(peer, theirs, mine) => {
                write!(f, "{peer} has WAL up to {theirs}, this node only up to {mine}")
            }
            Self::CannotStop => write!(f, "PostgreSQL could not be stopped, not even by SIGKILL"),
            Self::Deadline(reason) => write!(f, "no time left: {reason}"),
            Self::ClusterUnavailable(error) => write!(f, "the cluster does not answer: {error}"),
            Self::StepFailed(step, error) => write!(f, "{}: {error}", step.purpose()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_needs_is_within_what_pacemaker_shows() {
        let lock = PathBuf::from("/var/lib/pgsql/tmp/PGSQL.lock");
        let data_status = Some(DataStatus::Disconnected);
        let primary = Some(NodeName::new("db-node02"));
        let locked =
            Failure::Locked { lock, data_status, primary, resync: Resync::Rewind }.to_string();
        assert!(locked.len() <= 128, "{} bytes: {locked}", locked.len());
        for part in
            ["DISCONNECT", "primary db-node02", "pg_rewind", "rm /var/lib/pgsql/tmp/PGSQL.lock"]
        {
            assert!(locked.contains(part), "{part}: {locked}");
        }
    }
}
