//! Proves that the testbed works: boots three hosts, lets fencing act on a power failure and on a cut link, and writes
//! a ledger through a virtual address into a PostgreSQL that was started by hand. Prints how long everything took.

use std::time::{Duration, Instant};
use testbed::{Cluster, Error, Host, Ledger, PrimariesProbe, Signal, State, clock, two_primaries};

const LIMIT: Duration = Duration::from_secs(40);
const VIRTUAL_ADDRESS: &str = "10.77.0.100";
const CONFIGURATION: &str = "
primitive fence stonith:fence_testbed params pcmk_host_list=\"pm01 pm02 pm03\" op monitor interval=60s
primitive dummy ocf:pacemaker:Dummy op monitor interval=5s timeout=20s
primitive state ocf:pacemaker:Stateful op monitor interval=5s role=Promoted op monitor interval=6s role=Unpromoted
clone promotable state meta promotable=true notify=true
location dummy-likes-pm03 dummy 50: pm03
property stonith-enabled=true
";

/// Prints each step with the time it took.
struct Clock {
    started: Instant,
    step: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { started: Instant::now(), step: Instant::now() }
    }

    fn step(&mut self, what: &str) {
        println!("{:>7.0} ms  {what}", self.step.elapsed().as_secs_f64() * 1000.0);
        self.step = Instant::now();
    }
}

fn main() -> Result<(), Error> {
    let mut clock = Clock::start();
    let cluster = Cluster::builder().name("smoke").build()?;
    clock.step("three hosts boot, Corosync and Pacemaker answer");
    cluster.wait_until_online(LIMIT);
    clock.step("all online, with quorum and a DC");
    fencing(&cluster, &mut clock)?;
    postgres(&cluster, &mut clock)?;
    let host = cluster.host("pm01");
    host.stop_cluster(LIMIT)?;
    clock.step("orderly stop of the cluster on pm01");
    drop(cluster);
    clock.step("everything removed");
    println!("{:>7.0} ms  in all", clock.started.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}

fn fencing(cluster: &Cluster, clock: &mut Clock) -> Result<(), Error> {
    cluster.configure_crm(CONFIGURATION)?;
    clock.step("crm configure load update");
    let settled = |state: &State| state.promoted().len() == 1 && state.active("dummy") == ["pm03"];
    cluster.wait_until("dummy runs on pm03, one node is promoted", LIMIT, settled);
    clock.step("resources run");

    cluster.host("pm03").power_off();
    clock.step("pm03 is off");
    cluster.wait_until("pm03 is fenced, dummy runs elsewhere", LIMIT, |state| {
        !state.is_online("pm03") && !unclean(state, "pm03") && runs_elsewhere(state)
    });
    clock.step("… and fenced, its resource runs elsewhere");
    cluster.host("pm03").power_on()?;
    clock.step("pm03 boots again");
    cluster.wait_until_online(LIMIT);
    clock.step("… and is online");
    cluster.wait_until("dummy is back on pm03", LIMIT, settled);
    clock.step("… and has its resource again");

    cluster.host("pm03").cut_link();
    cluster.wait_for("pm03 is switched off by fencing", LIMIT, || {
        (!cluster.host("pm03").is_on()).then_some(())
    });
    clock.step("link of pm03 cut: fencing has switched it off");
    cluster.wait_until("dummy runs elsewhere", LIMIT, runs_elsewhere);
    clock.step("… and its resource runs elsewhere");
    cluster.host("pm03").restore_link();
    cluster.host("pm03").power_on()?;
    cluster.wait_until_online(LIMIT);
    clock.step("pm03 boots again and is online");
    one_way_drop(cluster)?;
    clock.step("one-way drop and total loss are felt, and healed");
    report_history(cluster);
    Ok(())
}

fn unclean(state: &State, name: &str) -> bool {
    state.nodes.iter().any(|node| node.name == name && node.unclean)
}

fn runs_elsewhere(state: &State) -> bool {
    matches!(state.active("dummy")[..], [node] if node != "pm03")
}

fn reaches(from: &Host, to: &Host) -> bool {
    let words = ["arping", "-q", "-c", "1", "-w", "1", "-I", "eth0", &to.address()];
    from.run(&words).is_ok_and(|output| output.success())
}

/// Two hosts of a cluster of their own, at the same addresses, while the first cluster runs.
fn one_way_drop(_first: &Cluster) -> Result<(), Error> {
    let pair = Cluster::builder().name("smoke-pair").hosts(2).without_stack().build()?;
    let (one, two) = (pair.host("pm01"), pair.host("pm02"));
    assert!(reaches(&one, &two), "a healthy link");
    two.drop_traffic_to(&one);
    assert!(!reaches(&one, &two), "the answers are dropped");
    two.restore_traffic_to(&one);
    one.loss(100);
    assert!(!reaches(&one, &two), "everything is lost");
    pair.heal_network()?;
    assert!(reaches(&one, &two), "a healed link");
    Ok(())
}

fn report_history(cluster: &Cluster) {
    for fenced in cluster.fenced() {
        println!("            {} fenced {}", clock(fenced.dead), fenced.host);
    }
    let actions = cluster.actions();
    let slowest = actions.iter().max_by_key(|action| action.took).expect("actions ran");
    println!(
        "            {} actions, {} telling lines; slowest: {slowest:?}",
        actions.len(),
        cluster.events().len()
    );
    assert!(cluster.actions_slower_than(Duration::from_secs(15)).is_empty(), "an action was slow");
}

fn postgres(cluster: &Cluster, clock: &mut Clock) -> Result<(), Error> {
    cluster.prepare_postgres()?;
    clock.step("initdb, role, table, copies for three hosts");
    cluster.prepare_postgres()?;
    clock.step("the same again, from memory");
    let host = cluster.host("pm01");
    host.start_postgres()?;
    host.add_address(VIRTUAL_ADDRESS)?;
    let answer = cluster.query_from_client(VIRTUAL_ADDRESS, "select inet_server_addr()")?;
    assert_eq!(
        answer,
        [[Some(VIRTUAL_ADDRESS.to_owned())]],
        "the client talks to the virtual address"
    );
    clock.step("PostgreSQL runs on pm01");
    let probe = PrimariesProbe::start(cluster)?;
    let ledger = Ledger::start(cluster, VIRTUAL_ADDRESS)?;
    let inside = Ledger::start_on(&host)?;
    let writes_for_two_seconds = Instant::now();
    cluster.wait_for("two seconds of writing", LIMIT, || {
        (writes_for_two_seconds.elapsed().as_secs() >= 2).then_some(())
    });
    clock.step("two seconds of writing");
    host.kill_postmaster(Signal::SIGQUIT);
    cluster
        .wait_for("the end of the postmaster", LIMIT, || host.postmaster().is_none().then_some(()));
    host.start_postgres()?;
    let before = ledger.acknowledged();
    cluster.wait_for("rows after the crash", LIMIT, || {
        (ledger.acknowledged() > before + 20).then_some(())
    });
    clock.step("postmaster killed, started again, rows flow");
    for (name, ledger) in [("client", ledger), ("inside", inside)] {
        let report = ledger.stop();
        let missing = cluster.verify_ledger(&report, &host)?;
        println!(
            "            {name}: {} rows acknowledged, {} unknown, longest outage {:?}, missing {missing:?}, {:?}",
            report.acknowledged.len(),
            report.unknown.len(),
            report.longest_outage(),
            report.complaints.iter().map(|(_, complaint)| complaint).collect::<Vec<_>>(),
        );
        assert!(
            missing.is_empty() && report.acknowledged.len() > 100,
            "rows are missing, or were never written"
        );
    }
    let seen = probe.stop();
    assert_eq!(two_primaries(&seen), [], "two primaries");
    assert!(
        seen.iter().all(|primary| primary.host == "pm01") && !seen.is_empty(),
        "pm01 alone was primary"
    );
    clock.step("ledger verified");
    vanished_server(cluster, &host)?;
    clock.step("a server whose power fails is noticed by the ledger, freeze and thaw work");
    Ok(())
}

fn vanished_server(cluster: &Cluster, host: &Host) -> Result<(), Error> {
    let ledger = Ledger::start(cluster, VIRTUAL_ADDRESS)?;
    cluster.wait_for("rows", LIMIT, || (ledger.acknowledged() > 20).then_some(()));
    host.freeze_postgres();
    let frozen = ledger.acknowledged();
    host.thaw_postgres();
    cluster.wait_for("rows after the thaw", LIMIT, || {
        (ledger.acknowledged() > frozen + 20).then_some(())
    });
    host.power_off();
    let other = cluster.host("pm02");
    other.start_postgres()?;
    other.add_address(VIRTUAL_ADDRESS)?;
    other.run_ok(&["arping", "-q", "-U", "-c", "1", "-I", "eth0", VIRTUAL_ADDRESS])?;
    let before = ledger.acknowledged();
    cluster.wait_for("rows on the other host", LIMIT, || {
        (ledger.acknowledged() > before + 20).then_some(())
    });
    let report = ledger.stop();
    println!(
        "            outages {:?}",
        report.outages().iter().map(testbed::Outage::length).collect::<Vec<_>>()
    );
    assert!(
        !cluster.verify_ledger(&report, &other)?.is_empty(),
        "the other host cannot have the first one's rows"
    );
    host.power_on()?;
    cluster.wait_until_online(LIMIT);
    host.start_postgres()?;
    assert!(
        cluster.verify_ledger(&report, host)?.len() < report.acknowledged.len(),
        "the disk survives a power failure"
    );
    host.stop_postgres("fast")?;
    other.stop_postgres("fast")
}
