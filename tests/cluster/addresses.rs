//! Where a candidate finds its peers when their nodes' names lead nowhere.

use testbed::{Cluster, Host};

use crate::site::{SOON, Site, with_agent};

fn receiver(host: &Host) -> i32 {
    let mut processes = host.processes().into_iter();
    let found = processes.find(|process| process.command_line.contains("walreceiver"));
    found.expect("the standby receives").pid
}

#[test]
fn a_candidate_fetches_wal_from_a_peer_whose_name_does_not_resolve() {
    let site = Site::boot(with_agent(Cluster::builder()), "pgsql");
    for host in site.cluster.hosts() {
        host.write_file("/etc/hosts", "127.0.0.1 localhost\n").expect("written");
        let known = host.run(&["getent", "hosts", "pm03"]).expect("getent runs");
        assert!(!known.success() || host.name() == "pm03", "{known:?}");
    }
    site.load("three-hosts.crm");
    site.settled("pm01", &["pm02", "pm03"]);
    let [first, second, third] = ["pm01", "pm02", "pm03"].map(|name| site.cluster.host(name));

    // The third host gets what the second, whom commits wait for, does not.
    let held = receiver(&second);
    second.signal(held, "STOP").expect("stopped");
    let write = "set synchronous_commit = local; create table beyond as select 7 as number";
    first.psql(write).expect("the primary writes");
    let read = "select number from beyond";
    site.cluster.wait_for("pm03 has it", SOON, || third.psql(read).is_ok().then_some(()));
    first.power_off();
    second.signal(held, "TERM").expect("sent");
    second.signal(held, "CONT").expect("sent");

    site.settled("pm02", &["pm03"]);
    assert_eq!(second.psql(read).expect("it was fetched"), "7");
    let lines = site.cluster.agent_lines();
    let fetched = |text: &str| text.contains("Fetching the WAL that pm03 (10.77.0.13)");
    assert!(lines.iter().any(|l| l.host == "pm02" && fetched(&l.line.text)));
}
