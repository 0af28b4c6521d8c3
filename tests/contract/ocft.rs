//! `ocft` in a host of its own, with Debian's layout: the cases of upstream, and ours.
//!
//! Each case begins with `apt-get -y install postgresql`. The host has no network, so that an `apt-get` of the test's
//! stands first in the `PATH`: it succeeds for what is installed. Nothing else of ocft is replaced.

use std::path::Path;
use std::time::Duration;

use testbed::{Cluster, Host, Output};

use crate::site::with_agent;

/// Where the test's own files are in the host.
const CONFIGURATIONS: &str = "/opt/ocft";
const PROGRAMS: &str = "/opt/ocft/bin";

/// In place of the package manager: a package is installed, or it is not.
const APT_GET: &str = "#!/bin/sh\nfor package; do :; done\nexec dpkg-query --status \"$package\"\n";

/// ocft looks only once a second whether an agent has ended; a case calls it two to five times.
const LIMIT: Duration = Duration::from_secs(600);

/// A host with PostgreSQL as Debian installs it, and our agent in place of the stock one.
fn host() -> (Cluster, Host) {
    let upstream = Path::new("/usr/share/resource-agents/ocft/configs/pgsql");
    assert!(upstream.exists(), "this test needs ocft (package resource-agents)");
    let layout = Path::new("/usr/bin/pg_conftool");
    assert!(layout.exists(), "this test needs Debian's layout (package postgresql)");
    let builder = with_agent(Cluster::builder()).hosts(1).without_stack();
    let cluster = builder.build().expect("the host boots");
    let host = cluster.host("pm01");
    let path = format!("{PROGRAMS}/apt-get");
    host.write_file(&path, APT_GET).expect("a file");
    host.run_ok(&["chmod", "755", &path]).expect("a mode");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("ocf/pgsql-ha.ocft");
    let ours = std::fs::read_to_string(ours).expect("our cases are there");
    host.write_file(&format!("{CONFIGURATIONS}/pgsql-ha"), &ours).expect("a file");
    (cluster, host)
}

/// Runs `ocft` as an administrator does.
fn ocft(host: &Host, words: &[&str]) -> Output {
    let path = format!("{PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin");
    let words = [&["ocft"], words].concat();
    host.run_with(&words, &[("PATH", &path)], None, LIMIT).expect("ocft runs")
}

/// Makes and runs the cases of a file, and expects each of them to pass.
#[track_caller]
fn passes(host: &Host, made: &Output, name: &str) {
    let text = format!("{}{}", made.stdout, made.stderr);
    assert!(made.success(), "ocft make {name}: {text}");
    let titles: Vec<_> =
        text.lines().filter_map(|line| line.trim().strip_prefix("- case ")).collect();
    let tested = ocft(host, &["test", name]);
    let said = format!("{}{}", tested.stdout, tested.stderr);
    let passed: Vec<_> = said.lines().filter(|line| line.ends_with("OK\u{1b}[0m.")).collect();
    println!("{said}");
    assert!(tested.success(), "ocft test {name}: {said}");
    assert!(
        !said.contains("FAILED") && !said.contains("ERROR") && !said.contains("WARN"),
        "{said}"
    );
    assert!(
        !titles.is_empty() && passed.len() >= titles.len(),
        "{} of {}: {said}",
        passed.len(),
        titles.len()
    );
}

#[test]
fn the_cases_of_upstream_pass() {
    let (_cluster, host) = host();
    let made = ocft(&host, &["make", "pgsql"]);
    assert_eq!(made.stdout.matches("- case ").count(), 11, "{}", made.stdout);
    passes(&host, &made, "pgsql");
    assert_eq!(host.postmaster(), None);
}

#[test]
fn our_own_cases_pass() {
    let (_cluster, host) = host();
    let made = ocft(&host, &["make", "-d", CONFIGURATIONS, "pgsql-ha"]);
    passes(&host, &made, "pgsql-ha");
}

#[test]
fn a_case_that_expects_something_else_fails() {
    let (_cluster, host) = host();
    let wrong = "CONFIG\n\tAgent pgsql\n\tAgentRoot /usr/lib/ocf/resource.d/heartbeat\n\
                 \tInstallPackage postgresql\n\tHangTimeout 20\nCASE \"wrong\"\n\tAgentRun meta-data OCF_ERR_GENERIC\n";
    host.write_file(&format!("{CONFIGURATIONS}/wrong"), wrong).expect("a file");
    assert!(ocft(&host, &["make", "-d", CONFIGURATIONS, "wrong"]).success());
    let tested = ocft(&host, &["test", "wrong"]);
    assert!(!tested.success() && tested.stdout.contains("FAILED"), "{tested:?}");
}
