//! Programs: the only place that starts one.
//!
//! No shell, no inherited environment, and no program outlives its deadline.

mod running;
mod session;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

pub use running::Running;

use super::identity::{User, borrowed};

/// What a program gets when nobody says otherwise.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(10);
/// What a program may write before somebody reads; more only makes it wait.
const PIPE_BYTES: i32 = 1 << 20;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a program came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot start {}: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not end in time and was killed.
    #[error("{} did not end in time", program.display())]
    TimedOut {
        /// The program.
        program: PathBuf,
    },
    /// It ended with a failure.
    #[error("{} failed ({status}): {}", program.display(), last_words(stderr, stdout))]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard output.
        stdout: String,
        /// What it wrote to its standard error.
        stderr: String,
    },
    /// Its output could not be read.
    #[error("cannot read the output of {}: {source}", program.display())]
    Read {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl CommandError {
    /// Returns the exit code of a program that ended with a failure.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Failed { status, .. } => status.code(),
            Self::Start { .. } | Self::TimedOut { .. } | Self::Read { .. } => None,
        }
    }
}

fn last_words(stderr: &str, stdout: &str) -> String {
    let text = if stderr.trim().is_empty() { stdout } else { stderr };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a successful program wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// To its standard output.
    pub stdout: String,
    /// To its standard error.
    pub stderr: String,
}

/// A program to be started.
#[derive(Debug, Clone)]
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    user: Option<User>,
    detached: bool,
    deadline: Instant,
}

impl Command {
    /// Names a program by its absolute path.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            user: None,
            detached: false,
            deadline: Instant::now() + DEADLINE_DEFAULT,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment, which holds little else.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Passes on every variable of our own environment whose name begins like one of these.
    #[must_use]
    pub fn inherit(mut self, prefixes: &[&str]) -> Self {
        let ours = |(key, _): &(OsString, OsString)| {
            key.to_str().is_some_and(|key| prefixes.iter().any(|prefix| key.starts_with(prefix)))
        };
        self.environment.extend(std::env::vars_os().filter(ours));
        self
    }

    /// Passes on our own environment, but for the variables whose name begins like one of these.
    #[must_use]
    pub fn inherit_all_but(mut self, prefixes: &[&str]) -> Self {
        let others = |(key, _): &(OsString, OsString)| {
            key.to_str().is_some_and(|key| !prefixes.iter().any(|prefix| key.starts_with(prefix)))
        };
        self.environment.extend(std::env::vars_os().filter(others));
        self
    }

    /// Appends a directory to a search path of our own environment, and passes that on.
    #[must_use]
    pub fn append_path(mut self, key: &str, directory: &str) -> Self {
        let own = std::env::vars_os().find(|(name, _)| name == key).map(|(_, value)| value);
        let mut value = own.filter(|value| !value.is_empty()).unwrap_or_default();
        if !value.is_empty() {
            value.push(":");
        }
        value.push(directory);
        self.environment.push((key.into(), value));
        self
    }

    /// Runs the program in this directory rather than in `/`.
    #[must_use]
    pub fn current_dir(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Runs the program as this user.
    #[must_use]
    pub fn as_user(mut self, user: &User) -> Self {
        self.user = Some(user.clone());
        self
    }

    /// Gives the program a session of its own, for one that leaves a daemon behind.
    #[must_use]
    pub const fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Sets the time when the program and all its process group are killed.
    #[must_use]
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn run(self) -> Result<Output, CommandError> {
        self.spawn()?.wait()
    }

    /// Starts the program, so that something else can be done while it runs.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn spawn(self) -> Result<Running, CommandError> {
        let failed = |source| CommandError::Start { program: self.program.clone(), source };
        if borrowed() || !self.program.is_absolute() {
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        }
        let mut child = self.prepare().spawn().map_err(failed)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        // A pipe of the usual size is as good, only slower.
        let _ = fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        Ok(Running { program: self.program, child, stdout, stderr, deadline: self.deadline })
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    fn prepare(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        command.env("PATH", PATH).env("LANG", "C").env("LC_ALL", "C");
        match &self.user {
            Some(user) => {
                command.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name)
            }
            None => command.env("HOME", "/root"),
        };
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command.current_dir(self.directory.as_deref().unwrap_or_else(|| Path::new("/")));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let user = self.user.as_ref().filter(|user| !user.is_me());
        let identity = user.map(|user| (user.uid, user.gid, user.groups.clone()));
        before_exec(&mut command, identity, self.detached);
        command
    }
}

/// Arranges what the child does between fork and exec.
#[expect(unsafe_code, reason = "std offers neither groups nor umask nor setsid")]
fn before_exec(
    command: &mut std::process::Command,
    identity: Option<(u32, u32, Vec<u32>)>,
    detached: bool,
) {
    if !detached {
        command.process_group(0);
    }
    let prepare = move || {
        // SAFETY: system calls on numbers and on a slice that was made before the fork; nothing
        // here allocates, locks or panics.
        let results = unsafe {
            libc::umask(0o077);
            let session = if detached { libc::setsid() } else { 0 };
            match &identity {
                Some((uid, gid, groups)) => [
                    session,
                    libc::setgroups(groups.len(), groups.as_ptr()),
                    libc::setgid(*gid),
                    libc::setuid(*uid),
                ],
                None => [session, 0, 0, 0],
            }
        };
        if results.contains(&-1) { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: the closure calls only what may be called between fork and exec, see above.
    unsafe { command.pre_exec(prepare) };
}
