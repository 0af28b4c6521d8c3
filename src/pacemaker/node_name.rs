//! The local node's name, as Pacemaker spells it.

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
}
