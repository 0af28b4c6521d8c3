//! The command line. What its words lead to is told elsewhere.

use std::path::PathBuf;

use clap::Parser;

use crate::setup::{Mode, Rejoin, Speed};

/// Lets random faults befall real clusters made of namespaces, round after round. Needs root.
#[derive(Debug, Clone, Parser)]
#[command(name = "chaos")]
pub struct Arguments {
    /// The number that decides all that chance decides (default: one of the clock's)
    #[arg(long)]
    pub seed: Option<u64>,
    /// How long to go on; the last round is played to its end
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub minutes: u64,
    /// Only this round, or these rounds (7 or 6-8), on a cluster of their own
    #[arg(long, value_name = "N", value_parser = rounds)]
    pub round: Option<(u64, u64)>,
    /// That many hosts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=5))]
    pub hosts: Option<u8>,
    /// How commits wait
    #[arg(long)]
    pub mode: Option<Mode>,
    /// How an old primary returns whose data has diverged
    #[arg(long)]
    pub rejoin: Option<Rejoin>,
    /// How quickly fencing acts
    #[arg(long)]
    pub fencing: Option<Speed>,
    /// Write the results to this file too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep the logs of every round, not only of those in which something is wrong
    #[arg(long)]
    pub keep: bool,
    /// Show the plans of the first rounds (or of --round) and play nothing
    #[arg(long)]
    pub plan: bool,
    /// The binary to try (default: pgsql-ha beside this program)
    #[arg(long, value_name = "FILE")]
    pub agent: Option<PathBuf>,
}

fn rounds(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if first <= last { Ok((first, last)) } else { Err("the first is after the last".into()) }
}

impl Arguments {
    /// The words that fix what is not drawn, for the command that replays a round.
    pub fn fixed(&self) -> String {
        let mut words = String::new();
        if let Some(hosts) = self.hosts {
            words += &format!(" HOSTS={hosts}");
        }
        if let Some(mode) = self.mode {
            words += &format!(" MODE={mode}");
        }
        if let Some(rejoin) = self.rejoin {
            words += &format!(" REJOIN={rejoin}");
        }
        if let Some(fencing) = self.fencing {
            words += &format!(" FENCING={fencing}");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_one_or_some() {
        assert_eq!((rounds("7"), rounds("6-8")), (Ok((7, 7)), Ok((6, 8))));
        assert!(rounds("8-6").is_err() && rounds("x").is_err());
    }
}
