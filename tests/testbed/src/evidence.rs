//! Gathers what a failed test leaves, before the cluster goes: logs, CIB, configuration, time line, one folder per
//! host. It cleans nothing up and never fails a test itself.

use crate::cluster::Cluster;
use crate::host::Host;
use crate::stack::{COROSYNC_LOG, PACEMAKER_LOG};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const LIMIT: Duration = Duration::from_secs(5);

/// Questions whose answers are kept, with the name of the file.
const QUESTIONS: [(&str, &[&str]); 4] = [
    ("cib-live.xml", &["cibadmin", "-Q", "-l"]),
    ("crm_mon.txt", &["crm_mon", "-1rAf"]),
    ("processes.txt", &["ps", "axfww", "-o", "pid,ppid,user,stat,lstart,args"]),
    ("network.txt", &["ip", "addr"]),
];

impl Cluster {
    /// Copies everything that explains what happened into a folder; yields the folder.
    #[must_use]
    pub fn gather_evidence(&self) -> PathBuf {
        let folder = base().join(file_name(&self.shared.options.name));
        self.gather_evidence_in(&folder);
        folder
    }

    /// Copies everything that explains what happened into that folder, in place of what it held.
    pub fn gather_evidence_in(&self, folder: &Path) {
        // An earlier run's evidence would mislead.
        drop(fs::remove_dir_all(folder));
        for host in self.hosts() {
            gather(&host, &folder.join(host.name()));
        }
        let mut story = String::new();
        for event in self.events() {
            let (time, line) = (clock(event.line.at), event.line);
            let _infallible = writeln!(
                story,
                "{time} {} {} {}: {}",
                event.host, line.source, line.level, line.text
            );
        }
        keep(&folder.join("timeline.txt"), &story);
    }
}

/// `TESTBED_LOGS`, or `cluster-logs` in cargo's target directory.
fn base() -> PathBuf {
    if let Some(chosen) = std::env::var_os("TESTBED_LOGS") {
        return PathBuf::from(chosen);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
        .join("cluster-logs")
}

fn file_name(test: &str) -> String {
    test.replace("::", ".")
        .replace(|mark: char| !mark.is_alphanumeric() && !"._-".contains(mark), "_")
}

fn gather(host: &Host, folder: &Path) {
    let options = &host.shared.options;
    let in_pgdata = |name: &str| format!("{}/{name}", options.pgdata);
    let files = [
        PACEMAKER_LOG.to_owned(),
        COROSYNC_LOG.to_owned(),
        "/var/log/syslog".to_owned(),
        "/var/log/pacemaker/stderr.log".to_owned(),
        "/var/lib/pacemaker/cib/cib.xml".to_owned(),
        options.pg_log.clone(),
        in_pgdata("postgresql.conf"),
        in_pgdata("postgresql.auto.conf"),
        in_pgdata("pg_hba.conf"),
        in_pgdata("recovery.conf"),
        in_pgdata("standby.signal"),
        in_pgdata("postmaster.pid"),
        in_pgdata("backup_label"),
    ];
    for file in files {
        if let Ok(text) = host.read_file(&file) {
            keep(&folder.join(file.rsplit('/').next().unwrap_or(&file)), &text);
        }
    }
    for (name, words) in QUESTIONS {
        if let Ok(answer) = host.run_with(words, &[], None, LIMIT) {
            keep(&folder.join(name), &format!("{}{}", answer.stdout, answer.stderr));
        }
    }
}

fn keep(path: &Path, text: &str) {
    let made =
        path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    if let Err(error) = made {
        eprintln!("testbed: cannot keep {}: {error}", path.display());
    }
}

/// The time of day, UTC, to the millisecond.
#[must_use]
pub fn clock(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tests_become_names_of_folders() {
        assert_eq!(file_name("failover::the primary/dies"), "failover.the_primary_dies");
    }

    #[test]
    fn the_clock_shows_the_time_of_day() {
        assert_eq!(
            clock(SystemTime::UNIX_EPOCH + Duration::from_millis(86_400_000 + 3_723_004)),
            "01:02:03.004"
        );
    }
}
