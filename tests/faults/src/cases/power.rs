//! What befalls the power, and how hosts return: alone, together, with data that went another way or that is old.

use std::time::Instant;

use testbed::{Host, Signal};

use crate::case::{Case, Expect, Setup};
use crate::error::Error;
use crate::play::A_MONITOR_LATER;
use crate::site::{RESOURCE, SOON, status, until};
use crate::stage::Stage;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("3a", "power of the primary fails", |stage| {
            stage.primary().power_off();
            Ok(())
        }),
        Case::new("3b", "power of the primary and of the synchronous standby fails", |stage| {
            stage.primary().power_off();
            stage.sync().power_off();
            Ok(())
        })
        .healed_first(),
        Case::new("3c", "power of all three fails", |stage| {
            stage.cluster().on_every_host(|host| {
                host.power_off();
                Ok(())
            })?;
            Ok(())
        })
        .healed_first(),
        Case::new("13a", "old primary returns with data of its own", diverge),
        Case::new(
            "13b",
            "old primary returns after a power failure without data of its own",
            quiet,
        ),
        Case::new("13c", "old primary's node is stopped in order and returns", |stage| {
            stage.primary().stop_cluster(SOON)?;
            Ok(())
        })
        .expect(Expect::Moves)
        .without_fencing(),
        Case::new("14", "a standby of an older timeline boots without the others' data", stale)
            .repair(|stage| {
                let name = stage.roles.primary.clone();
                stage.set_standby(&name, false)
            })
            .healed_first(),
        Case::new("15", "the third node lags when the primary's power fails", lag)
            .repair(|stage| {
                let third = stage.third();
                let primary = stage.new_primary(SOON)?;
                primary.psql("checkpoint")?;
                third.unblock_replication()?;
                Ok(())
            })
            .healed_first_in_strict(),
        Case::new("21a", "sync standby cut, primary killed at once", |stage| {
            stage.sync().cut_link();
            stage.primary().kill_postmaster(Signal::SIGKILL);
            Ok(())
        })
        .healed_when_needed(),
        Case::new("21b", "sync standby cut, primary killed as it is given up", |stage| {
            stage.sync().cut_link();
            given_up(stage)?;
            stage.primary().kill_postmaster(Signal::SIGKILL);
            Ok(())
        })
        .healed_when_needed(),
        Case::new("21c", "sync standby killed, primary's power fails as it is given up", |stage| {
            stage.sync().kill_postmaster(Signal::SIGKILL);
            given_up(stage)?;
            stage.primary().power_off();
            Ok(())
        })
        .healed_when_needed(),
        Case::new("22", "pg_rewind killed midway", diverge).on(Setup::Rewind).repair(kill_rewind),
    ]
}

/// Waits until the cluster has recorded that the synchronous standby must not be promoted.
fn given_up(stage: &Stage) -> Result<(), Error> {
    let name = format!("{RESOURCE}-data-status");
    until("the standby is given up", SOON, || {
        let state = stage.primary().cluster_state().ok()?;
        (state.permanent(&stage.roles.sync, &name) == Some("DISCONNECT")).then_some(())
    })
}

/// The primary writes what nobody else gets, and dies before it can give its standbys up.
fn diverge(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.primary();
    host.block_replication()?;
    host.query("set synchronous_commit = local; create table alone as select 1")?;
    host.power_off();
    Ok(())
}

/// Every standby has everything, and nobody writes, when the power fails.
fn quiet(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.primary();
    let sql = "begin; lock table ledger in exclusive mode; select pg_sleep(600)";
    stage.session(&host, sql)?;
    let all = "select count(*) = 2 and (select count(*) from pg_locks where relation = \
        'ledger'::regclass and mode = 'ExclusiveLock' and granted) = 1 from pg_stat_replication \
        where flush_lsn = pg_current_wal_lsn() and state = 'streaming'";
    until("every standby has everything", SOON, || {
        host.psql(all).is_ok_and(|answer| answer == "t").then_some(())
    })?;
    host.power_off();
    Ok(())
}

/// Misses a promotion, and is the only one that may run when it comes back.
fn stale(stage: &mut Stage) -> Result<(), Error> {
    let (primary, sync, third) = (stage.primary(), stage.sync(), stage.third());
    third.power_off();
    stage.until_state("the third node is gone", SOON, |state| {
        !state.is_online(third.name()) && state.nodes.iter().all(|node| !node.unclean)
    })?;
    stage.switch_over_to(sync.name())?;
    stage.until_state("the move is over", SOON, |state| {
        state.is_promoted_only_on(sync.name()) && status(state, primary.name()).starts_with("HS:")
    })?;
    let streams = || (stage.site.streaming(sync.name()).len() == 1).then_some(());
    until("the old primary streams", SOON, streams)?;
    sync.run_ok(&["crm_resource", "--clear", "-r", crate::site::CLONE])?;
    stage.set_standby(primary.name(), true)?;
    stage.stopped(primary.name())?;
    sync.power_off();
    third.power_on()?;
    stage.until_state("the stale standby is looked at", SOON * 2, |state| {
        let looked = state.unpromoted().contains(&third.name())
            || crate::stage::refusal(state, third.name()).is_some();
        state.quorum && looked
    })?;
    let began = Instant::now();
    let promoted = until("a monitor later", SOON, || match writable(&third) {
        true => Some(true),
        false => (began.elapsed() > A_MONITOR_LATER).then_some(false),
    })?;
    if promoted {
        stage.complain("a standby of an older timeline was promoted");
    }
    Ok(())
}

fn writable(host: &Host) -> bool {
    host.psql("select pg_is_in_recovery()").is_ok_and(|answer| answer == "f")
}

/// The third node is so far behind that only a slot can have kept what it needs.
fn lag(stage: &mut Stage) -> Result<(), Error> {
    let (primary, sync, third) = (stage.primary(), stage.sync(), stage.third());
    // Slots of a time when this node was the primary would hold WAL by chance; the agent may make its own again.
    sync.query(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active",
    )?;
    let dropped = Instant::now();
    until("a monitor later", SOON, || (dropped.elapsed() > A_MONITOR_LATER).then_some(()))?;
    third.block_replication()?;
    until("the third node does not stream", SOON, || {
        (!stage.site.streaming(primary.name()).contains(&third.name().to_owned())).then_some(())
    })?;
    stage.write_wal(160)?;
    // A standby throws WAL away up to the last checkpoint that it has replayed.
    primary.psql("checkpoint")?;
    let end = primary.psql("select pg_current_wal_lsn()")?;
    let replayed = format!("select pg_last_wal_replay_lsn() >= '{end}'");
    until("the synchronous standby has replayed it", SOON, || {
        sync.psql(&replayed).is_ok_and(|answer| answer == "t").then_some(())
    })?;
    sync.psql("checkpoint")?;
    primary.power_off();
    Ok(())
}

/// As soon as the old primary's host is back, the first pg_rewind there dies half-way.
fn kill_rewind(stage: &mut Stage) -> Result<(), Error> {
    let host = stage.primary();
    stage.cluster().heal_network()?;
    host.boot_only()?;
    let script = "for turn in $(seq 12000); do pkill -KILL -x pg_rewind && exit 0; sleep 0.005; done; exit 1";
    let mut killer = host.spawn(&["sh", "-c", script])?;
    host.start_cluster()?;
    let killed = until("pg_rewind is killed", SOON, || killer.try_wait().ok().flatten());
    if !killed.is_ok_and(|status| status.success()) {
        stage.complain("no pg_rewind was there to be killed");
    }
    let again = until("the start is over", SOON, || {
        let state = stage.cluster().state().ok()?;
        let streams = stage.site.roles().is_some();
        (streams || crate::stage::refusal(&state, host.name()).is_some()).then_some(streams)
    })?;
    if again { Ok(()) } else { stage.clean_up(host.name()) }
}
