//! Why a row of the table could not be played to its end. A fault that the agent does not survive is no error: that is
//! what a row is for.

use std::path::PathBuf;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    #[error("cannot {what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("not the JSON that was expected: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0} is not there: build it first (cargo build --release), or name it with --agent")]
    NoAgent(PathBuf),
    #[error("there is no case {0:?}; --list shows them")]
    NoCase(String),
    #[error("{0}")]
    Said(String),
}

impl Error {
    /// An error that is a sentence.
    pub fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }
}
