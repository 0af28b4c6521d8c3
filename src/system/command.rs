//! Programs: the only place that starts one.
//!
//! No shell, no inherited environment, and no program outlives its deadline.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::identity::{User, borrowed};
use super::pause::pause;

/// What a program gets when nobody says otherwise.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(10);
/// How soon the end of a program is noticed whose children keep its output open.
const NOTICE: Duration = Duration::from_millis(5);
/// How long a killed program may take to vanish before it is left to the kernel.
const REAP: Duration = Duration::from_millis(200);
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
#[derive(Debug)]
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

/// A program that runs. When it is dropped unwaited it is killed.
#[derive(Debug)]
pub struct Running {
    program: PathBuf,
    child: Child,
    stdout: ChildStdout,
    stderr: ChildStderr,
    deadline: Instant,
}

impl Running {
    /// Waits for the program's end and returns what it wrote.
    ///
    /// A daemon that the program left behind and that holds its output open is not waited for.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn wait(mut self) -> Result<Output, CommandError> {
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        let status = self
            .collect(&mut stdout, &mut stderr)
            .map_err(|source| CommandError::Read { program: self.program.clone(), source })?;
        let Some(status) = status else {
            return Err(CommandError::TimedOut { program: self.program.clone() });
        };
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        if status.success() {
            Ok(Output { stdout, stderr })
        } else {
            Err(CommandError::Failed { program: self.program.clone(), status, stdout, stderr })
        }
    }

    /// Reads both pipes until the program has ended; `None`: the deadline came first.
    fn collect(
        &mut self,
        stdout: &mut Vec<u8>,
        stderr: &mut Vec<u8>,
    ) -> io::Result<Option<ExitStatus>> {
        let (mut out_open, mut err_open) = (true, true);
        loop {
            // Asked before reading: what an ended program wrote is in the pipes by now.
            let ended = self.child.try_wait()?;
            let late = Instant::now() >= self.deadline;
            let timeout = if ended.is_some() || late { Duration::ZERO } else { NOTICE };
            let (out_ready, err_ready) = self.ready(out_open, err_open, timeout)?;
            if out_ready {
                out_open = read_some(&mut self.stdout, stdout)?;
            }
            if err_ready {
                err_open = read_some(&mut self.stderr, stderr)?;
            }
            if out_ready || err_ready {
                if !late {
                    continue;
                }
            } else if ended.is_some() {
                return Ok(ended);
            }
            if late {
                return Ok(None);
            }
        }
    }

    /// Waits a moment for something to read.
    fn ready(&self, out: bool, err: bool, timeout: Duration) -> io::Result<(bool, bool)> {
        if !out && !err {
            pause(timeout.min(Duration::from_millis(1)));
            return Ok((false, false));
        }
        let flags = |open| if open { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut fds = [
            PollFd::new(self.stdout.as_fd(), flags(out)),
            PollFd::new(self.stderr.as_fd(), flags(err)),
        ];
        let watched = match (out, err) {
            (true, false) => &mut fds[..1],
            (false, true) => &mut fds[1..],
            (true, true) | (false, false) => &mut fds[..],
        };
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
        match poll(watched, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let readable = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        Ok((out && readable(&fds[0]), err && readable(&fds[1])))
    }
}

/// Reads what is there; `false`: the end.
fn read_some(pipe: &mut impl Read, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 65536];
    match pipe.read(&mut buffer) {
        Ok(0) => Ok(false),
        Ok(count) => {
            into.extend_from_slice(&buffer[..count]);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // The program is a child that is not reaped yet: its group number cannot be another's.
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let until = Instant::now() + REAP;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            pause(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new("/bin/sh").arg("-c").arg(script)
    }

    fn soon(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    #[test]
    fn output_of_any_size_arrives_without_deadlock() {
        let script =
            "head -c 3000000 /dev/zero | tr '\\0' e >&2; head -c 3000000 /dev/zero | tr '\\0' o";
        let output = shell(script).run().expect("runs");
        assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_000, 3_000_000));
    }

    #[test]
    fn a_failure_carries_code_and_words() {
        let error = shell("echo reason >&2; exit 105").run().expect_err("fails");
        assert_eq!(error.exit_code(), Some(105));
        assert!(error.to_string().contains("reason"), "{error}");
        let missing = Command::new("/no/such/program").run().expect_err("fails");
        assert!(matches!(missing, CommandError::Start { .. }));
        let relative = Command::new("sh").run().expect_err("fails");
        assert!(matches!(relative, CommandError::Start { .. }));
    }

    #[test]
    fn the_deadline_kills_the_whole_group() {
        let began = Instant::now();
        let file = tempfile::NamedTempFile::new().expect("file");
        let script = format!("(sleep 1; echo alive > {}) & sleep 60", file.path().display());
        let error = shell(&script).deadline(soon(100)).run().expect_err("killed");
        assert!(matches!(error, CommandError::TimedOut { .. }));
        assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
        pause(Duration::from_millis(1200));
        assert_eq!(file.as_file().metadata().expect("metadata").len(), 0);
    }

    #[test]
    fn an_endless_writer_does_not_outlive_the_deadline() {
        let began = Instant::now();
        let error = shell("exec cat /dev/zero").deadline(soon(50)).run().expect_err("killed");
        assert!(matches!(error, CommandError::TimedOut { .. }));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }

    #[test]
    fn a_daemon_that_keeps_the_output_open_is_not_waited_for() {
        let began = Instant::now();
        let output = shell("sleep 2 & echo started").run().expect("runs");
        assert_eq!(output.stdout, "started\n");
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn the_environment_is_clean() {
        let output = Command::new("/usr/bin/env").env("GIVEN", "1").run().expect("runs");
        let mut keys: Vec<_> =
            output.stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["GIVEN", "HOME", "LANG", "LC_ALL", "PATH"]);
    }

    #[test]
    fn a_program_runs_as_another_user_with_its_groups() {
        if !super::super::identity::acting_as_root() {
            return;
        }
        let nobody = User::lookup("nobody").expect("lookup").expect("exists");
        let output = shell("id -u; id -G; umask").as_user(&nobody).run().expect("runs");
        assert_eq!(output.stdout, format!("{}\n{}\n0077\n", nobody.uid, nobody.gid));
        let refused = super::super::identity::as_user(&nobody, || shell("id").run());
        assert!(matches!(refused, Ok(Err(CommandError::Start { .. }))));
    }
}
