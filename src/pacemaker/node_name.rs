//! What the cluster says of the local node: its name, and whether its partition has quorum.

use std::time::Instant;

use super::{ENVIRONMENT, PacemakerError, Tools};
use crate::model::node::NodeName;
use crate::system::command::Command;

impl Tools {
    /// Asks the cluster for the local node's name (`crm_node --name`).
    ///
    /// # Errors
    /// The tool failed or did not end by the deadline.
    pub fn local_node(&self, deadline: Instant) -> Result<NodeName, PacemakerError> {
        let output = Command::new(self.path("crm_node"))
            .arg("--name")
            .inherit(ENVIRONMENT)
            .deadline(deadline)
            .run()?;
        Ok(NodeName::new(&output.stdout))
    }

    /// Asks whether this partition has quorum right now (`crm_node --quorum`).
    ///
    /// The controller hears it from Corosync at once; the copy in the cluster information base is
    /// written by the designated controller alone, which an isolated node has yet to elect.
    ///
    /// # Errors
    /// The tool failed or did not end by the deadline.
    pub fn has_quorum(&self, deadline: Instant) -> Result<bool, PacemakerError> {
        let output = Command::new(self.path("crm_node"))
            .arg("--quorum")
            .inherit(ENVIRONMENT)
            .deadline(deadline)
            .run()?;
        Ok(output.stdout.trim() == "1")
    }
}
