//! `restart_on_promote` keeps the timeline, so that two histories look alike: nobody may mistake one for the other.

use testbed::{Cluster, Signal};

use crate::instance::{BINDIR, Instance};
use crate::site::{SOON, Site};

const DATA: &str = "/var/lib/pgsql/data";

/// Makes a recovery slow while the file is there, as a distant archive does.
const SLOW_ARCHIVE: &str = "test ! -e /run/slow || sleep 9; false";

/// Writes a row on the primary that no standby gets and nobody acknowledges.
fn write_what_nobody_receives(site: &Site, instance: &Instance) {
    let primary = site.host("pm01");
    site.cut_replication(&primary);
    let psql = format!("{BINDIR}/psql");
    let sql = "insert into ledger (number) values (-1)";
    let words = [&psql, "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-c", sql];
    let mut writer = primary.spawn(&words).expect("the writer starts");
    let waits = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    site.answers(instance, &primary, waits, "1");
    primary.kill_postmaster(Signal::SIGKILL);
    writer.wait().expect("the writer has lost its server");
}

#[test]
fn an_old_primary_with_wal_of_its_own_does_not_stream_from_one_promoted_by_a_restart() {
    let site = Site::boot(Cluster::builder().hosts(2).two_node().pg_log(Instance::usual().logfile));
    site.fill(DATA, &[]);
    let instance = Instance::usual()
        .with(&[("restart_on_promote", "true"), ("restore_command", SLOW_ARCHIVE)]);
    site.configure(&instance.crm(&["pm01", "pm02"], ""));
    site.settled(&instance, "pm01", &["pm02"]);
    site.host("pm01").write_file("/run/slow", "").expect("the archive is slow from now on");
    write_what_nobody_receives(&site, &instance);
    site.cluster.wait_until("pm02 is the primary", SOON, |state| {
        instance.promoted(state) == ["pm02"] && instance.record(state, "pm02")[0] == "PRI"
    });
    let rows = "select count(*) from ledger where number = -1";
    site.host("pm01").run_ok(&["rm", "/run/slow"]).expect("the archive is quick again");
    instance.ask(&site.host("pm02"), "insert into ledger select generate_series(1000001, 1001000)");
    let there = instance.ask(&site.host("pm02"), rows);
    site.cluster.wait_until("pm01 is refused or streams", SOON, |state| {
        state.failures.iter().any(|failure| failure.reason.contains("My data "))
            || instance.record(state, "pm01")[0] == "HS:sync"
    });
    let state = site.cluster.state().expect("the cluster answers");
    if instance.record(&state, "pm01")[0] == "HS:sync" {
        let here = instance.ask(&site.host("pm01"), rows);
        assert_eq!(here, there, "pm01 streams from pm02, and their data differ");
    }
}
