//! Why a round could not be played. A cluster that does not survive one is no error: that is what rounds are for.

use std::path::PathBuf;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    #[error("cannot {what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("cannot write the results: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0} is not there: build it first (cargo build --release), or name it with --agent")]
    NoAgent(PathBuf),
    #[error("{0}")]
    Said(String),
}

impl Error {
    /// An error that is a sentence.
    pub fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }
}

/// The first line of what a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    text.lines().next().unwrap_or("a panic").to_owned()
}
