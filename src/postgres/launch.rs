//! Starting and promoting the server with `pg_ctl`, and making what it needs to start.
//!
//! Nothing here waits for the server to take connections; that is the agent's loop.

use std::path::Path;
use std::time::{Duration, Instant};

use super::pid_file::PidFile;
use super::version::Version;
use super::{PostgresError, config_file, postmaster, quoting};
use crate::model::instance::Postmaster;
use crate::model::settings::Settings;
use crate::system::SystemError;
use crate::system::command::Command;
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};
use crate::system::pause::pause;
use crate::system::process::{Process, is_zombie};

/// How long a shell may take to become the server.
const EXEC: Duration = Duration::from_secs(2);
/// How long process 1 may take to reap a dead postmaster.
const REAPING: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// What the server, and the programs that it runs, do not get of the agent's environment: the cluster's and
/// systemd's own, users and passwords. The rest reaches them, as it does from the shell agent: an
/// archive_command may rely on what the administrator has put into Pacemaker's environment.
const NOT_FOR_THE_SERVER: [&str; 20] = [
    "OCF_",
    "PCMK_",
    "HA_",
    "CRM_",
    "CIB_",
    "NOTIFY_SOCKET",
    "LISTEN_",
    "WATCHDOG_",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "MAINPID",
    "PGUSER",
    "PGPASSWORD",
    "PGPORT",
    "LD_LIBRARY_PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_",
];
/// `pglibs` when it says nothing.
const LIBRARIES_DEFAULT: &str = "/usr/lib";

/// Creates what the server and the agent need around the data directory.
///
/// # Errors
/// Something cannot be created, or the database user cannot write it.
pub fn prepare_directories(
    settings: &Settings,
    user: &User,
    version: Version,
) -> Result<(), PostgresError> {
    use crate::model::settings::ReplicationMode::{Async, None, Slave, Sync};
    match settings.rep_mode {
        Async | Sync | Slave => {
            let made = files::own_directory(&settings.tmpdir, 0o700, user);
            usable("tmpdir", &settings.tmpdir, user, made)?;
        }
        None => {}
    }
    if settings.logfile != Path::new("/dev/null") {
        let made = files::create_file(&settings.logfile, 0o600, user);
        usable("logfile", &settings.logfile, user, made)?;
    }
    if !settings.socketdir.is_empty() {
        let directory = Path::new(&settings.socketdir);
        let made = files::create_directory(directory, 0o2775, user);
        usable("socketdir", directory, user, made.and_then(|()| try_writing(directory, user)))?;
    }
    if version.has_statistics_files() {
        prepare_statistics(settings, user)?;
    }
    Ok(())
}

/// Says which parameter it was whose file or directory could not be made; the log gets it all.
fn usable(
    parameter: &'static str,
    path: &Path,
    user: &User,
    made: Result<(), SystemError>,
) -> Result<(), PostgresError> {
    made.map_err(|error| {
        log::warn!("{parameter}: {error}");
        let why = match &error {
            SystemError::File { action, source, .. } => format!("cannot {action} it, {source}"),
            SystemError::Untrusted { .. } => "others than root control the way to it".to_owned(),
            SystemError::Lookup { .. }
            | SystemError::Identity { .. }
            | SystemError::Signal { .. }
            | SystemError::ProcessTable(_)
            | SystemError::TooLarge { .. } => error.to_string(),
        };
        let remedy = format!("correct the path, or create it for {}", user.name);
        PostgresError::Unusable { parameter, path: path.to_owned(), why, remedy }
    })
}

fn try_writing(directory: &Path, user: &User) -> Result<(), SystemError> {
    let probe = directory.join(format!(".pgsql-ha.{}", std::process::id()));
    as_user(user, || {
        files::replace(&probe, "", Attributes::PRIVATE).and_then(|()| files::remove(&probe))
    })?
}

/// Creates `stats_temp_directory`, which is usually on a file system that a boot empties.
fn prepare_statistics(settings: &Settings, user: &User) -> Result<(), PostgresError> {
    let name = "stats_temp_directory";
    match config_file::setting(settings, user, name) {
        Some(directory) if !directory.is_empty() => {
            let directory = settings.pgdata.join(directory);
            usable(name, &directory, user, files::create_directory(&directory, 0o700, user))
        }
        Some(_) | None => Ok(()),
    }
}

/// Launches the server and returns once its process is there, or has ended already.
///
/// Take a [`super::server_log::Mark`] before, to find the server's last words.
///
/// # Errors
/// `pg_ctl` fails; that the server itself ends is seen afterwards.
pub fn launch(settings: &Settings, user: &User, deadline: Instant) -> Result<(), PostgresError> {
    await_reaping(settings, user, deadline);
    pg_ctl(settings, deadline)
        .inherit_all_but(&NOT_FOR_THE_SERVER)
        .args(control_words(settings)?)
        .arg("-D")
        .arg(&settings.pgdata)
        .arg("-l")
        .arg(&settings.logfile)
        .arg("-o")
        .arg(server_options(settings))
        .args(["-W", "start"])
        .run_in_session(user)?;
    log::info!("PostgreSQL start command sent.");
    await_process(settings, user, deadline)
}

/// Promotes the standby, without waiting for its end.
///
/// # Errors
/// `pg_ctl` fails.
pub fn promote(settings: &Settings, user: &User, deadline: Instant) -> Result<(), PostgresError> {
    pg_ctl(settings, deadline)
        .as_user(user)
        .arg("-D")
        .arg(&settings.pgdata)
        .args(["-W", "promote"])
        .run()?;
    log::info!("PostgreSQL promote command sent.");
    Ok(())
}

fn pg_ctl(settings: &Settings, deadline: Instant) -> Command {
    let command = Command::new(&settings.pgctl)
        .current_dir(&settings.pgdata)
        .detached()
        .env("PGPORT", settings.pgport.to_string())
        .deadline(deadline);
    with_libraries(command, settings)
}

/// Lets a program of PostgreSQL find its libraries.
pub(super) fn with_libraries(command: Command, settings: &Settings) -> Command {
    match settings.pglibs.as_str() {
        "" | LIBRARIES_DEFAULT => command.inherit(&["LD_LIBRARY_PATH"]),
        directory => command.append_path("LD_LIBRARY_PATH", directory),
    }
}

/// Splits `ctl_opt`, which the stock agent let a shell split.
fn control_words(settings: &Settings) -> Result<Vec<String>, PostgresError> {
    quoting::words(&settings.ctl_opt)
        .ok_or_else(|| PostgresError::Malformed { what: "ctl_opt", text: settings.ctl_opt.clone() })
}

/// Returns the text of `-o`, which `pg_ctl` passes to the server through a shell. `start_opt`
/// stands in it as the operator wrote it.
fn server_options(settings: &Settings) -> String {
    let config = format!("config_file={}", settings.config.display());
    let mut options = format!("-c {}", quoting::shell_word(&config));
    if !settings.pghost.is_empty() {
        options.push_str(" -h ");
        options.push_str(&quoting::shell_word(&settings.pghost));
    }
    if !settings.start_opt.is_empty() {
        options.push(' ');
        options.push_str(&settings.start_opt);
    }
    options
}

/// Waits while the postmaster that `postmaster.pid` names is dead but not reaped: the new one would
/// take it for alive and refuse to start (`CreateLockFile()` in `miscinit.c`).
fn await_reaping(settings: &Settings, user: &User, deadline: Instant) {
    let until = deadline.min(Instant::now() + REAPING);
    let unreaped = || match PidFile::read(settings, user) {
        Ok(Some(file)) => is_zombie(file.pid),
        Ok(None) | Err(_) => false,
    };
    while unreaped() {
        if Instant::now() >= until {
            log::warn!(
                "process 1 does not reap the dead postmaster; PostgreSQL may refuse to start"
            );
            return;
        }
        pause(LOOK_AGAIN);
    }
}

/// Waits while the server's process still is the shell that `pg_ctl` left to become it, so that
/// nobody takes it for a server that died (`start_postmaster()` in `pg_ctl.c`).
fn await_process(settings: &Settings, user: &User, deadline: Instant) -> Result<(), PostgresError> {
    let until = deadline.min(Instant::now() + EXEC);
    // In the middle of an exec, a process has no command line and may have no program.
    let becomes_server = |process: &Process| match process.executable.as_deref() {
        Some("pg_ctl") | None => true,
        Some(_) => process.title.is_empty() || process.title.starts_with("/bin/sh -c"),
    };
    while postmaster::find(settings, user)? == Postmaster::Absent && Instant::now() < until {
        let processes = as_user(user, || Process::using_directory(&settings.pgdata))??;
        if !processes.unwrap_or_default().iter().any(becomes_server) {
            break;
        }
        pause(LOOK_AGAIN);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tests::settings_in;

    #[test]
    fn options_are_quoted_for_the_shell_within() {
        let mut settings = settings_in(Path::new("/da ta"));
        settings.config = "/da ta/it's.conf".into();
        settings.start_opt = "-p 5433".into();
        settings.pghost = "a;b".into();
        assert_eq!(
            server_options(&settings),
            "-c 'config_file=/da ta/it'\\''s.conf' -h 'a;b' -p 5433"
        );
        settings.ctl_opt = "-t 60 'open".into();
        assert!(control_words(&settings).is_err());
    }
}
