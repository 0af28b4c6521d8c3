//! What a notification, or the transition around any action of the clone, is about.

use super::node::NodeName;

/// Whether the notification comes before or after the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationType {
    /// Before.
    Pre,
    /// After.
    Post,
}

/// The operation that the notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifiedOperation {
    /// Instances start.
    Start,
    /// Instances stop.
    Stop,
    /// An instance is promoted.
    Promote,
    /// An instance is demoted.
    Demote,
}

/// Pacemaker's view of the clone in the present transition (`OCF_RESKEY_CRM_meta_notify_*`).
///
/// Pacemaker passes the lists to `start`, `stop`, `promote`, `demote` and `notify` of a clone with
/// `notify=true`, and `event` to `notify` alone; a monitor gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notification {
    /// Which notification; `None` for other actions and for kinds that do not concern us.
    pub event: Option<(NotificationType, NotifiedOperation)>,
    /// Nodes where an instance is to start in this transition.
    pub start: Vec<NodeName>,
    /// Nodes where the instance is to stop in this transition.
    pub stop: Vec<NodeName>,
    /// Nodes where the instance is to be promoted in this transition.
    pub promote: Vec<NodeName>,
    /// Nodes where the instance is to be demoted in this transition.
    pub demote: Vec<NodeName>,
    /// Nodes with a promoted instance before this transition.
    pub promoted: Vec<NodeName>,
    /// Nodes with an unpromoted instance before this transition.
    pub unpromoted: Vec<NodeName>,
    /// Whether Pacemaker passed any of this.
    pub present: bool,
}
