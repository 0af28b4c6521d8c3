//! The single changes that the agent makes to the world.

use std::path::PathBuf;

use super::node::NodeName;
use super::rejoin::LostWal;
use super::slot::{DropReason, MadeSlot, SlotName};
use super::status::{DataStatus, InstanceStatus, PromotionScore, ReceiverStatus};
use super::sync_names::SyncNames;
use super::sync_quorum::SyncQuorum;
use super::wal::{Lsn, Timeline, WalPosition};
use super::warning::Warning;

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

/// One change of the world. Every step can be repeated, and interrupted, without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Create what the server and the agent need around the data directory: tmpdir, socket
    /// directory, log file, `stats_temp_directory`.
    PrepareDirectories,
    /// Write the standby's settings: include lines, recovery settings, `standby.signal`.
    WriteStandbySettings,
    /// Write them so that the server stays on its own timeline, which is this one, until its data has been
    /// compared with the primary's history.
    StayOnTimeline(Option<Timeline>),
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
    /// Let replay go on that somebody has paused: before PostgreSQL 13 a promotion would wait for that.
    ResumeReplay,
    /// End standby mode (`pg_ctl promote`).
    PromoteServer,
    /// Receive WAL from this node, at this host, rather than from `master_ip`, until it is changed back.
    FollowPeer(NodeName, String),
    /// Create `PGSQL.lock`.
    CreateLock(Timeline),
    /// Remove `PGSQL.lock`.
    RemoveLock,
    /// Note that this node has been a standby beside a primary since Pacemaker was started here.
    NoteFollowed,
    /// Recover the data of a primary that crashed, in single-user mode, so that it is shut down cleanly.
    RecoverAlone,
    /// Have the primary at this address write a checkpoint.
    CheckpointPrimary(String),
    /// Keep a copy of the WAL that only this node has.
    KeepWal(LostWal),
    /// Remove WAL that was kept for as long as it should be.
    RemoveKeptWal(PathBuf),
    /// Make the data those of the primary, at this address (`pg_rewind`); the lock goes with it.
    Rewind(NodeName, String),
    /// End the WAL receiver's connection, so that it looks for the primary anew.
    RestartReceiver,
    /// Note which slots of this server the agent has made.
    RecordSlots(Vec<MadeSlot>),
    /// Create a replication slot that keeps WAL from now on.
    CreateSlot(SlotName),
    /// Let a replication slot keep WAL from here on only.
    AdvanceSlot(SlotName, Lsn),
    /// Drop a replication slot that nobody uses.
    DropSlot(SlotName, DropReason),
    /// Remember the end of WAL from which on this standby has to have everything before it
    /// counts as synchronous. Changes nothing in the world.
    NoteSyncBaseline(NodeName, Lsn),
    /// Say this in the log. Changes nothing in the world.
    Warn(Warning),
    /// Set `<rsc>-status` of a node; the old value is only for the log.
    SetStatus(NodeName, InstanceStatus),
    /// Set `<rsc>-data-status` of a node.
    SetDataStatus(NodeName, DataStatus),
    /// Set the promotion score of a node.
    SetScore(NodeName, PromotionScore),
    /// Set the local node's `<rsc>-wal-position`, or remove it and `<rsc>-xlog-loc`.
    SetPosition(Option<WalPosition>),
    /// The same, final: the last primary is gone, so that nothing follows.
    SetFinalPosition(WalPosition),
    /// Set or remove the local node's `<rsc>-xlog-loc`.
    SetXlogLocation(Option<Lsn>),
    /// Set or remove the local node's `<rsc>-sync-quorum`.
    SetSyncQuorum(Option<SyncQuorum>),
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
            | Self::SetFinalPosition(_)
            | Self::SetXlogLocation(_)
            | Self::SetSyncQuorum(_)
            | Self::SetBaseline(_)
            | Self::SetReceiverStatus(_) => true,
            Self::PrepareDirectories
            | Self::WriteStandbySettings
            | Self::StayOnTimeline(_)
            | Self::RemoveStandbyMark
            | Self::WriteSyncNames(_)
            | Self::Reload
            | Self::Launch
            | Self::Shutdown(_)
            | Self::ResumeReplay
            | Self::PromoteServer
            | Self::FollowPeer(..)
            | Self::CreateLock(_)
            | Self::RemoveLock
            | Self::NoteFollowed
            | Self::RecoverAlone
            | Self::CheckpointPrimary(_)
            | Self::KeepWal(_)
            | Self::RemoveKeptWal(_)
            | Self::Rewind(..)
            | Self::RestartReceiver
            | Self::RecordSlots(_)
            | Self::CreateSlot(_)
            | Self::AdvanceSlot(..)
            | Self::DropSlot(..)
            | Self::NoteSyncBaseline(..)
            | Self::Warn(_) => false,
        }
    }

    /// Tells whether the step writes a permanent attribute on which promotions rest. A partition that has lost
    /// its quorum meanwhile still accepts it, but nobody outside reads it.
    #[must_use]
    pub const fn changes_record(&self) -> bool {
        matches!(self, Self::SetDataStatus(..) | Self::SetSyncQuorum(_))
    }

    /// Tells whether the step only says anew what this one has said. Positions move on while an action runs, and
    /// each change of an attribute has Pacemaker plan again: an action says once how far it is.
    #[must_use]
    pub const fn says_anew(&self, earlier: &Self) -> bool {
        matches!(
            (self, earlier),
            (Self::SetPosition(Some(_)), Self::SetPosition(Some(_)))
                | (Self::SetXlogLocation(Some(_)), Self::SetXlogLocation(Some(_)))
                | (Self::SetBaseline(Some(_)), Self::SetBaseline(Some(_)))
        )
    }

    /// Tells whether both steps write the same part of the record, so that the later one overtakes the other.
    #[must_use]
    pub fn overwrites(&self, other: &Self) -> bool {
        matches!((self, other), (Self::SetDataStatus(one, _), Self::SetDataStatus(two, _)) if one == two)
            || matches!((self, other), (Self::SetSyncQuorum(_), Self::SetSyncQuorum(_)))
    }

    /// Returns the sentence about a step that failed; some errors name the parameter and what to do.
    #[must_use]
    pub fn failed(&self, error: &str) -> String {
        match self {
            Self::PrepareDirectories | Self::KeepWal(_) => error.to_owned(),
            step => format!("{}: {error}", step.purpose()),
        }
    }

    /// Returns what the step could not do, for the sentence "cannot … : error".
    #[must_use]
    pub const fn purpose(&self) -> &'static str {
        match self {
            Self::PrepareDirectories => "Can't prepare the directories",
            Self::WriteStandbySettings | Self::StayOnTimeline(_) => {
                "Can't write the standby's settings"
            }
            Self::RemoveStandbyMark => "Can't end the standby's settings",
            Self::WriteSyncNames(_) => "Can't write rep_mode.conf",
            Self::Reload => "Can't reload configuration file",
            Self::Launch => "Can't start PostgreSQL",
            Self::Shutdown(_) => "Can't stop PostgreSQL",
            Self::ResumeReplay => "Can't resume the replay of WAL",
            Self::PromoteServer => "Can't promote PostgreSQL",
            Self::RestartReceiver => "Can't end the WAL receiver's connection",
            Self::FollowPeer(..) => "Can't fetch WAL from another standby",
            Self::CreateLock(_) => "Can't create PGSQL.lock",
            Self::RemoveLock => "Can't remove PGSQL.lock",
            Self::NoteFollowed => "Can't write PGSQL.followed",
            Self::RecoverAlone => "Can't recover in single-user mode",
            Self::CheckpointPrimary(_) => "Can't have the primary write a checkpoint",
            Self::KeepWal(_) => "Can't keep the WAL that pg_rewind would take",
            Self::RemoveKeptWal(_) => "Can't remove WAL that was kept long enough",
            Self::Rewind(..) => "Can't rewind",
            Self::RecordSlots(_) => "Can't note the replication slots in PGSQL.slots",
            Self::CreateSlot(_) => "PostgreSQL can't create replication_slot",
            Self::AdvanceSlot(..) => "Can't move the replication slot on",
            Self::DropSlot(..) => "Can't drop the replication slot",
            Self::NoteSyncBaseline(..) => "Can't note the synchronous baseline",
            Self::Warn(_) => "Can't warn",
            Self::SetStatus(..) => "Can't set the status attribute",
            Self::SetDataStatus(..) => "Can't set the data-status attribute",
            Self::SetScore(..) => "Can't set the promotion score",
            Self::SetPosition(_) | Self::SetFinalPosition(_) | Self::SetXlogLocation(_) => {
                "Can't set the WAL position attribute"
            }
            Self::SetSyncQuorum(_) => "Can't set the sync-quorum attribute",
            Self::SetBaseline(_) => "Can't set the baseline attribute",
            Self::SetReceiverStatus(_) => "Can't set the receiver-status attribute",
        }
    }
}
