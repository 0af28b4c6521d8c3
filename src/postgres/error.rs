//! What can go wrong with PostgreSQL.

use std::path::PathBuf;

use crate::model::exit_reason::wrong_parameter;
use crate::system::SystemError;
use crate::system::command::CommandError;

/// An error of this layer.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// A file, a user or a process.
    #[error(transparent)]
    System(#[from] SystemError),
    /// A program.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file or a program's output does not look like what it should be.
    #[error("cannot understand {what}: {text}")]
    Malformed {
        /// Of what.
        what: &'static str,
        /// What is wrong.
        text: String,
    },
    /// The data directory has no `PG_VERSION`.
    #[error("{} is not a data directory", .0.display())]
    NotADataDirectory(PathBuf),
    /// There is nobody to signal.
    #[error("no postmaster is running")]
    NotRunning,
    /// Processes withstand SIGKILL.
    #[error("{0} processes are still there after SIGKILL")]
    Undead(usize),
    /// The server could not be asked, or said no.
    #[error("{0}")]
    Server(String),
    /// The server or the agent cannot work with what a parameter, or a setting of the server, names.
    #[error("{}", wrong_parameter(parameter, &path.to_string_lossy(), why, remedy))]
    Unusable {
        /// Its name.
        parameter: &'static str,
        /// Its value.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do about it.
        remedy: String,
    },
}
