//! The program passes resource-agents' own `ocf-tester`.

use std::path::Path;
use std::process::Command;

use crate::agent::PROGRAM;
use crate::server::{Server, bindir, copy_program};

#[test]
fn the_agent_passes_ocf_tester() {
    let tester = Path::new("/usr/sbin/ocf-tester");
    assert!(tester.exists(), "this test needs ocf-tester (package resource-agents)");
    let server = Server::new();
    // ocf-tester calls it as nobody as well, who may not reach the build directory.
    let agent = server.path("pgsql");
    copy_program(PROGRAM.as_ref(), &agent);
    let port = format!("pgport={}", server.port());
    let parameters = [
        format!("pgctl={}", bindir().join("pg_ctl").display()),
        format!("psql={}", bindir().join("psql").display()),
        format!("pgdata={}", server.data().display()),
        format!("socketdir={}", server.path("socket").display()),
        format!("logfile={}", server.path("log").display()),
        port,
    ];
    let output = Command::new(tester)
        .args(["-v", "-n", "pgsql"])
        .args(parameters.iter().flat_map(|parameter| ["-o", parameter]))
        .arg(&agent)
        .output()
        .expect("ocf-tester");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("passed all tests"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("* rc=")), "{text}");
    assert!(server.processes().is_empty(), "{text}");
}
