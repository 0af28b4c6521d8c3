//! What befalls one server: it is killed, frozen, crowded, badly configured, slow to recover.

use std::time::{Duration, Instant};

use testbed::{Host, Signal};

use crate::case::{Case, Expect, Setup};
use crate::error::Error;
use crate::site::{PGDATA, RESOURCE, SOON, until};
use crate::stage::Stage;

const CONF: &str = "/var/lib/pgsql/data/postgresql.conf";
const AUTO_CONF: &str = "/var/lib/pgsql/data/postgresql.auto.conf";
/// Standbys hold it, too, until there is a primary that gives it back.
const LOCK: &str =
    "begin; lock table pg_catalog.pg_authid in access exclusive mode; select pg_sleep(600)";
const KEPT: &str = "/var/lib/pgsql/kept.conf";
/// A start that cannot succeed says so within this time, an unquiet machine's slowness included.
const QUICK: Duration = Duration::from_secs(3);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("1a", "postmaster killed", |stage| {
            stage.primary().kill_postmaster(Signal::SIGKILL);
            Ok(())
        })
        .without_fencing(),
        Case::new("1b", "postmaster killed, frozen orphans left", orphans).without_fencing(),
        Case::new("2a", "postmaster stopped, continued later", |stage| {
            stage.primary().kill_postmaster(Signal::SIGSTOP);
            Ok(())
        })
        .repair(continue_postmaster)
        .without_fencing(),
        Case::new("2b", "all of the server stopped, continued later", |stage| {
            stage.primary().freeze_postgres();
            Ok(())
        })
        .repair(continue_postmaster)
        .without_fencing(),
        Case::new("2c", "log-in locked on all, power of the primary fails", |stage| {
            stage.session(&stage.primary(), LOCK)?;
            let standby = stage.sync();
            let locked = || standby.psql("select 1").is_err().then_some(());
            until("nobody can log in on the standby", SOON, locked)?;
            stage.primary().power_off();
            Ok(())
        })
        .healed_when_needed(),
        Case::new("8a", "standby's postmaster.pid names a live process of root", |stage| {
            let pid = process(&stage.sync(), "corosync")?;
            foreign_pid(stage, pid)
        })
        .expect(Expect::Stays)
        .without_fencing(),
        Case::new("8b", "standby's postmaster.pid names a live process of postgres", blocked)
            .repair(|stage| {
                let host = stage.sync();
                // It has changed its user, so that it does not end with its parent.
                host.run_ok(&["pkill", "-KILL", "-x", "-u", "postgres", "sleep"])?;
                stage.clean_up(host.name())
            })
            .expect(Expect::Stays)
            .without_fencing(),
        Case::new("9", "standby's configuration is bad at its start", bad_configuration)
            .repair(restore_configuration)
            .expect(Expect::Stays)
            .without_fencing(),
        Case::new("10", "all servers killed, recovery longer than start's timeout", slow_recovery)
            .on(Setup::ShortStart)
            .check(recovered_once)
            .without_fencing(),
        Case::new("11a", "no connection is free on the primary", crowd)
            .repair(end_children)
            .expect(Expect::Stays)
            .without_fencing(),
        Case::new("11b", "the primary's queries hang behind a lock", hang)
            .repair(end_children)
            .expect(Expect::Either)
            .without_fencing(),
        Case::new("16", "standby's postgresql.auto.conf names another primary", overridden)
            .repair(restore_auto_conf)
            .expect(Expect::Stays)
            .without_fencing(),
    ]
}

fn orphans(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.primary();
    let postmaster = host.postmaster().unwrap_or_default();
    for child in host.processes().iter().filter(|process| process.parent == postmaster) {
        // A backend may end between being seen and being frozen.
        let _gone = host.signal(child.pid, "STOP");
    }
    host.kill_postmaster(Signal::SIGKILL);
    Ok(())
}

fn continue_postmaster(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.primary();
    for process in host.processes().iter().filter(|process| process.name.starts_with("postgres")) {
        // Those that the agent has killed are no more.
        let _gone = host.signal(process.pid, "CONT");
    }
    Ok(())
}

fn process(host: &Host, name: &str) -> Result<i32, Error> {
    let found = host.processes().into_iter().find(|process| process.name == name);
    found.map(|process| process.pid).ok_or_else(|| Error::said(format!("no {name} runs")))
}

fn end_children(stage: &mut Stage) -> Result<(), Error> {
    stage.children.iter_mut().for_each(|child| drop(child.kill()));
    Ok(())
}

/// PostgreSQL itself takes a live process of its own user for another server: the operator has to look.
fn blocked(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.sync();
    let sleep = ["setpriv", "--reuid", "postgres", "--clear-groups", "sleep", "600"];
    stage.children.push(host.spawn(&sleep)?);
    let pid = until("the foreign process", SOON, || process(&host, "sleep").ok())?;
    foreign_pid(stage, pid)?;
    let reason = stage.refusal(host.name(), SOON)?;
    if !reason.contains("postmaster.pid") {
        stage.complain(format!("the refusal does not name the file: {reason:?}"));
    }
    Ok(())
}

/// Kills every process of the server at once, as the kernel does when memory is short: nobody tidies up.
fn kill_all(host: &Host) -> Result<(), Error> {
    host.run(&["sh", "-c", "kill -9 $(pgrep -u postgres postgres)"])?;
    Ok(())
}

fn foreign_pid(stage: &mut Stage, pid: i32) -> Result<(), Error> {
    let host = stage.sync();
    let before = host.postmaster();
    let script = format!(
        "pids=$(pgrep -u postgres postgres); kill -STOP $pids; \
         sed -i '1s/.*/{pid}/' {PGDATA}/postmaster.pid; chown postgres: {PGDATA}/postmaster.pid; \
         kill -9 $pids"
    );
    host.run(&["sh", "-c", &script])?;
    // The file is as it was before until the next server writes its own.
    until("the killed server is noticed", SOON, || {
        let state = stage.cluster().state().ok()?;
        let known = state.failures.iter().any(|failure| failure.node == host.name());
        (known || host.postmaster().is_some_and(|now| Some(now) != before)).then_some(())
    })
}

fn restart(stage: &Stage, host: &Host) -> Result<(), Error> {
    kill_all(host)?;
    stage.until_state("the killed server is noticed", SOON, |state| {
        state.failures.iter().any(|failure| failure.node == host.name())
    })?;
    Ok(())
}

fn bad_configuration(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.sync();
    let script = format!("cp -p {CONF} {KEPT} && echo 'no_such_setting = 1' >> {CONF}");
    host.run_ok(&["sh", "-euc", &script])?;
    restart(stage, &host)?;
    let reason = stage.refusal(host.name(), SOON)?;
    if !reason.contains("no_such_setting") && !reason.contains("configuration file") {
        stage.complain(format!("the refusal does not say what PostgreSQL said: {reason:?}"));
    }
    let began = stage.struck;
    let starts = stage.cluster().actions().into_iter().filter(|action| {
        action.host == host.name()
            && action.resource == RESOURCE
            && action.action == "start"
            && action.when >= began
    });
    let slow: Vec<_> = starts.filter(|start| start.took > QUICK).collect();
    if let Some(start) = slow.first() {
        stage.complain(format!("a start with a bad configuration took {:?}", start.took));
    }
    Ok(())
}

fn restore_configuration(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.sync();
    host.run_ok(&["mv", KEPT, CONF])?;
    stage.clean_up(host.name())
}

/// A small share of a processor: recovery goes on all the time, slowly. The brackets keep the shell from finding itself.
const THROTTLE: &str = "while :; do for pid in $(pgrep -f '[p]ostgres: startup'); do \
    kill -STOP $pid; sleep 2.5; kill -CONT $pid; done; sleep 0.004; done";
/// Longer than the start operation's timeout in this setup.
const SLOW: Duration = Duration::from_secs(40);

fn slow_recovery(stage: &mut Stage) -> Result<(), Error> {
    stage.write_wal(160)?;
    let hosts = stage.cluster().hosts();
    for host in &hosts {
        stage.children.push(host.spawn(&["sh", "-c", THROTTLE])?);
    }
    for host in &hosts {
        kill_all(host)?;
    }
    let rows = stage.ledger.acknowledged();
    let began = Instant::now();
    until("the slow time is over", SOON, || (began.elapsed() > SLOW).then_some(()))?;
    if stage.ledger.acknowledged() > rows + 1 {
        stage.complain("recovery was over too early: nothing was tried");
    }
    end_children(stage)?;
    for host in &hosts {
        host.run(&["pkill", "-CONT", "-u", "postgres", "postgres"])?;
    }
    Ok(())
}

/// A recovery that was begun again has been ended by somebody.
fn recovered_once(stage: &mut Stage) -> Result<(), Error> {
    for host in stage.cluster().hosts() {
        let log = host.read_file("/var/log/postgresql/pgsql-ha.log").unwrap_or_default();
        let after = log.lines().filter(|line| line.contains("was not properly shut down"));
        let times = after.count();
        if times > 1 {
            stage.complain(format!("{} recovered {times} times", host.name()));
        }
    }
    Ok(())
}

/// Takes every connection, and keeps the next ones away for longer than two monitors.
fn crowd(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.primary();
    for _ in 0..24 {
        stage.session(&host, "select pg_sleep(600)")?;
    }
    let full = || host.psql("select 1").err().map(drop);
    until("no connection is free", SOON, full)?;
    let began = Instant::now();
    until("two monitors", SOON, || (began.elapsed() > Duration::from_secs(22)).then_some(()))
}

/// Nobody can log in while this is locked; who is connected goes on.
fn hang(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.primary();
    let sql =
        "begin; lock table pg_catalog.pg_authid in access exclusive mode; select pg_sleep(600)";
    stage.session(&host, sql)?;
    until("nobody can log in", SOON, || host.psql("select 1").err().map(drop))?;
    stage.until_state("the monitor says that the server does not answer", SOON, |state| {
        state.failures.iter().any(|failure| failure.node == host.name())
    })?;
    Ok(())
}

fn overridden(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.sync();
    let script = format!(
        "cp -p {AUTO_CONF} {KEPT} && echo \"primary_conninfo = 'host=192.0.2.1 user=nobody'\" >> {AUTO_CONF}"
    );
    host.run_ok(&["sh", "-euc", &script])?;
    restart(stage, &host)?;
    let reason = stage.refusal(host.name(), SOON)?;
    if !reason.contains("primary_conninfo") {
        stage.complain(format!("the refusal does not name primary_conninfo: {reason:?}"));
    }
    Ok(())
}

fn restore_auto_conf(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.sync();
    host.run_ok(&["mv", KEPT, AUTO_CONF])?;
    stage.clean_up(host.name())
}
