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
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::slot::SlotName;
use crate::model::sync_names::SyncNames;
use crate::system::SystemError;
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};

const BYTES_MAX: u64 = 1 << 20;

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
        line("recovery_target_timeline", "latest");
        if self.version.uses_recovery_conf() {
            line("standby_mode", "on");
        }
        for (name, value) in [
            ("archive_cleanup_command", &settings.archive_cleanup_command),
            ("recovery_end_command", &settings.recovery_end_command),
        ] {
            if !value.is_empty() {
                line(name, value);
            }
        }
        if settings.uses_slots() {
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

    /// Tells whether every file already is as it must be.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn is_current(&self) -> Result<bool, PostgresError> {
        let (path, mark) = (self.path(), mark(self.settings, self.version));
        let (text, marked) = as_user(self.user, || (files::read(&path, BYTES_MAX), mark.exists()))?;
        let rep_mode_conf = match self.settings.rep_mode {
            ReplicationMode::Sync => sync_file::read(self.settings, self.user)?.is_some(),
            ReplicationMode::Async | ReplicationMode::None | ReplicationMode::Slave => true,
        };
        Ok(text?.is_some_and(|text| text == self.text())
            && marked
            && rep_mode_conf
            && self.includes().are_current(self.settings, self.user)?)
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
mod tests {
    use super::*;
    use crate::postgres::tests::{Fake, settings_in};
    use std::path::Path;

    fn settings() -> Settings {
        Settings {
            master_ip: "192.168.0.200".into(),
            primary_conninfo_opt: "keepalives_idle=60 password='it\\'s'".into(),
            restore_command: "cp '/arch ive/%f' \"%p\" \\ || false".into(),
            replication_slot_name: "s".into(),
            node_list: vec![NodeName::new("PM-01"), NodeName::new("pm02")],
            rep_mode: ReplicationMode::Sync,
            ..settings_in(Path::new("/data"))
        }
    }

    fn text(settings: &Settings, version: Version, primary: Option<&str>) -> String {
        let user = User::lookup("root").expect("lookup").expect("exists");
        let local = NodeName::new("PM-01");
        Standby { settings, user: &user, local: &local, version, primary }.text()
    }

    #[test]
    fn the_text_is_the_stock_agents_but_quoted() {
        let expected = "\
primary_conninfo = 'host=192.168.0.200 port=5432 user=postgres application_name=pm-01 \
keepalives_idle=60 password=''it\\\\''s'''
restore_command = 'cp ''/arch ive/%f'' \"%p\" \\\\ || false'
recovery_target_timeline = 'latest'
primary_slot_name = 's_pm_01'
";
        assert_eq!(text(&settings(), Version::new(15, 0), None), expected);
        let old = text(&settings(), Version::new(11, 0), Some("pm02"));
        assert!(old.contains("host=pm02 port"));
        assert!(old.contains("standby_mode = 'on'\n"));
        let bare = settings_in(Path::new("/data"));
        let bare = text(&bare, Version::new(12, 0), Some("x y"));
        assert!(bare.contains("'host=''x y'' port=5432 user=postgres application_name=pm-01'\n"));
        assert!(bare.contains("restore_command = ''\n"));
        assert!(!bare.contains("slot"));
    }

    #[test]
    fn the_value_reads_back_through_both_grammars() {
        let text = text(&settings(), Version::new(15, 0), None);
        let conninfo = quoting::last_setting(&text, "primary_conninfo").expect("set");
        let pairs = quoting::conninfo_pairs(&conninfo).expect("parsed");
        assert_eq!(pairs.last(), Some(&("password".to_owned(), "it's".to_owned())));
        let command = quoting::last_setting(&text, "restore_command");
        assert_eq!(command, Some(settings().restore_command));
    }

    #[test]
    fn another_source_of_the_conninfo_is_noticed() {
        let ours = "host=10.0.0.1 port=5432 user=rep application_name=a password=x";
        assert!(!primary_conninfo_overridden(ours, ours));
        let shown = "user=rep  password=******** host='10.0.0.1' port=5432 application_name=a";
        assert!(!primary_conninfo_overridden(shown, ours));
        assert!(primary_conninfo_overridden(&shown.replace("0.1", "0.2"), ours));
        assert!(primary_conninfo_overridden("postgresql://10.0.0.1/", ours));
        assert!(primary_conninfo_overridden("", ours));
    }

    #[test]
    fn files_are_written_once_and_are_current_then() {
        for version in [Version::new(11, 0), Version::new(15, 0)] {
            let mut fake = Fake::new();
            fake.settings.rep_mode = ReplicationMode::Sync;
            std::fs::write(&fake.settings.config, "port = 5432\n").expect("write");
            let local = NodeName::new("pm01");
            let standby = Standby {
                settings: &fake.settings,
                user: &fake.user,
                local: &local,
                version,
                primary: None,
            };
            assert!(!standby.is_current().expect("read"));
            standby.write().expect("written");
            assert!(standby.is_current().expect("read"));
            assert!(has_mark(&fake.settings, &fake.user, version).expect("read"));
            let config = std::fs::read_to_string(&fake.settings.config).expect("read");
            standby.write().expect("written again");
            assert_eq!(std::fs::read_to_string(&fake.settings.config).expect("read"), config);
            assert_eq!(
                config.matches("# added by pgsql RA").count(),
                if version.uses_recovery_conf() { 1 } else { 2 }
            );
            assert!(!Standby { primary: Some("pm02"), ..standby }.is_current().expect("read"));
            remove_mark(&fake.settings, &fake.user, version).expect("removed");
            assert!(!has_mark(&fake.settings, &fake.user, version).expect("read"));
            assert!(!standby.is_current().expect("read"));
            fake.settings.rep_mode = ReplicationMode::Async;
            let standby = Standby {
                settings: &fake.settings,
                user: &fake.user,
                local: &local,
                version,
                primary: None,
            };
            standby.write().expect("written");
            let config = std::fs::read_to_string(&fake.settings.config).expect("read");
            assert!(!config.contains("rep_mode.conf"));
        }
    }
}
