//! Runs a command inside a host, as root. `run` stays with it and dies with its caller, taking the command along;
//! `detach` leaves it to the host's first process, as a daemon.

use crate::sys;
use std::error::Error;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// Enters the host whose first process is given and runs the command there.
pub fn enter(arguments: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let [pid, manner, log, program, rest @ ..] = arguments else {
        return Err("enter needs PID run|detach LOG COMMAND...".into());
    };
    let detached = manner == "detach";
    let host = sys::pidfd_open(pid.parse()?)?;
    let all = sys::CLONE_NEWNS
        | sys::CLONE_NEWUTS
        | sys::CLONE_NEWIPC
        | sys::CLONE_NEWNET
        | sys::CLONE_NEWPID;
    sys::setns(&host, all)?;
    let mut command = Command::new(program);
    command.args(rest).current_dir("/");
    if detached {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    }
    // Only a child is inside the process namespace, so that /proc/self is right for the command.
    let child = sys::fork()?;
    if child == 0 {
        if !detached {
            sys::die_with_parent();
        } else if sys::fork()? > 0 {
            // An orphan falls to the first process of its parent's namespace: the parent must be inside, or the daemon
            // would wait, dead, for the machine's first process to reap it, and the host would seem to live on.
            return Ok(ExitCode::SUCCESS);
        } else {
            sys::setsid();
        }
        return Err(format!("{program}: {}", command.exec()).into());
    }
    Ok(ExitCode::from(u8::try_from(sys::wait_for(child)?)?))
}
