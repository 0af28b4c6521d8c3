//! The command line: which action, or which of the operator's commands.
//!
//! No behaviour: words are parsed and passed on.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, Command};

use crate::agent;
use crate::model::action::Action;
use crate::ocf::environment::Environment;
use crate::ocf::exit_code::ExitCode as OcfExitCode;
use crate::ocf::{meta_data, usage};

/// Runs what the command line asks for; the first word is the program's own name.
#[must_use]
pub fn run(arguments: &[String]) -> ExitCode {
    let program = arguments.first().map_or("pgsql-ha", String::as_str);
    let command = Command::new("pgsql-ha")
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage(format!("{program} ACTION"))
        .override_help(usage::usage(program))
        .disable_help_subcommand(true)
        .arg(Arg::new("action").required(true));
    match command.try_get_matches_from(arguments) {
        Ok(matches) => {
            let word = matches.get_one::<String>("action").map_or("", String::as_str);
            act(word, program)
        }
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                print!("{error}");
                OcfExitCode::Success.into()
            }
            // The stock agent explains itself and answers 1.
            _ => {
                print!("{}", usage::usage(program));
                OcfExitCode::Generic.into()
            }
        },
    }
}

fn act(word: &str, program: &str) -> ExitCode {
    match Action::ALL.into_iter().find(|action| action.name() == word) {
        Some(Action::MetaData) => print!("{}", meta_data::meta_data()),
        Some(Action::Methods) => print!("{}", usage::methods()),
        Some(Action::Usage) => {
            print!("{}", usage::usage(program));
            return OcfExitCode::Args.into();
        }
        Some(action) => return agent::run(action, &Environment::from_process()).into(),
        None => return OcfExitCode::Unimplemented.into(),
    }
    OcfExitCode::Success.into()
}
