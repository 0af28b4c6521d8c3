//! What befalls the primary. How its consequences are measured is `failover`'s business.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;
use testbed::Signal;

use crate::configuration::CLONE;
use crate::error::Error;
use crate::site::{Roles, Site};

/// What befalls the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGKILL of the postmaster.
    KilledPostmaster,
    /// The host's power fails.
    HostOff,
    /// The host's only link is cut.
    LinkCut,
    /// No fault: the operator moves the primary to the synchronous standby.
    Switchover,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::KilledPostmaster => "killed postmaster",
            Self::HostOff => "host off",
            Self::LinkCut => "link cut",
            Self::Switchover => "switchover",
        })
    }
}

impl Fault {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 4] =
        [Self::KilledPostmaster, Self::HostOff, Self::LinkCut, Self::Switchover];

    /// Lets it happen.
    ///
    /// # Errors
    /// When the operator's command is refused.
    pub fn strike(self, site: &Site, roles: &Roles) -> Result<(), Error> {
        let primary = site.cluster.host(&roles.primary);
        match self {
            Self::KilledPostmaster => primary.kill_postmaster(Signal::SIGKILL),
            Self::HostOff => primary.power_off(),
            Self::LinkCut => primary.cut_link(),
            Self::Switchover => {
                let to = roles.sync.as_str();
                let words = ["crm_resource", "--move", "-r", CLONE, "--promoted", "-N", to];
                primary.run_ok(&words)?;
            }
        }
        Ok(())
    }
}
