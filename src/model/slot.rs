//! Names of replication slots.

use std::fmt;
use std::time::Duration;

use super::node::NodeName;

/// The longest slot name that PostgreSQL takes (`NAMEDATALEN - 1`), in bytes.
const LENGTH_MAX: usize = 63;

/// The name of a physical replication slot of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotName(String);

impl SlotName {
    /// Returns the stock agent's name of a node's slot: `<prefix>_<node>`, capitals in lower case,
    /// dots and dashes as underscores.
    fn stock(prefix: &str, node: &NodeName) -> String {
        let fold = |c: char| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '_') => c,
            _ => '_',
        };
        format!("{prefix}_{}", node.as_str().chars().map(fold).collect::<String>())
    }

    /// Returns the name of the slot that `node`'s standby uses.
    ///
    /// It is the stock agent's name, unless that is longer than 63 bytes or another node of
    /// `all` would get the same one; then a checksum of the node's name keeps them apart.
    #[must_use]
    pub fn of(prefix: &str, node: &NodeName, all: &[NodeName]) -> Self {
        let name = Self::stock(prefix, node);
        let collides = all.iter().any(|other| other != node && Self::stock(prefix, other) == name);
        if !collides && name.len() <= LENGTH_MAX {
            return Self(name);
        }
        let suffix = format!("_{:08x}", checksum(&node.application_name()));
        let head: String = name.chars().take(LENGTH_MAX - suffix.len()).collect();
        Self(head + &suffix)
    }

    /// Reads a name that was written; `None`: PostgreSQL would not take it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
        let right = (1..=LENGTH_MAX).contains(&text.len()) && text.chars().all(fits);
        right.then(|| Self(text.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A slot that the agent has made on this server, or found where it would have made one, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeSlot {
    /// Its name.
    pub name: SlotName,
    /// The node whose standby uses it.
    pub node: NodeName,
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a slot is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// WAL that it should have kept is gone: nobody can use it.
    Lost,
    /// It keeps this many bytes, more than `slot_max_retained`, for a standby that is not connected.
    TooMuch(u64),
    /// It keeps this many bytes on a standby that cannot, or shall not, keep WAL for others.
    OnStandby(u64),
    /// Its node has been away for longer than `slot_expire`.
    Expired(Duration),
    /// It is the slot that this very node uses elsewhere: it came with a copy of another's files.
    Own,
    /// Its node is not in `node_list` any more.
    Left,
    /// `replication_slot_name` was changed or removed since it was made, and its node does without it.
    Replaced,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => {
                write!(f, "WAL that it should have kept is gone, so that it is made anew")
            }
            Self::TooMuch(bytes) => write!(
                f,
                "it kept {} MB of WAL for a standby that is not connected (slot_max_retained); when \
                 the standby returns, it finds its WAL in an archive, or needs a new copy",
                bytes >> 20
            ),
            Self::OnStandby(bytes) => write!(
                f,
                "it kept {} MB of WAL on a standby (standby_slot_keep_size); a promotion makes it anew",
                bytes >> 20
            ),
            Self::Expired(idle) => write!(
                f,
                "its node has been away for {} s (slot_expire); when it returns, it finds its WAL in \
                 an archive, or needs a new copy",
                idle.as_secs()
            ),
            Self::Own => {
                write!(f, "it is for this node's own standby, which has no use for it here")
            }
            Self::Left => write!(
                f,
                "the agent made it for a node that is not in node_list any more; if that node comes back, \
                 it finds its WAL in an archive, or needs a new copy"
            ),
            Self::Replaced => write!(
                f,
                "the agent made it under another replication_slot_name, and its node does not need it any more"
            ),
        }
    }
}

/// FNV-1a: the same on every host and in every release, which `std`'s hasher does not promise.
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_stock_agents_where_they_can_be() {
        let nodes = [NodeName::new("pm01"), NodeName::new("Node-1.example.com")];
        assert_eq!(SlotName::of("test", &nodes[0], &nodes).as_str(), "test_pm01");
        assert_eq!(SlotName::of("test", &nodes[1], &nodes).as_str(), "test_node_1_example_com");
    }

    #[test]
    fn names_never_collide_and_never_exceed_the_limit() {
        let long = "n".repeat(70);
        let nodes = ["node-1", "node_1", &long, &format!("{long}2")].map(NodeName::new);
        let mut names: Vec<_> = nodes.iter().map(|n| SlotName::of("s", n, &nodes)).collect();
        assert!(names.iter().all(|name| name.as_str().len() <= LENGTH_MAX));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), nodes.len());
    }
}
