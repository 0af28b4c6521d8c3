//! The help text and the list of methods, from [`Word`].

use std::fmt::Write as _;

use super::word::{Printout, Word};
use crate::model::action::Action;

/// Says what a word is for, in the help text.
const fn purpose(word: Word) -> &'static str {
    match word {
        Word::Action(Action::Start) => "start the server, in the replication modes as a standby",
        Word::Action(Action::Stop) => "stop the server",
        Word::Action(Action::Status) => "tell whether the server is up",
        Word::Action(Action::Monitor) => "tell how the server is, and publish how its standbys are",
        Word::Action(Action::Promote) => "make the standby the primary",
        Word::Action(Action::Demote) => "make the primary a standby",
        Word::Action(Action::Notify) => "hear of an action on another instance of the clone",
        Word::Printout(Printout::MetaData) => "describe the agent in XML",
        Word::Printout(Printout::ValidateAll) => {
            "check the parameters (with OCF_CHECK_LEVEL=10 the node as well)"
        }
        Word::Printout(Printout::Methods) => "list the actions",
        Word::Printout(Printout::Usage) => "show this text",
    }
}

/// Returns the help text of the agent's actions.
#[must_use]
pub fn usage(program: &str) -> String {
    let words = Word::all().map(Word::name).collect::<Vec<_>>().join("|");
    let mut text = format!(
        "usage: {program} {words}\n\n{program} manages a PostgreSQL server as an OCF resource \
         under Pacemaker.\nParameters are environment variables OCF_RESKEY_<name>; the \
         meta-data describes them.\n\n"
    );
    for word in Word::all() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<14}{}", word.name(), purpose(word));
    }
    text
}

/// Returns the names of the actions that a cluster manager may call, one to a line.
#[must_use]
pub fn methods() -> String {
    let is_method = |word: &Word| *word != Word::Printout(Printout::Usage);
    Word::all().filter(is_method).fold(String::new(), |text, word| text + word.name() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_are_those_of_the_stock_agent() {
        let mut methods: Vec<_> = methods().lines().map(str::to_owned).collect();
        methods.sort();
        let stock = [
            "demote",
            "meta-data",
            "methods",
            "monitor",
            "notify",
            "promote",
            "start",
            "status",
            "stop",
            "validate-all",
        ];
        assert_eq!(methods, stock);
    }

    #[test]
    fn the_usage_explains_every_action() {
        let text = usage("pgsql");
        assert!(text.starts_with("usage: pgsql start|stop|status|monitor|promote|demote|notify|"));
        for word in Word::all() {
            let line = format!("\n  {} ", word.name());
            assert!(text.contains(&line), "{word:?}");
        }
        assert!(text.lines().all(|line| line.len() <= 100));
    }
}
