//! `demo enter HOST`: a shell or a command inside a host of a demo that another terminal keeps up. Finds the host in the
//! process table, since the demo that made it is another process.

use crate::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

const CLIENT: &str = "client";
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
];

/// Runs the words in the host, or a shell; yields their exit code.
pub fn enter(host: &str, words: &[String]) -> Result<ExitCode, Error> {
    let place = find(host).ok_or_else(|| Error::NoSuchHost(host.to_owned()))?;
    let mut command = Command::new("nsenter");
    match &place {
        Place::Host(pid) => command
            .args(["--target", pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--"])
            .envs(ENVIRONMENT),
        Place::Client(netns) => command.arg(format!("--net={netns}")).arg("--"),
    };
    if words.is_empty() {
        command.env("PS1", format!("{host}# ")).args(["bash", "--norc"]);
    } else {
        command.args(words);
    }
    let status = command.status().map_err(Error::NoEntry)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

enum Place {
    /// A host, by its first process.
    Host(String),
    /// The client's network.
    Client(String),
}

fn find(host: &str) -> Option<Place> {
    let boots = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| boot(&entry.path()));
    let boots: Vec<Boot> = boots.filter(|boot| is_demo(&boot.cluster)).collect();
    if host == CLIENT {
        let cluster = &boots.first()?.cluster;
        return Some(Place::Client(format!("/run/netns/{cluster}-{CLIENT}")));
    }
    boots.into_iter().find(|boot| boot.host == host).map(|boot| Place::Host(boot.pid))
}

/// The first process of a host.
struct Boot {
    pid: String,
    host: String,
    cluster: String,
}

/// Reads `testbed-host boot HOST /run/netns/CLUSTER-PORT …` of a process that is number 1 in its namespace.
fn boot(process: &Path) -> Option<Boot> {
    let pid = process.file_name()?.to_str().filter(|name| name.parse::<u32>().is_ok())?;
    let line = fs::read_to_string(process.join("cmdline")).ok()?;
    let mut words = line.split('\0');
    if !words.next()?.ends_with("/testbed-host") || words.next()? != "boot" {
        return None;
    }
    let (host, netns) = (words.next()?.to_owned(), words.next()?);
    let cluster = netns.strip_prefix("/run/netns/")?.rsplit_once('-')?.0.to_owned();
    let status = fs::read_to_string(process.join("status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let is_first = numbers.split_whitespace().skip(1).last() == Some("1");
    is_first.then(|| Boot { pid: pid.to_owned(), host, cluster })
}

/// Whether the cluster `tb<pid>-<number>` belongs to a demo, not to a test that happens to run.
fn is_demo(cluster: &str) -> bool {
    let owner = cluster.strip_prefix("tb").and_then(|rest| rest.split_once('-'));
    owner.is_some_and(|(pid, _)| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == "demo")
    })
}
