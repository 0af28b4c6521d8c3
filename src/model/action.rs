//! The actions of an OCF resource agent that look at the instance. What is only printed is `ocf::word`'s.

use std::time::Duration;

/// An action that Pacemaker, or a person, asks of the instance (OCF Resource Agent API 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Start the instance; in the replication modes always as a standby.
    Start,
    /// Stop the instance.
    Stop,
    /// Tell from the process table whether the instance is up.
    Status,
    /// Tell how the instance is, and keep the cluster's record of its standbys.
    Monitor,
    /// Turn the standby into the primary.
    Promote,
    /// Turn the primary into a standby.
    Demote,
    /// Hear of an action on any instance of the clone, before or after it.
    Notify,
}

impl Action {
    /// Every one, in the order of the meta-data.
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::Stop,
        Self::Status,
        Self::Monitor,
        Self::Promote,
        Self::Demote,
        Self::Notify,
    ];

    /// Returns the word on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Status => "status",
            Self::Monitor => "monitor",
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Notify => "notify",
        }
    }

    /// Returns the time that the meta-data advises, which is also the deadline when a person
    /// calls the action without Pacemaker.
    #[must_use]
    pub const fn advised_timeout(self) -> Duration {
        Duration::from_secs(match self {
            Self::Start | Self::Stop | Self::Promote | Self::Demote => 120,
            Self::Status => 60,
            Self::Monitor => 30,
            Self::Notify => 90,
        })
    }
}
