//! Runs programs with a deadline. The only place of this crate that waits for a process; where the program runs
//! (machine or host) is the caller's business.

use crate::error::{Doing, Error};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a program answered.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; 128 + signal when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Output {
    /// Whether the exit code is 0.
    #[must_use]
    pub const fn success(&self) -> bool {
        self.code == 0
    }

    /// Turns a failure into an error that shows what was run and what it said.
    pub(crate) fn required(self, command: &str) -> Result<Self, Error> {
        if self.success() {
            return Ok(self);
        }
        let output = format!("{}{}", self.stdout, self.stderr).trim().to_owned();
        Err(Error::Command { command: command.to_owned(), code: Some(self.code), output })
    }
}

/// Runs the command to its end. Its output goes to files in memory, so that a daemon which keeps them open does not keep us.
pub(crate) fn run(
    command: &mut Command,
    input: Option<&str>,
    limit: Duration,
) -> Result<Output, Error> {
    let started = Instant::now();
    let (mut stdout, mut stderr) = (scratch_file()?, scratch_file()?);
    let stdin = match input {
        Some(text) => {
            let mut file = scratch_file()?;
            file.write_all(text.as_bytes())
                .and_then(|()| file.rewind())
                .doing(|| "write to memory".into())?;
            Stdio::from(file)
        }
        None => Stdio::null(),
    };
    let clone = |file: &File| file.try_clone().doing(|| "duplicate a descriptor".into());
    let shown = shown(command);
    let mut child = command
        .stdin(stdin)
        .stdout(clone(&stdout)?)
        .stderr(clone(&stderr)?)
        .spawn()
        .doing(|| format!("start {shown}"))?;
    let Some(status) = wait(&mut child, limit)? else {
        return Err(Error::Deadline { command: shown, limit });
    };
    Ok(Output {
        code: code(status),
        stdout: text(&mut stdout)?,
        stderr: text(&mut stderr)?,
        took: started.elapsed(),
    })
}

/// Waits for the child; kills it when the time is up.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>, Error> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait().doing(|| "wait for a child".into())? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            child.kill().and_then(|()| child.wait()).doing(|| "kill a child".into())?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn scratch_file() -> Result<File, Error> {
    memfd_create(c"testbed", MFdFlags::MFD_CLOEXEC)
        .map(File::from)
        .doing(|| "allocate a file in memory".into())
}

fn text(file: &mut File) -> Result<String, Error> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .doing(|| "read from memory".into())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A pause after which what was asked may have changed, short beside whatever is awaited.
pub(crate) const SOON: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer; `pause` is how long it leaves the other side in peace.
pub fn poll<T>(
    what: &str,
    limit: Duration,
    pause: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> Result<T, Error> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if started.elapsed() >= limit {
            return Err(Error::Awaited { what: what.to_owned(), limit });
        }
        std::thread::sleep(pause);
    }
}
