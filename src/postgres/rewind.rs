//! `pg_rewind`: the local data become the primary's, as far as they differ.
//!
//! While it runs, a marker says so, and stays if it does not come to its end: data that is half one
//! server's and half another's must never be started, nor rewound again, for its own WAL may be
//! overwritten already and the second run would find no divergence.

use std::path::Path;
use std::time::{Duration, Instant};

use super::remote::{self, Connection};
use super::standby::Standby;
use super::{PostgresError, launch, lock_file};
use crate::model::node::NodeName;
use crate::model::settings::Settings;
use crate::system::SystemError;
use crate::system::command::{Command, CommandError};
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};

const BYTES_MAX: u64 = 4096;
/// How often the log says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);
/// Words of the end of the program's output that are kept for an error.
const LAST_LINES: usize = 3;

/// Reads the marker; `None`: no `pg_rewind` has been left half done.
///
/// # Errors
/// It cannot be read; whoever decides must not take that for no marker.
pub fn marker(settings: &Settings, user: &User) -> Result<Option<String>, PostgresError> {
    let path = settings.rewind_marker();
    let text = as_user(user, || files::read(&path, BYTES_MAX))??;
    Ok(text.map(|text| text.lines().next().unwrap_or_default().to_owned()))
}

/// Rewinds to the primary that this standby would follow, and removes the lock.
///
/// A dry run comes first: what can be refused is refused before anything is touched.
///
/// # Errors
/// `pg_rewind` fails, sees no divergence, or does not come to its end in time; the marker tells
/// whether the data was touched.
pub fn rewind(
    standby: &Standby<'_>,
    primary: &NodeName,
    deadline: Instant,
) -> Result<(), PostgresError> {
    let (settings, user) = (standby.settings, standby.user);
    let connection = remote::for_rewind(standby)?;
    let told = run(program(standby, &connection, deadline).arg("--dry-run"), false)?;
    if told.contains("no rewind required") {
        let text = "it sees no divergence, although there is one".to_owned();
        return Err(PostgresError::Malformed { what: "pg_rewind", text });
    }
    let marker = settings.rewind_marker();
    let text = format!(
        "pg_rewind from {primary}\ntarget {}\nsource {}\nprocess {}\n",
        settings.pgdata.display(),
        connection.words,
        std::process::id()
    );
    if lies_within(&marker, &settings.pgdata, user)? {
        let text = "its marker would lie in pgdata: use a tmpdir outside of it".to_owned();
        return Err(PostgresError::Malformed { what: "pg_rewind", text });
    }
    as_user(user, || files::replace(&marker, &text, Attributes::PRIVATE))??;
    log::info!("Running pg_rewind from {primary}; {} marks it.", marker.display());
    run(program(standby, &connection, deadline), true)?;
    // The lock speaks of the data that is gone; in pgdata it would be the primary's own.
    lock_file::remove(settings, user)?;
    as_user(user, || files::remove(&marker))??;
    Ok(())
}

/// Tells whether a file would lie in a directory, links followed: `pg_rewind` removes what the primary
/// lacks.
fn lies_within(file: &Path, directory: &Path, user: &User) -> Result<bool, PostgresError> {
    let parent = file.parent().unwrap_or(file);
    let resolved = |path: &Path| {
        std::fs::canonicalize(path).map_err(|source| {
            let path = path.to_owned();
            SystemError::File { action: "resolve", path, source }
        })
    };
    let (parent, directory) = as_user(user, || (resolved(parent), resolved(directory)))?;
    Ok(parent?.starts_with(directory?))
}

fn program(standby: &Standby<'_>, connection: &Connection, deadline: Instant) -> Command {
    let program = Command::new(standby.settings.pgctl.with_file_name("pg_rewind"));
    let program = remote::client(program, standby, connection)
        .deadline(deadline)
        .arg("-D")
        .arg(&standby.settings.pgdata)
        .arg(format!("--source-server={}", connection.words))
        .arg("-P");
    // A server that crashed has been recovered before, with its own configuration file.
    match standby.version.rewinds_after_crash() {
        true => program.arg("--no-ensure-shutdown"),
        false => program,
    }
}

/// Runs it, and tells the log from time to time how far it is. Returns what it said, without that.
fn run(program: Command, tells: bool) -> Result<String, CommandError> {
    let mut said: Vec<String> = Vec::new();
    let mut told = Instant::now();
    let ended = program.spawn()?.each_line(|line| {
        if line.ends_with("copied") {
            if tells && told.elapsed() >= PROGRESS {
                told = Instant::now();
                log::info!("pg_rewind: {}", line.trim());
            }
            return;
        }
        if tells {
            log::info!("{line}");
        }
        said.push(line.to_owned());
    });
    let last = said.len().saturating_sub(LAST_LINES);
    match ended {
        Ok(_) => Ok(said.join("\n")),
        Err(CommandError::Failed { program, status, .. }) => {
            let stderr = said.get(last..).unwrap_or_default().join("; ");
            Err(CommandError::Failed { program, status, stdout: String::new(), stderr })
        }
        Err(error) => Err(error),
    }
}

/// Lets a primary that crashed recover, and shut down, without taking connections.
///
/// # Errors
/// The server in single-user mode fails, or does not end in time; trying again is harmless.
pub fn recover_alone(
    settings: &Settings,
    user: &User,
    deadline: Instant,
) -> Result<(), PostgresError> {
    log::info!("Recovering in single-user mode, which pg_rewind needs.");
    let server = Command::new(settings.pgctl.with_file_name("postgres"));
    let config = format!("config_file={}", settings.config.display());
    launch::with_libraries(server, settings)
        .current_dir(&settings.pgdata)
        .deadline(deadline)
        .args(["--single", "-D"])
        .arg(&settings.pgdata)
        .args(["-c", &config, "-c", "synchronous_standby_names=", "template1"])
        .run_in_session(user)?;
    Ok(())
}
