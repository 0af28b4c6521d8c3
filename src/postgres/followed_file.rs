//! `PGSQL.followed`: since Pacemaker was started here, this node has been a standby beside a primary.
//!
//! It says nothing of the data; it says that this node's copy of the cluster's record was the primary's.

use super::{PostgresError, life};
use crate::model::settings::Settings;
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};

/// Tells whether that was noted since Pacemaker's executor, which calls the agent, was started.
#[must_use]
pub fn is_of_this_life(settings: &Settings, user: &User) -> bool {
    life::is_present(&settings.followed_file(), user)
}

/// Notes it.
///
/// # Errors
/// It cannot be written.
pub fn note(settings: &Settings, user: &User) -> Result<(), PostgresError> {
    let path = settings.followed_file();
    as_user(user, || files::replace(&path, &life::line(), Attributes::PRIVATE))??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tests::Fake;

    #[test]
    fn only_what_was_noted_in_this_life_counts() {
        let fake = Fake::new();
        assert!(!is_of_this_life(&fake.settings, &fake.user));
        note(&fake.settings, &fake.user).expect("noted");
        assert!(is_of_this_life(&fake.settings, &fake.user));
        for other in ["", "life x 1 1\n"] {
            std::fs::write(fake.settings.followed_file(), other).expect("written");
            assert!(!is_of_this_life(&fake.settings, &fake.user), "{other}");
        }
    }
}
