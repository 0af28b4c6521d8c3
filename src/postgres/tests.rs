//! What the tests of this layer share, and tests against a real server.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::postmaster;
use crate::model::instance::Postmaster;
use crate::model::settings::Settings;
use crate::system::command::Command;
use crate::system::identity::{User, acting_as_root};

mod real;
mod rejoin;

/// Settings like the defaults, around this data directory.
pub(super) fn settings_in(pgdata: &Path) -> Settings {
    let pgctl = "/usr/lib/postgresql/15/bin/pg_ctl".into();
    Settings { pgctl, ..Settings::example(pgdata) }
}

/// A data directory of `nobody` (of ourselves when we are not root), with a tmpdir in it and
/// processes that look like a server's.
pub(super) struct Fake {
    directory: TempDir,
    pub(super) settings: Settings,
    pub(super) user: User,
}

impl Fake {
    pub(super) fn new() -> Self {
        let name = if acting_as_root() { "nobody".to_owned() } else { whoami() };
        let user = User::lookup(&name).expect("lookup").expect("exists");
        let directory = tempfile::tempdir().expect("directory");
        let pgdata = directory.path().join("data");
        let settings = settings_in(&pgdata);
        for path in [&pgdata, &settings.tmpdir] {
            fs::create_dir(path).expect("directory");
            chown(path, Some(user.uid), Some(user.gid)).expect("chown");
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("chmod");
        }
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        Self { directory, settings, user }
    }

    pub(super) fn pgdata(&self) -> &Path {
        &self.settings.pgdata
    }

    pub(super) fn find(&self) -> Postmaster {
        postmaster::find(&self.settings, &self.user).expect("found")
    }

    pub(super) fn write_pid(&self, pid: i32) {
        self.write_pid_of(pid, 1_700_000_000);
    }

    /// Writes `postmaster.pid` as a server that started then, in seconds since 1970.
    pub(super) fn write_pid_of(&self, pid: i32, started: u64) {
        let path = self.pgdata().join("postmaster.pid");
        fs::write(&path, format!("{pid}\n{}\n{started}\n", self.pgdata().display()))
            .expect("write");
        chown(&path, Some(self.user.uid), Some(self.user.gid)).expect("chown");
    }

    /// Runs a copy of `sleep` under another name, in a directory and with a title.
    #[expect(clippy::disallowed_methods, reason = "the impostor's title is not its path")]
    pub(super) fn run(&self, program: &str, directory: &Path, title: &str) -> Impostor {
        let path = self.directory.path().join(program);
        if !path.exists() {
            // Not by this process: a child that another thread forks meanwhile would hold the
            // file open for writing, and the kernel would not run it (ETXTBSY).
            let copy = Command::new("/usr/bin/install").args(["-m755", "/bin/sleep"]).arg(&path);
            copy.deadline(Instant::now() + Duration::from_secs(60)).run().expect("copy");
        }
        let mut command = std::process::Command::new(path);
        command.arg0(title).arg("60").current_dir(directory);
        if acting_as_root() {
            command.uid(self.user.uid).gid(self.user.gid);
            if directory != self.pgdata() {
                chown(directory, Some(self.user.uid), Some(self.user.gid)).expect("chown");
            }
        }
        Impostor(command.spawn().expect("spawned"))
    }

    pub(super) fn remove_program(&self, program: &str) {
        fs::remove_file(self.directory.path().join(program)).expect("removed");
    }
}

fn whoami() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).expect("lookup");
    user.expect("exists").name
}

/// A process that ends with the test.
pub(super) struct Impostor(Child);

impl Impostor {
    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a process number")
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
