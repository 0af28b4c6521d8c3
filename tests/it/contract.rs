//! What Pacemaker and the administrator may rely on, without replication: the eleven cases of
//! upstream's `tools/ocft/pgsql`, and what happens when things are not as they should be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::agent::{
    ARGS, Agent, GENERIC, INSTALLED, NOT_RUNNING, PERMISSION, SUCCESS, UNIMPLEMENTED,
};
use crate::broken_cluster::LOAD;
use crate::server::{Server, as_postgres, bindir, give_to_postgres, until};

#[test]
fn a_normal_start() {
    let server = Server::new();
    server.agent().run("start").exits(SUCCESS).without_reason();
    assert_eq!(server.sql("select pg_is_in_recovery()"), "f");
}

#[test]
fn a_start_without_pg_ctl_is_not_installed() {
    let agent = Server::new().agent().param("pgctl", "no_such");
    agent.run("start").exits(INSTALLED).reason("pgctl=\"no_such\"");
}

#[test]
fn a_normal_stop() {
    let server = Server::started();
    server.agent().run("stop").exits(SUCCESS).without_reason();
    assert!(server.processes().is_empty());
}

#[test]
fn a_start_of_a_running_server_succeeds_and_changes_nothing() {
    let server = Server::started();
    let postmaster = server.postmaster().pid;
    server.agent().run("start").exits(SUCCESS);
    assert_eq!(server.postmaster().pid, postmaster);
}

#[test]
fn a_stop_of_a_stopped_server_succeeds() {
    let server = Server::new();
    server.agent().run("stop").exits(SUCCESS);
    server.agent().run("stop").exits(SUCCESS).without_reason();
}

#[test]
fn a_monitor_finds_the_running_server() {
    let server = Server::started();
    server.agent().recurring().run("monitor").exits(SUCCESS).without_reason();
    server.agent().run("monitor").exits(SUCCESS);
    server.agent().run("status").exits(SUCCESS);
}

#[test]
fn a_monitor_finds_no_server_where_none_runs() {
    let server = Server::new();
    server.agent().recurring().run("monitor").exits(NOT_RUNNING).without_reason();
    server.agent().run("monitor").exits(NOT_RUNNING);
    server.agent().run("status").exits(NOT_RUNNING);
}

#[test]
fn commands_for_people_explain_themselves() {
    Agent::new().call(&["--help"]).exits(SUCCESS).says("  show ");
    for command in pgsql_ha::command::ALL {
        Agent::new().call(&[command.name, "--help"]).exits(SUCCESS).says("Exit codes: ");
    }
    let wrong = Agent::new().call(&["show", "--nonsense"]).exits(ARGS);
    assert!(wrong.stderr.contains("--nonsense"), "{}", wrong.stderr);
}

#[test]
fn show_tells_of_a_server_although_no_cluster_answers() {
    let server = Server::started();
    let agent = server.agent().env("HA_SBIN_DIR", "/nowhere");
    agent.call(&["show"]).exits(SUCCESS).says("pgsql: ").says("rep_mode=none").says("primary, 1:");
}

#[test]
fn an_action_that_does_not_exist_is_not_implemented() {
    Agent::new().run("no_cmd").exits(UNIMPLEMENTED);
    Agent::new().run("migrate_to").exits(UNIMPLEMENTED);
}

#[test]
fn a_database_user_who_does_not_exist_is_not_installed() {
    let agent = Server::new().agent().param("pgdba", "no_user");
    agent.run("start").exits(INSTALLED).reason("no_user");
    agent.run("stop").exits(SUCCESS);
    agent.run("monitor").exits(NOT_RUNNING);
}

#[test]
fn a_database_user_who_cannot_write_the_data_is_not_permitted() {
    let server = Server::new();
    server.agent().param("pgdba", "nobody").run("start").exits(PERMISSION).reason("nobody");
}

#[test]
fn a_call_without_an_action_explains_how_to_call() {
    Agent::new().call(&[]).exits(GENERIC).says("usage: ").says("validate-all");
}

#[test]
fn without_a_replication_mode_nothing_is_promoted() {
    let server = Server::started();
    server.agent().run("promote").exits(UNIMPLEMENTED).reason("Not in a replication mode");
    server.agent().run("demote").exits(UNIMPLEMENTED).reason("Not in a replication mode");
    server.agent().run("notify").exits(SUCCESS);
    server.agent().run("monitor").exits(SUCCESS);
}

#[test]
fn where_there_is_no_data_nothing_runs() {
    let server = Server::without_data();
    server.agent().run("monitor").exits(NOT_RUNNING).without_reason();
    server.agent().recurring().run("monitor").exits(NOT_RUNNING);
    server.agent().run("status").exits(NOT_RUNNING);
    server.agent().run("stop").exits(SUCCESS).without_reason();
    let missing = server.data();
    server.agent().run("start").exits(INSTALLED).reason(&missing.to_string_lossy());
}

#[test]
fn a_server_whose_configuration_is_gone_can_be_stopped() {
    let server = Server::started();
    fs::remove_file(server.data().join("postgresql.conf")).expect("a configuration");
    server.agent().recurring().run("monitor").exits(SUCCESS);
    server.agent().run("stop").exits(SUCCESS).without_reason();
    assert!(server.processes().is_empty());
    server.agent().run("start").exits(INSTALLED).reason("config=");
}

#[test]
fn a_server_whose_data_was_closed_can_be_stopped() {
    let server = Server::started();
    let closed = |mode| fs::set_permissions(server.data(), fs::Permissions::from_mode(mode));
    closed(0o000).expect("a directory of ours");
    server.agent().run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty());
    server.agent().run("monitor").exits(NOT_RUNNING);
    let started = server.agent().run("start").exits(PERMISSION);
    started.reason(&server.data().to_string_lossy());
    closed(0o700).expect("a directory of ours");
    server.agent().run("start").exits(SUCCESS);
}

#[test]
fn a_stop_does_not_leave_a_server_behind_whose_data_was_moved_away() {
    let server = Server::started();
    fs::rename(server.data(), server.path("elsewhere")).expect("a directory of ours");
    server.agent().run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty(), "stopped, says the agent; {:?}", server.processes());
}

#[test]
fn a_path_may_hold_blanks_and_quotes() {
    let server = Server::new();
    let data = server.path("da ta 'n' more; & *");
    fs::rename(server.data(), &data).expect("a directory of ours");
    let agent = server.agent().param("pgdata", &data).param("logfile", server.path("l 'o' g"));
    agent.run("start").exits(SUCCESS).without_reason();
    agent.clone().recurring().run("monitor").exits(SUCCESS);
    assert_eq!(server.sql("show data_directory"), data.to_string_lossy());
    agent.run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty());
}

#[test]
fn no_shell_interprets_the_data_directory() {
    let server = Server::new();
    let data = server.path("data $(touch interpreted)");
    fs::rename(server.data(), &data).expect("a directory of ours");
    let agent = server.agent().param("pgdata", &data);
    // It may refuse such a path, but then before anything happens.
    agent.run("start").exits_any();
    agent.run("stop").exits(SUCCESS);
    assert!(!data.join("interpreted").exists());
}

#[test]
fn no_shell_interprets_the_log_file() {
    let server = Server::new();
    let agent = server.agent().param("logfile", server.path("log $(touch interpreted)"));
    agent.run("start").exits_any();
    agent.run("stop").exits(SUCCESS);
    assert!(!server.data().join("interpreted").exists());
}

#[test]
fn an_agent_that_runs_as_the_database_user_needs_no_root() {
    let server = Server::new();
    let agent = server.agent().by_database_user(&server.path("pgsql"));
    agent.run("start").exits(SUCCESS).without_reason();
    agent.clone().recurring().run("monitor").exits(SUCCESS);
    agent.run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty());
}

#[test]
fn a_postmaster_that_does_not_answer_is_a_failure_and_not_a_hang() {
    let server = Server::started();
    let postmaster = server.postmaster();
    postmaster.signal(Signal::SIGSTOP);
    let timeout = Duration::from_secs(3);
    let monitor = server.agent().recurring().timeout(timeout);
    monitor.run("monitor").exits(GENERIC).within(timeout + LOAD).reason("does not answer");
    server
        .agent()
        .timeout(Duration::from_secs(10))
        .param("stop_escalate", "1")
        .run("stop")
        .exits(SUCCESS);
    assert!(server.processes().is_empty());
}

#[test]
fn a_server_that_cannot_start_says_why_at_once() {
    let server = Server::new();
    server.configure("max_connections = many\n");
    let started = server.agent().run("start").exits(GENERIC);
    started.within(LOAD).reason("FATAL").reason("max_connections");
    assert!(server.processes().is_empty());
}

#[test]
fn a_process_number_alone_is_no_server() {
    let server = Server::new();
    let file = server.data().join("postmaster.pid");
    // This process lives, and is no server.
    let number = std::process::id();
    let text = format!("{number}\n{}\n1700000000\n5432\n", server.data().display());
    fs::write(&file, text).expect("a file");
    give_to_postgres(&file);
    server.agent().run("monitor").exits(NOT_RUNNING);
    server.agent().run("stop").exits(SUCCESS);
    server.agent().run("start").exits(SUCCESS);
    server.agent().recurring().run("monitor").exits(SUCCESS);
}

#[test]
fn a_number_that_went_to_another_process_of_the_database_user_does_not_stop_the_agent() {
    let server = Server::new();
    let mut other = as_postgres("/bin/sleep".as_ref()).arg("60").spawn().expect("sleep");
    let file = server.data().join("postmaster.pid");
    let text = format!("{}\n{}\n1700000000\n5432\n", other.id(), server.data().display());
    fs::write(&file, text).expect("a file");
    give_to_postgres(&file);
    server.agent().run("monitor").exits(NOT_RUNNING);
    // PostgreSQL itself refuses, for it sees no more than the number.
    server.agent().run("start").exits(GENERIC).reason("postmaster.pid");
    server.agent().run("stop").exits(SUCCESS);
    assert!(other.try_wait().expect("a child of ours").is_none(), "the other was killed");
    other.kill().expect("a child of ours");
    other.wait().expect("a child of ours");
}

#[test]
fn children_of_a_killed_postmaster_are_cleaned_up_by_a_stop() {
    let server = Server::started();
    server.kill_postmaster_only();
    server.agent().recurring().run("monitor").exits(NOT_RUNNING);
    server.agent().run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty());
    server.agent().run("start").exits(SUCCESS);
}

#[test]
fn children_of_a_killed_postmaster_are_cleaned_up_by_a_start() {
    let server = Server::started();
    server.kill_postmaster_only();
    let left: Vec<_> = server.processes().into_iter().map(|process| process.pid).collect();
    server.agent().run("start").exits(SUCCESS);
    assert!(server.processes().iter().all(|process| !left.contains(&process.pid)));
    assert_eq!(server.sql("select 1"), "1");
}

#[test]
fn a_stop_ends_sessions_that_do_not_end_themselves() {
    let server = Server::started();
    server.sql("create table t (a int)");
    let mut session = as_postgres(&bindir().join("psql"));
    session.args(["-Xqd", "template1", "-c", "select pg_sleep(60)", "-h"]);
    let mut session = session
        .arg(server.path("socket"))
        .args(["-p", &server.sql("show port")])
        .stderr(Stdio::null())
        .spawn()
        .expect("psql");
    let sleeping = "select count(*) from pg_stat_activity where query like 'select pg_sleep%'";
    until("a session", || server.sql(sleeping) == "1");
    server.agent().run("stop").exits(SUCCESS).within(LOAD);
    assert!(server.processes().is_empty());
    session.wait().expect("a child of ours");
}
