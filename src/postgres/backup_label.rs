//! `backup_label`: the data directory is a copy that has not been started yet.
//!
//! Only its presence is looked at; it is PostgreSQL's own and is never touched.

use super::PostgresError;
use crate::model::settings::Settings;
use crate::system::SystemError;
use crate::system::identity::{User, as_user};

/// Tells whether the file is there.
///
/// # Errors
/// The data directory cannot be read.
pub fn is_there(settings: &Settings, user: &User) -> Result<bool, PostgresError> {
    let path = settings.pgdata.join("backup_label");
    let found = as_user(user, || path.try_exists())?;
    Ok(found.map_err(|source| SystemError::File { action: "look at", path, source })?)
}
