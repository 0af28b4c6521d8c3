//! A program that runs: its output is read until it ends or its time is over.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{CommandError, Output};
use crate::system::pause::pause;

/// How soon the end of a program is noticed whose children keep its output open.
const NOTICE: Duration = Duration::from_millis(5);
/// More than any of our programs has to say.
const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// How long a killed program may take to vanish before it is left to the kernel.
const REAP: Duration = Duration::from_millis(200);

/// A program that runs. When it is dropped unwaited it is killed.
#[derive(Debug)]
pub struct Running {
    pub(super) program: PathBuf,
    pub(super) child: Child,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
    pub(super) deadline: Instant,
}

impl Running {
    /// Waits for the program's end and returns what it wrote; that may have been before its time was over, and before
    /// this was asked.
    ///
    /// A daemon that the program left behind and that holds its output open is not waited for.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn wait(mut self) -> Result<Output, CommandError> {
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        let status = self
            .collect(&mut stdout, &mut stderr, &mut |_, _| ())
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

    /// Waits for the program's end and hands over each line of both its outputs as it comes; of what it
    /// wrote only the last line is kept, for the error. Returns the program's path.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn each_line(mut self, mut line: impl FnMut(&str)) -> Result<PathBuf, CommandError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut last = String::new();
        let mut hand_over = |text: &str| {
            text.clone_into(&mut last);
            line(text);
        };
        let collected = self.collect(&mut stdout, &mut stderr, &mut |stdout, stderr| {
            drain_lines(stdout, &mut hand_over);
            drain_lines(stderr, &mut hand_over);
        });
        let program = self.program.clone();
        let status =
            collected.map_err(|source| CommandError::Read { program: program.clone(), source })?;
        for rest in [&stdout, &stderr] {
            if !rest.is_empty() {
                hand_over(&String::from_utf8_lossy(rest));
            }
        }
        match status {
            None => Err(CommandError::TimedOut { program }),
            Some(status) if status.success() => Ok(program),
            Some(status) => {
                Err(CommandError::Failed { program, status, stdout: String::new(), stderr: last })
            }
        }
    }

    /// Reads both pipes until the program has ended; `None`: the deadline came first.
    fn collect(
        &mut self,
        stdout: &mut Vec<u8>,
        stderr: &mut Vec<u8>,
        after_reading: &mut dyn FnMut(&mut Vec<u8>, &mut Vec<u8>),
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
                after_reading(stdout, stderr);
            }
            if stdout.len() + stderr.len() > OUTPUT_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it prints without end"));
            }
            if out_ready || err_ready {
                if !late || ended.is_some() {
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

/// Takes the whole lines out of what was read; a carriage return ends a line as well.
fn drain_lines(read: &mut Vec<u8>, line: &mut dyn FnMut(&str)) {
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let Some(last) = read.iter().rposition(ends) else { return };
    let whole: Vec<u8> = read.drain(..=last).collect();
    for text in whole.split(ends).filter(|text| !text.is_empty()) {
        line(&String::from_utf8_lossy(text));
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
