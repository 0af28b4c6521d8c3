//! What an action has to look at.

use crate::model::action::Action;
use crate::model::notification::{Notification, NotificationType, NotifiedOperation};
use crate::model::settings::Settings;

/// What an action has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Ask the server.
    pub server: bool,
    /// Read the cluster information base.
    pub cluster: bool,
    /// Ask the attribute daemon for the WAL positions of all nodes.
    pub positions: bool,
    /// Read what `pg_control` and the WAL directory say when the server is gone.
    pub control: bool,
    /// Look at the agent's files.
    pub files: bool,
}

impl Needs {
    /// Returns what an action has to look at.
    #[must_use]
    pub fn of(action: Action, settings: &Settings, notification: &Notification) -> Self {
        use NotificationType::{Post, Pre};
        use NotifiedOperation::{Demote, Promote, Start, Stop};
        let replication = settings.is_replication();
        let server = match action {
            Action::Start | Action::Monitor | Action::Promote | Action::Demote => true,
            Action::Notify => match notification.event {
                Some((Pre, Promote) | (Post, Promote | Demote | Start | Stop)) => replication,
                Some((Pre, Start | Stop | Demote)) | None => false,
            },
            Action::Stop | Action::Status => false,
        };
        let receiver = settings.check_wal_receiver && action == Action::Monitor;
        let record = server || action == Action::Stop;
        Self {
            server,
            cluster: record && replication || receiver,
            positions: replication
                && (action == Action::Promote
                    || action == Action::Notify && notification.event == Some((Post, Start))),
            control: matches!(action, Action::Start | Action::Demote) && replication,
            files: record,
        }
    }
}
