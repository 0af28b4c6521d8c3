//! The single changes that the agent makes to the world.

use std::fmt;

use super::node::NodeName;
use super::rejoin::Kinship;
use super::slot::SlotName;
use super::status::{DataStatus, InstanceStatus, PromotionScore, ReceiverStatus};
use super::sync_names::SyncNames;
use super::wal::{Lsn, Timeline, WalPosition};

/// How PostgreSQL is told to stop (`pg_ctl stop -m`, signals of the postmaster).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// Roll back, disconnect, write a checkpoint, send it to the standbys (SIGINT).
    Fast,
    /// Stop without a checkpoint; the next start recovers (SIGQUIT).
    Immediate,
    /// SIGKILL to the postmaster and to every process it left.
    Kill,
}

/// What an operator should know although no action fails for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concern {
    /// Commits wait for a standby that does not stream.
    CommitsWaitFor {
        /// Its application name.
        standby: String,
        /// Why they may not stop waiting.
        because: WaitsBecause,
    },
    /// There is no primary, and this standby does not ask to be promoted before these nodes are heard.
    ElectionAwaits(Vec<NodeName>),
    /// There is no primary, and this standby's data is not fit to be promoted.
    Unfit(DataStatus),
    /// There is a primary, and this standby does not receive WAL from it.
    NotStreaming(NodeName),
    /// No connection is free, not even for the agent.
    NoConnectionFree,
    /// The monitoring user may not see the state of the standbys.
    Blind,
    /// Nobody can tell how the server ended: `pg_controldata` is missing, or says nothing.
    EndUnknown,
    /// There is no primary yet with which a returning node could compare its data.
    NobodyToAsk,
    /// This node's data is part of the primary's history.
    PartOfHistory(NodeName, Kinship),
    /// This node's data is to be made the primary's.
    Rewinds(NodeName, Kinship),
    /// `synchronous_standby_names` is not what the agent's file says, even after a reload.
    NamesOverridden(String),
}

/// Why commits may not stop waiting for a standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsBecause {
    /// This partition has no quorum.
    NoQuorum,
    /// The standby's node is lost and not known to be fenced: it could be promoted elsewhere.
    NotFenced,
    /// That it must not be promoted could not be recorded in the cluster.
    NotRecorded,
}

impl Concern {
    /// Tells whether somebody should look soon; otherwise it is often over by itself.
    #[must_use]
    pub const fn is_grave(&self) -> bool {
        match self {
            Self::NotStreaming(_)
            | Self::ElectionAwaits(_)
            | Self::NobodyToAsk
            | Self::PartOfHistory(..) => false,
            Self::CommitsWaitFor { .. }
            | Self::Unfit(_)
            | Self::NoConnectionFree
            | Self::Blind
            | Self::EndUnknown
            | Self::Rewinds(..)
            | Self::NamesOverridden(_) => true,
        }
    }
}

const BLIND: &str = "the monitoring user may not see the standbys: GRANT pg_monitor to it, or leave \
                     monitor_user empty";

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (standby, because) = match self {
            Self::CommitsWaitFor { standby, because } => (standby, because),
            Self::ElectionAwaits(nodes) => {
                let names: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
                return write!(
                    f,
                    "there is no primary; this node waits for {} before it asks to be promoted, for \
                     the newest data may be there",
                    names.join(", ")
                );
            }
            Self::Unfit(status) => {
                return write!(f, "there is no primary. My data is out-of-date. status={status}");
            }
            Self::NotStreaming(primary) => {
                return write!(
                    f,
                    "not streaming from the primary {primary}; if that lasts, the server's log says \
                     why (another history, missing WAL, pg_hba.conf)"
                );
            }
            Self::NoConnectionFree => {
                return write!(
                    f,
                    "no connection is free, so that nothing can be asked; the server is alive. Raise \
                     superuser_reserved_connections or find who holds the connections"
                );
            }
            Self::Blind => return f.write_str(BLIND),
            Self::EndUnknown => {
                return write!(
                    f,
                    "pg_controldata, which should stand beside pgctl, does not say how the server ended: \
                     its shutdown counts as unclean, so that this node stays stopped and keeps \
                     PGSQL.lock. Install it; until then every demotion ends so"
                );
            }
            Self::NobodyToAsk => {
                return write!(
                    f,
                    "this node was primary and is not to be promoted; there is no primary yet to compare \
                     its data with: starting as a standby, the lock stays"
                );
            }
            Self::PartOfHistory(primary, kinship) => {
                return write!(f, "this node's data is part of {primary}'s history: {kinship}");
            }
            Self::Rewinds(primary, kinship) => {
                return write!(f, "this node's data has diverged from {primary}'s: {kinship}");
            }
            Self::NamesOverridden(value) => {
                return write!(
                    f,
                    "synchronous_standby_names is '{value}' against the agent's file: remove it from \
                     postgresql.auto.conf (ALTER SYSTEM RESET synchronous_standby_names)"
                );
            }
        };
        write!(f, "commits wait for {standby}, which does not stream: {because}")
    }
}

impl fmt::Display for WaitsBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoQuorum => "this partition has no quorum, so that another may promote it",
            Self::NotFenced => {
                "its node is lost and not known to be fenced, so that it may be promoted there; \
                 fence it, or confirm that it is down (stonith_admin --confirm)"
            }
            Self::NotRecorded => "the cluster has not accepted that it must not be promoted",
        })
    }
}

/// One change of the world. Every step can be repeated, and interrupted, without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Create what the server and the agent need around the data directory: tmpdir, socket
    /// directory, log file, `stats_temp_directory`.
    PrepareDirectories,
    /// Write the standby's settings: include lines, recovery settings, `standby.signal`.
    WriteStandbySettings,
    /// Remove the mark that makes the server start as a standby.
    RemoveStandbyMark,
    /// Write `rep_mode.conf`.
    WriteSyncNames(SyncNames),
    /// Make the server read its configuration again (SIGHUP).
    Reload,
    /// Launch the server.
    Launch,
    /// Stop the server.
    Shutdown(ShutdownMode),
    /// End standby mode (`pg_ctl promote`).
    PromoteServer,
    /// Receive WAL from this node rather than from `master_ip`, until it is changed back.
    FollowPeer(NodeName),
    /// Create `PGSQL.lock`.
    CreateLock(Timeline),
    /// Remove `PGSQL.lock`.
    RemoveLock,
    /// Recover the data of a primary that crashed, in single-user mode, so that it is shut down cleanly.
    RecoverAlone,
    /// Have the primary at this address write a checkpoint.
    CheckpointPrimary(String),
    /// Make the data those of the primary, at this address (`pg_rewind`); the lock goes with it.
    Rewind(NodeName, String),
    /// End the WAL receiver's connection, so that it looks for the primary anew.
    RestartReceiver,
    /// Create a replication slot that keeps WAL from now on.
    CreateSlot(SlotName),
    /// Remember the end of WAL from which on this standby has to have everything before it
    /// counts as synchronous. Changes nothing in the world.
    NoteSyncBaseline(NodeName, Lsn),
    /// Say this in the log. Changes nothing in the world.
    Warn(Concern),
    /// Set `<rsc>-status` of a node; the old value is only for the log.
    SetStatus(NodeName, InstanceStatus),
    /// Set `<rsc>-data-status` of a node.
    SetDataStatus(NodeName, DataStatus),
    /// Set the promotion score of a node.
    SetScore(NodeName, PromotionScore),
    /// Set or remove the local node's `<rsc>-xlog-loc` and `<rsc>-wal-position`.
    SetPosition(Option<WalPosition>),
    /// Set or remove the local node's `<rsc>-master-baseline`.
    SetBaseline(Option<Lsn>),
    /// Set or remove the local node's `<rsc>-receiver-status`.
    SetReceiverStatus(Option<ReceiverStatus>),
}

impl Step {
    /// Tells whether the step is a write into the cluster, which may be slow or out of reach.
    #[must_use]
    pub const fn writes_cluster(&self) -> bool {
        match self {
            Self::SetStatus(..)
            | Self::SetDataStatus(..)
            | Self::SetScore(..)
            | Self::SetPosition(_)
            | Self::SetBaseline(_)
            | Self::SetReceiverStatus(_) => true,
            Self::PrepareDirectories
            | Self::WriteStandbySettings
            | Self::RemoveStandbyMark
            | Self::WriteSyncNames(_)
            | Self::Reload
            | Self::Launch
            | Self::Shutdown(_)
            | Self::PromoteServer
            | Self::FollowPeer(_)
            | Self::CreateLock(_)
            | Self::RemoveLock
            | Self::RecoverAlone
            | Self::CheckpointPrimary(_)
            | Self::Rewind(..)
            | Self::RestartReceiver
            | Self::CreateSlot(_)
            | Self::NoteSyncBaseline(..)
            | Self::Warn(_) => false,
        }
    }

    /// Returns what the step could not do, for the sentence "cannot … : error".
    #[must_use]
    pub const fn purpose(&self) -> &'static str {
        match self {
            Self::PrepareDirectories => "Can't prepare the directories",
            Self::WriteStandbySettings => "Can't write the standby's settings",
            Self::RemoveStandbyMark => "Can't end the standby's settings",
            Self::WriteSyncNames(_) => "Can't write rep_mode.conf",
            Self::Reload => "Can't reload configuration file",
            Self::Launch => "Can't start PostgreSQL",
            Self::Shutdown(_) => "Can't stop PostgreSQL",
            Self::PromoteServer => "Can't promote PostgreSQL",
            Self::RestartReceiver => "Can't end the WAL receiver's connection",
            Self::FollowPeer(_) => "Can't fetch WAL from another standby",
            Self::CreateLock(_) => "Can't create PGSQL.lock",
            Self::RemoveLock => "Can't remove PGSQL.lock",
            Self::RecoverAlone => "Can't recover in single-user mode",
            Self::CheckpointPrimary(_) => "Can't have the primary write a checkpoint",
            Self::Rewind(..) => "Can't rewind",
            Self::CreateSlot(_) => "PostgreSQL can't create replication_slot",
            Self::NoteSyncBaseline(..) => "Can't note the synchronous baseline",
            Self::Warn(_) => "Can't warn",
            Self::SetStatus(..) => "Can't set the status attribute",
            Self::SetDataStatus(..) => "Can't set the data-status attribute",
            Self::SetScore(..) => "Can't set the promotion score",
            Self::SetPosition(_) => "Can't set the WAL position attribute",
            Self::SetBaseline(_) => "Can't set the baseline attribute",
            Self::SetReceiverStatus(_) => "Can't set the receiver-status attribute",
        }
    }
}
