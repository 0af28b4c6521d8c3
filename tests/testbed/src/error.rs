//! What can go wrong with the testbed itself. A failing test is not an error of the testbed: tests panic.

use crate::requirements::Requirement;
use std::time::Duration;

/// Why the testbed could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each variant is")]
pub enum Error {
    #[error("cannot {what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("`{command}` ended with {code:?}: {output}")]
    Command { command: String, code: Option<i32>, output: String },
    #[error("`{command}` did not end within {limit:?}")]
    Deadline { command: String, limit: Duration },
    #[error("{what} did not come about within {limit:?}")]
    Awaited { what: String, limit: Duration },
    #[error("cannot read {what}: {reason}")]
    Parse { what: String, reason: String },
    #[error("{0} is powered off")]
    HostOff(String),
    #[error("no host answers")]
    NobodyAnswers,
    #[error("the server says: {0}")]
    Sql(String),
    #[error("this machine cannot run the testbed: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Requirements(Vec<Requirement>),
}

/// Adds to an I/O error what was being done.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<std::io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { what: what(), source: source.into() })
    }
}
