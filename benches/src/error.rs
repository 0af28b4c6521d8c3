//! Why something could not be measured.

use std::path::PathBuf;

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    #[error("cannot {what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0} is not there: build it first (cargo build --release), or name it with --agent")]
    NoAgent(PathBuf),
    #[error(
        "the installed stock agent cannot be measured: {0}; give a checkout or a git directory of \
         ClusterLabs/resource-agents with --stock (make bench STOCK=…)"
    )]
    NoStock(String),
    #[error("{0} is no checkout and no git directory of resource-agents: {1}")]
    BadStock(PathBuf, String),
    #[error("cannot read {what}: {text:?}")]
    Parse { what: &'static str, text: String },
    #[error("{0}")]
    Panicked(String),
}

/// Adds to an I/O error what was being done.
pub trait Doing<T> {
    /// Turns the error into one of ours.
    ///
    /// # Errors
    /// The error, if there is one.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
