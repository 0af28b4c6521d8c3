//! One immutable snapshot of all that a decision may depend on.

use std::time::Duration;

use super::cluster::Cluster;
use super::instance::{Files, Instance};
use super::node::NodeName;
use super::notification::Notification;
use super::rejoin::Evidence;
use super::step::Step;
use super::wal::Lsn;

/// Where the action stands in its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionTime {
    /// Since the action began.
    pub elapsed: Duration,
    /// Until the deadline: the operation's timeout less a margin for a proper answer.
    pub remaining: Duration,
}

impl ActionTime {
    /// Returns how long an action may take: the operation's timeout less a margin for a proper answer, which is a tenth of
    /// the timeout, at least half a second and at most five.
    #[must_use]
    pub fn budget(timeout: Duration) -> Duration {
        let margin = (timeout / 10).clamp(Duration::from_millis(500), Duration::from_secs(5));
        timeout.saturating_sub(margin)
    }
}

/// A step that was tried in this action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The step.
    pub step: Step,
    /// When it ended, since the action began.
    pub ended: Duration,
    /// The error's text, if it failed.
    pub error: Option<String>,
}

/// The steps that were tried in this action, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken(pub Vec<Attempt>);

impl Taken {
    /// Returns the last attempt at this very step.
    #[must_use]
    pub fn last(&self, step: &Step) -> Option<&Attempt> {
        self.0.iter().rev().find(|attempt| attempt.step == *step)
    }

    /// Tells whether the last attempt at this very step succeeded.
    #[must_use]
    pub fn done(&self, step: &Step) -> bool {
        self.last(step).is_some_and(|attempt| attempt.error.is_none())
    }

    /// Tells whether this write into the record succeeded, and nothing has been tried since that could overwrite
    /// it. A write that was given up for its time may still take effect, unseen; what is written later
    /// overtakes it.
    #[must_use]
    pub fn is_last_word(&self, step: &Step) -> bool {
        let last = self.0.iter().rev().find(|attempt| step.overwrites(&attempt.step));
        last.is_some_and(|last| last.step == *step && last.error.is_none())
    }

    /// Returns the end of WAL that `node` has to have before it counts as synchronous, if it was
    /// noted after the names were last written or read: somebody else may let the server read them.
    #[must_use]
    pub fn sync_baseline(&self, node: &NodeName) -> Option<Lsn> {
        let changes = |step: &Step| matches!(step, Step::Reload | Step::WriteSyncNames(_));
        let since = self.0.iter().rev().take_while(|attempt| !changes(&attempt.step));
        let mut noted = since.filter_map(|attempt| {
            let Step::NoteSyncBaseline(name, lsn) = &attempt.step else { return None };
            (name == node).then_some(*lsn)
        });
        noted.next()
    }

    /// Tells whether this very step was tried, with whatever result.
    #[must_use]
    pub fn tried(&self, step: &Step) -> bool {
        self.last(step).is_some()
    }
}

/// What is known of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterView {
    /// The action does not need it.
    NotAsked,
    /// It could not be read in time.
    Unavailable(String),
    /// As it was read, with our own writes since then.
    Seen(Cluster),
}

impl ClusterView {
    /// Returns the cluster, if it could be read.
    #[must_use]
    pub const fn seen(&self) -> Option<&Cluster> {
        match self {
            Self::Seen(cluster) => Some(cluster),
            Self::NotAsked | Self::Unavailable(_) => None,
        }
    }
}

/// The world, as one decision sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Where the action stands in its time.
    pub time: ActionTime,
    /// The local node, as far as the agent can tell.
    pub local: NodeName,
    /// The local instance.
    pub instance: Instance,
    /// The agent's files.
    pub files: Files,
    /// The cluster.
    pub cluster: ClusterView,
    /// How this node's data and the primary's history compare; read when a start asks for it.
    pub evidence: Option<Evidence>,
    /// What Pacemaker says of the present transition.
    pub notification: Notification,
    /// Whether this monitor is a probe.
    pub probe: bool,
    /// Whether this monitor is the one of a standby: Pacemaker has not promoted this instance.
    pub of_standby: bool,
    /// What this action has done so far.
    pub taken: Taken,
}
