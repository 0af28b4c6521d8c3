//! The operator's commands: one file for each, and the table of them.
//!
//! What they see and decide is what the agent sees and decides: `observe`, `engine`, `decide`. Nothing of that here.

mod show;
mod target;

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use crate::ocf::exit_code::ExitCode as Code;

/// One of the operator's commands.
pub struct OperatorCommand {
    /// Its word on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    arguments: fn(Command) -> Command,
    run: fn(&ArgMatches) -> Code,
}

/// Every one.
pub const ALL: &[OperatorCommand] = &[show::SHOW];

/// Finds one by its word.
#[must_use]
pub fn find(name: &str) -> Option<&'static OperatorCommand> {
    ALL.iter().find(|command| command.name == name)
}

impl OperatorCommand {
    /// Runs it: 0 it is done, 1 it could not be, 2 the command line is wrong.
    #[must_use]
    pub fn run(&self, program: &str, arguments: &[String]) -> ExitCode {
        let named = Command::new(self.name).bin_name(format!("{program} {}", self.name));
        let command = (self.arguments)(named.about(self.about)).after_help(
            "Exit codes: 0 done, 1 it could not be done (why is on standard error), 2 wrong arguments.",
        );
        match command.try_get_matches_from(arguments) {
            Ok(matches) => (self.run)(&matches).into(),
            Err(error) => {
                // What cannot be printed is not read either.
                let _ = error.print();
                if error.use_stderr() { Code::Args.into() } else { Code::Success.into() }
            }
        }
    }
}

/// Lists the commands, for the help text.
#[must_use]
pub fn list() -> String {
    ALL.iter().fold(String::new(), |text, command| {
        text + &format!("  {:<14}{}\n", command.name, command.about)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocf::word::Word;

    #[test]
    fn no_command_has_the_name_of_an_action() {
        for command in ALL {
            assert_eq!(Word::find(command.name), None);
            assert!(list().contains(&format!("  {} ", command.name)));
        }
    }
}
