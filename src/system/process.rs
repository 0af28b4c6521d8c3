//! Processes, from `/proc`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::SystemError;

/// `USER_HZ`, in which `/proc` counts, is 100 on every architecture that PostgreSQL and Pacemaker are
/// packaged for.
const TICKS_PER_SECOND: u64 = 100;

/// A live process; a zombie is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// When it started, in clock ticks since the machine did: tells it from a later process that
    /// got the same number.
    pub start_ticks: u64,
    /// Whether a signal or a debugger holds it: it takes no signal but SIGKILL and SIGCONT.
    pub held: bool,
    /// Name of its program's file; `None`: it may not be seen.
    pub executable: Option<String>,
    /// Its command line, arguments separated by blanks.
    pub title: String,
}

impl Process {
    /// Reads a process; `None`: there is none with this number, or only a zombie.
    #[must_use]
    pub fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let Stat { parent, start_ticks, held } = parse_stat(&stat)?;
        let executable = fs::read_link(format!("/proc/{pid}/exe")).ok();
        let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some(Self {
            pid,
            parent,
            start_ticks,
            held,
            executable: executable.and_then(|path| executable_name(&path)),
            title: String::from_utf8_lossy(&title).replace('\0', " ").trim_end().to_owned(),
        })
    }

    /// Returns the user as whom it acts; `None`: it is gone.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        // Real, effective, saved and file system user.
        status_line(self.pid, "Uid:")?.split_whitespace().nth(1)?.parse().ok()
    }

    /// Returns the number that it has in its own process namespace, where it may be a container's.
    #[must_use]
    pub fn inner_number(&self) -> Option<i32> {
        status_line(self.pid, "NSpid:")?.split_whitespace().last()?.parse().ok()
    }

    /// Returns when it started, in seconds since 1970, by the clock of today.
    #[must_use]
    pub fn started(&self) -> Option<u64> {
        let now = clock_gettime(ClockId::CLOCK_REALTIME).ok()?;
        let running = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
        let started = i64::try_from(self.start_ticks / TICKS_PER_SECOND).ok()?;
        u64::try_from(now.tv_sec() - running.tv_sec() + started).ok()
    }

    /// Tells whether it sees the same file systems as this process (mount_namespaces(7)).
    #[must_use]
    pub fn sees_our_mounts(&self) -> bool {
        let theirs = fs::read_link(format!("/proc/{}/ns/mnt", self.pid));
        theirs
            .is_ok_and(|theirs| fs::read_link("/proc/self/ns/mnt").is_ok_and(|ours| ours == theirs))
    }

    /// Tells whether the process works in this directory.
    #[must_use]
    pub fn uses(&self, directory: &Path) -> bool {
        identity(directory).is_some_and(|wanted| works_in(self.pid, wanted))
    }

    /// Finds every process that works in this directory.
    ///
    /// The directory is compared by device and inode, so that neither links nor another mount
    /// namespace mislead. Run it as root or as the processes' own user: a process that may not be
    /// seen is not found. `None`: the directory itself is not there to be compared with, because it
    /// was moved or its file system unmounted; that says nothing of the processes.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn using_directory(directory: &Path) -> Result<Option<Vec<Self>>, SystemError> {
        let numbers = numbers()?;
        let Some(wanted) = identity(directory) else { return Ok(None) };
        let using = numbers.filter(|pid| works_in(*pid, wanted));
        Ok(Some(using.filter_map(Self::read).collect()))
    }

    /// Returns every process.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn all() -> Result<Vec<Self>, SystemError> {
        Ok(numbers()?.filter_map(Self::read).collect())
    }

    /// Sends a signal; `false`: the process is gone.
    ///
    /// The start time is compared right before, so that a process which got the number of one
    /// that ended since is left alone.
    ///
    /// # Errors
    /// The signal is not permitted.
    pub fn signal(&self, signal: Signal) -> Result<bool, SystemError> {
        if Self::read(self.pid).is_none_or(|now| now.start_ticks != self.start_ticks) {
            return Ok(false);
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(errno) => Err(SystemError::Signal {
                signal: signal.as_str(),
                pid: self.pid,
                source: errno.into(),
            }),
        }
    }
}

/// Identifies the process that called this program, among all of this boot and of others.
///
/// # Errors
/// `/proc` cannot be read.
pub fn caller() -> Result<String, SystemError> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let boot = boot.map_err(SystemError::ProcessTable)?;
    let parent = nix::unistd::getppid().as_raw();
    let started = Process::read(parent).map_or(0, |process| process.start_ticks);
    Ok(format!("{} {parent} {started}", boot.trim()))
}

/// Tells whether a process is dead and waits for its parent to take note of it.
#[must_use]
pub fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(')').is_some() && parse_stat(&stat).is_none())
}

fn numbers() -> Result<impl Iterator<Item = i32>, SystemError> {
    let entries = fs::read_dir("/proc").map_err(SystemError::ProcessTable)?;
    Ok(entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()))
}

/// Returns the file that a process runs, by device and inode; `None`: it may not be seen.
#[must_use]
pub fn program_of(pid: i32) -> Option<(u64, u64)> {
    identity(Path::new(&format!("/proc/{pid}/exe")))
}

/// Returns the directory in which a process works, by device and inode.
///
/// # Errors
/// The process is gone, or may not be seen into.
pub fn directory_of(pid: i32) -> std::io::Result<(u64, u64)> {
    fs::metadata(format!("/proc/{pid}/cwd")).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Returns the owner of a directory.
#[must_use]
pub fn owner_of(directory: &Path) -> Option<u32> {
    fs::metadata(directory).ok().map(|metadata| metadata.uid())
}

/// Returns what stands behind a word in `/proc/<pid>/status`.
fn status_line(pid: i32, word: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(word)).map(str::to_owned)
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    fs::metadata(directory).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn works_in(pid: i32, directory: (u64, u64)) -> bool {
    directory_of(pid).is_ok_and(|works_in| works_in == directory)
}

/// Takes the file's name; a program that an upgrade replaced carries " (deleted)".
fn executable_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    Some(name.strip_suffix(" (deleted)").unwrap_or(name).to_owned())
}

struct Stat {
    parent: i32,
    start_ticks: u64,
    held: bool,
}

/// Reads state, parent and start time out of `/proc/<pid>/stat`, proc(5); the name in parentheses may
/// hold anything. `None` for a zombie.
fn parse_stat(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    match *fields.first()? {
        "Z" | "X" | "x" => None,
        state => Some(Stat {
            held: matches!(state, "T" | "t"),
            parent: fields.get(1)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stat_line_is_read_whatever_the_name() {
        let line = "77 (evil ) R 1 (x) S 42 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 9";
        let read = |line: &str| parse_stat(line).map(|s| (s.parent, s.start_ticks, s.held));
        assert_eq!(read(line), Some((42, 123_456, false)));
        assert_eq!(read(&line.replace(") S 42", ") T 42")), Some((42, 123_456, true)));
        assert_eq!(read(&line.replace(") S 42", ") Z 42")), None);
        assert_eq!(read(""), None);
        assert_eq!(read("77 (sh) S 1"), None);
    }

    #[test]
    fn a_replaced_program_keeps_its_name() {
        for path in ["/usr/lib/postgresql/15/bin/postgres", "/x/postgres (deleted)"] {
            assert_eq!(executable_name(Path::new(path)).as_deref(), Some("postgres"));
        }
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a child that nobody reaps is the test's subject"
    )]
    fn a_process_is_found_by_its_directory_and_a_zombie_is_not() {
        let directory = tempfile::tempdir().expect("directory");
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .current_dir(directory.path())
            .spawn()
            .expect("sleep");
        // A child that has just become another program shows no arguments for a moment.
        let found = loop {
            let found = Process::using_directory(directory.path()).expect("/proc").expect("there");
            if found.iter().all(|process| process.title.starts_with("/bin/sleep")) {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!(found.len(), 1);
        let process = &found[0];
        assert_eq!(process.executable.as_deref(), Some("sleep"));
        assert_eq!(process.title, "/bin/sleep 60");
        assert_eq!(process.parent.unsigned_abs(), std::process::id());
        assert!(process.uses(directory.path()));

        let reused = Process { start_ticks: process.start_ticks + 1, ..process.clone() };
        assert!(!reused.signal(Signal::SIGKILL).expect("signal"));
        assert!(Process::read(process.pid).is_some());
        assert!(process.signal(Signal::SIGKILL).expect("signal"));
        while Process::read(process.pid).is_some() {
            std::thread::yield_now();
        }
        let found = Process::using_directory(directory.path()).expect("/proc");
        assert_eq!(found, Some(Vec::new()));
        assert!(!process.signal(Signal::SIGKILL).expect("signal"), "a zombie is gone");
        assert!(is_zombie(process.pid));
        child.wait().expect("reaped");
        assert!(!is_zombie(process.pid));
    }
}
