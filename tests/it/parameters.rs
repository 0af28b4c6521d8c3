//! The meta-data, and parameters with values that make no sense.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::agent::{ARGS, Agent, CONFIGURED, NOT_RUNNING, SUCCESS};
use crate::server::Server;

/// Where resource-agents keeps the grammars of the meta-data.
fn grammar(name: &str) -> PathBuf {
    let path = Path::new("/usr/share/resource-agents").join(name);
    assert!(path.exists(), "this test needs the package resource-agents: no {}", path.display());
    path
}

#[track_caller]
fn conforms(text: &str, words: &[&str]) {
    let mut xmllint = Command::new("xmllint")
        .args(["--noout", "--nonet"])
        .args(words)
        .arg("-")
        .current_dir("/usr/share/resource-agents")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs xmllint (package libxml2-utils)");
    let mut input = xmllint.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("a reader");
    drop(input);
    let output = xmllint.wait_with_output().expect("xmllint");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_meta_data_conforms_to_the_grammars_of_resource_agents() {
    let meta_data = Agent::new().run("meta-data").exits(SUCCESS).stdout;
    grammar("ra-api-1.dtd");
    conforms(&meta_data, &["--valid"]);
    conforms(&meta_data, &["--relaxng", &grammar("metadata.rng").to_string_lossy()]);
}

#[test]
fn the_meta_data_needs_no_parameter_and_no_right() {
    Agent::new().run("meta-data").exits(SUCCESS).says("<resource-agent name=\"pgsql\"");
    Agent::new().run("methods").exits(SUCCESS).says("validate-all");
    Agent::new().run("usage").exits(ARGS).says("usage: ");
}

#[test]
fn a_value_that_makes_no_sense_is_told_with_its_remedy_and_does_not_hinder_a_stop() {
    let server = Server::new();
    for (parameter, value, remedy) in [
        ("pgport", "abc", "write a number from 1 to 65535"),
        ("pgport", "0", "write a number from 1 to 65535"),
        ("pgport", "70000", "write a number from 1 to 65535"),
        ("pgdata", "data", "write the whole path"),
        ("config", "postgresql.conf", "write the whole path"),
        ("logfile", "log", "write the whole path"),
        ("rep_mode", "semi", "write none, async, sync or slave"),
        ("pgdba", "", "set it, or remove it"),
    ] {
        let agent = server.agent().param(parameter, value);
        let told = agent.run("start").exits(CONFIGURED);
        told.reason(&format!("{parameter}=\"{value}\"")).reason(remedy);
        agent.run("stop").exits(SUCCESS).without_reason();
        agent.run("monitor").exits(NOT_RUNNING).without_reason();
    }
}

#[test]
fn what_does_not_fit_together_is_told_with_its_remedy() {
    let server = Server::new();
    let clone = server.agent().param("rep_mode", "sync").meta("promoted_max", "1");
    let clone = clone.meta("notify", "true").param("node_list", "pm01 pm02");
    for (parameter, value, remedy) in [
        ("master_ip", "", "set it to the address"),
        ("node_list", "", "name every node"),
        ("replication_slot_name", "Slot-1", "choose another prefix"),
    ] {
        let agent = clone.clone().param("master_ip", "192.0.2.1").param(parameter, value);
        let told = agent.run("start").exits(CONFIGURED);
        told.reason(&format!("{parameter}=\"{value}\"")).reason(remedy);
        agent.run("validate-all").exits(CONFIGURED).reason(remedy);
    }
    let single = server.agent().param("rep_mode", "sync").param("master_ip", "192.0.2.1");
    let single = single.param("node_list", "pm01 pm02");
    single.run("start").exits(CONFIGURED).reason("promotable=true");
}

#[test]
fn every_fault_is_explained_and_not_only_the_first() {
    let agent = Server::new().agent().param("pgport", "abc").param("logfile", "log");
    let told = agent.run("validate-all").exits(CONFIGURED);
    for parameter in ["pgport=\"abc\"", "logfile=\"log\""] {
        assert!(told.stderr.contains(parameter), "{}", told.stderr);
    }
    Server::new().agent().run("validate-all").exits(SUCCESS).without_reason();
}
