//! What an action waits for.
//!
//! Only the names and their wording; how an action fails stands above, in `verdict`.

use std::fmt;

use crate::model::node::NodeName;
use crate::model::wal::WalPosition;

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
    /// The history of the primary, to which this node returns.
    HistoryOf(NodeName),
    /// Enough time for a `pg_rewind`.
    TimeToRewind,
    /// The checkpoint of a new primary.
    CheckpointOf(NodeName),
    /// These nodes, or whoever could promote them, to be back or known to be down.
    RecordBinds(Vec<NodeName>),
    /// WAL arrives from a primary, although there should be none.
    PrimaryWrites,
    /// The cluster's information base to answer.
    ClusterAnswers,
    /// A step that failed to be tried again.
    Retry(String),
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
            Self::HistoryOf(node) => write!(f, "the history of {node} is not known yet"),
            Self::TimeToRewind => {
                write!(f, "what is left is too little for pg_rewind: give start a longer timeout")
            }
            Self::CheckpointOf(node) => write!(f, "{node} has not written a checkpoint yet"),
            Self::RecordBinds(nodes) => {
                let names: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
                write!(f, "{} may still be promoted in another partition", names.join(", "))
            }
            Self::PrimaryWrites => {
                write!(f, "WAL still arrives from a primary that the cluster does not know of")
            }
            Self::ClusterAnswers => write!(f, "the cluster information base has not answered yet"),
            Self::Retry(error) => write!(f, "trying again: {error}"),
        }
    }
}
