//! The help text and the list of methods, from [`Action`].

use std::fmt::Write as _;

use crate::model::action::Action;

/// Says what an action is for, in the help text.
const fn purpose(action: Action) -> &'static str {
    match action {
        Action::Start => "start the server, in the replication modes as a standby",
        Action::Stop => "stop the server",
        Action::Status => "tell whether the server is up",
        Action::Monitor => "tell how the server is, and publish how its standbys are",
        Action::Promote => "make the standby the primary",
        Action::Demote => "make the primary a standby",
        Action::Notify => "hear of an action on another instance of the clone",
        Action::MetaData => "describe the agent in XML",
        Action::ValidateAll => "check the parameters (with OCF_CHECK_LEVEL=10 the node as well)",
        Action::Methods => "list the actions",
        Action::Usage => "show this text",
    }
}

/// Returns the help text of the agent's actions.
#[must_use]
pub fn usage(program: &str) -> String {
    let words = Action::ALL.map(Action::name).join("|");
    let mut text = format!(
        "usage: {program} {words}\n\n{program} manages a PostgreSQL server as an OCF resource \
         under Pacemaker.\nParameters are environment variables OCF_RESKEY_<name>; the \
         meta-data describes them.\n\n"
    );
    for action in Action::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<14}{}", action.name(), purpose(action));
    }
    text
}

/// Returns the names of the actions that a cluster manager may call, one to a line.
#[must_use]
pub fn methods() -> String {
    let is_method = |action: &Action| *action != Action::Usage;
    Action::ALL
        .iter()
        .filter(|action| is_method(action))
        .fold(String::new(), |text, action| text + action.name() + "\n")
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
        for action in Action::ALL {
            let line = format!("\n  {} ", action.name());
            assert!(text.contains(&line), "{action:?}");
        }
        assert!(text.lines().all(|line| line.len() <= 100));
    }
}
