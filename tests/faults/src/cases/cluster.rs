//! What befalls the cluster manager, and what operators do with it: slow and killed daemons, moves, maintenance.

use std::thread::sleep;
use std::time::Duration;

use testbed::{Host, Signal};

use crate::case::{Case, Expect};
use crate::error::Error;
use crate::site::{PGDATA, SOON};
use crate::stage::Stage;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("11c", "the cluster's information base stops for 4 s, thrice", slow_cib)
            .expect(Expect::Stays)
            .without_fencing(),
        Case::new("12a", "switchover to a standby that replays late", |stage| {
            stage.sync().psql("select pg_wal_replay_pause()")?;
            stage.write_wal(48)?;
            let to = stage.roles.sync.clone();
            stage.switch_over_to(&to)
        })
        .expect(Expect::Moves)
        .check(moved)
        .without_fencing(),
        Case::new("12b", "switchover while the other standby is absent", |stage| {
            let (to, third) = (stage.roles.sync.clone(), stage.roles.third.clone());
            stage.set_standby(&third, true)?;
            stage.stopped(&third)?;
            stage.switch_over_to(&to)
        })
        .repair(|stage| {
            let third = stage.roles.third.clone();
            stage.set_standby(&third, false)
        })
        .expect(Expect::Moves)
        .check(moved)
        .without_fencing(),
        Case::new("12c", "switchover while the other standby is frozen", |stage| {
            stage.third().freeze_postgres();
            let to = stage.roles.sync.clone();
            stage.switch_over_to(&to)
        })
        .repair(|stage| {
            let host = stage.third();
            for process in host.processes().iter().filter(|p| p.name.starts_with("postgres")) {
                // What the agent has killed meanwhile is no more.
                let _gone = host.signal(process.pid, "CONT");
            }
            Ok(())
        })
        .expect(Expect::Moves)
        .check(moved)
        .without_fencing(),
        Case::new("17a", "pacemakerd killed on the primary's host", |stage| {
            kill(&stage.primary(), "pacemakerd")
        })
        .expect(Expect::Stays)
        .without_fencing(),
        Case::new("17b", "attribute daemon killed on the primary's host", |stage| {
            kill(&stage.primary(), "pacemaker-attrd")
        })
        // Pacemaker 2.1 loses the node's promotion score with the daemon, and moves the primary before any agent is asked.
        .expect(Expect::MayMove)
        .without_fencing(),
        Case::new("17c", "maintenance mode, cluster stopped and started on all hosts", reattach)
            .expect(Expect::Stays)
            .without_fencing(),
        Case::new("23", "killed in maintenance mode, a standby promoted by hand", by_hand)
            .without_fencing(),
    ]
}

/// As an operator does who does not want to wait for the end of the mode.
fn by_hand(stage: &mut Stage) -> Result<(), Error> {
    maintenance(stage, true)?;
    stage.cluster().wait_until_idle(SOON);
    stage.primary().kill_postmaster(Signal::SIGKILL);
    let promote = ["/usr/lib/postgresql/15/bin/pg_ctl", "promote", "-w", "-D", PGDATA];
    let promoted = stage.sync().run_as("postgres", &promote)?;
    if !promoted.success() {
        return Err(Error::said(format!("pg_ctl promote: {promoted:?}")));
    }
    maintenance(stage, false)
}

fn maintenance(stage: &Stage, on: bool) -> Result<(), Error> {
    let value = if on { "true" } else { "false" };
    let words = ["crm_attribute", "-t", "crm_config", "-n", "maintenance-mode", "-v", value];
    stage.sync().run_ok(&words)?;
    let what = format!("maintenance mode is {value}");
    stage.until_state(&what, SOON, |state| state.maintenance == on)?;
    Ok(())
}

fn pid(host: &Host, name: &str) -> Result<i32, Error> {
    // The kernel's short names have 15 letters.
    let short: String = name.chars().take(15).collect();
    let found = host.processes().into_iter().find(|process| process.name == short);
    found.map(|process| process.pid).ok_or_else(|| Error::said(format!("no {name} runs")))
}

fn kill(host: &Host, name: &str) -> Result<(), Error> {
    host.signal(pid(host, name)?, "KILL")?;
    Ok(())
}

/// Monitors every 9 s and 10 s meet at least one of the halts.
fn slow_cib(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.primary();
    let base = pid(&host, "pacemaker-based")?;
    for _ in 0..3 {
        host.stop_process(base);
        sleep(Duration::from_secs(4));
        host.continue_process(base);
        sleep(Duration::from_secs(3));
    }
    Ok(())
}

fn moved(stage: &mut Stage) -> Result<(), Error> {
    let state = stage.cluster().state()?;
    let to = stage.roles.sync.clone();
    if !state.is_promoted_only_on(&to) {
        stage.complain(format!("{to} was to be the primary, {:?} is", state.promoted()));
    }
    Ok(())
}

fn reattach(stage: &mut Stage) -> Result<(), Error> {
    maintenance(stage, true)?;
    stage.cluster().wait_until_idle(SOON);
    stage.cluster().on_every_host(|host| host.stop_cluster(SOON))?;
    stage.cluster().on_every_host(Host::start_cluster)?;
    stage.cluster().wait_until_online(SOON);
    stage.cluster().wait_until_idle(SOON);
    maintenance(stage, false)
}
