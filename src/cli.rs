//! The command line: which action, or which of the operator's commands.
//!
//! No behaviour: words are parsed and passed on.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, Command};

use crate::agent;
use crate::command;
use crate::ocf::environment::Environment;
use crate::ocf::exit_code::ExitCode as OcfExitCode;
use crate::ocf::word::{Printout, Word};
use crate::ocf::{meta_data, usage};

/// Runs what the command line asks for; the first word is the program's own name.
#[must_use]
pub fn run(arguments: &[String]) -> ExitCode {
    let program = arguments.first().map_or("pgsql-ha", String::as_str);
    if let Some(command) = arguments.get(1).and_then(|word| command::find(word)) {
        return command.run(program, &arguments[1..]);
    }
    let command = Command::new("pgsql-ha")
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage(format!("{program} ACTION"))
        .override_help(help(program))
        .disable_help_subcommand(true)
        .arg(Arg::new("action").required(true));
    match command.try_get_matches_from(arguments) {
        Ok(matches) => {
            let word = matches.get_one::<String>("action").map_or("", String::as_str);
            act(word, program)
        }
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                say(&error.to_string(), OcfExitCode::Success)
            }
            // The stock agent explains itself and answers 1.
            _ => say(&usage::usage(program), OcfExitCode::Generic),
        },
    }
}

/// What a person is told: the actions, and the operator's commands.
fn help(program: &str) -> String {
    format!("{}\nFor people, each with --help:\n\n{}", usage::usage(program), command::list())
}

fn act(word: &str, program: &str) -> ExitCode {
    match Word::find(word) {
        Some(Word::Printout(Printout::MetaData)) => {
            say(&meta_data::meta_data(), OcfExitCode::Success)
        }
        Some(Word::Printout(Printout::Methods)) => say(&usage::methods(), OcfExitCode::Success),
        Some(Word::Printout(Printout::Usage)) => say(&usage::usage(program), OcfExitCode::Args),
        Some(Word::Printout(Printout::ValidateAll)) => {
            agent::validate_all(&Environment::from_process()).into()
        }
        Some(Word::Action(action)) => agent::run(action, &Environment::from_process()).into(),
        None => OcfExitCode::Unimplemented.into(),
    }
}

/// Prints, and ends with this code; what cannot be printed is a failure.
fn say(text: &str, code: OcfExitCode) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => code.into(),
        Err(_) => OcfExitCode::Generic.into(),
    }
}
