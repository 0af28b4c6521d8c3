//! Who may be promoted: members outside of `node_list`, nodes that come and go, and forgotten ones.

use std::time::Duration;

use testbed::{Cluster, Fencing, Ledger};

use crate::site::{CLIENT_VIP, SOON, Site, with_agent};

/// Three hosts, of which `node_list` names the first two.
fn two_of_three() -> Site {
    let site = Site::boot(with_agent(Cluster::builder()), "pgsql");
    let all = "node_list=\"pm01 pm02 pm03\"";
    site.load_changed("three-hosts.crm", |text| text.replace(all, "node_list=\"pm01 pm02\""));
    site.settled("pm01", &["pm02"]);
    site
}

fn rows(site: &Site, ledger: &Ledger, count: usize) {
    let before = ledger.acknowledged();
    site.cluster.wait_for("acknowledged rows", SOON, || {
        (ledger.acknowledged() >= before + count).then_some(())
    });
}

#[test]
fn a_member_that_node_list_does_not_name_is_never_promoted() {
    let site = two_of_three();
    site.cluster.wait_until("pm03 runs as a standby without a right", SOON, |state| {
        let [status, data_status, score] = site.record(state, "pm03");
        let no_right = !data_status.contains("SYNC") && score == "-INFINITY";
        state.unpromoted().contains(&"pm03") && status == "HS:alone" && no_right
    });
    // It has the data of the first day only.
    site.cluster.host("pm03").cut_link();
    site.cluster.wait_until("pm03 is fenced", SOON, |state| !state.is_online("pm03"));
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    rows(&site, &ledger, 300);
    site.cluster.heal_network().expect("the link is whole again");
    let pm01 = site.cluster.host("pm01");
    pm01.run_ok(&["crm", "--wait", "node", "standby", "pm02"]).expect("crmsh");
    rows(&site, &ledger, 300);
    site.cluster.host("pm03").power_on().expect("pm03 boots");
    site.cluster.wait_until("pm03 is back", SOON, |state| state.unpromoted().contains(&"pm03"));
    pm01.power_off();
    site.cluster.wait_until("pm01 is known to be down", SOON, |state| {
        !state.is_online("pm01") && !state.promoted().contains(&"pm01")
    });
    // The standby's monitors look again and again; nothing may come of it.
    let check = ["crm_resource", "--force-check", "--resource", "pgsql"];
    for _ in 0..3 {
        site.cluster.host("pm03").run(&check).expect("the agent runs");
        let state = site.cluster.state().expect("the cluster answers");
        assert!(state.promoted().is_empty(), "{:?} is promoted", state.promoted());
    }
    pm01.power_on().expect("pm01 boots");
    site.cluster.wait_until("the last primary is it again", SOON * 2, |state| {
        state.is_promoted_only_on("pm01")
    });
    rows(&site, &ledger, 100);
    site.assert_sound(&ledger.stop(), "pm01");
}

#[test]
fn nodes_come_into_node_list_and_leave_it_on_a_live_resource() {
    let site = two_of_three();
    let ledger = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    rows(&site, &ledger, 100);
    let restarted = |nodes: &[&'static str]| {
        let listed = nodes.join(" ");
        let change = ["crm", "resource", "param", "pgsql", "set", "node_list", &listed];
        site.cluster.host("pm01").run_ok(&change).expect("crmsh changes node_list");
        // All instances are restarted; the synchronous standby may be the primary then.
        site.cluster.wait_for("a primary and a synchronous standby", SOON, || {
            let state = site.cluster.state().ok()?;
            let in_state = |wanted: &str| {
                nodes.iter().copied().find(|name| site.record(&state, name)[0] == wanted)
            };
            let (primary, sync) = (in_state("PRI")?, in_state("HS:sync")?);
            let rest = nodes.iter().filter(|name| site.record(&state, name)[0] == "HS:async");
            (state.is_promoted_only_on(primary) && rest.count() == nodes.len() - 2)
                .then_some((primary, sync))
        })
    };
    let (primary, sync) = restarted(&["pm01", "pm02", "pm03"]);
    rows(&site, &ledger, 100);
    // The synchronous standby leaves.
    let stays: Vec<_> = ["pm01", "pm02", "pm03"].into_iter().filter(|name| *name != sync).collect();
    assert!(stays.contains(&primary));
    let (primary, heir) = restarted(&stays);
    site.cluster.wait_until("who left has no right", SOON, |state| {
        let [_, data_status, score] = site.record(state, sync);
        data_status == "DISCONNECT" && score == "-INFINITY"
    });
    rows(&site, &ledger, 100);
    let state = site.cluster.state().expect("the cluster answers");
    assert!(state.failures.is_empty(), "a change of node_list fails nothing: {:?}", state.failures);
    site.cluster.host(primary).power_off();
    site.settled(heir, &[]);
    rows(&site, &ledger, 100);
    site.assert_sound(&ledger.stop(), heir);
}

#[test]
fn a_forgotten_node_lets_no_isolated_primary_of_two_hosts_go_on_alone() {
    let slow = Fencing::After(Duration::from_secs(15));
    let builder = with_agent(Cluster::builder()).hosts(2).two_node().fencing(slow);
    let site = Site::boot(builder, "prmPostgresql");
    // Quorum is respected: each of two hosts has it.
    site.load_changed("two-hosts-pg-rex.crm", |text| {
        text.replace("no-quorum-policy=ignore", "no-quorum-policy=stop")
    });
    site.settled("pm01", &["pm02"]);
    let primary = site.cluster.host("pm01");
    let forgotten = "<node id=\"99\" uname=\"pm99\"/>";
    let create = ["cibadmin", "--create", "--scope", "nodes", "--xml-text", forgotten];
    primary.run_ok(&create).expect("cibadmin");
    let inside = Ledger::start_on(&primary).expect("the inner ledger starts");
    let outside = Ledger::start(&site.cluster, CLIENT_VIP).expect("the ledger starts");
    rows(&site, &outside, 100);
    primary.cut_link();
    let survivor = site.cluster.wait_for("one side is fenced", SOON * 2, || {
        let fenced = site.cluster.fenced().first().map(|fenced| fenced.host.clone())?;
        Some(if fenced == "pm01" { "pm02" } else { "pm01" })
    });
    site.settled(survivor, &[]);
    site.cluster.heal_network().expect("the link is whole again");
    let (inside, outside) = (inside.stop(), outside.stop());
    site.assert_sound(&inside, survivor);
    site.assert_sound(&outside, survivor);
}
