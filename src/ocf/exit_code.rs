//! The exit codes of OCF, and which of them an outcome becomes.
//!
//! The number is what Pacemaker acts upon, so each one is chosen for what Pacemaker does with it
//! (`remap_operation` and `unpack_rsc_op` in `lib/pengine/unpack.c`), not for how well its name
//! fits:
//!
//! * soft: the resource is recovered; the failure counts towards `migration-threshold`, and a
//!   failed start bans the node unless `start-failure-is-fatal` is off;
//! * hard: the whole clone gets `-INFINITY` on this node until somebody cleans up, even when a
//!   probe or a monitor said it;
//! * fatal: the whole clone gets `-INFINITY` on *every* node: a healthy primary elsewhere is
//!   stopped.
//!
//! So only a start (and a person's validate-all) may answer hard or fatal: a monitor, a promotion,
//! a demotion or a stop that fails has failed now, which is no reason never to try again.

use crate::model::action::Action;
use crate::model::verdict::{Failure, Outcome};

/// An exit code of an OCF resource agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// `OCF_SUCCESS`
    Success,
    /// `OCF_ERR_GENERIC`
    Generic,
    /// `OCF_ERR_ARGS`
    Args,
    /// `OCF_ERR_UNIMPLEMENTED`
    Unimplemented,
    /// `OCF_ERR_PERM`
    Permission,
    /// `OCF_ERR_INSTALLED`
    Installed,
    /// `OCF_ERR_CONFIGURED`
    Configured,
    /// `OCF_NOT_RUNNING`
    NotRunning,
    /// `OCF_RUNNING_PROMOTED`
    RunningPromoted,
    /// `OCF_FAILED_PROMOTED`
    FailedPromoted,
    /// `OCF_DEGRADED`
    Degraded,
    /// `OCF_DEGRADED_PROMOTED`
    DegradedPromoted,
}

/// What Pacemaker does about an exit code that it did not expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing.
    None,
    /// Recovers the resource, here or elsewhere.
    Soft,
    /// Never runs the resource on this node again, until it is cleaned up.
    Hard,
    /// Never runs the resource anywhere again, until it is cleaned up.
    Fatal,
}

impl ExitCode {
    /// Every exit code.
    pub const ALL: [Self; 12] = [
        Self::Success,
        Self::Generic,
        Self::Args,
        Self::Unimplemented,
        Self::Permission,
        Self::Installed,
        Self::Configured,
        Self::NotRunning,
        Self::RunningPromoted,
        Self::FailedPromoted,
        Self::Degraded,
        Self::DegradedPromoted,
    ];

    /// Returns the number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Generic => 1,
            Self::Args => 2,
            Self::Unimplemented => 3,
            Self::Permission => 4,
            Self::Installed => 5,
            Self::Configured => 6,
            Self::NotRunning => 7,
            Self::RunningPromoted => 8,
            Self::FailedPromoted => 9,
            Self::Degraded => 190,
            Self::DegradedPromoted => 191,
        }
    }

    /// Returns the name in OCF.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "OCF_SUCCESS",
            Self::Generic => "OCF_ERR_GENERIC",
            Self::Args => "OCF_ERR_ARGS",
            Self::Unimplemented => "OCF_ERR_UNIMPLEMENTED",
            Self::Permission => "OCF_ERR_PERM",
            Self::Installed => "OCF_ERR_INSTALLED",
            Self::Configured => "OCF_ERR_CONFIGURED",
            Self::NotRunning => "OCF_NOT_RUNNING",
            Self::RunningPromoted => "OCF_RUNNING_PROMOTED",
            Self::FailedPromoted => "OCF_FAILED_PROMOTED",
            Self::Degraded => "OCF_DEGRADED",
            Self::DegradedPromoted => "OCF_DEGRADED_PROMOTED",
        }
    }

    /// Returns what Pacemaker does about it.
    #[must_use]
    pub const fn recovery(self) -> Recovery {
        match self {
            Self::Success | Self::Degraded | Self::DegradedPromoted => Recovery::None,
            Self::Generic | Self::NotRunning | Self::RunningPromoted | Self::FailedPromoted => {
                Recovery::Soft
            }
            Self::Args | Self::Unimplemented | Self::Permission | Self::Installed => Recovery::Hard,
            Self::Configured => Recovery::Fatal,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

/// Returns the exit code of an action that ended so.
#[must_use]
pub const fn of_outcome(action: Action, outcome: &Outcome) -> ExitCode {
    match outcome {
        Outcome::Success => ExitCode::Success,
        Outcome::RunningPromoted => running_promoted(action),
        Outcome::NotRunning => not_running(action),
        Outcome::Failed(failure) => failed(action, failure),
    }
}

/// "It is a primary" answers the questions that ask; said by any other action it is an error, above
/// all by a stop.
const fn running_promoted(action: Action) -> ExitCode {
    match action {
        Action::Monitor => ExitCode::RunningPromoted,
        // The stock agent's status only says up or down.
        Action::Status => ExitCode::Success,
        Action::Start | Action::Stop | Action::Promote | Action::Demote | Action::Notify => {
            ExitCode::Generic
        }
    }
}

/// "Nothing runs" answers the questions that ask, and is what a stop wants; 7 is not an answer of
/// any other action.
const fn not_running(action: Action) -> ExitCode {
    match action {
        Action::Monitor | Action::Status => ExitCode::NotRunning,
        Action::Stop => ExitCode::Success,
        Action::Start | Action::Promote | Action::Demote | Action::Notify => ExitCode::Generic,
    }
}

/// Keeps hard and fatal codes to the actions for which "never again" can be meant.
const fn failed(action: Action, failure: &Failure) -> ExitCode {
    match action {
        Action::Start => of_failure(failure),
        // A failed stop is fenced whatever its number; without fencing a hard code would also ban
        // the node. A probe that answers 2 to 6 bans the node, although it was only asked what runs
        // there. Pacemaker does not look at the result of a notification at all.
        Action::Monitor if matches!(failure, Failure::SupersededPrimary { .. }) => {
            ExitCode::FailedPromoted
        }
        Action::Monitor | Action::Stop | Action::Status | Action::Notify => ExitCode::Generic,
        // 3 is the one code with which ocf-tester learns that there is no such action.
        Action::Promote | Action::Demote => {
            if matches!(of_failure(failure), ExitCode::Unimplemented) {
                ExitCode::Unimplemented
            } else {
                ExitCode::Generic
            }
        }
    }
}

/// Returns the exit code that a failure is worth at start.
#[must_use]
pub const fn of_failure(failure: &Failure) -> ExitCode {
    match failure {
        // The stock agent answers 6. Pacemaker never asks it of a resource that is not promotable,
        // but ocf-tester does, and takes 3 for "not supported".
        Failure::NoReplication => ExitCode::Unimplemented,
        // What the node lacks is no fault of the cluster's configuration: this node only. Trying
        // again helps nothing until somebody mounts the file system, and then he has to clean up
        // anyway.
        Failure::DataDirectoryMissing(_) => ExitCode::Installed,
        // Owner or mode (the stock agent's "not writable" is 4 as well), or a broken disk: this
        // node only.
        Failure::DataDirectoryUnreadable(..) => ExitCode::Permission,
        // postgresql.auto.conf is this node's own and comes with every pg_basebackup -R: 6 would
        // stop the primary as well. The stock agent does not look.
        // The same holds for synchronous_standby_names, where the stock agent answers 6.
        Failure::SupersededPrimary { .. }
        | Failure::ConninfoOverridden(_)
        | Failure::ForeignSyncNames(_)
        // The lock is a question about this node's data, which the operator answers by a cleanup
        // after he removed it; the stock agent answers 1.
        | Failure::Locked { .. }
        | Failure::HistoryMismatch(_)
        | Failure::Diverged(..)
        | Failure::HalfRewound(..)
        // All these are about now: the next attempt, here or elsewhere, may succeed.
        | Failure::AlreadyPrimary
        | Failure::CannotListen { .. }
        | Failure::ServerDied(_)
        | Failure::NotAccepting(_)
        | Failure::Silent(_)
        | Failure::MonitorSql(_)
        | Failure::DataOutOfDate(_)
        | Failure::Unrecorded
        | Failure::Uncompared
        | Failure::Broken(_)
        | Failure::Unlisted(_)
        | Failure::NotAStandby
        | Failure::PeerAhead(..)
        | Failure::QuorumUnseen(_)
        | Failure::CannotStop
        | Failure::Deadline(_)
        | Failure::ClusterUnavailable(_)
        | Failure::StepFailed(..) => ExitCode::Generic,
    }
}

#[cfg(test)]
mod tests;
