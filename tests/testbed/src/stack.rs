//! Corosync and Pacemaker on a host: their files, their start, their stop. Which resources they run, and how a host
//! gets its power, belong elsewhere.

use crate::builder::Options;
use crate::command::{SOON, poll};
use crate::error::Error;
use crate::host::Host;
use crate::machine::{DiskFile, Machine};
use crate::network::Port;
use crate::shared::Shared;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

pub(crate) const PACEMAKER_LOG: &str = "/var/log/pacemaker/pacemaker.log";
pub(crate) const COROSYNC_LOG: &str = "/var/log/corosync/corosync.log";
const CIB: &str = "/var/lib/pacemaker/cib/cib.xml";
const LIMIT: Duration = Duration::from_secs(20);

/// User and group of an account, as the hosts' release has them.
pub(crate) fn account(tree: &Path, user: &str) -> Result<(u32, u32), Error> {
    let path = tree.join("etc/passwd");
    let missing = |reason: String| Error::Parse {
        what: format!("user {user} in {}", path.display()),
        reason,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| missing(error.to_string()))?;
    let line = text
        .lines()
        .find(|line| line.split(':').next() == Some(user))
        .ok_or_else(|| missing("no such user".into()))?;
    let number = |field| line.split(':').nth(field)?.parse().ok();
    number(2).zip(number(3)).ok_or_else(|| missing(format!("odd line {line:?}")))
}

/// Gives a new disk the files of a host that has never run.
pub(crate) fn format_disk(shared: &Shared, machine: &Machine) -> Result<(), Error> {
    let options = &shared.options;
    let cluster = account(&options.release_tree, "hacluster")?;
    for (path, mode, owner) in [
        ("/etc/corosync", 0o755, (0, 0)),
        ("/etc/corosync/uidgid.d", 0o755, (0, 0)),
        ("/var/lib/corosync", 0o755, (0, 0)),
        ("/var/log/corosync", 0o755, (0, 0)),
        ("/var/lib/pacemaker", 0o755, cluster),
        ("/var/lib/pacemaker/blackbox", 0o750, cluster),
        ("/var/lib/pacemaker/cib", 0o750, cluster),
        ("/var/lib/pacemaker/cores", 0o750, cluster),
        ("/var/lib/pacemaker/pengine", 0o750, cluster),
        ("/var/log/pacemaker", 0o770, cluster),
        ("/var/log/pacemaker/bundles", 0o770, cluster),
    ] {
        machine.blank_directory(path, mode, owner)?;
    }
    machine.write(&DiskFile::of_root(
        "/etc/corosync/corosync.conf",
        corosync_conf(options).as_bytes(),
        0o644,
    ))?;
    machine.write(&DiskFile {
        path: CIB,
        content: first_cib(options).as_bytes(),
        mode: 0o600,
        owner: cluster,
    })?;
    machine.write(&DiskFile::of_root("/etc/hosts", hosts_file(options).as_bytes(), 0o644))?;
    machine.write(&DiskFile::of_root(
        "/etc/hostname",
        format!("{}\n", machine.name).as_bytes(),
        0o644,
    ))?;
    machine.write(&DiskFile::of_root("/usr/sbin/fence_testbed", Shared::fence_agent(), 0o755))?;
    Ok(())
}

/// Makes what a boot of the release would make in `/run`.
pub(crate) fn fill_run(shared: &Shared, machine: &Machine) -> Result<(), Error> {
    let tree = &shared.options.release_tree;
    machine.blank_directory("/run/lock", 0o1777, (0, 0))?;
    machine.blank_directory("/run/resource-agents", 0o1755, (0, 0))?;
    machine.blank_directory("/run/crm", 0o750, account(tree, "hacluster")?)?;
    if let Ok(postgres) = account(tree, "postgres") {
        machine.blank_directory("/run/postgresql", 0o2775, postgres)?;
    }
    Ok(())
}

fn corosync_conf(options: &Options) -> String {
    let mut text = format!(
        "totem {{\n  version: 2\n  cluster_name: testbed\n  transport: knet\n  crypto_cipher: none\n  crypto_hash: none\n  \
         token: {}\n}}\nsystem {{\n  sched_rr: no\n  move_to_root_cgroup: no\n}}\nquorum {{\n  provider: corosync_votequorum\n{}}}\n\
         logging {{\n  to_stderr: no\n  to_syslog: no\n  to_logfile: yes\n  logfile: {COROSYNC_LOG}\n  timestamp: hires\n}}\nnodelist {{\n",
        options.token_ms,
        if options.two_node { "  two_node: 1\n  wait_for_all: 0\n" } else { "" },
    );
    for (index, name) in options.hosts.iter().enumerate() {
        let address = Port::Host(index).address();
        writeln!(
            text,
            "  node {{\n    ring0_addr: {address}\n    name: {name}\n    nodeid: {}\n  }}",
            index + 1
        )
        .expect("writing to a string cannot fail");
    }
    text.push_str("}\n");
    text
}

/// A CIB whose properties hold before the first election: otherwise that waits for dc-deadtime's 20 s.
fn first_cib(options: &Options) -> String {
    let properties: String = options
        .properties
        .iter()
        .map(|(name, value)| {
            format!(
                "<nvpair id=\"cib-bootstrap-options-{name}\" name=\"{name}\" value=\"{value}\"/>"
            )
        })
        .collect();
    format!(
        "<cib admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\" validate-with=\"{}\"><configuration><crm_config>\
         <cluster_property_set id=\"cib-bootstrap-options\">{properties}</cluster_property_set></crm_config>\
         <nodes/><resources/><constraints/></configuration><status/></cib>\n",
        newest_schema(&options.release_tree)
    )
}

/// The schema a new cluster of this release would use: the roles have their present names only since 3.7.
fn newest_schema(tree: &Path) -> String {
    let version = |name: String| {
        let (major, minor) =
            name.strip_prefix("pacemaker-")?.strip_suffix(".rng")?.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let entries =
        std::fs::read_dir(tree.join("usr/share/pacemaker")).into_iter().flatten().flatten();
    let newest = entries.filter_map(|entry| version(entry.file_name().into_string().ok()?)).max();
    let (major, minor) = newest.unwrap_or((3, 0));
    format!("pacemaker-{major}.{minor}")
}

fn hosts_file(options: &Options) -> String {
    let hosts = options
        .hosts
        .iter()
        .enumerate()
        .map(|(index, name)| format!("{} {name}\n", Port::Host(index).address()));
    format!("127.0.0.1 localhost\n{} client\n{}", Port::Client.address(), hosts.collect::<String>())
}

/// Starts Corosync, then Pacemaker; returns once the local controller answers.
pub(crate) fn start(host: &Host) -> Result<(), Error> {
    host.daemon(&["corosync", "-f"], "/var/log/corosync/stderr.log", &[])?;
    poll(&format!("corosync on {}", host.name()), LIMIT, SOON, || {
        host.run(&["corosync-cfgtool", "-s"]).ok().filter(|answer| answer.success())
    })?;
    let environment =
        [("PCMK_logfile", PACEMAKER_LOG), ("PCMK_debug", "no"), ("PCMK_logfacility", "none")];
    host.daemon(&["pacemakerd", "-f"], "/var/log/pacemaker/stderr.log", &environment)?;
    poll(&format!("pacemaker on {}", host.name()), LIMIT, SOON, || {
        host.run(&["crm_mon", "-1"]).ok().filter(|answer| answer.success())
    })
    .map(drop)
}

/// Stops Pacemaker with its resources, then Corosync, as an orderly shutdown does.
pub(crate) fn stop(host: &Host, limit: Duration) -> Result<(), Error> {
    for daemon in ["pacemakerd", "corosync"] {
        let Some(process) = host.processes().into_iter().find(|process| process.name == daemon)
        else {
            continue;
        };
        host.signal(process.pid, "TERM")?;
        poll(&format!("the end of {daemon} on {}", host.name()), limit, SOON, || {
            (!host.processes().iter().any(|other| other.pid == process.pid)).then_some(())
        })?;
    }
    Ok(())
}
