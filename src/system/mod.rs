//! This machine: processes, users and files.
//!
//! Nothing here knows of PostgreSQL, Pacemaker or OCF, and nothing of ours is imported.

pub mod command;
pub mod files;
pub mod identity;
pub mod pause;
pub mod process;

mod error;

pub use error::SystemError;
