//! Root follows no link that the database user plants.
//!
//! Wherever that user can write, each file and directory that the agent touches is replaced by a
//! link to what belongs to root; whatever the agent then does or refuses, root's files stay as
//! they are, and none is created.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::User;
use tempfile::TempDir;

use crate::agent::{Agent, PROMOTED, SUCCESS};
use crate::paper_cluster::first_of_two_nodes;
use crate::server::{Server, give_to_postgres};

/// A text that PostgreSQL would read without complaint, so that it gets as far as to write.
const TEXT: &str = "# root's own, and nobody's business\n";

/// Root's directory, with files of several modes in it.
struct Roots(TempDir);

impl Roots {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        };
        mode(directory.path(), 0o755);
        for (name, bits) in [("secret", 0o600), ("readable", 0o644)] {
            fs::write(directory.path().join(name), TEXT).expect("a file");
            mode(&directory.path().join(name), bits);
        }
        fs::create_dir(directory.path().join("directory")).expect("a directory");
        mode(&directory.path().join("directory"), 0o755);
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Everything that must not change.
    fn state(&self) -> Vec<(PathBuf, u32, u32, u32, Option<String>)> {
        let mut all = vec![self.0.path().to_owned()];
        for directory in [self.0.path().to_owned(), self.path("directory")] {
            let entries = fs::read_dir(directory).expect("a directory");
            all.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        all.sort();
        let look = |path: PathBuf| {
            let data = path.symlink_metadata().expect("an entry");
            let text = fs::read_to_string(&path).ok();
            (path, data.uid(), data.gid(), data.mode(), text)
        };
        all.into_iter().map(look).collect()
    }
}

/// Puts a link of the database user in the place of what is there.
fn plant(link: &Path, target: &Path) {
    if link.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        fs::rename(link, link.with_extension("moved")).expect("a directory of ours");
    } else {
        // There may be nothing in its place.
        let _ = fs::remove_file(link);
    }
    let parent = link.parent().expect("a directory");
    if !parent.exists() {
        fs::create_dir(parent).expect("a directory");
        give_to_postgres(parent);
    }
    symlink(target, link).expect("a link");
    let user = User::from_name("postgres").expect("the users").expect("the database user");
    lchown(link, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("an owner");
}

/// Runs every action, whatever it answers, and expects root's files as they were.
#[track_caller]
fn act(agent: &Agent, roots: &Roots, actions: &[&str]) {
    let before = roots.state();
    for action in actions {
        let agent = agent.clone().timeout(Duration::from_millis(2500));
        let ended = agent.run(action).exits_any();
        assert_eq!(roots.state(), before, "{action}: {}", ended.stderr);
    }
}

#[test]
fn the_files_that_a_start_writes_lead_nowhere() {
    for target in ["secret", "readable", "absent"] {
        let server = Server::new();
        let agent = first_of_two_nodes(&server);
        let roots = Roots::new();
        for name in ["rep_mode.conf", "recovery.conf"] {
            plant(&server.path("tmp").join(name), &roots.path(target));
        }
        plant(&server.data().join("standby.signal"), &roots.path("absent"));
        act(&agent, &roots, &["start", "monitor", "promote"]);
        agent.clone().recurring().run("monitor").exits(PROMOTED);
        // Now that it runs: what the next actions write again, and remove.
        plant(&server.path("tmp/rep_mode.conf"), &roots.path(target));
        plant(&server.path("tmp/PGSQL.lock"), &roots.path(target));
        act(&agent, &roots, &["monitor", "demote", "stop"]);
        assert!(server.processes().is_empty());
    }
}

#[test]
fn a_lock_that_is_a_link_leads_nowhere() {
    for target in ["secret", "readable", "absent"] {
        let server = Server::new();
        let agent = first_of_two_nodes(&server);
        let roots = Roots::new();
        plant(&server.path("tmp/PGSQL.lock"), &roots.path(target));
        act(&agent, &roots, &["start", "monitor", "promote", "demote", "stop"]);
        assert!(server.processes().is_empty());
    }
}

#[test]
fn a_log_file_that_is_a_link_leads_nowhere() {
    for target in ["secret", "readable", "absent"] {
        let server = Server::new();
        let roots = Roots::new();
        plant(&server.path("log"), &roots.path(target));
        act(&server.agent(), &roots, &["start", "monitor", "stop"]);
        assert!(server.processes().is_empty());
    }
}

#[test]
fn a_postmaster_file_that_is_a_link_leads_nowhere() {
    for target in ["secret", "readable", "absent"] {
        let server = Server::started();
        let roots = Roots::new();
        let file = server.data().join("postmaster.pid");
        plant(&file, &roots.path(target));
        act(&server.agent(), &roots, &["monitor", "stop"]);
        assert!(server.processes().is_empty());
        // PostgreSQL removes its file at its end; the agent never does.
        plant(&file, &roots.path(target));
        act(&server.agent(), &roots, &["monitor", "start", "stop"]);
        assert_eq!(fs::read_link(&file).ok(), Some(roots.path(target)));
    }
}

#[test]
fn a_server_whose_postmaster_file_became_a_link_is_stopped() {
    let server = Server::started();
    let roots = Roots::new();
    plant(&server.data().join("postmaster.pid"), &roots.path("secret"));
    server.agent().run("monitor").exits(SUCCESS);
    server.agent().run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty());
}

#[test]
fn a_directory_that_is_a_link_leads_nowhere() {
    for name in ["tmp", "socket", "data"] {
        let server = Server::new();
        let agent = first_of_two_nodes(&server);
        let roots = Roots::new();
        plant(&server.path(name), &roots.path("directory"));
        act(&agent, &roots, &["start", "monitor", "promote", "stop"]);
        assert!(server.processes().is_empty());
    }
}

#[test]
fn a_configuration_that_is_a_link_leads_nowhere() {
    for target in ["secret", "readable", "absent"] {
        let server = Server::new();
        let agent = first_of_two_nodes(&server);
        let roots = Roots::new();
        plant(&server.data().join("postgresql.conf"), &roots.path(target));
        act(&agent, &roots, &["start", "monitor", "stop"]);
        assert!(server.processes().is_empty());
    }
}
