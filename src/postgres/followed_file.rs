//! `PGSQL.followed`: since Pacemaker was started here, this node has been a standby beside a primary. And
//! `PGSQL.started`: when it first was anything.
//!
//! They say nothing of the data; they say whether this node's copy of the cluster's record can be older than others.

use super::{PostgresError, life};
use crate::model::settings::Settings;
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};

const BYTES_MAX: u64 = 4096;

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

/// Tells whether an instance was first started here in the present life of Pacemaker, or has yet to be.
#[must_use]
pub fn is_first_life(settings: &Settings, user: &User) -> bool {
    let path = settings.started_file();
    matches!(as_user(user, || files::read(&path, BYTES_MAX)), Ok(Ok(None)))
        || life::is_present(&path, user)
}

/// Notes that an instance is started, once.
///
/// # Errors
/// It cannot be written.
pub fn note_first(settings: &Settings, user: &User) -> Result<(), PostgresError> {
    let path = settings.started_file();
    if as_user(user, || files::read(&path, BYTES_MAX))??.is_none() {
        as_user(user, || files::replace(&path, &life::line(), Attributes::PRIVATE))??;
    }
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
        assert!(is_first_life(&fake.settings, &fake.user));
        note_first(&fake.settings, &fake.user).expect("noted");
        assert!(is_first_life(&fake.settings, &fake.user));
        std::fs::write(fake.settings.started_file(), "life x 1 1\n").expect("written");
        note_first(&fake.settings, &fake.user).expect("noted before");
        assert!(!is_first_life(&fake.settings, &fake.user));
        for other in ["", "life x 1 1\n"] {
            std::fs::write(fake.settings.followed_file(), other).expect("written");
            assert!(!is_of_this_life(&fake.settings, &fake.user), "{other}");
        }
    }
}
