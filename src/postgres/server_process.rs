//! Which processes are a server's, whatever its program is called and whatever way leads to the data.
//!
//! A process counts when it works in the data directory (compared by device and inode) and
//! * its program is called like a server's, or it calls itself a server's child, or
//! * it is the parent of such a child and runs the same program (`postgres` is a link to
//!   `edb-postgres`, or an interpreter runs it), or
//! * `postmaster.pid` names it, it belongs to the owner of the data directory, and it did not start
//!   after the postmaster that wrote the file, or
//! * it was called as `pg_ctl` calls the server for us: a script that has not become the server yet.
//!
//! A number in `postmaster.pid` alone proves nothing, and its absence neither.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::pid_file::PidFile;
use crate::model::settings::Settings;
use crate::system::SystemError;
use crate::system::identity::{User, acting_as_root, as_user};
use crate::system::process::{self, Process};

/// What the children call themselves, `init_ps_display()` in `src/backend/utils/misc/ps_status.c`.
const CHILD_TITLE: &str = "postgres: ";

/// By how much the two ways to tell when a process started may differ, in seconds.
const INACCURACY: u64 = 2;

/// Returns the postmaster that `postmaster.pid` names, if it is one of this directory.
pub(super) fn named_by(settings: &Settings, user: &User) -> Result<Option<Process>, SystemError> {
    let Ok(Some(file)) = PidFile::read(settings, user) else { return Ok(None) };
    let look = || {
        Process::read(file.pid).filter(|process| {
            !is_child_by_title(process)
                && process.uses(&settings.pgdata)
                && (has_servers_program(process) || wrote(process, &file, settings))
        })
    };
    Ok(match as_user(user, look)? {
        // A program that its user may not read hides its process from him (proc(5), dumpable).
        None if acting_as_root() => look(),
        found => found,
    })
}

/// Tells whether the process that `postmaster.pid` names may be the postmaster and cannot be seen into:
/// that is no proof that nothing runs.
pub(super) fn is_hidden(settings: &Settings, user: &User) -> bool {
    let Ok(Some(file)) = PidFile::read(settings, user) else { return false };
    let hidden = || {
        matches!(process::directory_of(file.pid), Err(error) if error.kind() == io::ErrorKind::PermissionDenied)
            && Process::read(file.pid).is_some_and(|process| wrote(&process, &file, settings))
    };
    as_user(user, hidden).unwrap_or(true) && (!acting_as_root() || hidden())
}

/// Tells whether a process can have written the file. A later process that got the same number started
/// later; one that the clock was set forward under seems to, and is known by its children.
fn wrote(process: &Process, file: &PidFile, settings: &Settings) -> bool {
    // PostgreSQL runs as nobody else (`checkDataDir` in miscinit.c).
    let owner = process::owner_of(&settings.pgdata);
    let is_owners = owner.is_some() && process.user() == owner;
    let began = process.started();
    is_owners && file.started.zip(began).is_none_or(|(noted, began)| began <= noted + INACCURACY)
}

/// Finds every server process of the data directory.
///
/// It looks as the database user: a container's root may not see the directory of other users'
/// processes, but everyone may see his own.
pub(super) fn servers(settings: &Settings, user: &User) -> Result<Vec<Process>, SystemError> {
    let processes = as_user(user, || in_directory(settings, user))??;
    if processes.is_empty() && acting_as_root() {
        // The server may belong to another user than the parameter says now.
        return in_directory(settings, user);
    }
    Ok(processes)
}

fn in_directory(settings: &Settings, user: &User) -> Result<Vec<Process>, SystemError> {
    let file = PidFile::read(settings, user).ok().flatten();
    let using = Process::using_directory(&settings.pgdata)?;
    let mut processes = match using {
        Some(processes) => processes,
        None => return Ok(started_for(settings, &Process::all()?)),
    };
    let relatives = parents_of_children(&processes);
    let ours = |process: &Process| {
        is_servers(process)
            || relatives.contains(&process.pid)
            || is_launched(process, settings)
            || file.as_ref().is_some_and(|file| {
                process.inner_number() == Some(file.pid) && wrote(process, file, settings)
            })
    };
    processes.retain(ours);
    if processes.is_empty() && !settings.pgdata.join("PG_VERSION").exists() {
        // What is there now may be the empty directory under a file system that is gone.
        let mut processes = started_for(settings, &Process::all()?);
        processes.retain(Process::sees_our_mounts);
        return Ok(processes);
    }
    Ok(processes)
}

/// Finds every server process in this directory, whoever owns it, as far as the caller may see.
///
/// # Errors
/// The process table cannot be read.
pub fn running_in(pgdata: &Path) -> Result<Vec<Process>, SystemError> {
    let mut processes = Process::using_directory(pgdata)?.unwrap_or_default();
    let relatives = parents_of_children(&processes);
    processes.retain(|process| is_servers(process) || relatives.contains(&process.pid));
    Ok(processes)
}

/// Finds the postmaster by its command line, and its children: all that is left to go by when the
/// data directory was moved away or its file system unmounted under a running server.
fn started_for(settings: &Settings, all: &[Process]) -> Vec<Process> {
    let option = format!(" -D {} ", settings.pgdata.display());
    let relatives = parents_of_children(all);
    let leads = |process: &&Process| {
        (has_servers_program(process) || relatives.contains(&process.pid))
            && !is_child_by_title(process)
            && format!("{} ", process.title).contains(&option)
    };
    let postmasters: Vec<i32> = all.iter().filter(leads).map(|process| process.pid).collect();
    let belongs = |process: &&Process| {
        postmasters.contains(&process.pid) || postmasters.contains(&process.parent)
    };
    all.iter().filter(belongs).cloned().collect()
}

/// Returns the processes that have a child which calls itself a server's and runs the same program: the
/// postmaster forks its children and lets them run no other.
fn parents_of_children(processes: &[Process]) -> Vec<i32> {
    let mut verdicts = BTreeMap::new();
    for child in processes.iter().filter(|process| is_child_by_title(process)) {
        let same = || {
            let program = process::program_of(child.pid);
            program.is_some() && program == process::program_of(child.parent)
        };
        let is_parent = verdicts.entry(child.parent).or_insert(false);
        *is_parent = *is_parent || same();
    }
    verdicts.into_iter().filter_map(|(pid, is_parent)| is_parent.then_some(pid)).collect()
}

/// Tells whether a process was called as `pg_ctl` calls the server with our options
/// (`start_postmaster()` in pg_ctl.c). `pg_ctl` itself has other words after the directory.
fn is_launched(process: &Process, settings: &Settings) -> bool {
    let pgdata = settings.pgdata.display().to_string();
    let pgdata = if pgdata.len() > 1 { pgdata.trim_end_matches('/') } else { &pgdata };
    let words = format!(" -D {pgdata} -c config_file={}", settings.config.display());
    process.title.contains(&words)
}

fn is_servers(process: &Process) -> bool {
    has_servers_program(process) || is_child_by_title(process)
}

fn has_servers_program(process: &Process) -> bool {
    matches!(process.executable.as_deref(), Some("postgres" | "postmaster"))
}

pub(super) fn is_child_by_title(process: &Process) -> bool {
    process.title.starts_with(CHILD_TITLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::instance::Postmaster;
    use crate::postgres::tests::Fake;

    fn now() -> u64 {
        let me = i32::try_from(std::process::id()).expect("a process number");
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = clock.expect("a clock").as_secs();
        let started = Process::read(me).expect("myself").started().expect("a time");
        assert!(started <= now + 1 && started + 3600 > now, "{started} {now}");
        now
    }

    #[test]
    fn whoever_wrote_the_pid_file_is_the_postmaster_whatever_it_is_called() {
        let fake = Fake::new();
        let pid = fake.run("edb", fake.pgdata(), "edb -D x").pid();
        let edb = fake.run("edb", fake.pgdata(), "edb -D x");
        assert_eq!(fake.find(), Postmaster::Absent, "nothing says that it is a server");
        for (started, found) in [(now(), true), (now() + 600, true), (now() - 600, false)] {
            // The clock may have been set back under the server; a later process only got its number.
            fake.write_pid_of(edb.pid(), started);
            assert_eq!(fake.find() != Postmaster::Absent, found, "{started}");
        }
        fake.write_pid_of(pid, now());
        assert_eq!(fake.find(), Postmaster::Absent, "that one has ended");
        let elsewhere = tempfile::tempdir().expect("directory");
        fake.write_pid_of(fake.run("edb", elsewhere.path(), "edb").pid(), now());
        assert_eq!(fake.find(), Postmaster::Absent);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process of somebody else")]
    fn a_process_of_somebody_else_is_no_postmaster() {
        if !acting_as_root() {
            return;
        }
        let fake = Fake::new();
        let mut shell = std::process::Command::new("/bin/sleep");
        let mut shell = shell.arg("60").current_dir(fake.pgdata()).spawn().expect("spawned");
        fake.write_pid_of(i32::try_from(shell.id()).expect("a process number"), now());
        let found = fake.find();
        shell.kill().and_then(|()| shell.wait()).expect("ended");
        assert_eq!(found, Postmaster::Absent);
    }

    #[test]
    fn a_script_that_will_become_the_server_counts_and_pg_ctl_does_not() {
        let fake = Fake::new();
        let (data, config) = (fake.pgdata().display(), fake.settings.config.display());
        let title = format!("pg_ctl -D {data} -l /dev/null -o -c config_file={config} -W start");
        let _pg_ctl = fake.run("pg_ctl", fake.pgdata(), &title);
        assert_eq!(fake.find(), Postmaster::Absent);
        let title = format!("/bin/sh /opt/postgres -D {data} -c config_file={config} -p 5433");
        let script = fake.run("sh", fake.pgdata(), &title);
        assert_eq!(fake.find(), Postmaster::Running { pid: script.pid(), held: None });
    }
}
