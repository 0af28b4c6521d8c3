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
const PARAMETERS: [&str; 11] = [
    "pgctl=/usr/lib/postgresql/15/bin/pg_ctl",
    "psql=/usr/lib/postgresql/15/bin/psql",
    "pgdata=/var/lib/pgsql/data",
    "logfile=/var/log/postgresql/pgsql-ha.log",
    "tmpdir=/var/lib/pgsql/tmp",
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

#[track_caller]
fn passes(host: &Host) {
    let parameters = PARAMETERS.iter().flat_map(|parameter| ["-o", parameter]);
    let words: Vec<_> = ["ocf-tester", "-v", "-n", "pgsql"]
        .into_iter()
        .chain(parameters)
        .chain(["/usr/lib/ocf/resource.d/heartbeat/pgsql"])
        .collect();
    let tested = host.run_with(&words, &CLONE, None, LIMIT).expect("ocf-tester runs");
    let said = format!("{}{}", tested.stdout, tested.stderr);
    println!("{said}");
    assert!(tested.success() && said.contains("passed all tests"), "{said}");
    assert!(!said.lines().any(|line| line.starts_with("* rc=")), "{said}");
    for optional in ["demote", "promote", "notify", "promotable clones"] {
        assert!(!said.contains(&format!("not support the {optional} action")), "{said}");
    }
    assert!(!said.contains("does not support promotable clones"), "{said}");
}

#[test]
fn the_agent_passes_ocf_tester_beside_streaming_standbys() {
    let site = Site::three_hosts();
    let primary = site.cluster.host("pm01");
    primary
        .run_ok(&["crm_attribute", "--name", "maintenance-mode", "--update", "true"])
        .expect("the cluster takes it");
    site.cluster.wait_until("nobody acts", SOON, |state| state.maintenance);
    passes(&primary);
    assert_eq!(primary.postmaster(), None, "ocf-tester ends with a stop");
    primary.run_ok(&["crm_resource", "--cleanup"]).expect("the cluster takes it");
    primary
        .run_ok(&["crm_attribute", "--name", "maintenance-mode", "--delete"])
        .expect("the cluster takes it");
    site.cluster.wait_until("the cluster has a primary and two standbys again", SOON, |state| {
        state.promoted().len() == 1
            && state.resources.iter().any(|resource| resource.nodes.len() == 1)
    });
}
