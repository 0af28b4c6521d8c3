//! Connecting to the local server: where it is, as whom, with which password.

use std::path::Path;
use std::time::Instant;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls};

use crate::model::settings::Settings;
use crate::postgres::password_file::{self, Key};
use crate::postgres::pid_file::PidFile;
use crate::postgres::version::Version;
use crate::system::identity::User;

/// The name under which the agent's connections appear in `pg_stat_activity`.
const APPLICATION_NAME: &str = "pgsql-ha";
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// As whom the server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `monitor_user`, or the database user.
    Monitor,
    /// The database user, a superuser.
    Owner,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) version: Version,
    pub(super) driver: JoinHandle<()>,
}

/// Says where the server is and as whom it is asked.
pub(super) fn config(settings: &Settings, owner: &User, role: Role, deadline: Instant) -> Config {
    let user = match role {
        Role::Monitor => settings.database_user(),
        Role::Owner => &settings.pgdba,
    };
    let mut config = Config::new();
    config.user(user).dbname(&settings.pgdb).port(settings.pgport);
    config.application_name(APPLICATION_NAME);
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().clamp(1, 3_600_000);
    config.options(format!("-c statement_timeout={left} -c lock_timeout={left}"));
    let host = host(settings, owner);
    match host.starts_with('/') {
        true => config.host_path(&host),
        false => config.host(&host),
    };
    let given = settings.monitor_password.as_ref().filter(|_| user == settings.database_user());
    let key = Key { host: &host, port: settings.pgport, database: &settings.pgdb, user };
    let password = given.cloned().or_else(|| password_file::password(owner, key));
    if let Some(password) = password {
        config.password(password.reveal());
    }
    config
}

/// Returns the host, or the directory of the Unix socket.
fn host(settings: &Settings, owner: &User) -> String {
    if !settings.pghost.is_empty() {
        return settings.pghost.clone();
    }
    if !settings.socketdir.is_empty() {
        return settings.socketdir.clone();
    }
    let file = PidFile::read(settings, owner).ok().flatten();
    if let Some(directory) = file.and_then(|file| file.socket_directory) {
        return directory.to_string_lossy().into_owned();
    }
    let socket = format!(".s.PGSQL.{}", settings.pgport);
    let present = |directory: &&str| Path::new(directory).join(&socket).exists();
    let [usual, _] = SOCKET_DIRECTORIES;
    SOCKET_DIRECTORIES.into_iter().find(present).unwrap_or(usual).to_owned()
}

/// Connects; the caller keeps the time.
pub(super) async fn establish(config: &Config) -> Result<Connection, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let version = connection.parameter("server_version").and_then(Version::parse);
    let driver = tokio::spawn(async {
        if let Err(error) = connection.await {
            log::debug!("connection to the server: {error}");
        }
    });
    // Every server tells its version; what is asked of an unknown one is the newest form.
    let version = version.unwrap_or(Version::new(u32::MAX, 0));
    Ok(Connection { client, version, driver })
}
