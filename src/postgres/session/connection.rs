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

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The operator's own statement: as `monitor_user`, or else as the database user.
    Monitor,
    /// All that the agent itself asks and changes: as the database user, a superuser who sees everything.
    Owner,
}

/// Where the server is asked, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Door {
    /// Host, or directory of the Unix socket.
    host: String,
    /// Database user.
    pub(super) user: String,
}

/// Returns where and as whom to try, in this order, until the server lets one in.
///
/// The owner comes by `pghost` as everybody does, and where its rules do not admit him by the Unix socket;
/// where they do not do so either, `monitor_user` stands in for him.
pub(super) fn doors(settings: &Settings, owner: &User, role: Role) -> Vec<Door> {
    let usual = host(settings, owner);
    let door = |host: &str, user: &str| Door { host: host.to_owned(), user: user.to_owned() };
    let watcher = door(&usual, settings.database_user());
    let mut doors = Vec::new();
    if role == Role::Owner {
        doors.push(door(&usual, &settings.pgdba));
        if !usual.starts_with('/') {
            // Only a socket that is known to be this server's: another may listen on the same port.
            let own = own_socket(settings, owner);
            doors.extend(own.map(|directory| door(&directory, &settings.pgdba)));
        }
    }
    if !doors.contains(&watcher) {
        doors.push(watcher);
    }
    doors
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// The database user as whom the server was entered.
    pub(super) user: String,
    pub(super) client: Client,
    pub(super) version: Version,
    pub(super) driver: JoinHandle<()>,
}

/// Says how to enter by this door, and in which ways it can be reached.
pub(super) fn config(
    settings: &Settings,
    owner: &User,
    door: &Door,
    deadline: Instant,
) -> (Config, Vec<Way>) {
    let Door { host, user } = door;
    let mut config = Config::new();
    config.user(user).dbname(&settings.pgdb).port(settings.pgport);
    config.application_name(APPLICATION_NAME);
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().clamp(1, 3_600_000);
    config.options(format!("-c statement_timeout={left} -c lock_timeout={left}"));
    match host.starts_with('/') {
        true => config.host_path(host),
        false => config.host(host),
    };
    let given = settings.monitor_password.as_ref().filter(|_| user == settings.database_user());
    let key = Key { host, port: settings.pgport, database: &settings.pgdb, user };
    let password = given.cloned().or_else(|| password_file::password(owner, key));
    if let Some(password) = password {
        config.password(password.reveal());
    }
    let ways = as_user(owner, || ways(settings, owner, host));
    let ways = ways.unwrap_or_else(|error| vec![Way::Impossible(error.to_string())]);
    (config, ways)
}

/// Returns the host, or the directory of the Unix socket.
fn host(settings: &Settings, owner: &User) -> String {
    match settings.pghost.is_empty() {
        true => socket_directory(settings, owner),
        false => settings.pghost.clone(),
    }
}

/// Returns the directory of the server's socket, as it says itself or the operator does.
fn own_socket(settings: &Settings, owner: &User) -> Option<String> {
    if !settings.socketdir.is_empty() {
        return Some(settings.socketdir.clone());
    }
    let file = PidFile::read(settings, owner).ok().flatten();
    file?.socket_directory.map(|directory| directory.to_string_lossy().into_owned())
}

fn socket_directory(settings: &Settings, owner: &User) -> String {
    if let Some(directory) = own_socket(settings, owner) {
        return directory;
    }
    let socket = format!(".s.PGSQL.{}", settings.pgport);
    let present = |directory: &&str| Path::new(directory).join(&socket).exists();
    let [usual, _] = SOCKET_DIRECTORIES;
    SOCKET_DIRECTORIES.into_iter().find(present).unwrap_or(usual).to_owned()
}

/// Connects in the first way that the server admits; the caller keeps the time. Where it admits none, what
/// became of the encrypted one is told.
pub(super) async fn reach(config: &Config, ways: &[Way], user: &str) -> Result<Connection, Failed> {
    let mut told: Option<Failed> = None;
    for (number, way) in ways.iter().enumerate() {
        let failed = match establish(config, way, user).await {
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
async fn establish(config: &Config, way: &Way, user: &str) -> Result<Connection, Failed> {
    let mut config = config.clone();
    match way {
        Way::Plain => {
            config.ssl_mode(SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await?;
            Ok(open(client, connection, user))
        }
        Way::Encrypted(mode, connector) => {
            config.ssl_mode(*mode);
            let (client, connection) = config.connect(connector.clone()).await?;
            Ok(open(client, connection, user))
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
fn open<S>(
    client: Client,
    connection: tokio_postgres::Connection<Socket, S>,
    user: &str,
) -> Connection
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
    Connection { user: user.to_owned(), client, version, driver }
}
