//! Makes the stock agent runnable: `heartbeat/pgsql` and the shell library it sources, from a checkout or a git
//! directory of resource-agents, with the few substitutions that its `configure` would make; or finds the installed one.
//! Nothing of it is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::error::{Doing, Error};

/// Where hosts have the shell library.
pub const LIBRARY: &str = "/usr/lib/ocf/lib/heartbeat";

/// Where Debian installs the agent, and where `make install` keeps it.
const INSTALLED: [&str; 2] =
    ["/usr/lib/ocf/resource.d/heartbeat/.pgsql.stock", "/usr/lib/ocf/resource.d/heartbeat/pgsql"];

/// The files the agent needs; those that end in `.in` have places for `configure` to fill.
const FILES: [&str; 7] = [
    "pgsql",
    "ocf-shellfuncs.in",
    "ocf-binaries.in",
    "ocf-directories.in",
    "ocf-returncodes",
    "ocf-rarun",
    "ocf-distro",
];

/// What `configure` fills in on Debian.
const SUBSTITUTIONS: [(&str, &str); 23] = [
    ("@AWK@", "gawk"),
    ("@EGREP@", "/bin/grep -E"),
    ("@FGREP@", "/bin/grep -F"),
    ("@HA_RSCTMPDIR@", "/run/resource-agents"),
    ("@HA_VARRUNDIR@", "/var/run"),
    ("@IFCONFIG_A_OPT@", "-a"),
    ("@INITDIR@", "/etc/init.d"),
    ("@MAILCMD@", "mail"),
    ("@OCF_ROOT_DIR@", "/usr/lib/ocf"),
    ("@PING@", "/bin/ping"),
    ("@SHELL@", "/bin/bash"),
    ("@SSH@", "/usr/bin/ssh"),
    ("@TEST@", "/usr/bin/test"),
    ("@datadir@", "/usr/share"),
    ("@exec_prefix@", "/usr"),
    ("@libdir@", "/usr/lib"),
    ("@libexecdir@", "/usr/libexec"),
    ("@localstatedir@", "/var"),
    ("@prefix@", "/usr"),
    ("@sbindir@", "/usr/sbin"),
    ("@sysconfdir@", "/etc"),
    ("@bindir@", "/usr/bin"),
    ("@datarootdir@", "/usr/share"),
];

/// A stock agent that can run.
#[derive(Debug)]
pub struct Stock {
    /// The agent.
    pub agent: PathBuf,
    /// The shell library that belongs to it, if that is not the installed one.
    pub library: Option<PathBuf>,
    /// Which it is.
    pub version: String,
    /// Removed when this is dropped.
    _directory: Option<TempDir>,
}

impl Stock {
    /// Makes one from a checkout or a git directory; without either, finds the installed one.
    ///
    /// # Errors
    /// When there is none that can run replication; the message says what is needed.
    pub fn prepare(source: Option<&Path>) -> Result<Self, Error> {
        source.map_or_else(Self::installed, Self::from_source)
    }

    fn installed() -> Result<Self, Error> {
        let is_shell = |path: &&str| fs::read(path).is_ok_and(|text| text.starts_with(b"#!"));
        let agent = INSTALLED.into_iter().find(is_shell);
        let agent = agent.ok_or_else(|| Error::NoStock("it is not there".into()))?;
        let path = Path::new(LIBRARY).join("ocf-shellfuncs");
        let library = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
        if !names_the_instance(&library) {
            let reason = "its ocf-shellfuncs calls `crm_attribute -p` without the resource, so that \
                          it cannot set a promotion score (Debian 12's 4.12 does that)";
            return Err(Error::NoStock(reason.into()));
        }
        let version = said_by("dpkg-query", &["-W", "-f", "${Version}", "resource-agents"]);
        let version = format!("installed {}", version.unwrap_or_default().trim());
        Ok(Self { agent: agent.into(), library: None, version, _directory: None })
    }

    fn from_source(source: &Path) -> Result<Self, Error> {
        let directory =
            TempDir::with_prefix("pgsql-ha-bench").doing(|| "make a directory".into())?;
        let library = directory.path().join("lib");
        copy_installed_library(&library)?;
        let agent = directory.path().join("pgsql");
        for file in FILES {
            let text = substituted(&read_source(source, file)?);
            if let Some(left) = placeholder(file, &text) {
                return Err(Error::BadStock(source.into(), format!("{file} has {left}")));
            }
            let to = match file {
                "pgsql" => agent.clone(),
                _ => library.join(file.trim_end_matches(".in")),
            };
            fs::write(&to, text).doing(|| format!("write {}", to.display()))?;
        }
        set_mode(directory.path())?;
        let commit = said_by(
            "git",
            &["-C", &source.to_string_lossy(), "log", "-1", "--format=%h of %cs", "HEAD"],
        );
        let version = format!("upstream {}", commit.as_deref().unwrap_or("checkout").trim());
        Ok(Self { agent, library: Some(library), version, _directory: Some(directory) })
    }
}

/// The other agents of the hosts, IPaddr2 for one, need the rest of the library.
fn copy_installed_library(to: &Path) -> Result<(), Error> {
    fs::create_dir(to).doing(|| format!("make {}", to.display()))?;
    let entries = fs::read_dir(LIBRARY).doing(|| format!("read {LIBRARY}"))?;
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        let target = to.join(entry.file_name());
        fs::copy(entry.path(), &target).doing(|| format!("write {}", target.display()))?;
    }
    set_mode(to)
}

fn set_mode(directory: &Path) -> Result<(), Error> {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))
        .doing(|| format!("open {}", directory.display()))
}

fn read_source(source: &Path, file: &str) -> Result<String, Error> {
    let path = source.join("heartbeat").join(file);
    if path.is_file() {
        return fs::read_to_string(&path).doing(|| format!("read {}", path.display()));
    }
    let object = format!("HEAD:heartbeat/{file}");
    let said = said_by("git", &["-C", &source.to_string_lossy(), "show", &object]);
    said.ok_or_else(|| Error::BadStock(source.into(), format!("no heartbeat/{file}")))
}

/// What a program prints, if it succeeds.
fn said_by(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn substituted(text: &str) -> String {
    let fill = |text: String, (place, value): (&str, &str)| text.replace(place, value);
    SUBSTITUTIONS.into_iter().fold(text.to_owned(), fill)
}

/// A place that was not filled. The agent itself has none; its `$@` and addresses are no places.
fn placeholder<'a>(file: &str, text: &'a str) -> Option<&'a str> {
    if !file.ends_with(".in") {
        return None;
    }
    let is_name = |word: &&str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    text.lines().flat_map(|line| line.split('@').skip(1).step_by(2)).find(is_name)
}

/// Whether `ocf_promotion_score` tells `crm_attribute` for which resource.
fn names_the_instance(library: &str) -> bool {
    !library.lines().any(|line| line.trim_end().ends_with("crm_attribute -p $@"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_for_configure_are_filled() {
        let text = substituted(": ${HA_SBIN_DIR:=@sbindir@}\n: ${AWK:=@AWK@}\n");
        assert_eq!(text, ": ${HA_SBIN_DIR:=/usr/sbin}\n: ${AWK:=gawk}\n");
        assert_eq!(placeholder("ocf-binaries.in", &text), None);
        assert_eq!(placeholder("ocf-binaries.in", "x=@NEW_ONE@"), Some("NEW_ONE"));
        assert_eq!(placeholder("ocf-shellfuncs.in", "__ha_log \"$@\" \"$@\""), None);
    }

    #[test]
    fn the_library_of_debian_12_is_recognised() {
        assert!(!names_the_instance("\t\t${HA_SBIN_DIR}/crm_attribute -p $@\n"));
        assert!(names_the_instance(
            "\t${HA_SBIN_DIR}/crm_attribute -p ${OCF_RESOURCE_INSTANCE} $@\n"
        ));
    }
}
