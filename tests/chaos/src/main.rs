//! Lets random faults befall real clusters, one to three at once, at random moments: a seed for everything. After each
//! round everything is mended, the cluster has to become whole by itself, and the data is looked at.
//!
//! ```text
//! main ▶ arguments, report, progress
//!   └──▶ round ─▶ mend, comeback, check ─▶ clients
//!          ├────▶ catalogue ─▶ scene ─▶ site ─▶ setup
//!          └────▶ plan (what befalls whom, when: a function of seed and round)
//! ```

mod arguments;
mod catalogue;
mod check;
mod clients;
mod comeback;
mod error;
mod mend;
mod plan;
mod progress;
mod report;
mod round;
mod scene;
mod setup;
mod site;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use arguments::Arguments;
use clap::Parser;
use error::Error;
use plan::{LIFE, Plan};
use progress::Progress;
use round::Round;
use site::Site;

/// A cluster that needs longer than that for becoming whole, in seconds, is worth a look at its logs.
const SLOW: f64 = 45.0;

/// What the caller learns: every round is sound, or not, or nothing could be played.
const FAILED: u8 = 1;
const NOT_PLAYED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(rounds) if rounds.iter().any(|round| !round.wrong.is_empty()) => ExitCode::from(FAILED),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(NOT_PLAYED)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Vec<Round>, Error> {
    let seed = arguments.seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.as_secs() % 1_000_000
    });
    if arguments.plan {
        let (first, last) = arguments.round.unwrap_or((0, LIFE - 1));
        (first..=last).for_each(|round| println!("{}", Plan::draw(seed, round, arguments)));
        return Ok(Vec::new());
    }
    let missing = testbed::requirements();
    if !missing.is_empty() {
        return Err(testbed::Error::Requirements(missing).into());
    }
    testbed::sweep();
    // The testbed's words panic with pages of evidence, which is kept in files here.
    std::panic::set_hook(Box::new(|_| {}));
    let agent = agent(arguments)?;
    let rounds = play_all(&agent, arguments, seed)?;
    println!("seed {seed}{}\n{}", arguments.fixed(), report::table(&rounds));
    for round in rounds.iter().filter(|round| !round.wrong.is_empty()) {
        println!("round {} ({}): {}", round.round, round.setup, round.wrong.join("; "));
        println!("  logs: {}", report::folder(seed, round.round).display());
        println!("  again: {}", report::replay(seed, round.round, &arguments.fixed()));
    }
    Ok(rounds)
}

fn agent(arguments: &Arguments) -> Result<PathBuf, Error> {
    let own = std::env::current_exe();
    let beside = own.ok().and_then(|own| Some(own.parent()?.join("pgsql-ha")));
    let path = arguments.agent.clone().or(beside).unwrap_or_default();
    path.canonicalize().map_err(|_| Error::NoAgent(path))
}

fn play_all(agent: &Path, arguments: &Arguments, seed: u64) -> Result<Vec<Round>, Error> {
    let progress = Progress::new(arguments.minutes);
    let end = Instant::now() + Duration::from_secs(60 * arguments.minutes);
    let (first, last) = arguments.round.unwrap_or((0, u64::MAX));
    let mut rounds = Vec::new();
    let mut site: Option<Site> = None;
    for number in first..=last {
        if arguments.round.is_none() && Instant::now() >= end && !rounds.is_empty() {
            break;
        }
        if number % LIFE == 0 {
            site = None;
        }
        let plan = Plan::draw(seed, number, arguments);
        progress.line(&plan.to_string());
        let there = match site.take() {
            Some(there) => there,
            None => {
                progress.now(&format!("round {number}: a new cluster boots"));
                boot(agent, &plan, seed)?
            }
        };
        let (round, notes) = round::play(&there, &plan, &progress);
        let good = round.wrong.is_empty();
        if !good || arguments.keep || round.whole_after > SLOW {
            let again = report::replay(seed, number, &arguments.fixed());
            report::keep(&there, seed, &round, notes.as_ref(), &again);
        }
        progress.verdict(&verdict(&round), good);
        // What a round has left says nothing about the next one.
        site = good.then_some(there);
        rounds.push(round);
        if let Some(path) = &arguments.json {
            report::write(path, seed, &rounds)?;
        }
    }
    Ok(rounds)
}

/// A cluster for that round; on a machine that has too much to do, the first try may fail.
fn boot(agent: &Path, plan: &Plan, seed: u64) -> Result<Site, Error> {
    let name = format!("chaos-{seed}-{}", plan.round);
    Site::boot(agent, plan.setup, &name).or_else(|_| Site::boot(agent, plan.setup, &name))
}

fn verdict(round: &Round) -> String {
    let verdict = if round.wrong.is_empty() { "ok".into() } else { round.wrong.join("; ") };
    format!(
        "round {}: {verdict} ({:.0} s, {} rows, {} lost, outage {:.1} s, whole after {:.1} s, {} fenced, {} hands)",
        round.round,
        round.took,
        round.acknowledged,
        round.lost,
        round.outage,
        round.whole_after,
        round.fenced,
        round.hands.len()
    )
}
