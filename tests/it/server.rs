//! A real PostgreSQL in a directory of its own, with a port and a socket of its own.
//!
//! The data directory is a copy of one that `initdb` made once for this checkout.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tempfile::TempDir;

use crate::agent::{Agent, SUCCESS};

/// After this time what a test waits for does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A place for a server, and what runs in it.
pub struct Server {
    directory: TempDir,
    port: u16,
}

impl Server {
    /// Prepares a data directory; nothing runs yet.
    #[track_caller]
    pub fn new() -> Self {
        let server = Self::without_data();
        copy(template(), &server.data());
        server.configure(&format!(
            "listen_addresses = ''\nport = {}\nunix_socket_directories = '{}'\nfsync = off\n\
             cluster_name = '{}'\nshared_buffers = 1MB\nautovacuum = off\n",
            server.port,
            server.path("socket").display(),
            server.name(),
        ));
        server
    }

    /// Prepares a place in which there is no data directory.
    #[track_caller]
    pub fn without_data() -> Self {
        static PORT: AtomicU16 = AtomicU16::new(20_000);
        require_root();
        let directory = tempfile::tempdir().expect("a directory");
        give_to_postgres(directory.path());
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), mode).expect("a directory of ours");
        Self { directory, port: PORT.fetch_add(1, Ordering::Relaxed) }
    }

    /// Prepares a data directory and starts the server in it.
    #[track_caller]
    pub fn started() -> Self {
        let server = Self::new();
        server.agent().run("start").exits(SUCCESS);
        server
    }

    /// A path in the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The text by which the server's processes are known.
    fn name(&self) -> String {
        format!("it-{}-{}", std::process::id(), self.port)
    }

    /// A call for this server, without replication.
    pub fn agent(&self) -> Agent {
        Agent::new()
            .param("pgctl", bindir().join("pg_ctl"))
            .param("psql", bindir().join("psql"))
            .param("pgdata", self.data())
            .param("pgport", self.port.to_string())
            .param("socketdir", self.path("socket"))
            .param("logfile", self.path("log"))
            .param("tmpdir", self.path("tmp"))
    }

    /// Adds lines to the server's configuration.
    pub fn configure(&self, lines: &str) {
        let path = self.data().join("postgresql.conf");
        let text = fs::read_to_string(&path).expect("a configuration");
        fs::write(&path, text + lines).expect("a configuration");
    }

    /// Runs statements as the superuser.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        let output = as_postgres(&bindir().join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "template1", "-c", statements])
            .args(["-p", &self.port.to_string(), "-h"])
            .arg(self.path("socket"))
            .output();
        succeeded(output).trim().to_owned()
    }

    /// Finds the server's processes by what stands in their command lines.
    pub fn processes(&self) -> Vec<Process> {
        let (data, name) = (self.data(), self.name());
        let is_ours = |process: &Process| {
            process.title.contains(&*data.to_string_lossy()) || process.title.contains(&name)
        };
        processes().into_iter().filter(is_ours).collect()
    }

    /// Returns the one process that others descend from.
    #[track_caller]
    pub fn postmaster(&self) -> Process {
        let processes = self.processes();
        // A child that has just been forked still has the postmaster's title.
        let is_child = |process: &Process| processes.iter().any(|p| p.pid == process.parent);
        let postmaster = processes.iter().find(|p| !p.title.contains("postgres: ") && !is_child(p));
        postmaster.cloned().unwrap_or_else(|| panic!("no postmaster in {processes:?}"))
    }

    /// Kills the postmaster and leaves its children, which do not notice because they are stopped.
    #[track_caller]
    pub fn kill_postmaster_only(&self) {
        let postmaster = self.postmaster();
        let children = self.processes().into_iter().filter(|p| p.pid != postmaster.pid);
        for child in children {
            child.signal(Signal::SIGSTOP);
        }
        postmaster.signal(Signal::SIGKILL);
        until("the postmaster is gone", || {
            !self.processes().iter().any(|process| process.pid == postmaster.pid)
        });
        assert!(!self.processes().is_empty(), "no child was left");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let until = Instant::now() + PATIENCE;
        while !self.processes().is_empty() && Instant::now() < until {
            self.processes().iter().for_each(|process| process.signal(Signal::SIGKILL));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A live process.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: i32,
    parent: i32,
    pub title: String,
}

impl Process {
    pub fn signal(&self, signal: Signal) {
        // It may have ended since it was seen.
        let _ = kill(Pid::from_raw(self.pid), signal);
    }
}

/// Lists all processes but zombies, which have no command line.
fn processes() -> Vec<Process> {
    let read = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let title = String::from_utf8_lossy(&words).replace('\0', " ");
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, behind_the_name) = stat.rsplit_once(')')?;
        let parent = behind_the_name.split_whitespace().nth(1)?.parse().ok()?;
        (!title.is_empty()).then_some(Process { pid, parent, title })
    };
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.filter_map(Result::ok).filter_map(read).collect()
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
pub fn require_root() {
    assert!(nix::unistd::geteuid().is_root(), "this test needs root, as the agent does");
}

pub fn give_to_postgres(path: &Path) {
    let user = postgres();
    chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("an owner");
}

fn postgres() -> User {
    let user = User::from_name("postgres").expect("the users of this machine");
    user.expect("this test needs PostgreSQL: there is no user postgres")
}

/// A program that is run as the database user.
pub fn as_postgres(program: &Path) -> Command {
    let user = postgres();
    let mut command = Command::new(program);
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).current_dir("/");
    command
}

/// Returns the directory of the newest server's programs.
pub fn bindir() -> &'static Path {
    static BINDIR: OnceLock<PathBuf> = OnceLock::new();
    BINDIR.get_or_init(|| {
        let version = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
        let root = Path::new("/usr/lib/postgresql");
        let entries =
            fs::read_dir(root).expect("this test needs PostgreSQL in /usr/lib/postgresql");
        let newest = entries.filter_map(Result::ok).filter_map(version).max();
        let newest = newest.expect("this test needs PostgreSQL: no version is installed");
        root.join(newest.to_string()).join("bin")
    })
}

/// Returns a data directory to copy, made by `initdb` when this checkout has none of this version.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let version = succeeded(Command::new(bindir().join("postgres")).arg("--version").output());
        let name = version.trim().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("data-{name}"));
        if !path.exists() {
            let place = tempfile::tempdir().expect("a directory");
            give_to_postgres(place.path());
            let made = place.path().join("data");
            let mut initdb = as_postgres(&bindir().join("initdb"));
            initdb.args(["-N", "-A", "peer", "--wal-segsize=1", "-D"]).arg(&made);
            succeeded(initdb.output());
            // Another run may be doing the same: the copy appears as a whole, or not at all.
            let new = path.with_extension(std::process::id().to_string());
            copy(&made, &new);
            if fs::rename(&new, &path).is_err() {
                fs::remove_dir_all(&new).expect("a directory of ours");
            }
        }
        path
    })
}

fn copy(from: &Path, to: &Path) {
    succeeded(Command::new("cp").arg("-a").args([from, to]).output());
}

/// Writes a program.
///
/// Another process does: a child that another thread of the tests forks meanwhile would hold the file
/// open for writing, and the kernel would not run it (ETXTBSY).
pub fn write_program(path: &Path, text: &str) {
    let draft = tempfile::NamedTempFile::new().expect("a file");
    fs::write(draft.path(), text).expect("a file");
    copy_program(draft.path(), path);
}

/// Copies a program, which everybody may run; by another process as well.
pub fn copy_program(from: &Path, to: &Path) {
    succeeded(Command::new("install").arg("-m755").args([from, to]).output());
}

/// Expects a program to succeed, and returns what it printed.
#[track_caller]
pub fn succeeded(output: std::io::Result<Output>) -> String {
    let output = output.unwrap_or_else(|error| panic!("the program cannot be run: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}{text}", output.status);
    text
}
