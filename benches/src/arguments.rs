//! The command line. Which part does what is told elsewhere; here are only its words.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::fault::Fault;

/// Measures pgsql-ha beside the stock shell agent, on three hosts made of namespaces. Needs root.
#[derive(Debug, Clone, Parser)]
#[command(name = "bench", disable_help_subcommand = true)]
pub struct Arguments {
    /// The part to measure (default: all of them)
    #[command(subcommand)]
    pub part: Option<Part>,
    /// A checkout, or a git directory, of ClusterLabs/resource-agents
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub stock: Option<PathBuf>,
    /// The binary to measure (default: pgsql-ha beside this program)
    #[arg(long, global = true, value_name = "FILE")]
    pub agent: Option<PathBuf>,
    /// Runs of each start and of each fault, per agent
    #[arg(long, global = true, default_value_t = 3, value_name = "N")]
    pub runs: usize,
    /// Monitors on each host, per agent
    #[arg(long, global = true, default_value_t = 20, value_name = "N")]
    pub monitor_runs: usize,
    /// Only these faults
    #[arg(long, global = true, value_delimiter = ',', value_name = "FAULT")]
    pub faults: Vec<Fault>,
    /// Only one of the agents; without the other no figure can be judged
    #[arg(long, global = true)]
    pub only: Option<Only>,
    /// The parameter `xlog_check_count` of both agents (the stock agent's default is 3)
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub xlog_check_count: u32,
    /// The major version of PostgreSQL, as Debian packages it
    #[arg(long, global = true, default_value_t = 15, value_name = "MAJOR")]
    pub postgres: u32,
    /// Print what the hosts logged between each fault and the first row after it
    #[arg(long, global = true)]
    pub timeline: bool,
    /// Print everything that was measured as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// A part of the benchmark.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Part {
    /// The monitor action by hand, on the primary and on a standby
    Monitor,
    /// The first start of the cluster
    Start,
    /// Faults of the primary, and a switchover, under write load
    Failover,
    /// The return of a diverged old primary by `pg_rewind`, in a small and in a large database (not part of all)
    Rejoin,
    /// Runs a command and prints what it cost; what this program does inside the hosts
    #[command(hide = true)]
    Gauge {
        /// The command
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
}

/// One of the two agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Only {
    /// This project's
    Ours,
    /// The shell agent
    Stock,
}

impl Arguments {
    /// Tells whether a part is wanted: it, or all.
    #[must_use]
    pub fn measures(&self, part: &Part) -> bool {
        self.part.as_ref().is_none_or(|wanted| wanted == part)
    }

    /// The faults to cause.
    #[must_use]
    pub fn wanted_faults(&self) -> Vec<Fault> {
        match self.faults.is_empty() {
            true => Fault::ALL.to_vec(),
            false => self.faults.clone(),
        }
    }
}
