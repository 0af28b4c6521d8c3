//! The settings that make the server a standby, and the files they stand in.
//!
//! Before PostgreSQL 12 that is `recovery.conf` in PGDATA; since then `recovery.conf` in tmpdir,
//! which an include line in `postgresql.conf` reads, and the empty `standby.signal` in PGDATA.
//! Names of files and settings are the stock agent's.

use std::fmt::Write;
use std::path::PathBuf;

use super::PostgresError;
use super::config_file::{self, Includes};
use super::quoting;
use super::sync_file;
use super::version::Version;
use crate::model::node::NodeName;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::slot::SlotName;
use crate::model::sync_names::SyncNames;
use crate::model::wal::Timeline;
use crate::system::SystemError;
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};

const BYTES_MAX: u64 = 1 << 20;

/// Which timeline a standby recovers to: a number, or one of these words (`validateRecoveryParameters()`
/// in `xlogrecovery.c`; `pg_control`'s own is the default before version 12).
const TARGET: &str = "recovery_target_timeline";
const LATEST: &str = "latest";
const CURRENT: &str = "current";

/// How often a standby looks for its primary, unless the operator says otherwise: after a failover
/// that is how long redundancy is missing.
const RETRY: &str = "1s";

/// Where recovery ends; left from a point-in-time recovery they would have a standby pause, or promote itself.
pub const RECOVERY_TARGETS: [&str; 5] = [
    "recovery_target",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
];

/// What the local standby is to be.
#[derive(Debug, Clone, Copy)]
pub struct Standby<'a> {
    /// The agent's parameters.
    pub settings: &'a Settings,
    /// The database user.
    pub user: &'a User,
    /// The local node.
    pub local: &'a NodeName,
    /// The server's version.
    pub version: Version,
    /// Host to stream from in place of `master_ip`.
    pub primary: Option<&'a str>,
    /// Which timeline it recovers to.
    pub recovers_to: RecoveryTimeline,
    /// Whether the operator has left `wal_retrieve_retry_interval` alone, so that the standby may be
    /// told to look for a new primary more often than every five seconds.
    pub retry_interval_unset: bool,
}

impl Standby<'_> {
    /// Returns `primary_conninfo`: ours, then `primary_conninfo_opt` as it is.
    #[must_use]
    pub fn conninfo(&self) -> String {
        let host = self.primary.unwrap_or(&self.settings.master_ip);
        let text = format!(
            "host={} port={} user={} application_name={} {}",
            quoting::conninfo_value(host),
            self.settings.pgport,
            quoting::conninfo_value(&self.settings.repuser),
            quoting::conninfo_value(&self.local.application_name()),
            self.settings.primary_conninfo_opt,
        );
        text.trim_end().to_owned()
    }

    /// Returns the text of `recovery.conf`.
    #[must_use]
    pub fn text(&self) -> String {
        let settings = self.settings;
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{name} = {}", quoting::setting(value));
        };
        line("primary_conninfo", &self.conninfo());
        line("restore_command", &settings.restore_command);
        match self.recovers_to {
            RecoveryTimeline::Latest => line(TARGET, LATEST),
            RecoveryTimeline::Own(Some(timeline)) => line(TARGET, &timeline.to_string()),
            // Before version 12 that was the default, and had no name.
            RecoveryTimeline::Own(None) if self.version.uses_recovery_conf() => {}
            RecoveryTimeline::Own(None) => line(TARGET, CURRENT),
        }
        if self.version.uses_recovery_conf() {
            line("standby_mode", "on");
        }
        if !self.version.uses_recovery_conf() {
            // The file that includes this one may have been left with them.
            for name in config_file::that_are_set(self.settings, self.user, &RECOVERY_TARGETS) {
                line(name, "");
            }
        }
        if self.retry_interval_unset && !self.version.uses_recovery_conf() {
            line("wal_retrieve_retry_interval", RETRY);
        }
        for (name, value) in [
            ("archive_cleanup_command", &settings.archive_cleanup_command),
            ("recovery_end_command", &settings.recovery_end_command),
        ] {
            if !value.is_empty() {
                line(name, value);
            }
        }
        // Another standby holds no slot for this one, nor does the primary for a node outside of node_list;
        // a primary that the cluster knows nothing of has the slots that its administrator made.
        let is_listed = !settings.is_replication() || settings.lists(self.local);
        if settings.uses_slots() && self.primary.is_none() && is_listed {
            let prefix = &settings.replication_slot_name;
            line(
                "primary_slot_name",
                SlotName::of(prefix, self.local, &settings.node_list).as_str(),
            );
        }
        text
    }

    fn path(&self) -> PathBuf {
        match self.version.uses_recovery_conf() {
            true => self.settings.pgdata.join("recovery.conf"),
            false => self.settings.tmpdir.join("recovery.conf"),
        }
    }

    fn includes(&self) -> Includes {
        let mut includes = Includes { wanted: Vec::new(), unwanted: Vec::new() };
        if !self.version.uses_recovery_conf() {
            includes.wanted.push(config_file::include_line(&self.path()));
        }
        let rep_mode = config_file::include_line(&self.settings.rep_mode_conf());
        match self.settings.rep_mode {
            ReplicationMode::Sync => includes.wanted.push(rep_mode),
            ReplicationMode::Async => includes.unwanted.push(rep_mode),
            ReplicationMode::None | ReplicationMode::Slave => {}
        }
        includes
    }

    /// Tells whether every file already is as it must be, whichever timeline the present ones name.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn is_current(&self) -> Result<bool, PostgresError> {
        let recovers_to = self.recovers_at_present()?;
        let wanted = Self { recovers_to: recovers_to.unwrap_or(self.recovers_to), ..*self };
        let (path, mark) = (self.path(), mark(self.settings, self.version));
        let (text, marked) = as_user(self.user, || (files::read(&path, BYTES_MAX), mark.exists()))?;
        let rep_mode_conf = match self.settings.rep_mode {
            ReplicationMode::Sync => sync_file::read(self.settings, self.user)?.is_some(),
            ReplicationMode::Async | ReplicationMode::None | ReplicationMode::Slave => true,
        };
        Ok(text?.is_some_and(|text| text == wanted.text())
            && marked
            && rep_mode_conf
            && self.includes().are_current(self.settings, self.user)?)
    }

    /// Returns which timeline the present settings let the server recover to; `None`: there are none, or
    /// they are not the agent's.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn recovers_at_present(&self) -> Result<Option<RecoveryTimeline>, PostgresError> {
        let path = self.path();
        let Some(text) = as_user(self.user, || files::read(&path, BYTES_MAX))?? else {
            return Ok(None);
        };
        let word = quoting::last_setting(&text, TARGET);
        Ok(match word.as_deref() {
            Some(LATEST) => Some(RecoveryTimeline::Latest),
            Some(CURRENT) => Some(RecoveryTimeline::Own(None)),
            Some(word) => {
                word.parse().ok().map(|number| RecoveryTimeline::Own(Some(Timeline(number))))
            }
            None => self.version.uses_recovery_conf().then_some(RecoveryTimeline::Own(None)),
        })
    }

    /// Writes every file that is not as it must be; included files exist before their line does.
    ///
    /// # Errors
    /// One of them cannot be written.
    pub fn write(&self) -> Result<(), PostgresError> {
        let (path, text) = (self.path(), self.text());
        files::own_directory(&self.settings.tmpdir, 0o700, self.user)?;
        as_user(self.user, || match files::read(&path, BYTES_MAX) {
            Ok(Some(present)) if present == text => Ok(()),
            Ok(_) | Err(_) => files::replace(&path, &text, Attributes::PRIVATE),
        })??;
        if self.settings.rep_mode == ReplicationMode::Sync
            && sync_file::read(self.settings, self.user)?.is_none()
        {
            sync_file::write(self.settings, self.user, &SyncNames::nobody())?;
        }
        self.includes().write(self.settings, self.user)?;
        if !self.version.uses_recovery_conf() {
            let mark = mark(self.settings, self.version);
            as_user(self.user, || create_mark(&mark))??;
        }
        Ok(())
    }
}

fn create_mark(mark: &std::path::Path) -> Result<(), SystemError> {
    if mark.exists() { Ok(()) } else { files::replace(mark, "", Attributes::PRIVATE) }
}

/// Returns the file whose presence makes the server start as a standby.
fn mark(settings: &Settings, version: Version) -> PathBuf {
    let name = if version.uses_recovery_conf() { "recovery.conf" } else { "standby.signal" };
    settings.pgdata.join(name)
}

/// Tells whether the file is there whose presence makes the server start as a standby.
///
/// # Errors
/// The directory cannot be read.
pub fn has_mark(settings: &Settings, user: &User, version: Version) -> Result<bool, PostgresError> {
    let mark = mark(settings, version);
    let found = as_user(user, || mark.try_exists())?;
    Ok(found.map_err(|source| SystemError::File { action: "look at", path: mark, source })?)
}

/// Removes the file whose presence makes the server start as a standby.
///
/// # Errors
/// It cannot be removed.
pub fn remove_mark(
    settings: &Settings,
    user: &User,
    version: Version,
) -> Result<(), PostgresError> {
    let mark = mark(settings, version);
    as_user(user, || files::remove(&mark))??;
    Ok(())
}

/// Tells whether the `primary_conninfo` that the server uses is another than ours: something that
/// it reads later, usually `postgresql.auto.conf`, sets it too. Passwords are not compared.
#[must_use]
pub fn primary_conninfo_overridden(effective: &str, ours: &str) -> bool {
    let known = |text: &str| {
        let mut pairs = quoting::conninfo_pairs(text)?;
        pairs.retain(|(key, _)| key != "password" && key != "sslpassword");
        pairs.sort();
        Some(pairs)
    };
    match (known(effective), known(ours)) {
        (Some(effective), Some(ours)) => effective != ours,
        (Some(_) | None, Some(_) | None) => effective != ours,
    }
}

#[cfg(test)]
mod tests;
