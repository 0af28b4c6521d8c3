//! The decisions: pure functions from one observation to one step.
//!
//! Nothing here does I/O, reads a clock or logs; only `model` is imported. Each file is one
//! action's decision, or a rule that several of them share.

mod action;
mod invariants;
mod own_record;
mod primary;
mod rejoin;
mod rules;
mod server;
mod standby;
mod steps;
#[cfg(test)]
mod tests;

use action::{demote, monitor, notify, promote, start, stop};

use crate::model::action::Action;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::verdict::Verdict;

/// Decides the next step of an action. A step that would break an invariant is no verdict.
#[must_use]
pub fn decide(action: Action, settings: &Settings, seen: &Observation) -> Verdict {
    let verdict = match action {
        Action::Start => start::start(settings, seen),
        Action::Stop => stop::stop(settings, seen),
        Action::Status => monitor::status(seen),
        Action::Monitor => monitor::monitor(settings, seen),
        Action::Promote => promote::promote(settings, seen),
        Action::Demote => demote::demote(settings, seen),
        Action::Notify => notify::notify(settings, seen),
    };
    invariants::kept(action, settings, seen, verdict)
}
