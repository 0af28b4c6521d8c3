//! The postmaster and its children: proof of life, and signals.
//!
//! Which processes are the server's is `server_process`'s business.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::PostgresError;
use super::pid_file::{PidFile, Status};
use super::server_process::{is_child_by_title, is_hidden, named_by, servers};
use crate::model::instance::{DataDirectory, Postmaster};
use crate::model::settings::Settings;
use crate::model::step::ShutdownMode;
use crate::system::SystemError;
use crate::system::identity::{User, as_user};
use crate::system::pause::pause;
use crate::system::process::Process;

const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Tells how the data directory is.
#[must_use]
pub fn data_directory(settings: &Settings, user: &User) -> DataDirectory {
    let path = settings.pgdata.join("PG_VERSION");
    match as_user(user, || std::fs::metadata(&path)) {
        Ok(Ok(_)) => DataDirectory::Present,
        Ok(Err(error)) => match error.kind() {
            io::ErrorKind::NotFound => DataDirectory::Missing,
            _ => DataDirectory::Unreadable(error.to_string()),
        },
        Err(error) => DataDirectory::Unreadable(error.to_string()),
    }
}

/// Finds out from the process table whether the postmaster lives.
///
/// # Errors
/// The process table cannot be read. An unreadable `postmaster.pid` is no error.
pub fn find(settings: &Settings, user: &User) -> Result<Postmaster, PostgresError> {
    Ok(match look(settings, user)? {
        Found::Postmaster(process) => {
            let held = process.held.then_some(Duration::ZERO);
            Postmaster::Running { pid: process.pid, held }
        }
        Found::Processes(orphans) => match orphans.len() {
            0 if is_hidden(settings, user) => Postmaster::Unknown,
            0 => Postmaster::Absent,
            count => Postmaster::Orphans { count },
        },
    })
}

enum Found {
    Postmaster(Process),
    /// Everything else that works in the data directory.
    Processes(Vec<Process>),
}

fn look(settings: &Settings, user: &User) -> Result<Found, SystemError> {
    if let Some(process) = named_by(settings, user)? {
        return Ok(Found::Postmaster(process));
    }
    let processes = servers(settings, user)?;
    let parents: Vec<i32> = processes.iter().map(|process| process.pid).collect();
    let leads =
        |process: &&Process| !parents.contains(&process.parent) && !is_child_by_title(process);
    Ok(match processes.iter().find(leads) {
        Some(process) => Found::Postmaster(process.clone()),
        None => Found::Processes(processes),
    })
}

/// Tells whether a WAL receiver runs, for servers that cannot tell (before 9.6).
pub(super) fn has_wal_receiver(settings: &Settings, user: &User) -> bool {
    wal_receivers(settings, user).is_ok_and(|receivers| !receivers.is_empty())
}

/// Finds the WAL receiver: one, or none.
pub(super) fn wal_receivers(settings: &Settings, user: &User) -> Result<Vec<Process>, SystemError> {
    let mut processes = servers(settings, user)?;
    processes.retain(is_wal_receiver);
    Ok(processes)
}

fn is_wal_receiver(process: &Process) -> bool {
    is_child_by_title(process)
        && (process.title.contains("wal receiver") || process.title.contains("walreceiver"))
}

/// What the titles of a server's processes say (`update_process_title`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Titles {
    /// Whether a log-in waits for a lock (`PerformAuthentication` in postinit.c, `WaitOnLock` in lock.c).
    pub a_login_waits: bool,
    /// That of the WAL receiver, which says how far it is.
    pub receiver: Option<String>,
}

/// Reads the titles of a server's processes.
///
/// # Errors
/// The process table cannot be read.
pub fn titles(settings: &Settings, user: &User) -> Result<Titles, PostgresError> {
    let processes = servers(settings, user)?;
    let a_login_waits = processes.iter().any(|process| {
        let title = process.title.trim_end();
        is_child_by_title(process)
            && ["startup waiting", "authentication waiting"].iter().any(|end| title.ends_with(end))
    });
    let receiver = processes.into_iter().find(is_wal_receiver).map(|process| process.title);
    Ok(Titles { a_login_waits, receiver })
}

/// Ends the WAL receiver, connected or still connecting, as the startup process itself does
/// (`ShutdownWalRcv` in walreceiverfuncs.c); recovery then looks for the primary anew.
/// `pg_terminate_backend()` ends no such process: "is not a PostgreSQL backend process".
///
/// # Errors
/// The process table cannot be read, or the signal is not permitted.
pub fn end_wal_receiver(settings: &Settings, user: &User) -> Result<(), PostgresError> {
    for receiver in wal_receivers(settings, user)? {
        receiver.signal(Signal::SIGTERM)?;
    }
    Ok(())
}

/// Tells what the postmaster says of its state.
///
/// One that has not written its own `postmaster.pid` yet starts; one that is gone has stopped,
/// whatever it left, so that whoever talked to it looks for it again.
pub(super) fn status(settings: &Settings, user: &User) -> Status {
    let process = match look(settings, user) {
        Ok(Found::Postmaster(process)) => process,
        Ok(Found::Processes(_)) => return Status::Stopping,
        Err(_) => return Status::Unsaid,
    };
    match PidFile::read(settings, user) {
        Ok(Some(file)) if file.pid == process.pid => file.status,
        Ok(Some(_) | None) => Status::Starting,
        Err(_) => Status::Unsaid,
    }
}

/// Returns the port that the living postmaster noted, if there is one.
#[must_use]
pub fn port(settings: &Settings, user: &User) -> Option<u16> {
    let Found::Postmaster(process) = look(settings, user).ok()? else { return None };
    PidFile::read(settings, user).ok()?.filter(|file| file.pid == process.pid)?.port
}

/// Tells the server to stop; a server that is not there has stopped.
///
/// `Fast` and `Immediate` only send the signal (`pg_ctl stop -W` does the same); `Kill` waits
/// until nothing is left.
///
/// # Errors
/// A signal is not permitted, or something withstands SIGKILL until the deadline.
pub fn shutdown(
    settings: &Settings,
    user: &User,
    mode: ShutdownMode,
    deadline: Instant,
) -> Result<(), PostgresError> {
    let signal = match mode {
        ShutdownMode::Fast => Signal::SIGINT,
        ShutdownMode::Immediate => Signal::SIGQUIT,
        ShutdownMode::Kill => return kill_all(settings, user, deadline),
    };
    match look(settings, user)? {
        Found::Postmaster(process) => {
            process.signal(signal)?;
        }
        Found::Processes(orphans) => {
            for orphan in orphans {
                orphan.signal(Signal::SIGQUIT)?;
            }
        }
    }
    Ok(())
}

/// Kills the postmaster first, so that it starts nobody any more, then all others.
fn kill_all(settings: &Settings, user: &User, deadline: Instant) -> Result<(), PostgresError> {
    loop {
        if let Found::Postmaster(process) = look(settings, user)? {
            process.signal(Signal::SIGKILL)?;
        }
        let processes = servers(settings, user)?;
        for process in &processes {
            process.signal(Signal::SIGKILL)?;
        }
        if processes.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(PostgresError::Undead(processes.len()));
        }
        pause(LOOK_AGAIN);
    }
}

/// Makes the server read its configuration again (SIGHUP, as `pg_ctl reload`).
///
/// # Errors
/// There is no postmaster.
pub fn reload(settings: &Settings, user: &User) -> Result<(), PostgresError> {
    match look(settings, user)? {
        Found::Postmaster(process) if process.signal(Signal::SIGHUP)? => Ok(()),
        Found::Postmaster(_) | Found::Processes(_) => Err(PostgresError::NotRunning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tests::{Fake, settings_in};

    #[test]
    fn only_a_server_in_the_directory_counts() {
        let fake = Fake::new();
        let other = tempfile::tempdir().expect("directory");
        assert_eq!(fake.find(), Postmaster::Absent);
        let _elsewhere = fake.run("postgres", other.path(), "/data/postgres");
        let _editor = fake.run("vi", fake.pgdata(), "vi");
        fake.write_pid(_editor.pid());
        assert_eq!(fake.find(), Postmaster::Absent, "a reused number proves nothing");
        let postmaster = fake.run("postgres", fake.pgdata(), "/usr/bin/postgres -D x");
        assert_eq!(
            fake.find(),
            Postmaster::Running { pid: postmaster.pid(), held: None },
            "no pid file"
        );
        fake.write_pid(postmaster.pid());
        assert_eq!(fake.find(), Postmaster::Running { pid: postmaster.pid(), held: None });
        let pid = postmaster.pid();
        fake.remove_program("postgres");
        assert_eq!(
            fake.find(),
            Postmaster::Running { pid, held: None },
            "the program was upgraded"
        );
    }

    #[test]
    fn orphans_are_counted_and_killed() {
        let fake = Fake::new();
        let first = fake.run("postgres", fake.pgdata(), "postgres: checkpointer ");
        let _second = fake.run("postgres", fake.pgdata(), "postgres: startup recovering 01");
        fake.write_pid(first.pid());
        assert_eq!(fake.find(), Postmaster::Orphans { count: 2 });
        assert_eq!(status(&fake.settings, &fake.user), Status::Stopping);
        assert!(reload(&fake.settings, &fake.user).is_err());
        let deadline = Instant::now() + Duration::from_secs(5);
        shutdown(&fake.settings, &fake.user, ShutdownMode::Kill, deadline).expect("killed");
        assert_eq!(fake.find(), Postmaster::Absent);
        shutdown(&fake.settings, &fake.user, ShutdownMode::Fast, deadline).expect("nothing there");
    }

    #[test]
    fn the_data_directory_is_told_from_a_missing_one() {
        let fake = Fake::new();
        assert_eq!(data_directory(&fake.settings, &fake.user), DataDirectory::Missing);
        std::fs::write(fake.pgdata().join("PG_VERSION"), "15\n").expect("write");
        assert_eq!(data_directory(&fake.settings, &fake.user), DataDirectory::Present);
        let file = settings_in(&fake.pgdata().join("PG_VERSION"));
        assert!(matches!(data_directory(&file, &fake.user), DataDirectory::Unreadable(_)));
        assert_eq!(find(&file, &fake.user).expect("found"), Postmaster::Absent);
    }
}
