//! What is wrong with the configuration, told so that the reader can put it right.
//!
//! Only data and wording; what is checked stands in `settings` and `validate`.

use std::fmt;

use super::exit_code::ExitCode;
use super::parameter;
use crate::model::exit_reason::wrong_parameter;

/// How much a fault matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The resource cannot be started like this.
    Error,
    /// The agent goes on, with the default or as the stock agent would.
    Warning,
}

/// One fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The parameter to change; for faults of the clone, its meta attribute.
    pub parameter: &'static str,
    /// The parameter's value; never a secret.
    pub value: String,
    /// What is wrong; begins as the stock agent's message where it has one.
    pub problem: String,
    /// The same in fewer words, for the exit reason; `None`: the problem is short.
    pub brief: Option<String>,
    /// What to do about it.
    pub remedy: String,
    /// What the action answers because of it, if it is an error.
    pub code: ExitCode,
    /// How much it matters.
    pub severity: Severity,
}

impl Fault {
    /// Makes an error.
    #[must_use]
    pub fn error(
        parameter: &'static str,
        value: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
        code: ExitCode,
    ) -> Self {
        let hidden = parameter::is_secret(parameter) && !value.is_empty();
        Self {
            parameter,
            value: if hidden { parameter::HIDDEN } else { value }.to_owned(),
            problem: problem.into(),
            brief: None,
            remedy: remedy.into(),
            code,
            severity: Severity::Error,
        }
    }

    /// Adds what the exit reason says of the problem.
    #[must_use]
    pub fn in_brief(self, brief: impl Into<String>) -> Self {
        Self { brief: Some(brief.into()), ..self }
    }

    /// Makes it a warning. The code stays: it tells what the fault would be worth.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Returns what Pacemaker shows, within the bytes that it keeps; the whole is for the log.
    #[must_use]
    pub fn reason(&self) -> String {
        let problem = self.brief.as_ref().unwrap_or(&self.problem);
        wrong_parameter(self.parameter, &self.value, problem, &self.remedy)
    }

    /// Tells whether the resource cannot be started because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameter, value, problem, remedy, brief: _, code: _, severity: _ } = self;
        write!(f, "{problem} ({parameter}=\"{value}\"): {remedy}")
    }
}

/// Returns the fault that decides the exit code: the first error.
#[must_use]
pub fn worst(faults: &[Fault]) -> Option<&Fault> {
    faults.iter().find(|fault| fault.is_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(parameter: &'static str, value: &str) -> Fault {
        Fault::error(parameter, value, "it is wrong", "put it right", ExitCode::Configured)
    }

    #[test]
    fn a_fault_names_problem_value_and_remedy() {
        let text = fault("pgport", "x").to_string();
        assert_eq!(text, "it is wrong (pgport=\"x\"): put it right");
    }

    #[test]
    fn a_reason_is_brief() {
        let fault = fault("pgport", "x").in_brief("wrong");
        assert_eq!(fault.reason(), "wrong (pgport=\"x\"): put it right");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let fault = fault("monitor_password", "hunter2");
        assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    }

    #[test]
    fn a_warning_decides_no_exit_code() {
        let faults = [fault("a", "").as_warning(), fault("b", ""), fault("c", "")];
        assert_eq!(worst(&faults).map(|fault| fault.parameter), Some("b"));
        assert_eq!(worst(&faults[..1]), None);
    }
}
