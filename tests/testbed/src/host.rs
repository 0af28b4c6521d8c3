//! The handle of one host: power, commands, files, processes. Faults are in `faults`, PostgreSQL in `postgres`.

use crate::command::{self, Output};
use crate::error::{Doing, Error};
use crate::machine::{DiskFile, Machine};
use crate::shared::Shared;
use crate::stack;
use nix::unistd::Pid;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long a command may take unless it is said otherwise.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(60);

const ENVIRONMENT: [(&str, &str); 6] = [
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("USER", "root"),
    ("LOGNAME", "root"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
];

/// One host of a cluster; cheap to clone.
#[derive(Clone)]
pub struct Host {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
}

/// A process of a host, as the host numbers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's number; 0 for what came from outside.
    pub parent: i32,
    /// The kernel's short name.
    pub name: String,
    /// The arguments, with blanks between them.
    pub command_line: String,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Host {
    pub(crate) fn machine(&self) -> &Machine {
        &self.shared.machines[self.index]
    }

    /// The host's name, which is its node name too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.machine().name
    }

    /// The host's address.
    #[must_use]
    pub fn address(&self) -> String {
        self.machine().port.address()
    }

    /// Whether the host has power.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.machine().pid().is_some()
    }

    /// Boots the host with the disk it has; Corosync and Pacemaker stay stopped.
    pub fn boot_only(&self) -> Result<(), Error> {
        let shared = &self.shared;
        let machine = self.machine();
        if machine.on(
            &shared.network,
            &shared.guest(),
            &shared.options.release_tree,
            &shared.shares(),
        )? {
            if !machine.path("/etc/testbed-formatted").exists() {
                stack::format_disk(shared, machine)?;
                self.install_agents()?;
                machine.write(&DiskFile::of_root("/etc/testbed-formatted", b"", 0o644))?;
            }
            stack::fill_run(shared, machine)?;
        }
        Ok(())
    }

    /// Boots the host and starts Corosync and Pacemaker; returns once they answer.
    pub fn power_on(&self) -> Result<(), Error> {
        self.boot_only()?;
        self.start_cluster()
    }

    /// Starts Corosync and Pacemaker.
    pub fn start_cluster(&self) -> Result<(), Error> {
        stack::start(self)
    }

    /// Stops Pacemaker with its resources, then Corosync.
    pub fn stop_cluster(&self, limit: Duration) -> Result<(), Error> {
        stack::stop(self, limit)
    }

    fn install_agents(&self) -> Result<(), Error> {
        for agent in &self.shared.options.agents {
            let content = std::fs::read(&agent.source)
                .doing(|| format!("read the agent {}", agent.source.display()))?;
            let path = format!("/usr/lib/ocf/resource.d/{}/{}", agent.provider, agent.name);
            self.machine().write(&DiskFile::of_root(&path, &content, 0o755))?;
        }
        Ok(())
    }

    fn enter(&self, manner: &str, log: &str, words: &[&str]) -> Result<Command, Error> {
        let pid = self.machine().pid().ok_or_else(|| Error::HostOff(self.name().to_owned()))?;
        let mut command = Command::new(self.shared.guest());
        command
            .args(["enter", &pid.to_string(), manner, log])
            .args(words)
            .env_clear()
            .envs(ENVIRONMENT);
        Ok(command)
    }

    /// Runs a command in the host as root, for a minute at most; its exit code is the caller's to judge.
    pub fn run(&self, words: &[&str]) -> Result<Output, Error> {
        self.run_with(words, &[], None, COMMAND_LIMIT)
    }

    /// Runs a command in the host as root, with more environment, with input, and with a deadline of its own.
    pub fn run_with(
        &self,
        words: &[&str],
        environment: &[(&str, &str)],
        input: Option<&str>,
        limit: Duration,
    ) -> Result<Output, Error> {
        let mut command = self.enter("run", "/dev/null", words)?;
        command.envs(environment.iter().copied());
        command::run(&mut command, input, limit)
    }

    /// Runs a command that must succeed; yields its standard output.
    pub fn run_ok(&self, words: &[&str]) -> Result<String, Error> {
        let shown = format!("{}: {}", self.name(), words.join(" "));
        self.run(words)?.required(&shown).map(|output| output.stdout)
    }

    /// Runs a command as another user.
    pub fn run_as(&self, user: &str, words: &[&str]) -> Result<Output, Error> {
        let prefix = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"];
        self.run(&[&prefix, words].concat())
    }

    /// Starts a command that dies when its handle is killed, or the host or the test ends.
    pub fn spawn(&self, words: &[&str]) -> Result<Child, Error> {
        let mut command = self.enter("run", "/dev/null", words)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().doing(|| format!("start {}", words.join(" ")))
    }

    /// Starts a daemon; it belongs to the host, and what it prints goes to the log.
    pub fn daemon(
        &self,
        words: &[&str],
        log: &str,
        environment: &[(&str, &str)],
    ) -> Result<(), Error> {
        let mut command = self.enter("detach", log, words)?;
        command.envs(environment.iter().copied());
        command::run(&mut command, None, COMMAND_LIMIT)?.required(&words.join(" ")).map(drop)
    }

    /// Reads a file of the host; of one that is off, if it is not in `/run` or `/tmp`.
    pub fn read_file(&self, path: &str) -> Result<String, Error> {
        let bytes = std::fs::read(self.machine().path(path))
            .doing(|| format!("read {path} on {}", self.name()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes a file of root's with mode 644, with its directories.
    pub fn write_file(&self, path: &str, content: &str) -> Result<(), Error> {
        self.machine().write(&DiskFile::of_root(path, content.as_bytes(), 0o644))
    }

    /// The path of this machine that leads to a path of the host.
    #[must_use]
    pub fn path(&self, path: &str) -> std::path::PathBuf {
        self.machine().path(path)
    }

    /// Every process of the host; none when it is off.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        if !self.is_on() {
            return Vec::new();
        }
        let Ok(entries) = std::fs::read_dir(self.path("/proc")) else { return Vec::new() };
        entries.flatten().filter_map(|entry| process(&entry.path())).collect()
    }

    /// Every process of the host but the first, as this machine numbers them.
    pub(crate) fn outer_pids(&self) -> Vec<Pid> {
        let Some(first) = self.machine().pid() else { return Vec::new() };
        let space = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = space(&first.to_string());
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let inside = pids.filter(|pid| own.is_some() && space(pid) == own);
        let pids = inside.filter_map(|pid| pid.parse().ok()).map(Pid::from_raw);
        pids.filter(|&pid| pid != first).collect()
    }

    /// Sends a signal (`KILL`, `STOP`, …) to a process of the host.
    pub fn signal(&self, pid: i32, signal: &str) -> Result<(), Error> {
        self.run_ok(&["/bin/kill", &format!("-{signal}"), "--", &pid.to_string()]).map(drop)
    }
}

fn process(directory: &std::path::Path) -> Option<Process> {
    let pid = directory.file_name()?.to_str()?.parse().ok()?;
    let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let command_line = std::fs::read(directory.join("cmdline")).ok()?;
    let command_line =
        String::from_utf8_lossy(&command_line).trim_end_matches('\0').replace('\0', " ");
    Some(Process { pid, parent, name: before.split_once('(')?.1.to_owned(), command_line })
}
