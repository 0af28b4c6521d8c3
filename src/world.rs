//! The handles through which `observe` and `execute` reach the world.
//!
//! No logic: what is read through them is `observe`'s business, what is changed `execute`'s.

use std::time::{Duration, Instant};

use crate::model::node::NodeName;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::Settings;
use crate::pacemaker::Tools;
use crate::postgres::server_log::Mark;
use crate::postgres::session::Session;
use crate::postgres::standby::{self, Standby};
use crate::postgres::version::Version;
use crate::system::identity::User;

/// What a question to a standby gets at most.
const QUESTION_TO_STANDBY: Duration = Duration::from_secs(10);

/// What a question gets that is asked right before the deadline: half of the smallest margin.
const LAST_QUESTION: Duration = Duration::from_millis(250);

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
    ///
    /// The margin is a tenth of the timeout, at least half a second and at most five.
    #[must_use]
    pub fn start(timeout: Duration) -> Self {
        let began = Instant::now();
        let margin = (timeout / 10).clamp(Duration::from_millis(500), Duration::from_secs(5));
        Self { began, deadline: began + timeout.saturating_sub(margin) }
    }

    /// Returns the earlier of the deadline and a moment from now.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Instant {
        self.deadline.min(Instant::now() + limit)
    }

    /// Returns by when a question to the server must be answered: the deadline, but never at once, or
    /// our own haste would pass for the server's silence. The moment is part of the margin.
    #[must_use]
    pub fn of_question(&self) -> Instant {
        self.deadline.max(Instant::now() + LAST_QUESTION)
    }

    /// Returns by when a question to a standby must be answered before it is looked at from outside: what is done for
    /// one that does not answer takes time, too.
    #[must_use]
    pub fn of_question_to_standby(&self) -> Instant {
        let most = (self.remaining() * 2 / 3).clamp(LAST_QUESTION, QUESTION_TO_STANDBY);
        self.of_question().min(Instant::now() + most)
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
    pub retry_is_free: bool,
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
            retry_is_free: self.retry_is_free,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_gets_a_moment_even_at_the_end() {
        let asked = Instant::now();
        let over = Clock { began: asked, deadline: asked };
        assert!(over.of_question() >= asked + LAST_QUESTION);
        let early = Clock { began: asked, deadline: asked + Duration::from_secs(3600) };
        assert_eq!(early.of_question(), early.deadline);
    }
}
