//! What can go wrong on this machine, apart from a program's own failure.

use std::io;
use std::path::PathBuf;

/// An error of a file, a user or a process; see [`super::command::CommandError`] for programs.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The user database could not be asked.
    #[error("cannot look up user {name}: {source}")]
    Lookup {
        /// The user's name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The effective user could not be changed.
    #[error("cannot act as user {name}: {source}")]
    Identity {
        /// The user's name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A process could not be signalled.
    #[error("cannot send {signal} to process {pid}: {source}")]
    Signal {
        /// The signal's name.
        signal: &'static str,
        /// The process.
        pid: i32,
        /// Why.
        source: io::Error,
    },
    /// The process table could not be read.
    #[error("cannot read the process table: {0}")]
    ProcessTable(io::Error),
    /// A file could not be read or changed.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// "read", "write", …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Root was to change a path that somebody else controls.
    #[error("root does not touch {}: others than root control it", path.display())]
    Untrusted {
        /// The path.
        path: PathBuf,
    },
    /// A file is larger than anything of its kind.
    #[error("{} is too large", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

impl SystemError {
    /// Wraps an error of the file system.
    #[must_use]
    pub fn file(action: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    /// Returns the operating system's kind of the error, if it has one.
    #[must_use]
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Lookup { source, .. }
            | Self::Identity { source, .. }
            | Self::Signal { source, .. }
            | Self::ProcessTable(source)
            | Self::File { source, .. } => Some(source.kind()),
            Self::Untrusted { .. } | Self::TooLarge { .. } => None,
        }
    }

    /// Tells whether the operating system forbade it.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.kind() == Some(io::ErrorKind::PermissionDenied)
    }
}
