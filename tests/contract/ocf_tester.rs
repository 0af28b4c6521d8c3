//! `ocf-tester` in replication mode, inside of a live cluster: the primary of three hosts, while Pacemaker keeps its
//! hands off and the standbys stream.
//!
//! What it demands of a promotable clone: `start` makes an instance that answers 0, `demote` of a started or demoted one
//! succeeds and leaves it running, as `promote` right after it needs a running standby; `promote` twice; then `stop`,
//! and a `start` after a promotion, which the lock file must not hold back. It cannot pass what Pacemaker adds to the
//! parameters, but hands its own environment on.

use std::time::Duration;

use testbed::Host;

use crate::site::{SOON, Site};

/// The resource's parameters in `three-hosts.crm`.
const PARAMETERS: [&str; 10] = [
    "pgctl=/usr/lib/postgresql/15/bin/pg_ctl",
    "psql=/usr/lib/postgresql/15/bin/psql",
    "pgdata=/var/lib/pgsql/data",
    "logfile=/var/log/postgresql/pgsql-ha.log",
    "rep_mode=sync",
    "node_list=pm01 pm02 pm03",
    "master_ip=10.77.0.101",
    "repuser=repuser",
    "primary_conninfo_opt=keepalives_idle=60",
    "replication_slot_name=pgsql",
];

/// What Pacemaker tells the instances of a promotable clone.
const CLONE: [(&str, &str); 4] = [
    ("OCF_RESKEY_CRM_meta_promotable", "true"),
    ("OCF_RESKEY_CRM_meta_promoted_max", "1"),
    ("OCF_RESKEY_CRM_meta_clone_max", "3"),
    ("OCF_RESKEY_CRM_meta_notify", "true"),
];

/// It calls the agent thirty times.
const LIMIT: Duration = Duration::from_secs(240);

/// Runs it on a host, for a resource of that name and with that directory for the agent's files.
#[track_caller]
fn passes(host: &Host, resource: &str, tmpdir: &str) {
    let tmpdir = format!("tmpdir={tmpdir}");
    let parameters = PARAMETERS.into_iter().chain([tmpdir.as_str()]);
    let words: Vec<_> = ["ocf-tester", "-v", "-n", resource]
        .into_iter()
        .chain(parameters.flat_map(|parameter| ["-o", parameter]))
        .chain(["/usr/lib/ocf/resource.d/heartbeat/pgsql"])
        .collect();
    let tested = host.run_with(&words, &CLONE, None, LIMIT).expect("ocf-tester runs");
    let said = format!("{}{}", tested.stdout, tested.stderr);
    let (_, said) = said.rsplit_once("</resource-agent>").expect("the meta-data");
    println!("{said}");
    assert!(tested.success() && said.contains("passed all tests"), "{said}");
    assert!(!said.lines().any(|line| line.starts_with("* rc=")), "{said}");
    for part in ["notify action", "demote action", "promote action", "promotable clones"] {
        assert!(!said.contains(&format!("does not support {part}")), "{said}");
        assert!(!said.contains(&format!("does not support the {part}")), "{said}");
    }
    assert_eq!(host.postmaster(), None, "ocf-tester ends with a stop");
}

/// Three hosts of which Pacemaker keeps its hands off.
fn unmanaged() -> Site {
    let site = Site::three_hosts();
    set_maintenance(&site.cluster.host("pm01"), &["--update", "true"]);
    site.cluster.wait_until("nobody acts", SOON, |state| state.maintenance);
    site
}

fn set_maintenance(host: &Host, words: &[&str]) {
    let words = [&["crm_attribute", "--name", "maintenance-mode"], words].concat();
    host.run_ok(&words).expect("the cluster takes it");
}

#[test]
fn the_agent_passes_ocf_tester_beside_streaming_standbys() {
    let site = unmanaged();
    passes(&site.cluster.host("pm01"), "tested", "/var/lib/pgsql/tested");
}

#[test]
fn a_standby_passes_ocf_tester_beside_a_primary_of_another_name() {
    let site = unmanaged();
    passes(&site.cluster.host("pm03"), "tested", "/var/lib/pgsql/tested");
}

#[test]
fn the_clusters_own_primary_passes_ocf_tester_and_is_managed_again() {
    let site = unmanaged();
    let primary = site.cluster.host("pm01");
    passes(&primary, "pgsql", "/var/lib/pgsql/tmp");
    primary.run_ok(&["crm_resource", "--cleanup"]).expect("the cluster takes it");
    set_maintenance(&primary, &["--delete"]);
    site.cluster.wait_until("there is one primary again", SOON, |state| {
        state.promoted().len() == 1 && !state.maintenance
    });
}
