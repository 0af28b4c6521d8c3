//! The guest program: `boot` is a host (its first process), `enter` runs a command inside one.
//!
//! Only the standard library, because build.rs compiles it alone and statically. It knows nothing of clusters or
//! PostgreSQL: files, daemons and faults are the library's business.

mod boot;
mod enter;
mod sys;
mod syslog;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((role, rest)) if role == "boot" => boot::boot(rest),
        Some((role, rest)) if role == "enter" => enter::enter(rest),
        _ => Err("usage: testbed-host boot NAME NETNS LOWER DISK [SOURCE=TARGET]... | enter PID run|detach LOG COMMAND...".into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("testbed-host: {error}");
            ExitCode::from(125)
        }
    }
}
