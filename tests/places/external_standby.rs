//! `external_standby_node_list`: a standby that the cluster does not know takes part in synchronous replication, and
//! leaves it without hanging commits.

use std::time::Duration;

use testbed::{Cluster, Ledger};

use crate::instance::Instance;
use crate::site::{SOON, Site};

const DATA: &str = "/var/lib/pgsql/data";

/// The sender's timeout of 5 s, one interval of the monitor and its work.
const NOTICED: Duration = Duration::from_secs(12);

/// Makes the third host a standby of the cluster, by hand.
const FOLLOW: &str = r#"
    touch /var/lib/pgsql/data/standby.signal
    chown postgres:postgres /var/lib/pgsql/data/standby.signal
    echo "primary_conninfo = 'host=10.77.0.101 user=repuser application_name=DR-1.Example'" \
        >> /var/lib/pgsql/data/postgresql.conf
"#;

fn instance() -> Instance {
    Instance::usual().with(&[("external_standby_node_list", "DR-1.Example other-site")])
}

#[test]
fn an_external_standby_joins_synchronous_replication_and_leaves_it_without_hanging_commits() {
    let site = Site::boot(Cluster::builder().hosts(3));
    site.fill(DATA, &[]);
    let (instance, outsider, primary) = (instance(), site.host("pm03"), site.host("pm01"));
    outsider.stop_cluster(SOON).expect("the third host leaves the cluster");
    site.configure(&instance.crm(&["pm01", "pm02"], "clone-max=2"));
    site.settled(&instance, "pm01", &["pm02"]);
    let names = "show synchronous_standby_names";
    assert_eq!(instance.ask(&primary, names), "\"pm02\"");
    let ledger = Ledger::start(&site.cluster, instance.client_vip).expect("the ledger starts");

    outsider.run_ok(&["sh", "-euc", FOLLOW]).expect("it is told whom to follow");
    outsider.start_postgres().expect("the external standby starts");
    let both = "FIRST 2 (\"pm02\", \"dr-1.example\")";
    site.answers(&instance, &primary, names, both);
    let ranks = "select string_agg(application_name || ' ' || sync_state, ', ' order by application_name) from pg_stat_replication";
    site.answers(&instance, &primary, ranks, "DR-1.Example sync, pm02 sync");
    site.settled(&instance, "pm01", &["pm02"]);

    outsider.stop_postgres("fast").expect("the external standby stops");
    site.answers(&instance, &primary, names, "\"pm02\"");
    outsider.start_postgres().expect("the external standby starts again");
    site.answers(&instance, &primary, names, both);

    // The cluster's own standby leaves: commits wait for the external one alone, which nobody here promotes.
    primary.run_ok(&["crm", "--wait", "node", "standby", "pm02"]).expect("crmsh");
    site.answers(&instance, &primary, names, "\"dr-1.example\"");
    primary.run_ok(&["crm", "node", "online", "pm02"]).expect("crmsh");
    site.settled(&instance, "pm01", &["pm02"]);
    site.cluster.wait_for("both are synchronous again", SOON, || {
        instance.ask(&primary, names).starts_with("FIRST 2 (").then_some(())
    });

    let before = ledger.acknowledged();
    outsider.power_off();
    site.answers(&instance, &primary, names, "\"pm02\"");
    site.cluster
        .wait_for("commits go on", SOON, || (ledger.acknowledged() > before + 100).then_some(()));
    let report = ledger.stop();
    assert!(report.longest_outage() < NOTICED, "{:?}", report.outages());
    site.assert_complete(&report, "pm01");
    site.assert_complete(&report, "pm02");
    site.assert_calm();
}
