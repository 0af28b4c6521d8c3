//! What befalls the clusters of every row. Each scenario takes a settled cluster and leaves a settled one.

use testbed::Signal;

use crate::report::Report;
use crate::site::{HOSTS, SOON, Site, all_but, record};

/// How often a postmaster is killed until another host takes over.
const ATTEMPTS: usize = 3;

/// The primary has one active slot for each other host.
pub fn slots_are_active(site: &Site, primary: &str) {
    let mut wanted: Vec<_> =
        all_but(primary).iter().map(|name| format!("pgsql_{name} true")).collect();
    wanted.sort_unstable();
    let host = site.host(primary);
    let sql = "select slot_name || ' ' || active from pg_replication_slots order by slot_name";
    site.cluster.wait_for("active slots", SOON, || {
        let found = host.psql(sql).ok()?;
        (found.lines().collect::<Vec<_>>() == wanted).then_some(())
    });
    for name in all_but(primary) {
        let used = "select count(*) from pg_stat_wal_receiver where slot_name like 'pgsql\\_%'";
        assert_eq!(site.host(name).psql(used).expect("the standby answers"), "1");
    }
}

/// The postmaster of the primary is killed under load until another host takes over; yields that one. Between equals
/// the agent may as well restart the old primary in place: that counts only as a beginning. `settle` sees to it that
/// the old primary returns, and may tell how it did.
pub fn failover(
    site: &Site,
    report: &mut Report,
    scenario: &str,
    primary: &str,
    settle: impl Fn(&str, &mut String),
) -> String {
    report.play(scenario, |note| {
        for attempt in 0..ATTEMPTS {
            let heir = killed_postmaster(site, primary, |heir| settle(heir, note));
            if heir != primary {
                let before = match attempt {
                    0 => String::new(),
                    _ => format!("{attempt} × restarted in place, then "),
                };
                let after = if note.is_empty() { "" } else { "; " };
                *note = format!("{before}{primary} → {heir}{after}{note}");
                return heir;
            }
            note.clear();
        }
        panic!("{primary} was restarted in place {ATTEMPTS} times");
    })
}

/// All standbys stream from the new primary, the old primary among them.
pub fn all_stream(site: &Site) -> impl Fn(&str, &mut String) {
    |heir, _| drop(site.settled(heir, &all_but(heir)))
}

fn killed_postmaster(site: &Site, primary: &str, settle: impl FnOnce(&str)) -> String {
    site.synchronous();
    let mut heir = String::new();
    site.under_load(|| {
        let host = site.host(primary);
        let before = host.postmaster();
        host.kill_postmaster(Signal::SIGKILL);
        let state = site.cluster.wait_until("somebody is promoted anew", SOON, |state| {
            let in_place = || host.postmaster().is_some_and(|pid| Some(pid) != before);
            state.promoted().len() == 1 && (!state.is_promoted_only_on(primary) || in_place())
        });
        state.promoted()[0].clone_into(&mut heir);
        settle(&heir);
        heir.clone()
    });
    site.forget_failures();
    heir
}

/// A standby is stopped and comes back, under load.
pub fn standby_away_and_back(site: &Site, primary: &str) {
    let standby = site.synchronous();
    let other = *all_but(primary).iter().find(|name| **name != standby).expect("a third host");
    let host = site.host(primary);
    site.under_load(|| {
        host.run_ok(&["crm", "node", "standby", &standby]).expect("crmsh");
        site.cluster.wait_until("the other standby is synchronous", SOON, |state| {
            record(state, other)[0] == "HS:sync" && record(state, &standby)[1] == "DISCONNECT"
        });
        assert_eq!(site.host(&standby).postmaster(), None);
        host.run_ok(&["crm", "node", "online", &standby]).expect("crmsh");
        site.settled(primary, &all_but(primary));
        primary.to_owned()
    });
}

/// The primary is moved under load; the old one becomes a standby. Yields the new primary.
pub fn switchover(site: &Site) -> String {
    let heir = site.synchronous();
    site.under_load(|| {
        move_to(site, &heir);
        site.settled(&heir, &all_but(&heir));
        heir.clone()
    });
    assert!(site.cluster.state().expect("the cluster answers").failures.is_empty());
    heir
}

/// Asks Pacemaker for the move and takes its constraint back once somebody else is promoted.
pub fn move_to(site: &Site, heir: &str) {
    let host = site.host(heir);
    let help = host.run(&["crm_resource", "--help-all"]).expect("crm_resource runs");
    let role = if help.stdout.contains("--promoted") { "--promoted" } else { "--master" };
    let words = ["crm_resource", "--move", "-r", "pgsql-clone", role, "-N", heir];
    host.run_ok(&words).expect("the move is accepted");
    site.cluster.wait_until("the move is done", SOON, |state| state.is_promoted_only_on(heir));
    host.run_ok(&["crm_resource", "--clear", "-r", "pgsql-clone"]).expect("the move is forgotten");
}

/// The whole cluster stops at once, and starts again with everything that was acknowledged. Yields the primary.
pub fn whole_stop(site: &Site, primary: &str) -> String {
    let report = site.under_load(|| primary.to_owned());
    site.cluster.on_every_host(|host| host.stop_cluster(SOON)).expect("all nodes stop");
    for host in site.cluster.hosts() {
        assert_eq!(host.postmaster(), None, "PostgreSQL has survived on {host:?}");
        let left = host.processes();
        let left: Vec<_> = left.iter().filter(|one| one.name.starts_with("postgres")).collect();
        assert!(left.is_empty(), "left on {host:?}: {left:?}");
    }
    site.cluster.on_every_host(|host| host.start_cluster()).expect("all nodes start");
    let state = site.cluster.wait_until("somebody is promoted", SOON, |state| {
        state.promoted().len() == 1 && state.unpromoted().len() == HOSTS.len() - 1
    });
    let primary = state.promoted()[0].to_owned();
    site.settled(&primary, &all_but(&primary));
    let missing = site.cluster.verify_ledger(&report, &site.host(&primary));
    assert_eq!(missing.expect("the ledger can be read"), []);
    primary
}
