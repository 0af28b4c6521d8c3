//! Node attributes: names, and how they are written.
//!
//! Transient attributes go through the attribute daemon with `attrd_updater`, permanent ones into
//! the cluster information base with `crm_attribute`; both take the same options in Pacemaker 1.1.8
//! to 3.0. Promotion scores are the transient attribute `master-<rsc>`, under its old name in
//! every release (`crm_attribute --promotion` builds the same name).

use std::time::Instant;

use super::{ENVIRONMENT, PacemakerError, Tools};
use crate::model::node::{NodeName, ResourceName};
use crate::system::command::Command;

/// An attribute of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// `<rsc>-status`.
    Status,
    /// `<rsc>-data-status`.
    DataStatus,
    /// `master-<rsc>`.
    PromotionScore,
    /// `<rsc>-xlog-loc`.
    XlogLocation,
    /// `<rsc>-wal-position`: the same with the timeline, which the stock agent does not publish.
    WalPosition,
    /// `<rsc>-sync-quorum`: of whom commits wait for some, which the stock agent does not know.
    SyncQuorum,
    /// `<rsc>-master-baseline`.
    Baseline,
    /// `<rsc>-receiver-status`.
    ReceiverStatus,
}

/// How long an attribute lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the node leaves the cluster.
    Transient,
    /// For ever.
    Permanent,
}

impl Attribute {
    /// Returns the attribute's name for a resource.
    #[must_use]
    pub fn name(self, resource: &ResourceName) -> String {
        match self {
            Self::Status => format!("{resource}-status"),
            Self::DataStatus => format!("{resource}-data-status"),
            Self::PromotionScore => format!("master-{resource}"),
            Self::XlogLocation => format!("{resource}-xlog-loc"),
            Self::WalPosition => format!("{resource}-wal-position"),
            Self::SyncQuorum => format!("{resource}-sync-quorum"),
            Self::Baseline => format!("{resource}-master-baseline"),
            Self::ReceiverStatus => format!("{resource}-receiver-status"),
        }
    }

    /// Returns how long the attribute lives.
    #[must_use]
    pub const fn lifetime(self) -> Lifetime {
        match self {
            Self::DataStatus | Self::SyncQuorum => Lifetime::Permanent,
            Self::Status
            | Self::PromotionScore
            | Self::XlogLocation
            | Self::WalPosition
            | Self::Baseline
            | Self::ReceiverStatus => Lifetime::Transient,
        }
    }
}

impl Tools {
    /// Writes an attribute of a node; `None` removes it.
    ///
    /// # Errors
    /// The tool failed or did not end by the deadline.
    pub fn set_attribute(
        &self,
        resource: &ResourceName,
        attribute: Attribute,
        node: &NodeName,
        value: Option<&str>,
        deadline: Instant,
    ) -> Result<(), PacemakerError> {
        let name = attribute.name(resource);
        let words = ["--node", node.as_str(), "--name", &name];
        let command = match attribute.lifetime() {
            Lifetime::Transient => Command::new(self.path("attrd_updater")),
            Lifetime::Permanent => {
                Command::new(self.path("crm_attribute")).args(["--lifetime", "forever"])
            }
        };
        // One word with "=", for a value may begin with a dash (-INFINITY).
        let command = match value {
            Some(value) => command.args(words).arg(format!("--update={value}")),
            None => command.args(words).arg("--delete"),
        };
        command.inherit(ENVIRONMENT).deadline(deadline).run()?;
        Ok(())
    }

    /// Asks the attribute daemon for an attribute of every node. It knows a write of another node
    /// earlier than the cluster information base does.
    ///
    /// # Errors
    /// The tool failed or did not end by the deadline.
    pub fn query_attribute(
        &self,
        resource: &ResourceName,
        attribute: Attribute,
        deadline: Instant,
    ) -> Result<Vec<(NodeName, String)>, PacemakerError> {
        let output = Command::new(self.path("attrd_updater"))
            .args(["--query", "--all", "--name", &attribute.name(resource)])
            .inherit(ENVIRONMENT)
            .deadline(deadline)
            .run();
        match output {
            Ok(output) => Ok(parse_query(&output.stdout)),
            // ENXIO as an exit code (crm_exit CRM_EX_NOSUCH): nobody has such an attribute.
            Err(error) if error.exit_code() == Some(105) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads lines such as `name="pgsql-wal-position" host="pm01" value="1:0/3000060"`.
fn parse_query(text: &str) -> Vec<(NodeName, String)> {
    let field = |line: &str, key: &str| {
        let start = line.find(&format!("{key}=\""))? + key.len() + 2;
        let length = line[start..].find('"')?;
        Some(line[start..start + length].to_owned())
    };
    text.lines()
        .filter_map(|line| Some((NodeName::new(&field(line, " host")?), field(line, " value")?)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_answer_is_read_line_by_line() {
        let text = "name=\"pgsql-wal-position\" host=\"Pm-01.example\" value=\"1:0/3000060\"\n\
                    name=\"pgsql-wal-position\" host=\"pm02\" value=\"\"\nnonsense\n";
        let answer = parse_query(text);
        assert_eq!(answer, [(NodeName::new("pm-01.EXAMPLE"), "1:0/3000060".to_owned())]);
    }

    #[test]
    fn names_are_those_that_constraints_and_tools_use() {
        let resource = ResourceName::from_instance("pgsql:1");
        let names = [
            (Attribute::Status, "pgsql-status"),
            (Attribute::DataStatus, "pgsql-data-status"),
            (Attribute::PromotionScore, "master-pgsql"),
            (Attribute::XlogLocation, "pgsql-xlog-loc"),
            (Attribute::Baseline, "pgsql-master-baseline"),
            (Attribute::ReceiverStatus, "pgsql-receiver-status"),
        ];
        for (attribute, name) in names {
            assert_eq!(attribute.name(&resource), name);
        }
    }
}
