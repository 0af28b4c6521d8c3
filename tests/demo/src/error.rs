//! What can keep the demo from being shown. What the agent does wrong is shown, not an error.

use std::path::PathBuf;
use std::time::Duration;

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    #[error("{path} is missing: build it with `make all`", path = .0.display())]
    NoAgent(PathBuf),
    #[error("no PostgreSQL in /usr/lib/postgresql/*/bin: install it with `make setup`")]
    NoPostgres,
    #[error("cannot read {path}: {source}", path = .0.display(), source = .1)]
    Unreadable(PathBuf, std::io::Error),
    #[error("in vain for {limit:?}: {what}\nwhat the hosts left is in {evidence}", evidence = .evidence.display())]
    Awaited { what: String, limit: Duration, evidence: PathBuf },
    #[error("no demo runs with a host called {0:?} (start one with `make demo KEEP=1`)")]
    NoSuchHost(String),
    #[error("cannot start nsenter: {0}")]
    NoEntry(std::io::Error),
}

/// Once Ctrl-C came, every command in the hosts fails: be still, and leave the end to the testbed.
pub fn park_if_interrupted() {
    while testbed::interrupted() {
        std::thread::park();
    }
}
