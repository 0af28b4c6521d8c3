//! What befalls the network: cuts, one way or both, blips, loss, and a cut of the replication alone.

use std::thread::sleep;
use std::time::{Duration, Instant};

use testbed::Host;

use crate::case::{Case, Expect};
use crate::error::Error;
use crate::site::{SOON, until};
use crate::stage::Stage;

/// Corosync's token times out after 1 s: a blip that it does not notice, and one that it does.
const BLIPS: [(u64, u64); 5] = [(300, 700), (600, 400), (1500, 1500), (2500, 1000), (400, 300)];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("4a", "link of the primary cut", |stage| {
            stage.primary().cut_link();
            Ok(())
        }),
        Case::new("4b-in", "nothing reaches the primary from the others", |stage| {
            let primary = stage.primary();
            others(stage).iter().for_each(|other| other.drop_traffic_to(&primary));
            Ok(())
        }),
        Case::new("4b-out", "nothing of the primary reaches the others", |stage| {
            let primary = stage.primary();
            others(stage).iter().for_each(|other| primary.drop_traffic_to(other));
            Ok(())
        }),
        Case::new("4c", "link of the primary flaps", flap).expect(Expect::Either),
        Case::new("4d", "half of the primary's packets are lost", lossy).expect(Expect::Either),
        Case::new("5", "PostgreSQL's port between the hosts is blocked", block_replication)
            .repair(unblock)
            .expect(Expect::Stays)
            .healed_first_in_strict()
            .without_fencing(),
    ]
}

fn others(stage: &Stage) -> [Host; 2] {
    [stage.sync(), stage.third()]
}

fn flap(stage: &mut Stage) -> Result<(), Error> {
    let primary = stage.primary();
    for (down, up) in BLIPS {
        primary.cut_link();
        sleep(Duration::from_millis(down));
        primary.restore_link();
        sleep(Duration::from_millis(up));
    }
    Ok(())
}

/// For so long that Corosync has to make up its mind, and the agents to work under it.
fn lossy(stage: &mut Stage) -> Result<(), Error> {
    stage.primary().loss(50);
    let began = Instant::now();
    until("the lossy time is over", SOON, || {
        (began.elapsed() > Duration::from_secs(20)).then_some(())
    })?;
    stage.primary().loss(0);
    Ok(())
}

fn block_replication(stage: &mut Stage) -> Result<(), Error> {
    let primary = stage.primary();
    primary.block_replication()?;
    until("no standby streams", SOON, || {
        let none = "select count(*) = 0 from pg_stat_replication";
        primary.psql(none).is_ok_and(|answer| answer == "t").then_some(())
    })
}

fn unblock(stage: &mut Stage) -> Result<(), Error> {
    stage.primary().unblock_replication()?;
    Ok(())
}
