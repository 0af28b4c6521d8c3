//! A cluster of Debian 13 changes from the shell agent to ours and back while Pacemaker runs and clients write; and
//! clusters in which some hosts have one agent and some the other.

use std::time::Duration;

use crate::parts::Debian;
use crate::report::Report;
use crate::scenario::{self, move_to};
use crate::site::{HOSTS, Roles, SOON, Site, all_but, record};

const BRING_UP: &str = "bring-up with the shell agent";
const TO_OURS: &str = "to ours, host by host under load";
const BACK: &str = "back to the shell agent under load";

/// A change of agents must not be noticed by clients.
const UNNOTICED: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agent {
    Ours,
    Shell,
}

/// Replaces the agent of a host as `make install` and `make uninstall` do, and waits until Pacemaker has run it.
fn change_agent(site: &Site, name: &str, agent: Agent) {
    const PROGRAM: &str = "/usr/lib/ocf/resource.d/heartbeat/pgsql";
    let host = site.host(name);
    let is_ours = host.run(&["cmp", "-s", PROGRAM, "/opt/agent/pgsql-ha"]).expect("cmp runs");
    if is_ours.success() == (agent == Agent::Ours) {
        return;
    }
    let (agents, programs) = ("/usr/lib/ocf/resource.d", "/usr/sbin");
    let done = match agent {
        Agent::Ours => {
            let binary = "/opt/agent/pgsql-ha";
            host.run_ok(&["sh", "/opt/scripts/install", binary, agents, programs])
        }
        Agent::Shell => host.run_ok(&["sh", "/opt/scripts/uninstall", agents, programs]),
    };
    done.expect("the script does it");
    // The time of the last access: whoever executes a file reads it. File systems note only the first access after a
    // change or a day, which may have been already.
    host.run_ok(&["touch", "-a", "-d", "@0", PROGRAM]).expect("the time can be set");
    let read = || host.run_ok(&["stat", "-c", "%X", PROGRAM]).expect("the agent is there");
    site.cluster
        .wait_for("Pacemaker runs the new agent", SOON, || (read().trim() != "0").then_some(()));
}

fn agents(site: &Site) -> String {
    format!("shell {}, {}", site.shell_agent(), site.our_agent())
}

/// A cluster with the shell agent; yields the primary, which its agents have chosen.
fn bring_up(site: &Site) -> String {
    site.configure(Roles::New, |text| text);
    let state =
        site.cluster.wait_until("somebody is promoted", SOON, |state| state.promoted().len() == 1);
    let primary = state.promoted()[0].to_owned();
    site.settled(&primary, &all_but(&primary));
    primary
}

/// Changes every host, the primary last, under load.
fn change_everywhere(site: &Site, primary: &str, agent: Agent) -> String {
    let postmasters = || HOSTS.map(|name| site.host(name).postmaster());
    let before = postmasters();
    let report = site.under_load(|| {
        for name in all_but(primary).into_iter().chain([primary]) {
            change_agent(site, name, agent);
            site.settled(primary, &all_but(primary));
        }
        primary.to_owned()
    });
    assert_eq!(postmasters(), before, "a server was restarted");
    assert!(report.longest_outage() < UNNOTICED, "{:?}", report.longest_outage());
    format!("{} rows, longest pause {:?}", report.acknowledged.len(), report.longest_outage())
}

#[test]
fn there_and_back() {
    let mut report = Report::new("3-debian-13-there-and-back", &[BRING_UP, TO_OURS, BACK]);
    let site = Site::with_shell_agent(Debian::Thirteen);
    report.runs(&format!("{} | {}", site.versions(), agents(&site)));
    let primary = report.play(BRING_UP, |_| bring_up(&site));
    report.play(TO_OURS, |note| *note = change_everywhere(&site, &primary, Agent::Ours));
    report.play(BACK, |note| *note = change_everywhere(&site, &primary, Agent::Shell));
}

/// Gives the primary one agent and the standbys the other.
fn mix(site: &Site, primary: &str, agents: (Agent, Agent)) {
    change_agent(site, primary, agents.0);
    for name in all_but(primary) {
        change_agent(site, name, agents.1);
    }
    site.settled(primary, &all_but(primary));
}

/// Waits until the old primary streams from the new one, or is refused as the shell agent refuses every old primary;
/// then does what its administrator does: removes the lock, after a new copy if need be.
fn old_primary_returns(site: &Site, old: &str, primary: &str, copy: bool) -> &'static str {
    let is_refused = |state: &testbed::State| {
        state
            .failures
            .iter()
            .any(|failure| failure.node == old && failure.operation.contains("start"))
    };
    // That it streams is not enough: a shell agent's primary says so of a moment in which data that has diverged asks
    // for WAL. Our agent removes the lock when it really streams.
    let lock = site.host(old).path("/var/lib/pgsql/tmp/PGSQL.lock");
    let what = format!("{old} streams without its lock or is refused");
    let state = site.cluster.wait_until(&what, SOON, |state| {
        let streams = site.is_settled(state, primary, &all_but(primary));
        is_refused(state) || streams && !lock.exists()
    });
    if !is_refused(&state) {
        return "the old primary returns by itself";
    }
    let told = state.failures.iter().any(|failure| failure.reason.contains("My data "));
    assert!(told, "{:?}", state.failures);
    if copy {
        site.copy_from_primary(old);
    }
    site.host(old).run_ok(&["rm", "-f", "/var/lib/pgsql/tmp/PGSQL.lock"]).expect("the lock goes");
    site.forget_failures();
    site.settled(primary, &all_but(primary));
    if copy {
        "the old primary is refused, returns as a new copy"
    } else {
        "the old primary is refused, returns without its lock"
    }
}

fn standby_away_and_back(site: &Site, primary: &str, agents: (Agent, Agent)) {
    mix(site, primary, agents);
    scenario::standby_away_and_back(site, primary);
}

fn switchover(site: &Site, primary: &str, agents: (Agent, Agent), note: &mut String) -> String {
    mix(site, primary, agents);
    let heir = site.synchronous();
    let third = *all_but(primary).iter().find(|name| **name != heir).expect("a third host");
    site.under_load(|| {
        move_to(site, &heir);
        site.cluster.wait_until("the third host follows", SOON, |state| {
            record(state, third)[1].starts_with("STREAMING")
        });
        heir.clone()
    });
    note.push_str(&format!(
        "{primary} → {heir}; {}",
        old_primary_returns(site, primary, &heir, false)
    ));
    heir
}

#[test]
fn mixed() {
    let directions = [
        ("ours", "shell", (Agent::Ours, Agent::Shell)),
        ("shell", "ours", (Agent::Shell, Agent::Ours)),
    ];
    let names = |scenario: &str| {
        directions.map(|(from, to, _)| -> &'static str {
            format!("{scenario}: {from} primary, {to} standbys").leak()
        })
    };
    let standby = names("standby stop and return");
    let switch = names("switchover");
    let fail = names("failover");
    let all = [&[BRING_UP][..], &standby, &switch, &fail].concat();
    let mut report = Report::new("3-debian-13-mixed", &all);
    let site = Site::with_shell_agent(Debian::Thirteen);
    report.runs(&format!("{} | {}", site.versions(), agents(&site)));
    let mut primary = report.play(BRING_UP, |_| bring_up(&site));
    for (index, (_, _, agents)) in directions.into_iter().enumerate() {
        report.play(standby[index], |_| standby_away_and_back(&site, &primary, agents));
        primary = report.play(switch[index], |note| switchover(&site, &primary, agents, note));
        report.play(fail[index], |_| mix(&site, &primary, agents));
        primary = scenario::failover(&site, &mut report, fail[index], &primary, |heir, note| {
            note.push_str(old_primary_returns(&site, &primary, heir, true));
        });
    }
}
