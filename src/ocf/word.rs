//! The words with which the agent is called: actions, and what is only printed.

use std::time::Duration;

use crate::model::action::Action;

/// What the agent answers without looking at the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printout {
    /// The agent's description.
    MetaData,
    /// Whether the parameters are right.
    ValidateAll,
    /// The names of the actions.
    Methods,
    /// A help text.
    Usage,
}

/// A word on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// An action.
    Action(Action),
    /// Something to print.
    Printout(Printout),
}

impl From<Action> for Word {
    fn from(action: Action) -> Self {
        Self::Action(action)
    }
}

impl Word {
    /// Returns every word, in the order of the meta-data.
    pub fn all() -> impl Iterator<Item = Self> {
        let printouts =
            [Printout::MetaData, Printout::ValidateAll, Printout::Methods, Printout::Usage];
        Action::ALL.into_iter().map(Self::Action).chain(printouts.map(Self::Printout))
    }

    /// Finds it by its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|word| word.name() == name)
    }

    /// Returns it as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Action(action) => action.name(),
            Self::Printout(Printout::MetaData) => "meta-data",
            Self::Printout(Printout::ValidateAll) => "validate-all",
            Self::Printout(Printout::Methods) => "methods",
            Self::Printout(Printout::Usage) => "usage",
        }
    }

    /// Returns the time that the meta-data advises.
    #[must_use]
    pub const fn advised_timeout(self) -> Duration {
        match self {
            Self::Action(action) => action.advised_timeout(),
            Self::Printout(
                Printout::MetaData | Printout::ValidateAll | Printout::Methods | Printout::Usage,
            ) => Duration::from_secs(5),
        }
    }
}
