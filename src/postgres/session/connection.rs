//! Connecting to the local server: where it is, as whom, with which password.

use std::path::Path;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Error, NoTls, Socket};

use super::tls::{Way, is_barred, ways};

use crate::model::settings::Settings;
use crate::postgres::password_file::{self, Key};
use crate::postgres::pid_file::PidFile;
use crate::postgres::version::Version;
use crate::system::identity::{User, as_user};

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

/// Says where the server is, as whom it is asked, and in which ways it can be reached.
pub(super) fn config(
    settings: &Settings,
    owner: &User,
    role: Role,
    deadline: Instant,
) -> (Config, Vec<Way>) {
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
    let ways = as_user(owner, || ways(settings, owner, &host));
    let ways = ways.unwrap_or_else(|error| vec![Way::Impossible(error.to_string())]);
    (config, ways)
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

/// Connects in the first way that the server admits; the caller keeps the time. Where it admits none, what
/// became of the encrypted one is told.
pub(super) async fn reach(config: &Config, ways: &[Way]) -> Result<Connection, Failed> {
    let mut told: Option<Failed> = None;
    for (number, way) in ways.iter().enumerate() {
        let failed = match establish(config, way).await {
            Ok(connection) => return Ok(connection),
            Err(failed) if !failed.is_barred() => return Err(failed),
            Err(failed) => failed,
        };
        if number == 0 || !way.is_plain() {
            told = Some(failed);
        }
    }
    Err(told.unwrap_or_else(|| Failed::Before("there is no way to connect".into())))
}

/// Connects in one way.
async fn establish(config: &Config, way: &Way) -> Result<Connection, Failed> {
    let mut config = config.clone();
    match way {
        Way::Plain => {
            config.ssl_mode(SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await?;
            Ok(open(client, connection))
        }
        Way::Encrypted(mode, connector) => {
            config.ssl_mode(*mode);
            let (client, connection) = config.connect(connector.clone()).await?;
            Ok(open(client, connection))
        }
        Way::Impossible(why) => Err(Failed::Before(why.clone())),
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nothing was tried.
    Before(String),
    /// The conversation failed.
    During(Error),
}

impl Failed {
    /// Tells whether another way may do better.
    fn is_barred(&self) -> bool {
        match self {
            Self::Before(_) => true,
            Self::During(error) => is_barred(error),
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::During(error)
    }
}

/// Lets a connection work.
fn open<S>(client: Client, connection: tokio_postgres::Connection<Socket, S>) -> Connection
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let version = connection.parameter("server_version").and_then(Version::parse);
    let driver = tokio::spawn(async {
        if let Err(error) = connection.await {
            log::debug!("connection to the server: {error}");
        }
    });
    // Every server tells its version; what is asked of an unknown one is the newest form.
    let version = version.unwrap_or(Version::new(u32::MAX, 0));
    Connection { client, version, driver }
}
