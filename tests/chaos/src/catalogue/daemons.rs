//! What befalls the cluster manager and the agents that it runs: they are killed or held.

use std::thread::sleep;
use std::time::Duration;

use testbed::{Host, Process};

use super::Fault;
use crate::error::Error;
use crate::scene::{Scene, nothing};

/// Those that pacemakerd starts again by itself. The kernel's short names have 15 letters.
const DAEMONS: [&str; 6] = [
    "pacemaker-attrd",
    "pacemaker-based",
    "pacemaker-contr",
    "pacemaker-execd",
    "pacemaker-fence",
    "pacemaker-sched",
];

pub(super) const FAULTS: [Fault; 7] = [
    Fault::new("agents killed", "every agent is killed while it runs", 5, (2, 10), |scene| {
        let pause = scene.dice.u32(10..300);
        scene.script(&killer(pause))
    }),
    Fault::new(
        "agents killed everywhere",
        "every agent on every host is killed",
        2,
        (2, 6),
        |scene| {
            let script = killer(scene.dice.u32(10..300));
            let hosts = scene.site.cluster.hosts();
            let running = hosts.iter().filter(|host| host.is_on());
            let killers = running.map(|host| host.spawn(&["sh", "-c", &script]));
            Ok(crate::scene::end_of(killers.collect::<Result<_, _>>()?))
        },
    )
    .of_all(),
    Fault::new("daemon killed", "one of Pacemaker's daemons is killed", 8, (0, 0), |scene| {
        let victims = daemon(scene)?;
        scene.signal(&victims, "KILL")?;
        Ok(nothing())
    }),
    Fault::new("daemon held", "one of Pacemaker's daemons is held", 4, (2, 15), |scene| {
        let victims = daemon(scene)?;
        scene.hold(victims)
    }),
    Fault::new(
        "pacemakerd killed",
        "pacemakerd is killed, and started again",
        3,
        (0, 0),
        |scene| {
            scene.signal(&scene.processes(&["pacemakerd"]), "KILL")?;
            // As systemd does it.
            sleep(Duration::from_millis(scene.dice.u64(100..1500)));
            scene.host.start_cluster()?;
            Ok(nothing())
        },
    ),
    Fault::new("Corosync killed", "Corosync is killed", 4, (3, 15), |scene| {
        let host = scene.host.clone();
        scene.signal(&named(&host, "corosync"), "KILL")?;
        Ok(Box::new(move || if host.is_on() { Ok(host.start_cluster()?) } else { Ok(()) }))
    }),
    Fault::new("Corosync held", "Corosync is held", 3, (1, 15), |scene| {
        scene.hold(named(&scene.host, "corosync"))
    }),
];

/// Kills whatever agent of PostgreSQL runs, at once, that many milliseconds apart. The brackets keep the shell from
/// finding itself.
fn killer(pause_ms: u32) -> String {
    format!(
        "while :; do pkill -KILL -f '[r]esource.d/heartbeat/pgsql'; sleep 0.{pause_ms:03}; done"
    )
}

fn named(host: &Host, name: &str) -> Vec<Process> {
    host.processes().into_iter().filter(|process| process.name == name).collect()
}

fn daemon(scene: &mut Scene) -> Result<Vec<Process>, Error> {
    let name = DAEMONS[scene.dice.usize(0..DAEMONS.len())];
    let found = named(&scene.host, name);
    match found.is_empty() {
        true => Err(Error::said(format!("no {name} runs on {}", scene.host.name()))),
        false => Ok(found),
    }
}
