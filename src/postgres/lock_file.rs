//! `PGSQL.lock`: this node has been primary, and its data may hold what others lack.

use super::{PostgresError, life};
use crate::model::instance::Lock;
use crate::model::settings::Settings;
use crate::model::wal::Timeline;
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};

const BYTES_MAX: u64 = 4096;
const LABEL: &str = "timeline ";

/// Reads the lock; `None`: there is none. The stock agent's is empty.
///
/// # Errors
/// It cannot be read; whoever decides must not take that for no lock.
pub fn read(settings: &Settings, user: &User) -> Result<Option<Lock>, PostgresError> {
    let path = settings.lock_file();
    Ok(as_user(user, || files::read(&path, BYTES_MAX))??.map(|text| parse(&text)))
}

/// Tells whether the lock was written since Pacemaker's executor, which calls the agent, was started.
#[must_use]
pub fn is_of_this_life(settings: &Settings, user: &User) -> bool {
    life::is_present(&settings.lock_file(), user)
}

/// Creates the lock of a node that is about to be primary on this timeline.
///
/// # Errors
/// It cannot be written.
pub fn create(settings: &Settings, user: &User, timeline: Timeline) -> Result<(), PostgresError> {
    let path = settings.lock_file();
    log::info!("Creating {}.", path.display());
    let text = format!("{LABEL}{timeline}\n{}", life::line());
    as_user(user, || files::replace(&path, &text, Attributes::PRIVATE))??;
    Ok(())
}

/// Removes the lock.
///
/// # Errors
/// It cannot be removed.
pub fn remove(settings: &Settings, user: &User) -> Result<(), PostgresError> {
    let path = settings.lock_file();
    log::info!("Removing {}.", path.display());
    as_user(user, || files::remove(&path))??;
    Ok(())
}

fn parse(text: &str) -> Lock {
    let number = text.lines().find_map(|line| line.strip_prefix(LABEL)?.trim().parse().ok());
    Lock { timeline: number.map(Timeline) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tests::Fake;

    #[test]
    fn the_lock_reads_back_and_the_stock_agents_is_a_lock_too() {
        let fake = Fake::new();
        assert_eq!(read(&fake.settings, &fake.user).expect("read"), None);
        create(&fake.settings, &fake.user, Timeline(7)).expect("created");
        let lock = read(&fake.settings, &fake.user).expect("read");
        assert_eq!(lock, Some(Lock { timeline: Some(Timeline(7)) }));
        assert!(is_of_this_life(&fake.settings, &fake.user));
        for other in ["", "timeline 7\n", "timeline 7\nlife x 1 1\n"] {
            std::fs::write(fake.settings.lock_file(), other).expect("written");
            assert!(!is_of_this_life(&fake.settings, &fake.user), "{other}");
        }
        remove(&fake.settings, &fake.user).expect("removed");
        remove(&fake.settings, &fake.user).expect("removed already");
        for text in ["", "timeline x", "something else"] {
            assert_eq!(parse(text), Lock { timeline: None });
        }
    }
}
