//! `scripts/install` and `scripts/uninstall`: the stock agent is kept, and comes back.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::server::succeeded;
use crate::source::ROOT;

const STOCK: &str = "#!/bin/sh\n# the stock agent\nexit 0\n";

/// A machine, as far as the scripts see one.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn with_stock() -> Self {
        let machine = Self::new();
        machine.write("ocf/heartbeat/pgsql", STOCK, 0o755);
        machine.write("ocf/heartbeat/IPaddr2", "another agent", 0o755);
        machine.write("ocf/other/pgsql", "another provider's", 0o700);
        machine.write("sbin/crm_mon", "a tool", 0o755);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn script(&self, name: &str) -> Command {
        let mut script = Command::new(Path::new(ROOT).join("scripts").join(name));
        script.current_dir(self.0.path());
        script
    }

    /// Installs a program with this text.
    #[track_caller]
    fn install(&self, program: &str) {
        self.write("build/pgsql-ha", program, 0o755);
        let mut script = self.script("install");
        succeeded(script.args(["build/pgsql-ha", "ocf", "sbin"]).output());
        for name in ["ocf/heartbeat/pgsql", "ocf/pgsql-ha/pgsql", "sbin/pgsql-ha"] {
            assert_eq!(self.read(name), program, "{name}");
            let mode = self.path(name).metadata().expect("a file").mode() & 0o7777;
            assert_eq!(mode, 0o755, "{name}: {mode:o}");
        }
    }

    #[track_caller]
    fn uninstall(&self) {
        succeeded(self.script("uninstall").args(["ocf", "sbin"]).output());
    }

    /// Lists every file but the build's, with its text and mode.
    fn files(&self) -> Vec<(String, String, u32)> {
        let output = Command::new("find").arg(self.0.path()).args(["-type", "f"]).output();
        let root = format!("{}/", self.0.path().display());
        let names = succeeded(output);
        let names = names.lines().map(|name| name.trim_start_matches(&root).to_owned());
        let mut files: Vec<_> = names
            .filter(|name| !name.starts_with("build/"))
            .map(|name| {
                let mode = self.path(&name).metadata().expect("a file").mode();
                (name.clone(), self.read(&name), mode)
            })
            .collect();
        files.sort();
        files
    }
}

#[test]
fn the_stock_agent_comes_back_byte_for_byte() {
    let machine = Machine::with_stock();
    let before = machine.files();
    machine.install("new");
    let kept = machine.files().into_iter().find(|(_, text, _)| text == STOCK);
    let (kept, ..) = kept.expect("the stock agent is kept");
    let name = kept.rsplit('/').next().unwrap_or_default();
    assert!(name.starts_with('.'), "Pacemaker would list {kept} as an agent");
    machine.uninstall();
    assert_eq!(machine.files(), before);
}

#[test]
fn installing_again_keeps_the_stock_agent() {
    let machine = Machine::with_stock();
    let before = machine.files();
    for program in ["one", "one", "two", "three"] {
        machine.install(program);
        assert!(machine.files().iter().any(|(_, text, _)| text == STOCK), "lost by {program}");
    }
    machine.uninstall();
    assert_eq!(machine.files(), before);
}

#[test]
fn without_a_stock_agent_nothing_stays_behind() {
    let machine = Machine::new();
    machine.install("one");
    machine.install("two");
    machine.uninstall();
    assert_eq!(machine.files(), []);
    machine.uninstall();
}

#[test]
fn an_upgrade_replaces_the_file_and_does_not_write_into_it() {
    let machine = Machine::with_stock();
    machine.install("one");
    let names = ["ocf/heartbeat/pgsql", "ocf/pgsql-ha/pgsql", "sbin/pgsql-ha"];
    let mut opened = names.map(|name| fs::File::open(machine.path(name)).expect("a file"));
    machine.install("two");
    for file in &mut opened {
        let mut text = String::new();
        file.read_to_string(&mut text).expect("a file");
        assert_eq!(text, "one", "an action that runs meanwhile finds the old program");
    }
    assert_eq!(machine.files().iter().filter(|(name, ..)| name.contains("new")).count(), 0);
}

#[test]
fn an_installation_that_was_interrupted_takes_our_own_agent_for_no_stock_agent() {
    let machine = Machine::new();
    machine.install("one");
    // As if the second installation had been killed between its files.
    machine.write("ocf/pgsql-ha/pgsql", "two", 0o755);
    machine.install("two");
    machine.uninstall();
    assert_eq!(machine.files(), []);
}

#[test]
fn a_stock_agent_that_an_update_of_the_system_brought_is_the_one_that_comes_back() {
    let machine = Machine::with_stock();
    machine.install("one");
    machine.write("ocf/heartbeat/pgsql", "#!/bin/sh\n# a newer stock agent\n", 0o755);
    machine.install("two");
    machine.uninstall();
    assert_eq!(machine.read("ocf/heartbeat/pgsql"), "#!/bin/sh\n# a newer stock agent\n");
}

#[test]
fn uninstalling_where_nothing_is_installed_changes_nothing() {
    let machine = Machine::with_stock();
    let before = machine.files();
    machine.uninstall();
    assert_eq!(machine.files(), before);
}
