//! Runs one command inside a host and tells what it cost. This program installs itself in the hosts for it, so that
//! nothing but the command lies between the two readings of the clocks.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;
use testbed::Host;

use crate::error::Error;
use crate::statistics::Time;

/// The path of this program in the hosts.
pub const PATH: &str = "/usr/lib/ocf/resource.d/bench/gauge";

/// What a command cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Its exit code.
    pub code: i32,
    /// From before the fork to its end.
    pub wall: Time,
    /// User and system time, of all the processes it waited for too.
    pub cpu: Time,
}

/// Runs the command and prints one line: exit code, wall time and processor time in microseconds.
pub fn run(command: &[String]) -> ExitCode {
    let Some((program, words)) = command.split_first() else { return ExitCode::FAILURE };
    let (cpu_before, started) = (cpu_of_children(), Instant::now());
    let mut child = Command::new(program);
    child.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = child.status();
    let wall = started.elapsed();
    let cpu = cpu_of_children().saturating_sub(cpu_before);
    match status {
        Ok(status) => {
            println!("{} {} {}", status.code().unwrap_or(-1), wall.as_micros(), cpu.as_micros());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot run {program}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Zero when the kernel does not tell; it always does.
fn cpu_of_children() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return Duration::ZERO };
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())
}

/// Lets the program in the host run a command.
///
/// # Errors
/// When the program does not run there, or says something odd.
pub fn measure(host: &Host, words: &[&str], environment: &[(&str, &str)]) -> Result<Cost, Error> {
    let words = [&[PATH, "gauge", "--"][..], words].concat();
    let output = host.run_with(&words, environment, None, testbed::COMMAND_LIMIT)?;
    parse(&output.stdout)
        .ok_or(Error::Parse { what: "what a command cost", text: output.stdout + &output.stderr })
}

fn parse(line: &str) -> Option<Cost> {
    let mut fields = line.split_whitespace();
    let code = fields.next()?.parse().ok()?;
    let mut time = || Some(Time(Duration::from_micros(fields.next()?.parse().ok()?)));
    Some(Cost { code, wall: time()?, cpu: time()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_program_in_the_host_is_read() {
        let cost = parse("8 1500 700\n").expect("three numbers");
        assert_eq!(
            (cost.code, cost.wall.0, cost.cpu.0.as_micros()),
            (8, Duration::from_micros(1500), 700)
        );
        assert_eq!(parse("8 1500"), None);
    }
}
