//! The password of the monitoring user stays where it was given: in the environment of the agent.

use std::fs;
use std::path::{Path, PathBuf};

use crate::agent::{Agent, CONFIGURED, Ended, GENERIC, SUCCESS};
use crate::server::{Server, bindir, write_program};

const PASSWORD: &str = "hunter2-s3cr3t";

/// A server that lets the monitoring user in with a password only, and an agent that has it.
fn server_with_a_password() -> (Server, Agent) {
    let server = Server::new();
    let hba = server.data().join("pg_hba.conf");
    let rules = fs::read_to_string(&hba).expect("the server's rules");
    fs::write(&hba, format!("local all monitor scram-sha-256\n{rules}")).expect("a rule");
    server.configure("log_statement = all\nlog_connections = on\n");
    server.agent().run("start").exits(SUCCESS);
    server.sql(&format!("create role monitor login password '{PASSWORD}'"));
    server.agent().run("stop").exits(SUCCESS);
    // The statement just made is in it.
    fs::remove_file(server.path("log")).expect("the server's log");
    let agent = server
        .agent()
        .param("monitor_user", "monitor")
        .param("monitor_password", PASSWORD)
        .env("HA_LOGFILE", server.path("ha.log"))
        .env("HA_DEBUGLOG", server.path("ha-debug.log"))
        .env("HA_debug", "1");
    (server, agent)
}

/// Puts a program in the place of another, which notes its arguments and its environment.
fn noted(server: &Server, name: &str) -> PathBuf {
    let path = server.path(name);
    let (notes, program) = (server.path("notes"), bindir().join(name));
    let (notes, program) = (notes.display(), program.display());
    let script =
        format!("#!/bin/sh\n{{ echo \"$0 $*\"; env; }} >> {notes}\nexec {program} \"$@\"\n");
    write_program(&path, &script);
    path
}

#[test]
fn the_password_is_in_no_program_that_a_start_leaves_behind() {
    let (server, agent) = server_with_a_password();
    let agent = agent.param("pgctl", noted(&server, "pg_ctl"));
    agent.param("psql", noted(&server, "psql")).run("start").exits(SUCCESS);
    let notes = fs::read_to_string(server.path("notes")).expect("pg_ctl was called");
    assert!(notes.contains(" start\n") && notes.contains("\nPGPORT="), "{notes}");
    assert!(!notes.contains(PASSWORD), "{notes}");
}

#[test]
fn the_password_is_in_no_command_line_no_environment_and_no_log() {
    let (server, agent) = server_with_a_password();
    agent.run("start").exits(SUCCESS);
    for action in ["monitor", "status", "notify", "stop"] {
        let (ended, programs) = traced(&server, &agent, action);
        assert!(!ended.stderr.contains(PASSWORD) && !ended.stdout.contains(PASSWORD), "{action}");
        let (own, others) = programs.split_first().expect("the call of the agent");
        // What follows the agent's arguments is its environment, in which it got the password.
        assert!(own.contains(PASSWORD), "strace does not show environments: {own}");
        let arguments = own.split("], [").next().unwrap_or_default();
        assert!(!arguments.contains(PASSWORD), "{action}: {arguments}");
        assert!(!others.concat().contains(PASSWORD), "{action}: {others:#?}");
    }
    for log in ["ha.log", "ha-debug.log", "log"] {
        let text = fs::read_to_string(server.path(log)).expect("a log");
        assert!(!text.is_empty() && !text.contains(PASSWORD), "{log}: {text}");
    }
}

/// Runs an action and returns the calls of programs in it, the agent's own as the first.
#[track_caller]
fn traced(server: &Server, agent: &Agent, action: &str) -> (Ended, Vec<String>) {
    assert!(Path::new("/usr/bin/strace").exists(), "this test needs the package strace");
    let trace = server.path("trace").to_string_lossy().into_owned();
    let words = ["strace", "-f", "-v", "-s", "65535", "-e", "trace=execve", "-o", &trace];
    let ended = agent.clone().under(&words).run(action).exits(SUCCESS);
    let trace = fs::read_to_string(&trace).expect("a trace");
    let calls = trace.lines().filter(|line| line.contains("execve("));
    (ended, calls.map(str::to_owned).collect())
}

#[test]
fn a_wrong_password_is_not_shown_either() {
    let (server, agent) = server_with_a_password();
    server.agent().run("start").exits(SUCCESS);
    let wrong = "hunter3-wr0ng";
    let agent = agent.param("monitor_password", wrong).recurring();
    let ended = agent.run("monitor").exits(GENERIC).reason("password authentication failed");
    assert!(!ended.stderr.contains(wrong), "{}", ended.stderr);
    let ended = agent.param("pgport", "x").run("validate-all").exits(CONFIGURED);
    assert!(!ended.stderr.contains(wrong), "{}", ended.stderr);
    for log in ["ha.log", "ha-debug.log"] {
        let text = fs::read_to_string(server.path(log)).expect("a log");
        assert!(!text.contains(wrong), "{log}: {text}");
    }
}

#[test]
fn a_monitor_with_a_password_starts_no_program() {
    let (server, agent) = server_with_a_password();
    agent.run("start").exits(SUCCESS);
    let (_, programs) = traced(&server, &agent.recurring(), "monitor");
    assert_eq!(programs.len(), 1, "the agent itself and nothing else: {programs:#?}");
}
