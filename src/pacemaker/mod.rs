//! Adapters to Pacemaker: read the cluster information base, write node attributes.
//!
//! Nothing here decides what an attribute should say, and nothing here knows PostgreSQL.

pub mod attribute;
pub mod cib;
pub mod history;
pub mod node_name;
pub mod primitives;
pub mod votes;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::system::command::CommandError;

/// What of the agent's environment the tools need to find their cluster.
const ENVIRONMENT: &[&str] = &["PCMK_", "HA_", "CIB_", "OCF_RESOURCE_"];

/// What can go wrong between the agent and Pacemaker.
#[derive(Debug, Error)]
pub enum PacemakerError {
    /// A tool could not be run or failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The cluster information base is not XML.
    #[error("the cluster information base cannot be read: {0}")]
    NotXml(#[from] roxmltree::Error),
    /// The cluster information base nests deeper than any does.
    #[error("the cluster information base cannot be read: it nests too deep")]
    TooDeep,
    /// Corosync said nothing of votes.
    #[error("corosync-quorumtool says nothing of votes")]
    NoVotes,
    /// The local node is not in the cluster information base.
    #[error("this host ({0}) is not a node of the cluster")]
    NotANode(String),
}

/// Where Pacemaker's command line tools are.
#[derive(Debug, Clone)]
pub struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// Uses the tools of this directory (`HA_SBIN_DIR`).
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn path(&self, tool: &str) -> PathBuf {
        let path = self.directory.join(tool);
        // Debian and Red Hat install them in /usr/sbin; a merged or older system may not.
        let elsewhere = Path::new("/usr/bin").join(tool);
        if !path.exists() && elsewhere.exists() { elsewhere } else { path }
    }
}
