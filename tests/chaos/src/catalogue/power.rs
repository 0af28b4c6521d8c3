//! What befalls the power of hosts, their processor, and the switch that fences them.

use std::thread::sleep;
use std::time::Duration;

use testbed::{Fencing, Host};

use super::Fault;
use crate::error::Error;
use crate::scene::{Scene, Undo, end_of};

pub(super) const FAULTS: [Fault; 8] = [
    Fault::new("power", "power fails", 8, (2, 20), |scene| off(scene, vec![scene.host.clone()])),
    Fault::new("power of two", "power of two hosts fails", 3, (2, 20), |scene| {
        let both = vec![scene.host.clone(), scene.another()];
        off(scene, both)
    }),
    Fault::new("power of all", "power of all hosts fails", 2, (1, 8), |scene| {
        let all = scene.site.cluster.hosts();
        off(scene, all)
    })
    .of_all(),
    Fault::new("host frozen", "host stands still", 6, (2, 25), |scene| {
        let host = scene.host.clone();
        must_be_on(&host)?;
        host.freeze();
        Ok(Box::new(move || {
            host.thaw();
            Ok(())
        }))
    }),
    Fault::new("processor busy", "processor is busy with other things", 2, (3, 8), |scene| {
        let loops = (0..3).map(|_| scene.host.spawn(&["sh", "-c", "while :; do :; done"]));
        Ok(end_of(loops.collect::<Result<_, _>>()?))
    }),
    Fault::new("host starved", "host stands still most of the time", 3, (3, 15), |scene| {
        let host = scene.host.clone();
        must_be_on(&host)?;
        let (still, runs) = (scene.dice.u64(100..900), scene.dice.u64(20..200));
        scene.repeatedly(Duration::from_millis(runs), || {
            host.freeze();
            sleep(Duration::from_millis(still));
            host.thaw();
        });
        Ok(crate::scene::nothing())
    }),
    Fault::new("fencing refused", "the power switch does not obey", 3, (5, 25), |scene| {
        fencing(scene, Fencing::Disabled)
    })
    .of_all(),
    Fault::new("fencing slow", "the power switch takes 20 s", 3, (10, 25), |scene| {
        fencing(scene, Fencing::After(Duration::from_secs(20)))
    })
    .of_all(),
];

fn must_be_on(host: &Host) -> Result<(), Error> {
    if host.is_on() { Ok(()) } else { Err(Error::said(format!("{} is off", host.name()))) }
}

/// Switches these off, one soon after the other, and on again in the end.
fn off<'a>(scene: &mut Scene<'a>, hosts: Vec<Host>) -> Result<Undo<'a>, Error> {
    for host in &hosts {
        host.power_off();
        sleep(Duration::from_millis(scene.dice.u64(0..400)));
    }
    Ok(Box::new(move || {
        let boots: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                hosts.iter().map(|host| scope.spawn(move || host.power_on())).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        Ok(boots.into_iter().collect::<Result<(), _>>()?)
    }))
}

fn fencing<'a>(scene: &mut Scene<'a>, fencing: Fencing) -> Result<Undo<'a>, Error> {
    let site = scene.site;
    site.cluster.set_fencing(fencing);
    Ok(Box::new(move || {
        site.cluster.set_fencing(site.setup.fencing.fencing());
        Ok(())
    }))
}
