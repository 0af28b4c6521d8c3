//! The server's configuration file: what it sets, and the include lines that the agent keeps in it.
//!
//! Every other line of the file stays as it is, and so do its mode and, where possible, its owner.

use std::fs;
use std::path::{Path, PathBuf};

use super::PostgresError;
use super::quoting;
use crate::model::settings::Settings;
use crate::system::SystemError;
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, acting_as_root, as_user};

const BYTES_MAX: u64 = 16 << 20;

/// Returns the line that includes a file, to the letter of the stock agent.
pub(super) fn include_line(path: &Path) -> String {
    format!("include {} # added by pgsql RA", quoting::setting(&path.to_string_lossy()))
}

/// Returns what the file itself sets; what it includes is not read, as with the stock agent.
///
/// `None` when it sets nothing or cannot be read as the database user.
#[must_use]
pub fn setting(settings: &Settings, user: &User, name: &str) -> Option<String> {
    let (_, text) = resolve(&settings.config, user).ok()?;
    quoting::last_setting(&text, name)
}

/// Returns which of these the file itself sets to something.
pub(super) fn that_are_set(
    settings: &Settings,
    user: &User,
    names: &[&'static str],
) -> Vec<&'static str> {
    let Ok((_, text)) = resolve(&settings.config, user) else { return Vec::new() };
    let is_set = |name: &str| quoting::last_setting(&text, name).is_some_and(|v| !v.is_empty());
    names.iter().copied().filter(|name| is_set(name)).collect()
}

/// Which include lines the configuration file must have, and must not have.
pub(super) struct Includes {
    pub(super) wanted: Vec<String>,
    pub(super) unwanted: Vec<String>,
}

impl Includes {
    /// Tells whether the file already is as it must be.
    pub(super) fn are_current(
        &self,
        settings: &Settings,
        user: &User,
    ) -> Result<bool, PostgresError> {
        let (_, text) = resolve(&settings.config, user)?;
        Ok(self.apply(&text).is_none())
    }

    /// Changes the file where it must be changed.
    pub(super) fn write(&self, settings: &Settings, user: &User) -> Result<(), PostgresError> {
        let (path, text) = resolve(&settings.config, user)?;
        let Some(text) = self.apply(&text) else { return Ok(()) };
        log::info!("changing the agent's include directives in {}", settings.config.display());
        match as_user(user, || write_as_owner(&path, &text))? {
            Err(error) if error.is_denied() && acting_as_root() => {
                write_as_root(&path, &text).map_err(PostgresError::from)
            }
            result => result.map_err(PostgresError::from),
        }
    }

    /// Returns the text with the lines added and removed; `None`: nothing changes.
    fn apply(&self, text: &str) -> Option<String> {
        let is = |line: &str, include: &String| line.trim_start().starts_with(include.as_str());
        let stays = |line: &&str| !self.unwanted.iter().any(|include| is(line, include));
        let mut kept: String = text.split_inclusive('\n').filter(stays).collect();
        let missing = |include: &&String| !text.lines().any(|line| is(line, include));
        for include in self.wanted.iter().filter(missing) {
            if !kept.is_empty() && !kept.ends_with('\n') {
                kept.push('\n');
            }
            kept.push_str(include);
            kept.push('\n');
        }
        (kept != text).then_some(kept)
    }
}

/// Follows links as the database user may, and reads the file.
fn resolve(config: &Path, user: &User) -> Result<(PathBuf, String), SystemError> {
    let missing = |source| SystemError::File { action: "read", path: config.to_owned(), source };
    as_user(user, || {
        let path = fs::canonicalize(config).map_err(missing)?;
        match files::read(&path, BYTES_MAX)? {
            Some(text) => Ok((path, text)),
            None => Err(missing(std::io::ErrorKind::NotFound.into())),
        }
    })?
}

/// Replaces the file as a whole; where its directory is closed, writes into it; and where only the
/// owner cannot stay, because the file is another's in the database user's directory, takes it over.
fn write_as_owner(path: &Path, text: &str) -> Result<(), SystemError> {
    let attributes = Attributes::of(path)?;
    let denied = |result: &Result<(), SystemError>| matches!(result, Err(e) if e.is_denied());
    let mut result = files::replace(path, text, attributes);
    if denied(&result) {
        result = files::overwrite(path, text);
    }
    if denied(&result) {
        result = files::replace(path, text, Attributes { owner: None, ..attributes });
    }
    result
}

/// Replaces a file that is root's, in a directory that nobody else controls.
fn write_as_root(path: &Path, text: &str) -> Result<(), SystemError> {
    match path.parent() {
        Some(directory) if files::only_root_controls(directory) => {
            files::replace(path, text, Attributes::of(path)?)
        }
        Some(_) | None => Err(SystemError::Untrusted { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tests::Fake;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    fn includes(wanted: &[&str], unwanted: &[&str]) -> Includes {
        let lines =
            |paths: &[&str]| paths.iter().map(|path| include_line(Path::new(path))).collect();
        Includes { wanted: lines(wanted), unwanted: lines(unwanted) }
    }

    #[test]
    fn the_line_is_the_stock_agents() {
        assert_eq!(
            include_line(Path::new("/var/lib/pgsql/tmp/rep_mode.conf")),
            "include '/var/lib/pgsql/tmp/rep_mode.conf' # added by pgsql RA"
        );
    }

    #[test]
    fn lines_are_added_once_and_removed() {
        let text = "port = 5432";
        let once = includes(&["/t/r.conf"], &[]).apply(text).expect("changed");
        assert_eq!(once, "port = 5432\ninclude '/t/r.conf' # added by pgsql RA\n");
        assert_eq!(includes(&["/t/r.conf"], &[]).apply(&once), None);
        assert_eq!(includes(&[], &["/t/r.conf"]).apply(&once).as_deref(), Some("port = 5432\n"));
        assert_eq!(includes(&[], &["/t/r.conf"]).apply(text), None);
        let indented = format!("\t{}  \n", include_line(Path::new("/t/r.conf")));
        assert_eq!(includes(&["/t/r.conf"], &[]).apply(&indented), None);
        let comment = format!("#{indented}");
        assert!(includes(&["/t/r.conf"], &[]).apply(&comment).is_some());
    }

    #[test]
    fn the_file_keeps_owner_mode_and_link() {
        let fake = Fake::new();
        let real = fake.pgdata().join("real.conf");
        fs::write(&real, "a = 1\n").expect("write");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("chmod");
        chown(&real, Some(fake.user.uid), Some(fake.user.gid)).expect("chown");
        symlink(&real, &fake.settings.config).expect("link");
        let wanted = includes(&["/t/r.conf"], &[]);
        assert!(!wanted.are_current(&fake.settings, &fake.user).expect("read"));
        wanted.write(&fake.settings, &fake.user).expect("written");
        assert!(wanted.are_current(&fake.settings, &fake.user).expect("read"));
        let metadata = fs::symlink_metadata(&real).expect("metadata");
        assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o640, fake.user.uid));
        assert!(fs::symlink_metadata(&fake.settings.config).expect("metadata").is_symlink());
    }

    #[test]
    fn root_follows_no_link_to_a_file_of_its_own() {
        if !acting_as_root() {
            return;
        }
        let fake = Fake::new();
        let roots = tempfile::tempdir().expect("directory");
        fs::set_permissions(roots.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
        let target = roots.path().join("target");
        fs::write(&target, "root's\n").expect("write");
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).expect("chmod");
        symlink(&target, &fake.settings.config).expect("link");
        fs::set_permissions(roots.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let wanted = includes(&["/t/r.conf"], &[]);
        assert!(wanted.write(&fake.settings, &fake.user).is_err());
        assert_eq!(fs::read_to_string(&target).expect("read"), "root's\n");
    }
}
