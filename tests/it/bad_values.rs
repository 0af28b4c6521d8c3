//! Each parameter wrong in each way that makes sense: no panic, no hang, the right exit code, and an exit reason that
//! names parameter, value and remedy; a stop stops all the same, and a monitor says what runs.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use pgsql_ha::ocf::parameter;

use crate::agent::{Agent, CONFIGURED, GENERIC, INSTALLED, NOT_RUNNING, PERMISSION, SUCCESS};
use crate::paper_cluster::first_of_two_nodes;
use crate::server::Server;

const ABSOLUTE: &str = "write the whole path";
const INSTALL: &str = "install it on this node";
const PORT: &str = "write a number from 1 to 65535";
const SHELL: &str = "use a path without";
const UNSET: &str = "set it, or remove it";

/// A parameter, a value, the exit code of a start, and words of the remedy.
const WITHOUT_REPLICATION: [(&str, &str, i32, &str); 30] = [
    ("pgport", "", CONFIGURED, PORT),
    ("pgport", "-1", CONFIGURED, PORT),
    ("pgport", "65536", CONFIGURED, PORT),
    ("pgport", "5432 5433", CONFIGURED, PORT),
    ("pgport", "99999999999999999999", CONFIGURED, PORT),
    ("pgdata", "", CONFIGURED, UNSET),
    ("pgdata", "data", CONFIGURED, ABSOLUTE),
    ("pgdata", "/tmp/$HOME", CONFIGURED, SHELL),
    ("config", "", CONFIGURED, UNSET),
    ("config", "postgresql.conf", CONFIGURED, ABSOLUTE),
    ("config", "/no/such", INSTALLED, "correct the path"),
    ("config", "/tmp", INSTALLED, "correct the path"),
    ("logfile", "log", CONFIGURED, ABSOLUTE),
    ("logfile", "/tmp/a\"b", CONFIGURED, SHELL),
    ("pgctl", "", CONFIGURED, UNSET),
    ("pgctl", "pg_ctl", INSTALLED, INSTALL),
    ("pgctl", "/no/such", INSTALLED, INSTALL),
    ("pgctl", "/usr", INSTALLED, INSTALL),
    ("pgctl", "/etc/passwd", INSTALLED, INSTALL),
    ("psql", "", CONFIGURED, UNSET),
    ("psql", "/no/such", INSTALLED, INSTALL),
    ("pgdba", "", CONFIGURED, UNSET),
    ("pgdba", " ", CONFIGURED, UNSET),
    ("pgdba", "no_user", INSTALLED, "create the user"),
    ("pgdba", "no user; true", INSTALLED, "create the user"),
    ("socketdir", "", CONFIGURED, "set it to one of these directories"),
    ("monitor_user", "", CONFIGURED, "set monitor_user, or remove monitor_password"),
    ("rep_mode", "", CONFIGURED, "write none, async, sync or slave"),
    ("rep_mode", "SYNC", CONFIGURED, "write none, async, sync or slave"),
    ("rep_mode", "master", CONFIGURED, "write none, async, sync or slave"),
];

/// Expects a start to refuse, and everything else to do what it can.
#[track_caller]
fn refuses(agent: &Agent, name: &str, value: &str, code: i32, remedy: &str) {
    let seen = value.trim();
    let told = agent.run("start").exits(code);
    told.short_reason().reason(&format!("{name}=\"{seen}")).reason(remedy);
    agent.run("stop").exits(SUCCESS).without_reason();
    agent.run("monitor").exits(NOT_RUNNING).without_reason();
    agent.clone().recurring().run("status").exits(NOT_RUNNING);
    agent.run("notify").exits(SUCCESS);
}

#[test]
fn a_start_refuses_what_cannot_be_used() {
    let server = Server::new();
    for (name, value, code, remedy) in WITHOUT_REPLICATION {
        let agent = server.agent();
        let agent = match name {
            "monitor_user" => agent.param("monitor_password", "secret"),
            _ => agent,
        };
        refuses(&agent.param(name, value), name, value, code, remedy);
    }
    assert!(server.processes().is_empty());
}

#[test]
fn a_start_refuses_what_replication_cannot_use() {
    let server = Server::new();
    let agent = first_of_two_nodes(&server);
    for (name, value, remedy) in [
        ("master_ip", "", "set it to the address"),
        ("node_list", "", "name every node"),
        ("node_list", " \t ", "name every node"),
        ("tmpdir", "", UNSET),
        ("tmpdir", "tmp", ABSOLUTE),
        ("replication_slot_name", "Slot", "choose another prefix"),
        ("replication_slot_name", "a-b", "choose another prefix"),
        ("replication_slot_name", "'; drop", "choose another prefix"),
        ("replication_slot_name", "é", "choose another prefix"),
    ] {
        refuses(&agent.clone().param(name, value), name, value.trim(), CONFIGURED, remedy);
    }
    let externals =
        agent.clone().param("rep_mode", "async").param("external_standby_node_list", "dr");
    refuses(&externals, "external_standby_node_list", "dr", CONFIGURED, "set rep_mode to sync");
    let single = agent.meta("promoted_max", "0");
    refuses(&single, "rep_mode", "sync", CONFIGURED, "make the resource a promotable clone");
}

#[test]
fn bytes_that_are_no_text_are_refused_in_every_parameter() {
    let server = Server::new();
    let bytes: &OsStr = OsStr::from_bytes(b"/\xff\xfe");
    for row in parameter::ALL {
        let agent = first_of_two_nodes_once(&server).param(row.name, bytes);
        let told = agent.run("validate-all").exits_one_of(&[SUCCESS, CONFIGURED, INSTALLED]);
        assert!(told.stderr.contains(&format!("{}=\"", row.name)), "{}: {}", row.name, told.stderr);
        agent.run("stop").exits(SUCCESS);
        agent.run("monitor").exits(NOT_RUNNING);
    }
}

fn first_of_two_nodes_once(server: &Server) -> Agent {
    if server.path("tools").exists() {
        std::fs::remove_dir_all(server.path("tools")).expect("a directory of ours");
    }
    first_of_two_nodes(server)
}

/// Values of which only a start can find out that they are wrong.
#[test]
fn a_start_says_what_it_stumbled_over() {
    let server = Server::new();
    for (name, value, words) in [
        ("pgdata", "/no/such", "(pgdata=\"/no/such\"): correct the path"),
        ("pgdata", "/dev/null", "(pgdata=\"/dev/null\"): check its owner"),
        ("pgctl", "/bin/true", "PostgreSQL ended"),
        ("pgctl", "/bin/false", "false"),
        ("pgdba", "root", "postgres owns pgdata (pgdba=\"root\"): correct pgdba"),
        ("pgdba", "nobody", "postgres owns pgdata (pgdba=\"nobody\"): correct pgdba"),
        ("logfile", "/no/such/directory/log", "(logfile=\"/no/such/directory/log\"): correct"),
        ("logfile", "/tmp", "(logfile=\"/tmp\"): correct the path"),
        ("socketdir", "/dev/null/sockets", "(socketdir=\"/dev/null/sockets\"): correct the path"),
        ("start_opt", "--nonsense", "nonsense"),
        ("start_opt", "'", ""),
        ("ctl_opt", "--nonsense", "nonsense"),
        ("ctl_opt", "'", "ctl_opt"),
        ("pghost", "192.0.2.77", "(pghost=\"192.0.2.77\"): name an address of this node"),
        ("monitor_user", "nosuch", "nosuch"),
        ("monitor_sql", "select nonsense", "monitor_sql failed"),
        ("pgdb", "nosuch", "nosuch"),
    ] {
        let agent = server.agent().param(name, value).timeout(Duration::from_secs(8));
        let told = agent.run("start").exits_one_of(&[GENERIC, PERMISSION, INSTALLED]);
        told.short_reason().reason(words);
        server.agent().run("stop").exits(SUCCESS);
        assert!(server.processes().is_empty(), "{name}={value}");
    }
}

/// Values that are wrong, but hinder nothing: the agent says so and goes on.
const HARMLESS: [(&str, &str); 12] = [
    ("stop_escalate", "soon"),
    ("stop_escalate", "-1"),
    ("stop_escalate", "99999999999999999999"),
    ("stop_escalate_in_slave", "3.5"),
    ("crm_attr_timeout", ""),
    ("xlog_check_count", "-3"),
    ("restart_on_promote", "maybe"),
    ("check_wal_receiver", "2"),
    ("repuser", ""),
    ("monitor_sql", " "),
    ("logfile", ""),
    ("node_list", "pm01 PM01 pm02"),
];

#[test]
fn what_hinders_nothing_is_only_told() {
    let server = Server::new();
    let agent = first_of_two_nodes(&server);
    agent.run("start").exits(SUCCESS);
    agent.run("promote").exits(SUCCESS);
    for (name, value) in HARMLESS {
        let agent = agent.clone().param(name, value);
        let told = agent.run("start").exits(GENERIC).reason("already running as a primary");
        assert!(told.stderr.contains(&format!("{name}=\"{value}\"")), "{name}: {}", told.stderr);
        agent.recurring().run("monitor").exits(8).without_reason();
    }
}

#[test]
fn a_primary_is_known_and_stopped_whatever_else_is_wrong() {
    let server = Server::new();
    let agent = first_of_two_nodes(&server);
    agent.run("start").exits(SUCCESS);
    agent.run("promote").exits(SUCCESS);
    let bytes = OsString::from("\u{FFFD}");
    for (name, value) in [
        ("pgport", "abc"),
        ("pgctl", "/no/such"),
        ("psql", "/no/such"),
        ("config", "/no/such"),
        ("config", "x"),
        ("logfile", "x"),
        ("tmpdir", "/no/such"),
        ("node_list", ""),
        ("master_ip", ""),
        ("replication_slot_name", "A-B"),
        ("pgdba", ""),
        ("start_opt", "'"),
        ("ctl_opt", "'"),
        ("pglibs", "/no/such"),
        ("primary_conninfo_opt", "=x'"),
        ("external_standby_node_list", "' \" ; a,b"),
    ] {
        for value in [OsStr::new(value), &bytes] {
            let agent = agent.clone().param(name, Path::new(value)).recurring();
            agent.run("monitor").exits(8).without_reason();
        }
    }
    agent.param("pgctl", "x").param("config", "x").param("tmpdir", "x").run("stop").exits(SUCCESS);
    assert!(server.processes().is_empty());
}

#[test]
fn a_port_that_is_none_does_not_change_where_a_standby_looks_for_its_primary() {
    let server = Server::new();
    let agent = first_of_two_nodes(&server);
    agent.run("start").exits(SUCCESS);
    let conninfo = || server.sql("select current_setting('primary_conninfo')");
    let before = conninfo();
    assert!(before.contains(&server.port().to_string()), "{before}");
    let told = agent.param("pgport", "abc").recurring().run("monitor").exits(SUCCESS);
    let own = format!(
        "(pgport=\"abc\"): write a number from 1 to 65535; meanwhile the running server's own is used, {}",
        server.port()
    );
    assert!(told.stderr.contains(&own), "{}", told.stderr);
    assert_eq!(conninfo(), before);
}

#[test]
fn a_stop_that_succeeds_has_ended_the_server() {
    for (name, value) in
        [("pgport", "abc"), ("rep_mode", "semi"), ("pgdba", ""), ("socketdir", "/no")]
    {
        let server = Server::started();
        server.agent().param(name, value).run("stop").exits(SUCCESS);
        assert!(server.processes().is_empty(), "{name}={value}");
    }
}

#[test]
fn a_stop_with_another_pgdba_does_not_call_a_running_server_stopped() {
    for user in ["no_user", "nobody"] {
        let server = Server::started();
        drop(server.agent().param("pgdba", user).run("stop").exits_one_of(&[SUCCESS, GENERIC]));
        let again = server.agent().param("pgdba", user).run("stop").exits_any();
        assert!(again.code() != SUCCESS || server.processes().is_empty(), "pgdba={user}");
    }
}

#[test]
fn no_time_and_no_name_that_pacemaker_passes_breaks_the_agent() {
    let server = Server::new();
    for time in ["", "abc", "-1", "0", "1", "99999999999999999999", "18446744073709551615"] {
        let agent = server.agent().meta("timeout", time).meta("interval", time);
        agent.run("monitor").exits(NOT_RUNNING);
        agent.run("stop").exits(SUCCESS);
    }
    for name in [":", ":::", "a b", "é'\";", &"x".repeat(300)] {
        let agent = first_of_two_nodes_once(&server).env("OCF_RESOURCE_INSTANCE", name);
        agent.run("monitor").exits(NOT_RUNNING);
        agent.run("stop").exits(SUCCESS);
    }
    for (kind, operation) in [("pre", "promote"), ("post", "start"), ("x", "y"), ("", "")] {
        let agent = first_of_two_nodes_once(&server);
        let agent = agent.meta("notify_type", kind).meta("notify_operation", operation);
        let agent =
            agent.meta("notify_promote_uname", " \u{1} pm09 ' pm01").meta("notify_stop_uname", ",");
        agent.timeout(Duration::from_secs(5)).run("notify").exits(SUCCESS);
    }
}
