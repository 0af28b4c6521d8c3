//! What every example goes through: it is loaded, verified, comes up, and fails over once under write load.

use std::time::Instant;

use testbed::{Host, Ledger, Signal};

use crate::loading::Tool;
use crate::site::{CLIENT_VIP, SOON, Site};

/// What an example makes of the cluster.
pub struct Shape {
    /// The hosts, the first primary first.
    pub hosts: &'static [&'static str],
    /// The primitive.
    pub resource: &'static str,
    /// Its promotable clone.
    pub clone: &'static str,
    /// The addresses that go with the primary.
    pub with_primary: &'static [&'static str],
    /// The address that is where the synchronous standby is, or the primary for want of one.
    pub readers: Option<&'static str>,
    /// Whether a promotion is a mere restart (`restart_on_promote`).
    pub keeps_the_timeline: bool,
}

/// What befalls the primary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its postmaster is killed.
    PostmasterDies,
    /// Its host loses power.
    PowerFails,
    /// The operator moves the role.
    Move,
}

const ROWS: usize = 100;

const REWIND: &str = "exec /usr/lib/postgresql/15/bin/pg_rewind -D /var/lib/pgsql/data \
    --source-server 'host=10.77.0.101 user=postgres dbname=postgres'";
/// What is left when both histories have the same timeline: `pg_rewind` finds nothing to do then.
const COPY: &str = "rm -rf /var/lib/pgsql/data/*
    exec /usr/lib/postgresql/15/bin/pg_basebackup -c fast -h 10.77.0.101 -U repuser -D /var/lib/pgsql/data";

/// Takes the example through all of it.
pub fn tell(file: &str, shape: &'static Shape, fault: Fault) {
    let began = Instant::now();
    let (tool, site) = (Tool::of(file), Site::with(file, shape));
    let loaded = began.elapsed();
    let (first, others) = (shape.hosts[0], &shape.hosts[1..]);
    let state = site.settled(first, others);
    let up = began.elapsed();
    tool.verify(&site.cluster.host(first));
    assert!(state.failures.is_empty(), "{:#?}", state.failures);

    let second = site.synchronous(&state).expect("a standby is synchronous");
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    more_rows(&site, &ledger);
    befall(&site, shape, fault, &second);
    site.settled(&second, &standbys_after(shape, fault, &second));
    more_rows(&site, &ledger);
    let report = ledger.stop();
    site.assert_sound(&report, &second);
    if fault != Fault::PowerFails {
        site.assert_addresses_outlived_the_demotion(first);
    }
    if is_banned(shape, fault) {
        bring_back(&site.cluster.host(first), tool, shape);
        site.settled(&second, &[first]);
    }
    eprintln!(
        "{file}: loaded after {loaded:.1?}, up after {up:.1?}, {} rows, outage {:.1?}, all in {:.1?}",
        report.acknowledged.len(),
        report.longest_outage(),
        began.elapsed()
    );
}

fn more_rows(site: &Site, ledger: &Ledger) {
    let wanted = ledger.acknowledged() + ROWS;
    site.cluster
        .wait_for("acknowledged rows", SOON, || (ledger.acknowledged() >= wanted).then_some(()));
}

fn befall(site: &Site, shape: &Shape, fault: Fault, target: &str) {
    let primary = site.cluster.host(shape.hosts[0]);
    match fault {
        Fault::PostmasterDies => primary.kill_postmaster(Signal::SIGKILL),
        Fault::PowerFails => primary.power_off(),
        Fault::Move => {
            let order = ["crm_resource", "--move", "-r", shape.clone, "--promoted", "-N", target];
            primary.run_ok(&order).expect("the move is accepted");
        }
    }
}

/// Makes a standby of the old primary, as the agent's refusal tells the operator to.
fn bring_back(host: &Host, tool: Tool, shape: &Shape) {
    let remedy = if shape.keeps_the_timeline { COPY } else { REWIND };
    let done = host.run_as("postgres", &["sh", "-euc", remedy]).expect("the remedy can be tried");
    assert!(done.success(), "{remedy}:\n{}{}", done.stdout, done.stderr);
    host.run_ok(&["rm", "-f", "/var/lib/pgsql/tmp/PGSQL.lock"]).expect("the lock can be removed");
    tool.clean_up(host, shape.clone);
}

/// Who is standby once the fault is over.
fn standbys_after<'a>(shape: &'a Shape, fault: Fault, primary: &str) -> Vec<&'a str> {
    let gone = (fault == Fault::PowerFails || is_banned(shape, fault)).then_some(shape.hosts[0]);
    let hosts = shape.hosts.iter().copied();
    hosts.filter(|&host| host != primary && Some(host) != gone).collect()
}

/// Whether Pacemaker waits for a clean-up: all examples of two hosts have `migration-threshold=1`.
fn is_banned(shape: &Shape, fault: Fault) -> bool {
    fault == Fault::PostmasterDies && shape.hosts.len() == 2
}
