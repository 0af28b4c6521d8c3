//! The server's version, and what follows from it.

use std::fmt;

use super::PostgresError;
use crate::model::settings::Settings;
use crate::system::files;
use crate::system::identity::{User, as_user};

const FILE_BYTES_MAX: u64 = 64;

/// A major version: 9.4 … 9.6, then 10, 11, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    /// Always 0 from version 10 on, where the second number no longer tells of features.
    minor: u32,
}

impl Version {
    /// Makes a version from its numbers; the second only counts before 10.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor: if major < 10 { minor } else { 0 } }
    }

    /// Reads `PG_VERSION`'s content or the parameter `server_version`: `9.6`, `15`,
    /// `15.13 (Debian 15.13-0+deb12u1)`, `18beta1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        match major {
            0..10 => Some(Self::new(major, numbers.next()?.parse().ok()?)),
            _ => Some(Self::new(major, 0)),
        }
    }

    /// Reads the version of the data directory (`PG_VERSION`).
    ///
    /// # Errors
    /// The file is missing or cannot be read.
    pub fn of_directory(settings: &Settings, user: &User) -> Result<Self, PostgresError> {
        let path = settings.pgdata.join("PG_VERSION");
        let text = as_user(user, || files::read(&path, FILE_BYTES_MAX))??
            .ok_or_else(|| PostgresError::NotADataDirectory(settings.pgdata.clone()))?;
        Self::parse(&text).ok_or(PostgresError::Malformed { what: "PG_VERSION", text })
    }

    /// Tells whether standbys are made by `recovery.conf` (PostgreSQL 12 refuses to start with it).
    #[must_use]
    pub fn uses_recovery_conf(self) -> bool {
        self < Self::new(12, 0)
    }

    /// Tells whether `primary_conninfo` and `primary_slot_name` change by a reload.
    #[must_use]
    pub fn primary_conninfo_reloads(self) -> bool {
        self >= Self::new(13, 0)
    }

    /// Tells whether functions and columns are called `xlog` and `location` (before 10).
    #[must_use]
    pub fn says_xlog(self) -> bool {
        self < Self::new(10, 0)
    }

    /// Tells whether there are `pg_stat_wal_receiver`, `pg_control_checkpoint()` and slots that
    /// keep WAL from their creation on.
    #[must_use]
    pub fn has_receiver_view(self) -> bool {
        self >= Self::new(9, 6)
    }

    /// Tells whether there is `pg_replication_slot_advance()`.
    #[must_use]
    pub fn advances_slots(self) -> bool {
        self >= Self::new(11, 0)
    }

    /// Tells whether `pg_replication_slots` has `wal_status`.
    #[must_use]
    pub fn has_wal_status(self) -> bool {
        self >= Self::new(13, 0)
    }

    /// Tells whether `pg_waldump` can read without printing.
    #[must_use]
    pub fn dumps_quietly(self) -> bool {
        self >= Self::new(13, 0)
    }

    /// Tells whether `pg_rewind` would by itself recover a server that crashed.
    #[must_use]
    pub fn rewinds_after_crash(self) -> bool {
        self >= Self::new(13, 0)
    }

    /// Tells whether statistics lie in files (`stats_temp_directory`).
    #[must_use]
    pub fn has_statistics_files(self) -> bool {
        self < Self::new(15, 0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.major {
            0..10 => write!(f, "{}.{}", self.major, self.minor),
            _ => write!(f, "{}", self.major),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_server_writes_them() {
        for (text, version) in [
            ("9.4\n", Some(Version::new(9, 4))),
            ("9.6.24", Some(Version::new(9, 6))),
            ("10\n", Some(Version::new(10, 0))),
            ("15.13 (Debian 15.13-0+deb12u1)", Some(Version::new(15, 0))),
            ("18beta1", Some(Version::new(18, 0))),
            ("9", None),
            ("", None),
            ("x", None),
            ("99999999999", None),
        ] {
            assert_eq!(Version::parse(text), version, "{text}");
        }
    }

    #[test]
    fn features_come_with_their_version() {
        let all = ["9.4", "9.5", "9.6", "10", "11", "12", "13", "14", "15", "18"];
        let first = |feature: fn(Version) -> bool, wanted| {
            all.into_iter().find(|text| feature(Version::parse(text).expect("version")) == wanted)
        };
        assert_eq!(first(Version::uses_recovery_conf, false), Some("12"));
        assert_eq!(first(Version::primary_conninfo_reloads, true), Some("13"));
        assert_eq!(first(Version::says_xlog, false), Some("10"));
        assert_eq!(first(Version::advances_slots, true), Some("11"));
        assert_eq!(first(Version::has_wal_status, true), Some("13"));
        assert_eq!(first(Version::has_receiver_view, true), Some("9.6"));
        assert_eq!(first(Version::has_statistics_files, false), Some("15"));
        assert_eq!(first(Version::dumps_quietly, true), Some("13"));
        assert_eq!(first(Version::rewinds_after_crash, true), Some("13"));
    }
}
