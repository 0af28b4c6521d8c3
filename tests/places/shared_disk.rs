//! `rep_mode=none`: one instance on a disk that moves with it from host to host.

use testbed::{ActionResult, Cluster, Host, Signal, State};

use crate::instance::{BINDIR, Instance};
use crate::site::{SOON, Site};

const MONITORED: &str = r#"it's "monitored" 100%"#;
const MONITOR_SQL: &str = r#"do $x$ begin raise log 'it''s "monitored" 100%%'; end $x$"#;

/// A host without the data; the agent Filesystem wants a modprobe, which a container does not have.
const HOST: &str = r#"
    rm -rf /var/lib/pgsql/data
    mkdir /srv/pg
    command -v modprobe > /dev/null || install -m 755 /bin/true /usr/sbin/modprobe
"#;

/// A disk, the instance on it, reachable on the loopback alone, and a fast shutdown that may take two seconds.
fn configuration(instance: &Instance) -> String {
    let Instance { resource, pgdata, logfile, .. } = instance;
    format!(
        "primitive disk ocf:heartbeat:Filesystem params device=/srv/shared directory=/srv/pg fstype=none options=bind \
         op start interval=0s timeout=60s op stop interval=0s timeout=60s op monitor interval=20s timeout=40s\n\
         primitive {resource} ocf:heartbeat:pgsql params pgctl=\"{BINDIR}/pg_ctl\" psql=\"{BINDIR}/psql\" \
         pgdata=\"{pgdata}\" logfile=\"{logfile}\" pghost=localhost pgdb=postgres stop_escalate=2 \
         op start interval=0s timeout=60s op stop interval=0s timeout=60s on-fail=fence \
         op monitor interval=2s timeout=30s\n\
         group service disk {resource} meta target-role=Stopped\n\
         location service-first service 50: pm01\n"
    )
}

fn instance() -> Instance {
    Instance { resource: "pg.shared", pgdata: "/srv/pg/it's data", ..Instance::usual() }
}

fn probe(site: &Site, node: &str) -> Option<ActionResult> {
    let actions = site.cluster.actions().into_iter();
    let mut probes = actions.filter(|action| {
        action.host == node && action.resource == "pg.shared" && action.action == "monitor"
    });
    probes.next().map(|action| action.result)
}

/// Moves the service, and waits until the instance there answers.
fn move_to(site: &Site, instance: &Instance, node: &str) {
    let words = ["crm_resource", "--move", "-r", "service", "-N", node];
    site.host("pm01").run_ok(&words).expect("the move is accepted");
    is_at(site, instance, node);
    site.host("pm01").run_ok(&["crm_resource", "--clear", "-r", "service"]).expect("it may return");
}

fn is_at(site: &Site, instance: &Instance, node: &str) -> State {
    let what = format!("the service is on {node}");
    site.cluster.wait_until(&what, SOON, |state| {
        state.active("disk") == [node]
            && state.active("pg.shared") == [node]
            && instance.try_ask(&site.host(node), "select 1").is_ok()
    })
}

/// A client in a transaction that does not end; its server process.
fn long_transaction(site: &Site, instance: &Instance, host: &Host) -> (std::process::Child, i32) {
    let psql = format!("{BINDIR}/psql");
    let sql = "begin; insert into note values ('lost'); select pg_sleep(3600)";
    let words = ["-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-c", sql];
    let client = host.spawn(&[&[psql.as_str()][..], &words].concat()).expect("the client starts");
    let pid = "select pid from pg_stat_activity where query like '%pg_sleep(3600)' and pid <> pg_backend_pid()";
    let pid = site.cluster.wait_for("the transaction is under way", SOON, || {
        instance.try_ask(host, pid).ok()?.parse().ok()
    });
    (client, pid)
}

/// How often a text is in the server's log on that host.
fn count(host: &Host, instance: &Instance, text: &str) -> usize {
    host.read_file(instance.logfile).map_or(0, |log| log.matches(text).count())
}

#[test]
fn an_instance_on_a_shared_disk_moves_with_it_and_is_not_found_where_the_disk_is_not() {
    let directory = tempfile::tempdir().expect("a directory of this machine is the disk");
    let builder = Cluster::builder().hosts(2).two_node().share_at(directory.path(), "/srv/shared");
    let site = Site::boot(builder.pg_log(instance().logfile));
    let instance = instance();
    let (first, second) = (site.host("pm01"), site.host("pm02"));
    let copy = "cp -a /var/lib/pgsql/data \"/srv/shared/it's data\"; chmod 755 /srv/shared";
    first.run_ok(&["sh", "-euc", copy]).expect("the disk is filled");
    site.everywhere(HOST);
    site.configure(&configuration(&instance));
    site.set_parameters(instance.resource, &[("monitor_sql", MONITOR_SQL)]);
    site.cluster.wait_until_idle(SOON);
    for node in ["pm01", "pm02"] {
        assert_eq!(probe(&site, node), Some(ActionResult::Exit(7)), "the probe on {node}");
    }
    let words = ["crm_resource", "-r", "service", "--meta", "--delete-parameter", "target-role"];
    first.run_ok(&words).expect("the service may start");
    is_at(&site, &instance, "pm01");
    site.contains(&first, instance.logfile, MONITORED);
    assert_eq!(instance.ask(&first, "show listen_addresses"), "localhost");
    instance.ask(&first, "create table note (text text)");
    instance.ask(&first, "insert into note values ('kept')");

    let (mut client, _) = long_transaction(&site, &instance, &first);
    move_to(&site, &instance, "pm02");
    client.wait().expect("the client has lost its server");
    assert_eq!(count(&first, &instance, "received immediate shutdown request"), 0);
    assert_eq!(count(&first, &instance, "received fast shutdown request"), 1);
    assert_eq!(instance.ask(&second, "select text from note"), "kept");

    // A process that hangs holds a fast shutdown up, until it is escalated.
    let (mut client, backend) = long_transaction(&site, &instance, &second);
    second.stop_process(backend);
    move_to(&site, &instance, "pm01");
    client.wait().expect("the client has lost its server");
    assert_eq!(count(&second, &instance, "received fast shutdown request"), 1);
    assert_eq!(count(&second, &instance, "received immediate shutdown request"), 1);
    assert_eq!(instance.ask(&first, "select text from note"), "kept");

    let pid = instance.postmaster(&first).expect("it runs").parse().expect("a number");
    first.signal(pid, Signal::SIGKILL.as_str().trim_start_matches("SIG")).expect("it dies");
    site.cluster.wait_for("it is started again", SOON, || {
        let answers = instance.try_ask(&first, "select text from note").is_ok();
        (answers && instance.postmaster(&first) != Some(pid.to_string())).then_some(())
    });
    is_at(&site, &instance, "pm01");
    site.assert_calm();
}
