//! A line in a file of the agent's that says in which life of Pacemaker it was written.
//!
//! A life begins when Pacemaker's executor, which calls the agent, is started: since then this node has neither
//! been fenced nor left the cluster.

use std::path::Path;

use crate::system::files;
use crate::system::identity::{User, as_user};
use crate::system::process;

const BYTES_MAX: u64 = 4096;
const LIFE: &str = "life ";

/// Returns the line of the present life; empty where it cannot be told.
#[must_use]
pub fn line() -> String {
    process::caller().map(|life| format!("{LIFE}{life}\n")).unwrap_or_default()
}

/// Tells whether a file was written in the present life.
#[must_use]
pub fn is_present(path: &Path, user: &User) -> bool {
    let Ok(Ok(Some(text))) = as_user(user, || files::read(path, BYTES_MAX)) else { return false };
    let written = text.lines().find_map(|line| line.strip_prefix(LIFE));
    written.is_some_and(|life| process::caller().is_ok_and(|present| present == life))
}
