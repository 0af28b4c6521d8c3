//! A primary that is cut off, loses its quorum and is stopped by Pacemaker: it writes nothing that nobody receives,
//! so that it returns by itself.

use testbed::{Cluster, Host};

use crate::site::{SOON, Site, with_agent};

const LOCK: &str = "/var/lib/pgsql/tmp/PGSQL.lock";
const NODES: [&str; 3] = ["pm01", "pm02", "pm03"];

/// Three hosts that archive. Nobody is fenced, so that Pacemaker alone stops the isolated primary.
fn archiving() -> Site {
    let builder = with_agent(Cluster::builder())
        .pg_setting("archive_mode", "on")
        .pg_setting("archive_command", "'cp %p /var/lib/pgsql/archive/%f'");
    let site = Site::boot(builder, "pgsql");
    for host in site.cluster.hosts() {
        let make = ["install", "-d", "-o", "postgres", "-g", "postgres", "/var/lib/pgsql/archive"];
        host.run_ok(&make).expect("made");
    }
    site.load_changed("three-hosts.crm", |text| {
        text.replace("stonith-enabled=true", "stonith-enabled=false")
    });
    site.settled("pm01", &["pm02", "pm03"]);
    site
}

/// Waits until all is replicated and the server has nothing left to write by itself: the background writer notes
/// the running transactions once after the last change (`BackgroundWriterMain` in bgwriter.c).
fn at_rest(site: &Site, primary: &Host) {
    let end = || primary.psql("select pg_current_wal_insert_lsn()").expect("the primary answers");
    let changed = end();
    site.cluster.wait_for("the background writer", SOON, || (end() != changed).then_some(()));
    let behind = "select count(*) from pg_stat_replication \
                  where flush_lsn is distinct from pg_current_wal_insert_lsn()";
    site.cluster.wait_for("the standbys to have everything", SOON, || {
        (primary.psql(behind).ok()? == "0").then_some(())
    });
}

/// Cuts the primary's link until it is stopped and another is promoted, and heals it; returns the new primary,
/// and why the old one does not return, if it does not.
fn cut(site: &Site, old: &str) -> (&'static str, Option<String>) {
    let host = site.cluster.host(old);
    host.psql("insert into ledger (number) select coalesce(min(number), 0) - 1 from ledger")
        .expect("the primary writes");
    at_rest(site, &host);
    host.cut_link();
    let new = site.cluster.wait_for("another primary", SOON, || {
        let state = site.cluster.state().ok()?;
        NODES.into_iter().find(|name| *name != old && state.promoted().contains(name))
    });
    site.cluster.wait_for("the isolated primary is stopped", SOON, || {
        host.postmaster().is_none().then_some(())
    });
    site.cluster.heal_network().expect("the link is whole again");
    let state = site.cluster.wait_until("the old primary returns or is refused", SOON, |state| {
        let refused = state.failures.iter().any(|failure| failure.node == old);
        refused || site.record(state, old)[1].starts_with("STREAMING|")
    });
    let reason = state.failures.iter().find(|failure| failure.node == old);
    (new, reason.map(|failure| failure.reason.clone()))
}

/// Makes the data of a node the primary's, as a person would.
fn repair(site: &Site, old: &str, new: &str) {
    let host = site.cluster.host(old);
    let source = format!("--source-server=host={new} user=postgres dbname=postgres");
    let rewind = [
        "/usr/lib/postgresql/15/bin/pg_rewind",
        "-D",
        "/var/lib/pgsql/data",
        &source.replace(new, address(new)),
    ];
    let done = host.run_as("postgres", &rewind).expect("pg_rewind runs");
    assert!(done.success(), "{done:?}");
    host.run_ok(&["rm", "-f", LOCK]).expect("removed");
    host.run_ok(&["crm_resource", "--cleanup", "-r", "pgsql"]).expect("the failure is forgotten");
}

fn address(node: &str) -> &'static str {
    match node {
        "pm01" => "10.77.0.11",
        "pm02" => "10.77.0.12",
        _ => "10.77.0.13",
    }
}

/// Cuts the link of whoever is the primary, again and again; returns why it did not return, each time.
fn cuts(site: &Site, count: usize) -> Vec<String> {
    let mut primary = "pm01";
    let mut refusals = Vec::new();
    for number in 1..=count {
        let (new, refused) = cut(site, primary);
        eprintln!("cut {number} of {primary}: {}", refused.as_deref().unwrap_or("it returned"));
        if let Some(reason) = refused {
            repair(site, primary, new);
            refusals.push(reason);
        }
        let standbys: Vec<_> = NODES.into_iter().filter(|name| *name != new).collect();
        site.settled(new, &standbys);
        primary = new;
    }
    refusals
}

#[test]
fn an_isolated_primary_returns_by_itself() {
    let site = archiving();
    assert_eq!(cuts(&site, 2), Vec::<String>::new());
}

/// To measure how often: `cargo test --test cluster twenty_cuts -- --ignored --nocapture`.
#[test]
#[ignore = "ten minutes"]
fn twenty_cuts() {
    let site = archiving();
    let refusals = cuts(&site, 20);
    eprintln!("{} of 20 did not return: {refusals:#?}", refusals.len());
}
