//! The command line. What the words do belongs elsewhere.

use clap::{Parser, Subcommand, ValueEnum};

const MORE: &str = "\
Run it as root, from the project's directory: `make demo` builds what it needs first. The hosts are
namespaces of this machine; nothing outside them is touched, and Ctrl-C removes them at any time.

Exit code: 0 when no acknowledged row was lost and the old primary streams (or serves) again, else 1.
Environment: NO_COLOR switches the colours off.";

/// Boots three hosts with Corosync, Pacemaker and PostgreSQL, kills the primary under load, and shows what happened
#[derive(Debug, Parser)]
#[command(name = "demo", version, after_help = MORE)]
pub struct Options {
    /// Leaves the cluster up after the screen, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// What befalls the primary
    #[arg(long, value_enum, default_value_t = Fault::Postmaster)]
    pub fault: Fault,
    /// What to do instead of the demo.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What befalls the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Its postmaster is killed (SIGKILL)
    Postmaster,
    /// Its host loses power, and is switched on again later
    Power,
}

/// What else the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Opens a shell, or runs a command, in a host of a demo that runs with --keep
    Enter {
        /// pm01, pm02, pm03, or client (the machine that writes)
        host: String,
        /// The command; a shell without one
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        words: Vec<String>,
    },
}
