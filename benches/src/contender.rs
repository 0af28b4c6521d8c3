//! The two agents that are compared, and the cluster that each gets: only the file of the agent differs.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use testbed::{Builder, Cluster};

use crate::arguments::{Arguments, Only};
use crate::configuration::{Configuration, SERVER_LOG};
use crate::error::{Doing, Error};
use crate::stock::{LIBRARY, Stock};

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agent {
    /// This project's.
    Ours,
    /// The shell agent.
    Stock,
}

impl fmt::Display for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ours => "pgsql-ha",
            Self::Stock => "stock",
        })
    }
}

/// The agents' files and their common configuration.
#[derive(Debug)]
pub struct Contenders {
    ours: PathBuf,
    /// The stock agent.
    pub stock: Stock,
    /// What both are given.
    pub configuration: Configuration,
    only: Option<Only>,
    /// This program, which measures inside the hosts.
    gauge: PathBuf,
}

impl Contenders {
    /// Finds the files.
    ///
    /// # Errors
    /// When one is missing.
    pub fn prepare(arguments: &Arguments) -> Result<Self, Error> {
        let gauge = std::env::current_exe().doing(|| "find this program".into())?;
        let beside = gauge.with_file_name("pgsql-ha");
        let ours = arguments.agent.clone().unwrap_or(beside);
        if !ours.is_file() {
            return Err(Error::NoAgent(ours));
        }
        let stock = Stock::prepare(arguments.stock.as_deref())?;
        let configuration = Configuration::new(arguments.postgres, arguments.xlog_check_count);
        Ok(Self { ours, stock, configuration, only: arguments.only, gauge })
    }

    /// The agents to measure, in turn.
    #[must_use]
    pub fn agents(&self) -> Vec<Agent> {
        match self.only {
            None => vec![Agent::Ours, Agent::Stock],
            Some(Only::Ours) => vec![Agent::Ours],
            Some(Only::Stock) => vec![Agent::Stock],
        }
    }

    /// Three hosts with one of the agents as `ocf:heartbeat:pgsql`. The shell library is the same for both, since the
    /// agent of the addresses uses it too.
    pub fn builder(&self, agent: Agent, name: &str) -> Builder {
        let file = match agent {
            Agent::Ours => &self.ours,
            Agent::Stock => &self.stock.agent,
        };
        let builder = Cluster::builder()
            .name(name)
            .agent(file, "heartbeat", "pgsql")
            .agent(&self.gauge, "bench", "gauge")
            .property("stonith-enabled", "true")
            .bindir(self.configuration.bindir())
            .pg_log(SERVER_LOG);
        match &self.stock.library {
            Some(library) => builder.share_at(library, LIBRARY),
            None => builder,
        }
    }
}
