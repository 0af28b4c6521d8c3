//! Runs seeds, replays one, or shows which broken rules are noticed.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use pgsql_ha::model::settings::ReplicationMode;
use simulation::{Mutation, Options, Report, Scope, run};

/// Runs the agent's decisions in a simulated cluster
#[derive(Debug, Parser)]
#[command(name = "simulation", version)]
struct Arguments {
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many hosts; the seed decides without it
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..=5))]
    hosts: Option<u8>,
    /// Replication mode; the seed decides without it
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// What the world has beyond the ordinary: names with commas between, "plain" for nothing, "any" to let the
    /// seed decide about everything there is; without it the seed decides about what is usual
    #[arg(long)]
    world: Option<String>,
    /// Breaks a rule
    #[arg(long)]
    mutation: Option<Mutation>,
    /// Breaks each rule in turn and shows which invariant notices
    #[arg(long)]
    mutations: bool,
    /// Says what happens
    #[arg(long)]
    trace: bool,
    /// Goes on after a broken rule
    #[arg(long)]
    all: bool,
}

/// A replication mode.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// Commits wait for a standby
    Sync,
    /// They do not
    Async,
}

impl Arguments {
    /// Returns the parts of the world that were asked for.
    fn scope(&self, seed: u64, usual: Scope) -> Result<Scope, String> {
        match self.world.as_deref() {
            None => Ok(usual),
            Some("any") => Ok(Scope::any(&mut fastrand::Rng::with_seed(seed ^ 0x000A_11AB))),
            Some(names) => names.parse(),
        }
    }

    fn options(&self, seed: u64) -> Options {
        let mut options = Options::of_seed(seed);
        options.scope = self.scope(seed, options.scope).unwrap_or(options.scope);
        options.hosts = self.hosts.map_or(options.hosts, usize::from);
        options.ignore_quorum &= options.hosts == 2;
        options.mode = match self.mode {
            Some(Mode::Sync) => ReplicationMode::Sync,
            Some(Mode::Async) => ReplicationMode::Async,
            None => options.mode,
        };
        let options = self.mutation.map_or(options, |mutation| mutation.applied(options));
        Options { trace: self.trace, ..options }
    }

    fn seeds(&self) -> impl Iterator<Item = u64> + use<> {
        self.seed..self.seed + self.seeds
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = arguments.scope(0, Scope::default()) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    if arguments.mutations {
        return show_mutations(&arguments);
    }
    let mut totals = [0_u64; 5];
    let mut faults = 0;
    for seed in arguments.seeds() {
        let report = run(arguments.options(seed));
        let row = [1, report.ticks, report.actions, report.promotions, report.acknowledged as u64];
        totals.iter_mut().zip(row).for_each(|(total, value)| *total += value);
        if say(&report) {
            faults += 1;
            if !arguments.all {
                break;
            }
        }
    }
    let [seeds, ticks, actions, promotions, rows] = totals;
    println!(
        "{seeds} seeds, {} simulated hours, {actions} actions, {promotions} promotions, \
         {rows} acknowledged rows, {faults} broken rules",
        ticks / 36_000
    );
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says which rule a run broke, if it did, and how to see it again.
fn say(report: &Report) -> bool {
    let Some(violation) = &report.violation else { return false };
    println!(
        "{} at {}.{} s: {}\n  {}",
        violation.rule,
        violation.at / 10,
        violation.at % 10,
        violation.evidence,
        report.options.replay()
    );
    true
}

fn show_mutations(arguments: &Arguments) -> ExitCode {
    println!("| mutation | the rule that it breaks | noticed by | seeds |\n|---|---|---|---|");
    let mut unnoticed = false;
    for mutation in Mutation::ALL {
        let noticed = arguments.seeds().find_map(|seed| {
            let options = mutation.applied(arguments.options(seed));
            Some((run(options).violation?.rule.to_string(), seed - arguments.seed + 1))
        });
        unnoticed |= noticed.is_none();
        let (rule, seeds) = noticed.unwrap_or(("nothing".to_owned(), arguments.seeds));
        println!("| `{mutation}` | {} | {rule} | {seeds} |", mutation.rule());
    }
    if unnoticed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
