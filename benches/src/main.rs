//! Measures this project's agent beside the stock shell agent: the same three hosts, the same configuration, the same
//! hour; only the agent is exchanged. What is measured and how is told in `README.md` beside this crate.
//!
//! ```text
//! main ▶ arguments
//!   ├──▶ monitor ─▶ trace (strace)   gauge (runs inside a host)
//!   ├──▶ failover ─▶ fault
//!   │        └──▶ site ─▶ contender ─▶ stock, configuration
//!   ├──▶ rejoin (ours alone)
//!   └──▶ report ─▶ figures, table ─▶ statistics
//! ```

mod arguments;
mod configuration;
mod contender;
mod error;
mod failover;
mod fault;
mod figures;
mod gauge;
mod machine;
mod monitor;
mod rejoin;
mod report;
mod site;
mod statistics;
mod stock;
mod table;
mod trace;

use std::process::ExitCode;

use arguments::{Arguments, Part};
use clap::Parser;
use contender::Contenders;
use error::Error;
use report::Report;

/// What the caller learns: the figures are reached, or not, or could not be measured.
const NOT_REACHED: u8 = 1;
const NOT_MEASURED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Part::Gauge { command }) = &arguments.part {
        return gauge::run(command);
    }
    if arguments.part == Some(Part::Rejoin) {
        return match rejoin::run(&arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bench: {error}");
                ExitCode::from(NOT_MEASURED)
            }
        };
    }
    match measure(&arguments) {
        Ok(report) if report.all_reached() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(NOT_REACHED),
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(NOT_MEASURED)
        }
    }
}

fn measure(arguments: &Arguments) -> Result<Report, Error> {
    let missing = testbed::requirements();
    if !missing.is_empty() {
        return Err(testbed::Error::Requirements(missing).into());
    }
    testbed::sweep();
    let contenders = Contenders::prepare(arguments)?;
    let mut report = Report::begin(&contenders, arguments);
    if arguments.measures(&Part::Monitor) {
        report.monitor = Some(monitor::measure(&contenders, arguments.monitor_runs)?);
    }
    if arguments.measures(&Part::Start) || arguments.measures(&Part::Failover) {
        failover::measure(&contenders, arguments, &mut report);
    }
    report.conclude();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        table::print(&report);
    }
    Ok(report)
}
