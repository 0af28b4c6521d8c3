//! A server is known for what it is, not for the name of its program or of the way to its data.
//!
//! The worst of all answers is "stopped" while the server still writes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::agent::{Agent, GENERIC, NOT_RUNNING, SUCCESS};
use crate::server::{Server, bindir, copy_program, succeeded, until, write_program};

/// A directory of programs in which `postgres` is something else; the server itself is `edb-postgres`.
fn programs(server: &Server, postgres: Option<&str>) -> PathBuf {
    let bin = server.path("bin");
    fs::create_dir(&bin).expect("a directory");
    // The server looks for its modules beside its program.
    symlink(bindir().with_file_name("lib"), server.path("lib")).expect("a link");
    copy_program(&bindir().join("pg_ctl"), &bin.join("pg_ctl"));
    copy_program(&bindir().join("postgres"), &bin.join("edb-postgres"));
    let text = |line: &str| {
        let line = line.replace("SERVER", &bin.join("edb-postgres").to_string_lossy());
        line.replace("POSTGRES", &bindir().join("postgres").to_string_lossy())
    };
    match postgres {
        Some(line) => write_program(&bin.join("postgres"), &format!("#!/bin/sh\n{}\n", text(line))),
        None => symlink("edb-postgres", bin.join("postgres")).expect("a link"),
    }
    bin
}

/// Starts, looks and stops, and sees for itself each time whether the server runs.
#[track_caller]
fn tells_the_truth(server: &Server, agent: &Agent) {
    agent.run("monitor").exits(NOT_RUNNING);
    agent.run("start").exits(SUCCESS);
    assert_eq!(server.sql("select 1"), "1");
    agent.run("monitor").exits(SUCCESS);
    agent.run("status").exits(SUCCESS);
    agent.run("start").exits(SUCCESS);
    agent.run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty(), "{:?}", server.processes());
    agent.run("monitor").exits(NOT_RUNNING);
}

/// The program that runs others' programs: the dynamic linker, an emulator, a debugger.
fn interpreter() -> String {
    let linker = succeeded(std::process::Command::new("sh").args(["-c", LINKER]).output());
    format!("exec {} POSTGRES \"$@\"", linker.trim())
}

const LINKER: &str = "ls /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1 2>/dev/null || :";

#[test]
fn whatever_the_servers_program_is_called() {
    for (what, postgres) in [
        ("a link", None),
        ("a script that becomes the server", Some("exec SERVER \"$@\"".to_owned())),
        ("a script that waits for the server", Some("SERVER \"$@\"; exit $?".to_owned())),
        ("an interpreter", Some(interpreter())),
    ] {
        println!("{what}");
        let server = Server::new();
        let bin = programs(&server, postgres.as_deref());
        tells_the_truth(&server, &server.agent().param("pgctl", bin.join("pg_ctl")));
    }
}

#[test]
fn a_script_that_takes_its_time_before_it_becomes_the_server_is_waited_for() {
    let server = Server::new();
    let line = "case $1 in -V) ;; *) sleep 3;; esac; exec SERVER \"$@\"";
    let bin = programs(&server, Some(line));
    tells_the_truth(&server, &server.agent().param("pgctl", bin.join("pg_ctl")));
}

#[test]
fn a_renamed_server_is_stopped_without_its_pid_file_and_its_orphans_are_too() {
    for without_file in [true, false] {
        let server = Server::new();
        let bin = programs(&server, None);
        let agent = server.agent().param("pgctl", bin.join("pg_ctl"));
        agent.run("start").exits(SUCCESS);
        if without_file {
            fs::remove_file(server.data().join("postmaster.pid")).expect("a pid file");
            agent.run("status").exits(SUCCESS);
        } else {
            server.kill_postmaster_only();
            agent.run("status").exits(NOT_RUNNING);
        }
        agent.run("stop").exits(SUCCESS);
        assert!(server.processes().is_empty(), "{:?}", server.processes());
    }
}

/// Runs the agent where a directory shows itself at a second place.
fn under_bind_mount(agent: Agent, from: &Path, to: &Path) -> Agent {
    let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
    let script = format!("mount --bind '{from}' '{to}' && exec \"$@\"");
    agent.under(&["unshare", "--mount", "sh", "-c", &script, "sh"])
}

#[test]
fn whatever_way_leads_to_the_data() {
    for renamed in [false, true] {
        let server = Server::new();
        let bin = if renamed { programs(&server, None) } else { bindir().to_owned() };
        let agent = server.agent().param("pgctl", bin.join("pg_ctl"));
        let (link, mount) = (server.path("link"), server.path("mount"));
        symlink(server.data(), &link).expect("a link");
        fs::create_dir(&mount).expect("a directory");
        let by_link = agent.clone().param("pgdata", &link);
        let by_mount = under_bind_mount(agent.clone(), &server.data(), &mount);
        let ways = [agent, by_link, by_mount.param("pgdata", &mount)];
        for starts in &ways {
            starts.run("start").exits(SUCCESS);
            for looks in &ways {
                looks.run("monitor").exits(SUCCESS);
                looks.run("start").exits(SUCCESS);
            }
            starts.run("stop").exits(SUCCESS);
            assert!(server.processes().is_empty(), "{:?}", server.processes());
            for stops in &ways {
                starts.run("start").exits(SUCCESS);
                stops.run("stop").exits(SUCCESS);
                assert!(server.processes().is_empty(), "{:?}", server.processes());
            }
        }
    }
}

#[test]
fn a_renamed_server_in_a_container_is_seen_from_outside() {
    let server = Server::new();
    let bin = programs(&server, None);
    let agent = server.agent().param("pgctl", bin.join("pg_ctl"));
    fs::create_dir(server.path("socket")).expect("a directory");
    crate::server::give_to_postgres(&server.path("socket"));
    let script = "exec setpriv --reuid postgres --regid postgres --clear-groups \"$@\"";
    let mut container = std::process::Command::new("unshare");
    container.args(["--pid", "--fork", "--kill-child", "sh", "-c", script, "sh"]);
    container.arg(bin.join("edb-postgres")).arg("-D").arg(server.data());
    container.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut container = container.current_dir("/").spawn().expect("a container");
    let pid_file = server.data().join("postmaster.pid");
    until("it answers", || fs::read_to_string(&pid_file).is_ok_and(|text| text.contains("ready")));
    agent.run("monitor").exits(SUCCESS);
    agent.run("stop").exits(SUCCESS);
    let left = server.processes();
    left.iter().for_each(|process| process.signal(Signal::SIGKILL));
    container.wait().expect("ended");
    let servers: Vec<_> = left.iter().filter(|p| !p.title.starts_with("unshare")).collect();
    assert!(servers.is_empty(), "{servers:?}");
}

#[test]
fn a_server_whose_file_system_was_taken_away_still_runs() {
    let server = Server::new();
    let disk = server.path("disk");
    fs::rename(server.data(), &disk).expect("moved");
    fs::create_dir(server.data()).expect("a mount point");
    let (from, to) = (disk.to_string_lossy(), server.data().to_string_lossy().into_owned());
    let script = format!(
        "mount --bind '{from}' '{to}' && \"$1\" start && umount -l '{to}' && \"$1\" status && \"$@\""
    );
    let agent = server.agent().under(&["unshare", "--mount", "sh", "-c", &script, "sh"]);
    agent.run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty(), "{:?}", server.processes());
}

/// Runs the agent as a container's root, who may not look into others' processes.
fn without_sight(agent: Agent) -> Agent {
    agent.under(&["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"])
}

#[test]
fn a_server_that_may_not_be_seen_into_is_not_called_absent() {
    let server = Server::new();
    let bin = programs(&server, None);
    let agent = server.agent().param("pgctl", bin.join("pg_ctl"));
    without_sight(agent.clone()).run("status").exits(NOT_RUNNING);
    // A program that is given a right hides its process, from its own user as well (proc(5), dumpable).
    let right = ["cap_ipc_lock+ep", &bin.join("edb-postgres").to_string_lossy()].map(str::to_owned);
    succeeded(std::process::Command::new("setcap").args(right).output());
    agent.run("start").exits(SUCCESS);
    agent.run("monitor").exits(SUCCESS);
    let blind = without_sight(agent.clone()).timeout(Duration::from_secs(2));
    blind.run("status").exits(GENERIC).reason("the process table cannot be read");
    blind.run("stop").exits(GENERIC);
    agent.run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty(), "{:?}", server.processes());
    without_sight(agent).run("status").exits(NOT_RUNNING);
}
