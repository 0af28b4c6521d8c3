//! The command line. What its words lead to is told elsewhere.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::mode::{Mode, Speed};

/// Plays every fault in every mode on clusters of three hosts made of namespaces. Needs root.
#[derive(Debug, Clone, Parser)]
#[command(name = "faults")]
pub struct Arguments {
    /// Only these cases, by their names or by how these begin (4 stands for 4a, 4b, …)
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    pub cases: Vec<String>,
    /// Only these modes
    #[arg(long, value_delimiter = ',', value_name = "MODE")]
    pub modes: Vec<Mode>,
    /// Only with this fencing (a case in which nobody is fenced counts as one of `at-once`)
    #[arg(long)]
    pub fencing: Option<Speed>,
    /// How many clusters at the same time
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub jobs: usize,
    /// Print the rows as JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Write the table as a Markdown document too
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Rows of an earlier run (target/fault-logs/rows.json), for what is not played now
    #[arg(long, value_name = "FILE")]
    pub earlier: Option<PathBuf>,
    /// The binary to try (default: pgsql-ha beside this program)
    #[arg(long, value_name = "FILE")]
    pub agent: Option<PathBuf>,
    /// Show the cases and play none
    #[arg(long)]
    pub list: bool,
}

impl Arguments {
    /// The modes that are wanted.
    pub fn wanted_modes(&self) -> Vec<Mode> {
        if self.modes.is_empty() { Mode::value_variants().to_vec() } else { self.modes.clone() }
    }
}
