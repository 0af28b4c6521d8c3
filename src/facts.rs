//! What validation has to know of this host.
//!
//! Reads, never changes, never judges.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::model::instance::DataDirectory;
use crate::model::settings::Settings;
use crate::ocf::validate::{Fact, Facts, version_num};
use crate::postgres::{postmaster, quoting, standby};
use crate::system::files;
use crate::system::identity::{User, acting_as_root, as_user};

/// A configuration file larger than this is none.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// What `PG_VERSION` may hold.
const VERSION_BYTES_MAX: u64 = 64;

/// Looks at everything that validation may ask for.
#[must_use]
pub fn gather(settings: &Settings) -> Facts {
    let user = User::lookup(&settings.pgdba);
    let known = user.as_ref().ok().and_then(Option::as_ref);
    let version = known.and_then(|user| {
        as_user(user, || files::read(&settings.pgdata.join("PG_VERSION"), VERSION_BYTES_MAX).ok())
            .ok()??
    });
    Facts {
        privileged: (acting_as_root() || known.is_some_and(User::is_me)).into(),
        pgdba_exists: user.as_ref().map_or(Fact::Unknown, |user| user.is_some().into()),
        pgctl_executable: is_executable(&settings.pgctl).into(),
        psql_executable: is_executable(&settings.psql).into(),
        config_exists: known.map_or(Fact::Unknown, |user| {
            as_user(user, || is_file(&settings.config)).unwrap_or(Fact::Unknown)
        }),
        pgdata_present: known.map_or(Fact::Unknown, |user| {
            match postmaster::data_directory(settings, user) {
                DataDirectory::Present => Fact::Holds,
                DataDirectory::Missing => Fact::Fails,
                DataDirectory::Unreadable(_) => Fact::Unknown,
            }
        }),
        pgdata_foreign_owner: known.and_then(|user| stranger(&settings.pgdata, user)),
        pgdata_writable: known.map_or(Fact::Unknown, |user| is_writable(&settings.pgdata, user)),
        server_version: version.and_then(|text| version_num(&text)),
        unix_socket_directories: known
            .and_then(|user| server_setting(settings, user, "unix_socket_directories")),
        recovery_target: known.and_then(|user| recovery_target(settings, user)),
    }
}

/// Returns what the server's configuration file itself says of a setting; files that it includes are
/// not read.
#[must_use]
pub fn server_setting(settings: &Settings, user: &User, name: &str) -> Option<String> {
    let text = as_user(user, || files::read(&settings.config, CONFIG_BYTES_MAX).ok());
    quoting::last_setting(&text.ok()???, name)
}

/// Returns a recovery target that the server reads after the agent's settings, which empty the others.
fn recovery_target(settings: &Settings, user: &User) -> Option<&'static str> {
    let path = settings.pgdata.join("postgresql.auto.conf");
    let text = as_user(user, || files::read(&path, CONFIG_BYTES_MAX).ok()).ok()???;
    let is_set = |name: &&str| quoting::last_setting(&text, name).is_some_and(|v| !v.is_empty());
    standby::RECOVERY_TARGETS.into_iter().find(is_set)
}

/// Tells whether the server's configuration leaves `wal_retrieve_retry_interval` alone.
#[must_use]
pub fn retry_interval_unset(settings: &Settings, user: &User) -> bool {
    server_setting(settings, user, "wal_retrieve_retry_interval").is_none()
}

/// Returns this host's name.
#[must_use]
pub fn host_name() -> String {
    nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_else(|_| "localhost".to_owned())
}

/// A file that the database user may not look for may be there: what forbids it is another fault.
fn is_file(path: &Path) -> Fact {
    match path.metadata() {
        Ok(data) => data.is_file().into(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Fact::Fails,
        Err(_) => Fact::Unknown,
    }
}

/// Returns the owner of a directory, unless that is this user.
fn stranger(directory: &Path, user: &User) -> Option<String> {
    let data = as_user(user, || directory.metadata().ok()).ok()??;
    let uid = data.is_dir().then(|| data.uid())?;
    (uid != user.uid).then(|| User::name_of(uid))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

fn is_writable(directory: &Path, user: &User) -> Fact {
    as_user(user, || {
        // `faccessat` with the effective identity, which is the database user's here.
        nix::unistd::faccessat(
            nix::fcntl::AT_FDCWD,
            directory,
            nix::unistd::AccessFlags::W_OK,
            nix::fcntl::AtFlags::AT_EACCESS,
        )
        .is_ok()
    })
    .map_or(Fact::Unknown, Fact::from)
}
