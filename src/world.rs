//! The handles through which `observe` and `execute` reach the world.
//!
//! No logic: what is read through them is `observe`'s business, what is changed `execute`'s.

use std::time::{Duration, Instant};

use crate::model::node::NodeName;
use crate::model::observation::ActionTime;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::Settings;
use crate::pacemaker::Tools;
use crate::postgres::server_log::Mark;
use crate::postgres::session::Session;
use crate::postgres::standby::{self, Standby};
use crate::postgres::version::Version;
use crate::system::identity::User;

/// The action's time: when it began, and by when it must have answered.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// When the action began.
    pub began: Instant,
    /// The operation's timeout less the margin for a proper answer.
    pub deadline: Instant,
}

impl Clock {
    /// Starts the clock of an action with this operation timeout.
    #[must_use]
    pub fn start(timeout: Duration) -> Self {
        let began = Instant::now();
        Self { began, deadline: began + ActionTime::budget(timeout) }
    }

    /// Returns the earlier of the deadline and a moment from now.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Instant {
        self.deadline.min(Instant::now() + limit)
    }

    /// Returns at most a tenth of the action's time: what a single word with the cluster may take.
    #[must_use]
    pub fn share(&self, limit: Duration) -> Duration {
        limit.min(self.deadline.saturating_duration_since(self.began) / 10)
    }

    /// Returns the time since the action began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns the time until the deadline.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Everything that an action needs to reach its instance and its cluster.
pub struct World {
    /// The parameters.
    pub settings: Settings,
    /// The database user.
    pub user: User,
    /// The local node.
    pub local: NodeName,
    /// Version of the data directory; `None`: there is none.
    pub version: Option<Version>,
    /// Whether the server's configuration leaves `wal_retrieve_retry_interval` alone.
    pub retry_interval_unset: bool,
    /// Pacemaker's tools.
    pub tools: Tools,
    /// The connection to the server.
    pub session: Session,
    /// The end of the server's log when this action launched the server.
    pub log_mark: Option<Mark>,
    /// The action's time.
    pub clock: Clock,
}

impl World {
    /// Opens the handles of an instance.
    #[must_use]
    pub fn new(
        settings: Settings,
        user: User,
        local: NodeName,
        tools: Tools,
        clock: Clock,
        retry_interval_unset: bool,
    ) -> Self {
        Self {
            retry_interval_unset,
            version: Version::of_directory(&settings, &user).ok(),
            session: Session::new(&settings, &user),
            log_mark: None,
            local,
            tools,
            clock,
            user,
            settings,
        }
    }

    /// Tells whether the server is told to run as a standby (`standby.signal`; `recovery.conf` below 12).
    #[must_use]
    pub fn is_marked_standby(&self) -> bool {
        let marked = |version| standby::has_mark(&self.settings, &self.user, version);
        self.version.is_some_and(|version| marked(version).unwrap_or(false))
    }

    /// Returns what the local standby's settings should be; `primary` takes the place of `master_ip`.
    #[must_use]
    pub fn standby<'a>(&'a self, version: Version, primary: Option<&'a str>) -> Standby<'a> {
        Standby {
            settings: &self.settings,
            user: &self.user,
            local: &self.local,
            version,
            primary,
            recovers_to: RecoveryTimeline::Latest,
            retry_interval_unset: self.retry_interval_unset,
        }
    }
}
