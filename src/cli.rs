//! The command line: which action, or which of the operator's commands.
//!
//! No behaviour: words are parsed and passed on.

use std::process::ExitCode;

use crate::agent;
use crate::model::action::Action;
use crate::ocf::environment::Environment;
use crate::ocf::exit_code::ExitCode as OcfExitCode;
use crate::ocf::{meta_data, usage};

/// Runs what the command line asks for.
#[must_use]
pub fn run(arguments: &[String]) -> ExitCode {
    let environment = Environment::from_process();
    let program = arguments.first().map_or("pgsql-ha", String::as_str);
    let [_, word] = arguments else {
        print!("{}", usage::usage(program));
        return OcfExitCode::Generic.into();
    };
    match Action::ALL.into_iter().find(|action| action.name() == word) {
        Some(Action::MetaData) => print!("{}", meta_data::meta_data()),
        Some(Action::Methods) => print!("{}", usage::methods()),
        Some(Action::Usage) => {
            print!("{}", usage::usage(program));
            return OcfExitCode::Args.into();
        }
        Some(action) => return agent::run(action, &environment).into(),
        None if matches!(word.as_str(), "help" | "--help" | "-h") => {
            print!("{}", usage::usage(program));
        }
        None if matches!(word.as_str(), "--version" | "-V") => {
            println!("pgsql-ha {}", env!("CARGO_PKG_VERSION"));
        }
        None => return OcfExitCode::Unimplemented.into(),
    }
    OcfExitCode::Success.into()
}
