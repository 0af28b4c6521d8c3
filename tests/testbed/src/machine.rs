//! The hardware of one host: a disk that survives power failures, and a power state. What runs on it, and in what
//! order, does not belong here.

use crate::error::{Doing, Error};
use crate::network::{Network, Port};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One host as hardware.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) port: Port,
    /// Holds `upper`, `work` and the mount point `root`.
    disk: PathBuf,
    power: Mutex<Option<Running>>,
}

/// The processes of a host that is on.
struct Running {
    /// Stays outside the host and ends when its last process has.
    launcher: Child,
    /// The host's first process, as the machine numbers it.
    pid: Pid,
    /// Closed when the test dies, and the host with it.
    _lifeline: ChildStdin,
}

/// A file for a host's disk.
pub(crate) struct DiskFile<'a> {
    pub(crate) path: &'a str,
    pub(crate) content: &'a [u8],
    pub(crate) mode: u32,
    /// User and group.
    pub(crate) owner: (u32, u32),
}

impl<'a> DiskFile<'a> {
    /// A file of root's.
    pub(crate) const fn of_root(path: &'a str, content: &'a [u8], mode: u32) -> Self {
        Self { path, content, mode, owner: (0, 0) }
    }
}

impl Machine {
    pub(crate) fn new(name: &str, port: Port, cluster_dir: &Path) -> Result<Self, Error> {
        let disk = cluster_dir.join(name);
        for part in ["upper", "work", "root"] {
            fs::create_dir_all(disk.join(part)).doing(|| format!("make the disk of {name}"))?;
        }
        Ok(Self { name: name.to_owned(), port, disk, power: Mutex::default() })
    }

    fn power(&self) -> MutexGuard<'_, Option<Running>> {
        self.power.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first process as the machine numbers it, while the host is on.
    pub(crate) fn pid(&self) -> Option<Pid> {
        self.power().as_ref().map(|running| running.pid)
    }

    /// Plugs the network in and starts the first process, with the root mounted; yields whether it was off before.
    pub(crate) fn on(
        &self,
        network: &Network,
        guest: &Path,
        lower: &Path,
        shares: &[String],
    ) -> Result<bool, Error> {
        let mut power = self.power();
        if power.is_some() {
            return Ok(false);
        }
        network.plug_in(self.port)?;
        let mut command = Command::new(guest);
        command
            .arg("boot")
            .arg(&self.name)
            .arg(network.netns(self.port))
            .arg(lower)
            .arg(&self.disk)
            .args(shares);
        let mut launcher = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .doing(|| format!("boot {}", self.name))?;
        let lifeline = launcher.stdin.take().expect("standard input was asked for as a pipe");
        let stdout = launcher.stdout.take().expect("standard output was asked for as a pipe");
        let words: Vec<String> = BufReader::new(stdout).lines().map_while(Result::ok).collect();
        let pid = words.iter().find_map(|line| line.strip_prefix("pid ")?.parse().ok());
        match pid {
            Some(pid) if words.iter().any(|line| line == "ready") => {
                *power = Some(Running { launcher, pid: Pid::from_raw(pid), _lifeline: lifeline });
                Ok(true)
            }
            _ => {
                drop(lifeline);
                let status = launcher.wait().doing(|| format!("wait for {}", self.name))?;
                Err(Error::Command {
                    command: format!("{command:?}"),
                    code: status.code(),
                    output: words.join("\n"),
                })
            }
        }
    }

    /// Cuts the power: silence on the network first, then every process dies; returns once the last one is dead.
    pub(crate) fn off(&self, network: &Network) -> Result<bool, Error> {
        self.cut_power(&mut self.power(), network)
    }

    /// Switches off for good: whoever asks for this host's power afterwards waits for the end of the process.
    pub(crate) fn scrap(&self, network: &Network) -> Result<bool, Error> {
        let mut power = self.power();
        let off = self.cut_power(&mut power, network);
        std::mem::forget(power);
        off
    }

    fn cut_power(&self, power: &mut Option<Running>, network: &Network) -> Result<bool, Error> {
        let Some(mut running) = power.take() else { return Ok(false) };
        network.silence(self.port)?;
        kill(running.pid, Signal::SIGKILL).doing(|| format!("kill {}", self.name))?;
        running.launcher.wait().doing(|| format!("wait for the end of {}", self.name))?;
        network.unplug(self.port)?;
        Ok(true)
    }

    /// The machine's path to a path of the host: through the running host's own root, or on the disk of one that is off.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let root = self.pid().map_or_else(
            || self.disk.join("upper"),
            |pid| PathBuf::from(format!("/proc/{pid}/root")),
        );
        root.join(path.trim_start_matches('/'))
    }

    /// Writes a file, with its directories.
    pub(crate) fn write(&self, file: &DiskFile) -> Result<(), Error> {
        let what = || format!("write {} on {}", file.path, self.name);
        let path = self.path(file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).doing(what)?;
        }
        fs::write(&path, file.content).doing(what)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).doing(what)?;
        chown(&path, Some(file.owner.0), Some(file.owner.1)).doing(what)
    }

    /// Makes an empty directory, whatever was there.
    pub(crate) fn blank_directory(
        &self,
        path: &str,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<(), Error> {
        let what = || format!("blank {path} on {}", self.name);
        let path = self.path(path);
        if path.exists() {
            fs::remove_dir_all(&path).doing(what)?;
        }
        fs::create_dir_all(&path).doing(what)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).doing(what)?;
        chown(&path, Some(owner.0), Some(owner.1)).doing(what)
    }
}
