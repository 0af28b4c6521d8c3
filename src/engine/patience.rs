//! How long a server is asked, by what the action has to do besides.

use std::time::Duration;

use super::Engine;
use crate::model::action::Action;
use crate::model::step::Step;
use crate::model::warning::Warning;

/// When it is about to be stopped, and in a notification, for which the whole cluster waits.
const SHORT: Duration = Duration::from_secs(2);

/// When it was just launched, or is to be promoted, before the rest is looked at again: a log-in can hang for as long as
/// `authentication_timeout`.
const LAUNCHED: Duration = Duration::from_secs(5);

/// When it has not answered in this action, between the steps that do without its answer.
const DEAF: Duration = Duration::from_millis(300);

/// At most, a standby in its monitor: what is done for one that does not answer takes time as well.
const STANDBY: Duration = Duration::from_secs(10);

/// What a question gets that is asked right before the deadline: half of the smallest margin.
const LAST: Duration = Duration::from_millis(250);

impl Engine {
    /// Returns how long the server is asked: until the deadline, but never for no time at all, or our own haste would pass
    /// for its silence. That moment is part of the margin.
    #[must_use]
    pub fn patience(&self, is_standby: bool, elapsed: Duration) -> Duration {
        let remaining = self.time(elapsed).remaining;
        let question = remaining.max(LAST);
        let unasked = |step: &Step| matches!(step, Step::Warn(Warning::CannotBeAsked(_)));
        let deaf = self.taken.0.iter().any(|attempt| unasked(&attempt.step))
            && !self.taken.tried(&Step::PromoteServer);
        match self.request.action {
            Action::Monitor | Action::Promote if deaf => DEAF,
            Action::Demote | Action::Notify | Action::Stop => remaining.min(SHORT),
            Action::Start | Action::Promote => question.min(LAUNCHED),
            Action::Monitor if is_standby => question.min((remaining * 2 / 3).clamp(LAST, STANDBY)),
            Action::Status | Action::Monitor => question,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Request;
    use crate::model::notification::Notification;
    use crate::model::settings::Settings;

    #[test]
    fn a_question_gets_a_moment_even_at_the_end() {
        let timeout = Duration::from_secs(60);
        let patience = |action, is_standby, elapsed| {
            let notification = Notification::default();
            let request =
                Request { action, notification, probe: false, of_standby: false, timeout };
            let engine = Engine::new(request, &Settings::example("/data".as_ref()));
            engine.patience(is_standby, Duration::from_secs(elapsed))
        };
        let seconds = Duration::from_secs;
        for (action, is_standby, elapsed, expected) in [
            (Action::Monitor, false, 0, seconds(55)),
            (Action::Monitor, false, 60, LAST),
            (Action::Monitor, true, 0, STANDBY),
            (Action::Monitor, true, 49, seconds(4)),
            (Action::Monitor, true, 60, LAST),
            (Action::Promote, true, 0, LAUNCHED),
            (Action::Stop, false, 0, SHORT),
        ] {
            assert_eq!(patience(action, is_standby, elapsed), expected, "{action:?} {elapsed}");
        }
    }
}
