//! What the testbed needs of the machine, said in clear words. It checks; it installs nothing.

use std::fmt;
use std::path::Path;

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Namespaces and mounts need it.
    Root,
    /// A program, and the Debian package that brings it.
    Program {
        /// The program.
        name: &'static str,
        /// Who brings it.
        package: &'static str,
    },
    /// A file system of the kernel.
    FileSystem(&'static str),
    /// A kind of namespace of the kernel.
    Namespace(&'static str),
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => formatter.write_str("run it as root"),
            Self::Program { name, package } => {
                write!(formatter, "{name} is missing (apt install {package})")
            }
            Self::FileSystem(name) => {
                write!(formatter, "the kernel has no {name} (modprobe {name})")
            }
            Self::Namespace(name) => write!(formatter, "the kernel has no {name} namespaces"),
        }
    }
}

const PROGRAMS: [(&str, &str); 10] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("setpriv", "util-linux"),
    ("corosync", "corosync"),
    ("pacemakerd", "pacemaker"),
    ("crm_mon", "pacemaker-cli-utils"),
    ("cibadmin", "pacemaker-cli-utils"),
    ("crm", "crmsh"),
    ("pcs", "pcs"),
    ("mount", "mount"),
];

/// What is missing on this machine; empty when the testbed can run.
#[must_use]
pub fn requirements() -> Vec<Requirement> {
    let mut missing = Vec::new();
    if !nix::unistd::geteuid().is_root() {
        missing.push(Requirement::Root);
    }
    for (name, package) in PROGRAMS {
        if !is_installed(name) {
            missing.push(Requirement::Program { name, package });
        }
    }
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    for name in ["overlay", "tmpfs"] {
        if !known.lines().any(|line| line.split_whitespace().last() == Some(name)) {
            missing.push(Requirement::FileSystem(name));
        }
    }
    for name in ["mnt", "uts", "ipc", "pid", "net"] {
        if !Path::new("/proc/self/ns").join(name).exists() {
            missing.push(Requirement::Namespace(name));
        }
    }
    missing
}

fn is_installed(program: &str) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|directory| Path::new(directory).join(program).exists())
}
