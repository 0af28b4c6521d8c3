//! What `scripts/matrix-setup` has fetched, and where. It fetches nothing itself.

use std::path::{Path, PathBuf};

/// A Debian release that hosts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debian {
    /// 11, bullseye: Pacemaker 2.0, which knows only the old names of the roles.
    Eleven,
    /// 12, bookworm: Pacemaker 2.1, both names. The machine's own root.
    Twelve,
    /// 13, trixie: Pacemaker 3.0.
    Thirteen,
}

impl Debian {
    /// The number.
    pub const fn number(self) -> u32 {
        match self {
            Self::Eleven => 11,
            Self::Twelve => 12,
            Self::Thirteen => 13,
        }
    }

    /// The root of its hosts.
    pub fn tree(self) -> PathBuf {
        match self {
            Self::Eleven => fetched("trees/bullseye"),
            Self::Twelve => PathBuf::from("/"),
            Self::Thirteen => fetched("trees/trixie"),
        }
    }

    /// The programs of its own PostgreSQL.
    pub const fn bindir(self) -> &'static str {
        match self {
            Self::Eleven => "/usr/lib/postgresql/13/bin",
            Self::Twelve => "/usr/lib/postgresql/15/bin",
            Self::Thirteen => "/usr/lib/postgresql/17/bin",
        }
    }
}

/// The directory of everything fetched: `MATRIX_DIR`, or `target/matrix`.
pub fn directory() -> PathBuf {
    option_env!("MATRIX_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/matrix"), PathBuf::from)
}

/// The programs of a PostgreSQL that Debian 12 does not carry.
pub fn postgresql(major: u32) -> PathBuf {
    fetched(&format!("postgres/{major}/native"))
}

/// The agent, linked so that it runs on every release.
pub fn agent() -> PathBuf {
    fetched("agent/pgsql-ha")
}

fn fetched(path: &str) -> PathBuf {
    let path = directory().join(path);
    assert!(path.exists(), "{} is missing: run scripts/matrix-setup", path.display());
    path
}
