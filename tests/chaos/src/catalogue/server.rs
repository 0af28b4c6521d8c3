//! What befalls one server: it is killed, held, crowded, slow, or handled behind the cluster's back.

use std::time::Duration;

use testbed::Process;

use super::Fault;
use crate::error::Error;
use crate::scene::{Scene, Undo, end_of, nothing};
use crate::site::{BINDIR, PGDATA};

pub(super) const FAULTS: [Fault; 15] = [
    Fault::new("postmaster killed", "postmaster is killed", 6, (0, 0), |scene| {
        let postmaster = postmaster(scene)?;
        scene.signal(&[postmaster], "KILL")?;
        Ok(nothing())
    }),
    Fault::new("server killed", "all processes of the server are killed", 4, (0, 0), |scene| {
        scene.signal(&scene.server(), "KILL")?;
        Ok(nothing())
    }),
    Fault::new("orphans", "postmaster is killed, its children are held", 3, (2, 15), |scene| {
        let postmaster = postmaster(scene)?;
        let held = scene.hold(scene.children_of_server())?;
        scene.signal(&[postmaster], "KILL")?;
        Ok(held)
    }),
    Fault::new("postmaster held", "postmaster is held", 4, (2, 20), |scene| {
        let postmaster = postmaster(scene)?;
        scene.hold(vec![postmaster])
    }),
    Fault::new("server held", "all processes of the server are held", 4, (2, 20), |scene| {
        scene.hold(scene.server())
    }),
    Fault::new("backend killed", "one process of the server is killed", 4, (0, 0), |scene| {
        let victim = one_child(scene)?;
        scene.signal(&[victim], "KILL")?;
        Ok(nothing())
    }),
    Fault::new("backend held", "one process of the server is held", 3, (2, 20), |scene| {
        let victim = one_child(scene)?;
        scene.hold(vec![victim])
    }),
    Fault::new(
        "replication held",
        "WAL senders or the WAL receiver are held",
        4,
        (2, 20),
        |scene| scene.hold(scene.processes(&["postgres: walsender", "postgres: walreceiver"])),
    ),
    Fault::new("replay held", "replay of WAL is held", 3, (2, 20), |scene| {
        scene.hold(scene.processes(&["postgres: startup"]))
    }),
    Fault::new("replay paused", "replay of WAL is paused by hand", 3, (2, 20), |scene| {
        let host = scene.host.clone();
        host.query("select pg_wal_replay_pause()")?;
        // It may be a primary by now.
        Ok(Box::new(move || {
            let _primary = host.query("select pg_wal_replay_resume()");
            Ok(())
        }))
    }),
    Fault::new(
        "server slow",
        "server's processes get little of the processor",
        4,
        (3, 15),
        |scene| {
            let (still, runs) = (scene.dice.u64(100..800), scene.dice.u64(10..100));
            scene.script(&format!(
            "while :; do pids=$(pgrep -u postgres postgres); kill -STOP $pids; sleep 0.{still:03}; \
             kill -CONT $pids; sleep 0.{runs:03}; done 2>/dev/null"
        ))
        },
    ),
    Fault::new("crowded", "no connection is free", 3, (3, 15), |scene| {
        let crowd = (0..45).map(|_| session(scene, "select pg_sleep(600)"));
        Ok(end_of(crowd.collect::<Result<_, _>>()?))
    }),
    Fault::new("log-in locked", "nobody can log in, for a table is locked", 2, (3, 15), |scene| {
        let sql =
            "begin; lock table pg_catalog.pg_authid in access exclusive mode; select pg_sleep(600)";
        Ok(end_of(vec![session(scene, sql)?]))
    }),
    Fault::new("restarted by hand", "server is restarted with pg_ctl", 2, (0, 0), |scene| {
        by_hand(scene, &["restart", "-W", "-m"])
    }),
    Fault::new("stopped by hand", "server is stopped with pg_ctl", 3, (0, 0), |scene| {
        by_hand(scene, &["stop", "-W", "-m"])
    }),
];

fn postmaster(scene: &Scene) -> Result<Process, Error> {
    let postmaster = scene.host.postmaster();
    let mut server = scene.server().into_iter();
    let found = server.find(|process| Some(process.pid) == postmaster);
    found.ok_or_else(|| Error::said(format!("no server runs on {}", scene.host.name())))
}

fn one_child(scene: &mut Scene) -> Result<Process, Error> {
    let mut children = scene.children_of_server();
    if children.is_empty() {
        return Err(Error::said(format!("no server runs on {}", scene.host.name())));
    }
    Ok(children.swap_remove(scene.dice.usize(0..children.len())))
}

fn session(scene: &Scene, sql: &str) -> Result<std::process::Child, testbed::Error> {
    // A backend at work does not look by itself whether its client is still there.
    let target = "host=127.0.0.1 user=postgres options='-c client_connection_check_interval=200'";
    scene.host.spawn(&["psql", "-d", target, "-c", sql])
}

fn by_hand<'a>(scene: &mut Scene<'a>, words: &[&str]) -> Result<Undo<'a>, Error> {
    let manner = if scene.dice.bool() { "fast" } else { "immediate" };
    let program = format!("{BINDIR}/pg_ctl");
    let head = [program.as_str(), "-D", PGDATA, "-l", "/dev/null"];
    let user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"];
    let all = [&user[..], &head[..], words, &[manner]].concat();
    scene.host.run_with(&all, &[], None, Duration::from_secs(20))?;
    Ok(nothing())
}
