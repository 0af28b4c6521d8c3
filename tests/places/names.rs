//! Hosts with capitals, dots and dashes; two instances on each, one in Debian's layout and one in Red Hat's.

use testbed::{Cluster, Host, Ledger, Signal};

use crate::instance::Instance;
use crate::site::{SOON, Site};

const NODES: [&str; 3] = ["Pm-01.example", "DB.node-2", "pm03"];
/// The same in another order, as somebody wrote them who knew that names are compared without regard to case.
const RESPELT: [&str; 3] = ["PM03", "pm-01.EXAMPLE", "db.node-2"];
const DEBIAN_DATA: &str = "/var/lib/postgresql/15/main";
const LIBRARIES: &str = "/usr/lib/postgresql/15/lib";

/// Moves the configuration to where Debian has it, with Debian's own tool, and copies the data to where Red Hat has it.
const LAYOUTS: &str = r#"
    install -d -o postgres -g postgres -m 755 /var/lib/pgsql "/var/log/pg archive"
    cp -a /var/lib/postgresql/15/main /var/lib/pgsql/data
    rm -rf /etc/postgresql/15/main
    pg_createcluster 15 main -p 5432 -s /var/run/postgresql
    echo "cluster_name = 'archive'" >> /var/lib/pgsql/data/postgresql.conf
    echo "unix_socket_directories = '/var/run/pg-archive, /tmp'" >> /var/lib/pgsql/data/postgresql.conf
    sed -i '1i local all watcher scram-sha-256' /etc/postgresql/15/main/pg_hba.conf
    printf '%s\n' '*:5432:postgres:watcher:pa\:ss\\wo"rd %' > /var/lib/postgresql/.pgpass
    chown postgres:postgres /var/lib/postgresql/.pgpass
    chmod 600 /var/lib/postgresql/.pgpass
"#;

const STATEMENTS: [&str; 2] =
    [r#"create role watcher login password 'pa:ss\wo"rd %'"#, "create table note (text text)"];

/// The instance in Debian's layout, watched by a role without rights, whose password is in .pgpass.
fn debian() -> Instance {
    Instance {
        resource: "Orders.DB-main",
        pgdata: DEBIAN_DATA,
        tmpdir: "/var/lib/postgresql/15/main.agent",
        logfile: "/var/log/postgresql/postgresql-15-main.log",
        ..Instance::usual()
    }
    .with(&[
        ("config", "/etc/postgresql/15/main/postgresql.conf"),
        ("monitor_user", "watcher"),
        ("monitor_sql", "select pg_sleep(0.5)"),
        ("pglibs", LIBRARIES),
    ])
}

/// The instance in Red Hat's layout; its port stands in `start_opt` alone.
fn red_hat() -> Instance {
    Instance {
        resource: "pgsql_archive",
        port: 5499,
        tmpdir: "/var/lib/pgsql/tmp archive",
        socketdir: "/var/run/pg-archive",
        logfile: "/var/log/pg archive/server.log",
        client_vip: "10.77.0.110",
        replication_vip: "10.77.0.111",
        ..Instance::usual()
    }
    .with(&[
        ("start_opt", "-p 5499 -c work_mem=7MB -c 'search_path=a, b'"),
        ("ctl_opt", "-t 50 -s"),
    ])
}

fn slots_and_names(instance: &Instance, host: &Host) -> [String; 2] {
    let slots = "select string_agg(slot_name || ' ' || active, ', ' order by slot_name) from pg_replication_slots";
    [slots, "show synchronous_standby_names"].map(|sql| instance.ask(host, sql))
}

/// What the parameters of the places say is where the servers are.
fn assert_places(site: &Site, debian: &Instance, red_hat: &Instance) {
    let host = site.host(NODES[1]);
    let show = |instance: &Instance, name: &str| instance.ask(&host, &format!("show {name}"));
    assert_eq!(show(debian, "config_file"), "/etc/postgresql/15/main/postgresql.conf");
    assert_eq!(show(debian, "hba_file"), "/etc/postgresql/15/main/pg_hba.conf");
    assert_eq!(show(debian, "data_directory"), DEBIAN_DATA);
    assert_eq!(show(debian, "port"), "5432");
    assert_eq!(show(red_hat, "config_file"), "/var/lib/pgsql/data/postgresql.conf");
    assert_eq!(show(red_hat, "port"), "5499");
    assert_eq!(show(red_hat, "work_mem"), "7MB");
    assert_eq!(show(red_hat, "search_path"), "a, b");
    for (instance, vip) in [(debian, "10.77.0.101"), (red_hat, "10.77.0.111")] {
        let conninfo = show(instance, "primary_conninfo");
        let name = "application_name=db.node-2";
        for part in [&format!("host={vip}"), &format!("port={}", instance.port), name] {
            assert!(conninfo.contains(part), "{part} is missing in {conninfo}");
        }
        assert_eq!(show(instance, "primary_slot_name"), "ha_db_node_2");
        let log = host.read_file(instance.logfile).expect("the log is where it should be");
        assert!(log.contains("database system is ready to accept"), "{log}");
    }
    let pid = debian.postmaster(&host).expect("it runs");
    let environment = host.read_file(&format!("/proc/{pid}/environ")).expect("it can be read");
    assert!(environment.contains(LIBRARIES), "{environment}");
    let watchers = "select count(*) from pg_stat_activity where usename = 'watcher'";
    let primary = site.host(NODES[0]);
    site.cluster.wait_for("the operator's statement runs as watcher", SOON, || {
        (debian.ask(&primary, watchers) != "0").then_some(())
    });
}

#[test]
fn two_instances_on_hosts_with_odd_names_live_and_fail_over_side_by_side() {
    let builder = Cluster::builder().host_names(&NODES).pgdata(DEBIAN_DATA);
    let site = Site::boot(builder);
    site.fill(DEBIAN_DATA, &STATEMENTS);
    site.everywhere(LAYOUTS);
    let (debian, red_hat) = (debian(), red_hat());
    let [first, second, third] = NODES;
    site.configure(&(debian.crm(&NODES, "") + &red_hat.crm(&RESPELT, "")));
    site.settled(&debian, first, &[second, third]);
    site.settled(&red_hat, first, &[third, second]);
    let expected = ["ha_db_node_2 true, ha_pm03 true", "\"db.node-2\""];
    assert_eq!(slots_and_names(&debian, &site.host(first)), expected);
    let expected = ["ha_db_node_2 true, ha_pm03 true", "\"pm03\""];
    assert_eq!(slots_and_names(&red_hat, &site.host(first)), expected);
    assert_places(&site, &debian, &red_hat);

    let clone = format!("{}-clone", red_hat.resource);
    let words = ["crm_resource", "--move", "-r", &clone, "--promoted", "-N", third];
    site.host(first).run_ok(&words).expect("the move is accepted");
    site.settled(&red_hat, third, &[first, second]);
    red_hat.ask(&site.host(third), "insert into public.note values ('kept')");
    assert!(debian.is_settled(&site.cluster.state().expect("answers"), first, &[second, third]));

    let before = NODES.map(|node| red_hat.postmaster(&site.host(node)));
    let ledger = Ledger::start(&site.cluster, debian.client_vip).expect("the ledger starts");
    site.cluster.wait_for("rows", SOON, || (ledger.acknowledged() > 100).then_some(()));
    site.host(first).kill_postmaster(Signal::SIGKILL);
    site.settled(&debian, second, &[first, third]);
    site.assert_complete(&ledger.stop(), second);
    let state = site.settled(&red_hat, third, &[first, second]);
    assert_eq!(before, NODES.map(|node| red_hat.postmaster(&site.host(node))));
    assert!(
        state.failures.iter().all(|failure| failure.operation.starts_with(debian.resource)),
        "{:?}",
        state.failures
    );
    site.answers(&red_hat, &site.host(first), "select text from public.note", "kept");
    assert_eq!(slots_and_names(&debian, &site.host(second))[1], "\"pm-01.example\"");
    site.assert_calm();
}
