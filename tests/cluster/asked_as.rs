//! As whom the agent asks: a monitoring user without rights costs no redundancy.

use testbed::{Cluster, Host};

use crate::site::{SOON, Site, with_agent};

const HBA: &str = "/var/lib/pgsql/data/pg_hba.conf";

/// Puts rules before the host's own.
fn admit(host: &Host, rules: &str) {
    let script =
        format!("new=$(printf '%s\\n' '{rules}'; cat {HBA}); printf '%s\\n' \"$new\" > {HBA}");
    host.run_ok(&["sh", "-c", &script]).expect("written");
}

fn checks(site: &Site, host: &Host) {
    for _ in 0..3 {
        let check = ["crm_resource", "--force-check", "--resource", "pgsql"];
        host.run(&check).expect("the agent runs");
    }
    let names = host.psql("show synchronous_standby_names").expect("the primary answers");
    assert_eq!(names.trim(), "\"pm02\"");
    let state = site.cluster.state().expect("the cluster answers");
    assert_eq!(site.record(&state, "pm02"), ["HS:sync", "STREAMING|SYNC", "100"]);
    assert!(state.failures.is_empty(), "{:?}", state.failures);
}

#[test]
fn a_monitor_user_without_pg_monitor_costs_no_redundancy() {
    let site = Site::boot(with_agent(Cluster::builder()), "pgsql");
    let primary = site.cluster.host("pm01");
    for host in site.cluster.hosts() {
        admit(&host, "local all watcher trust");
    }
    primary.start_postgres().expect("started");
    primary.psql("create role watcher login").expect("created");
    primary.stop_postgres("fast").expect("stopped");
    let more = "rep_mode=\"sync\" monitor_user=\"watcher\" monitor_sql=\"select 1 / (current_user = 'watcher')::int\"";
    site.load_changed("three-hosts.crm", |text| text.replace("rep_mode=\"sync\"", more));
    site.settled("pm01", &["pm02", "pm03"]);
    checks(&site, &primary);

    // Nobody whom the server lets in sees the standbys.
    let told = || {
        let lines = site.cluster.agent_lines();
        lines.iter().any(|l| l.line.text.contains("GRANT pg_monitor TO \"watcher\""))
    };
    assert!(!told());
    admit(&primary, "local all postgres reject");
    primary.psql("select pg_reload_conf()").expect("reloaded");
    site.cluster
        .wait_for("the log says who is blind, and the remedy", SOON, || told().then_some(()));
    checks(&site, &primary);
    // With the remedy the record follows again.
    primary.psql("set synchronous_commit = local; grant pg_monitor to watcher").expect("granted");
    primary.run_ok(&["crm", "--wait", "node", "standby", "pm02"]).expect("crmsh");
    site.settled("pm01", &["pm03"]);
}
