//! The first start of a cluster from one fresh primary and copies of it.

use crate::site::Site;

/// The agent, as it is installed on the hosts.
const AGENT: &str = "/usr/lib/ocf/resource.d/heartbeat/pgsql";

#[test]
fn the_seed_data_comes_up_as_one_primary_with_streaming_standbys() {
    let site = Site::three_hosts();
    let primary = site.cluster.host("pm01");
    let query = |sql: &str| primary.psql(sql).expect("the primary answers").trim().to_owned();

    assert_eq!(query("select count(*) from pg_stat_replication where state = 'streaming'"), "2");
    assert_eq!(
        query(
            "select string_agg(slot_name || ' ' || active, ', ' order by slot_name) from pg_replication_slots"
        ),
        "pgsql_pm02 true, pgsql_pm03 true"
    );
    assert_eq!(query("show synchronous_standby_names"), "\"pm02\"");

    let standby = site.cluster.host("pm02");
    let conninfo = standby.psql("show primary_conninfo").expect("the standby answers");
    for part in [
        "host=10.77.0.101",
        "port=5432",
        "user=repuser",
        "application_name=pm02",
        "keepalives_idle=60",
    ] {
        assert!(conninfo.contains(part), "{part} is missing in {conninfo}");
    }
    assert_eq!(standby.psql("show primary_slot_name").expect("answers").trim(), "pgsql_pm02");
    let restore = standby.psql("show restore_command").expect("answers");
    assert_eq!(restore.trim(), "/bin/cp /var/lib/pgsql/archive/%f %p");
    let modes = standby
        .run_ok(&["stat", "-c", "%a %U", "/var/lib/pgsql/tmp", "/var/lib/pgsql/tmp/recovery.conf"])
        .expect("the files are there");
    assert_eq!(modes, "700 postgres\n600 postgres\n");
    let lock = primary.run_ok(&["stat", "-c", "%U", "/var/lib/pgsql/tmp/PGSQL.lock"]);
    assert_eq!(lock.expect("the primary has its lock"), "postgres\n");
}

#[test]
fn show_tells_on_every_host_what_the_cluster_and_the_server_say() {
    let site = Site::three_hosts();
    for name in ["pm01", "pm02"] {
        let shown = site.cluster.host(name).run_ok(&[AGENT, "show"]).expect("it is shown");
        let lines: Vec<&str> = shown.lines().collect();
        let [head, server, cluster, _, nodes @ ..] = &lines[..] else { panic!("{shown}") };
        assert_eq!(*head, "pgsql: /var/lib/pgsql/data rep_mode=sync");
        let says = if name == "pm01" { "pm01: primary, " } else { "pm02: standby, " };
        assert!(server.starts_with(says), "{server}");
        assert_eq!(*cluster, "quorum, fencing, primary: pm01");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let rows: Vec<_> = nodes.iter().map(|line| words(line)).collect();
        assert_eq!(rows[0][..6], ["pm01", "yes", "Promoted", "PRI", "LATEST", "1000"]);
        let second = ["pm02", "yes", "Unpromoted", "HS:sync", "STREAMING|SYNC", "100"];
        assert_eq!(rows[1][..6], second);
        assert_eq!(rows.len(), 3, "{shown}");
    }
    let host = site.cluster.host("pm01");
    let other = host.run(&[AGENT, "show", "--resource", "other"]).expect("runs");
    assert_eq!(other.code, 1);
    let said = "no resource of the agent pgsql of this name; it has pgsql";
    assert!(other.stderr.contains(said), "{}", other.stderr);
}

#[test]
fn a_steady_state_monitor_writes_nothing_and_spawns_one_process() {
    let site = Site::three_hosts();
    for (host, code) in [("pm01", 8), ("pm02", 0)] {
        let host = site.cluster.host(host);
        let updates = || {
            let cib = host.run_ok(&["cibadmin", "-Q", "-l"]).expect("the cluster answers");
            let number = |key: &str| {
                let start =
                    cib.find(&format!("{key}=\"")).expect("an attribute of cib") + key.len() + 2;
                cib[start..].split('"').next().expect("a value").to_owned()
            };
            (number("epoch"), number("num_updates"))
        };
        let before = site.cluster.wait_for("a quiet moment", crate::site::SOON, || {
            let first = updates();
            (first == updates()).then_some(first)
        });
        // The resource's own parameters, in the environment of a call by hand.
        let trace = host
            .run(&["sh", "-c", &format!("{} strace -f -qq -e trace=execve -o /tmp/trace /usr/lib/ocf/resource.d/heartbeat/pgsql monitor; echo code $?", ENVIRONMENT)])
            .expect("the agent runs");
        assert!(trace.stdout.contains(&format!("code {code}")), "{trace:?}");
        let executed = host.read_file("/tmp/trace").expect("strace has written");
        let programs: Vec<_> = executed.lines().filter(|line| line.contains(" = 0")).collect();
        assert_eq!(programs.len(), 2, "the agent and one more: {programs:#?}");
        assert_eq!(updates(), before, "the monitor has written into the cluster");
    }
}

const ENVIRONMENT: &str = "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=pgsql \
    OCF_RESKEY_pgctl=/usr/lib/postgresql/15/bin/pg_ctl OCF_RESKEY_psql=/usr/lib/postgresql/15/bin/psql \
    OCF_RESKEY_rep_mode=sync OCF_RESKEY_node_list='pm01 pm02 pm03' OCF_RESKEY_master_ip=10.77.0.101 \
    OCF_RESKEY_repuser=repuser OCF_RESKEY_replication_slot_name=pgsql \
    OCF_RESKEY_CRM_meta_interval=9000 OCF_RESKEY_CRM_meta_timeout=60000 \
    OCF_RESKEY_CRM_meta_on_node=$(uname -n) OCF_RESKEY_CRM_meta_promotable=true \
    OCF_RESKEY_CRM_meta_promoted_max=1 OCF_RESKEY_CRM_meta_notify=true";
