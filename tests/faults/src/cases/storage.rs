//! What befalls the disks: one is full, a directory cannot be read or is gone.

use crate::case::{Case, Expect, Setup};
use crate::error::Error;
use crate::site::{PGDATA, SOON, until};
use crate::stage::Stage;

const AWAY: &str = "/var/lib/pgsql/data.away";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("6a", "disk of the primary's WAL is full", |stage| {
            stage.primary().fill_wal_disk()?;
            // It ends when the server does.
            let _panics = stage.write_wal(64);
            Ok(())
        })
        .on(Setup::SmallWal)
        .repair(|stage| {
            stage.primary().empty_wal_disk()?;
            let name = stage.roles.primary.clone();
            stage.clean_up(&name)
        })
        .without_fencing(),
        Case::new("6b", "disk of the standby's WAL is full", |stage| {
            stage.sync().fill_wal_disk()?;
            stage.write_wal(120)?;
            let (primary, sync) = (stage.primary(), stage.roles.sync.clone());
            until("the standby does not stream", SOON, || {
                (!stage.site.streaming(primary.name()).contains(&sync)).then_some(())
            })
        })
        .on(Setup::SmallWal)
        .repair(|stage| {
            stage.sync().empty_wal_disk()?;
            let name = stage.roles.sync.clone();
            stage.clean_up(&name)
        })
        .expect(Expect::Stays)
        .without_fencing(),
        Case::new("7a-mode", "primary's data cannot be read before a stop", |stage| {
            unreadable(stage)?;
            take_away(stage)
        })
        .repair(|stage| {
            readable(stage)?;
            give_back(stage)
        })
        .without_fencing(),
        Case::new("7a-gone", "primary's data is gone before a stop", |stage| {
            stage.primary().run_ok(&["mv", PGDATA, AWAY])?;
            take_away(stage)
        })
        .repair(|stage| {
            // A server that was told to start meanwhile has made nothing of value.
            let script = format!("rm -rf {PGDATA}; mv {AWAY} {PGDATA}");
            stage.primary().run_ok(&["sh", "-euc", &script])?;
            give_back(stage)
        })
        .without_fencing(),
        Case::new("7b", "primary's data cannot be read before a monitor", unreadable)
            .repair(|stage| {
                readable(stage)?;
                let name = stage.roles.primary.clone();
                stage.clean_up(&name)
            })
            .without_fencing(),
    ]
}

fn unreadable(stage: &mut Stage) -> Result<(), Error> {
    stage.primary().run_ok(&["chmod", "000", PGDATA])?;
    Ok(())
}

fn readable(stage: &Stage) -> Result<(), Error> {
    stage.primary().run_ok(&["chmod", "700", PGDATA])?;
    Ok(())
}

/// The operator stops everything on the primary's node.
fn take_away(stage: &mut Stage) -> Result<(), Error> {
    let name = stage.roles.primary.clone();
    stage.set_standby(&name, true)
}

fn give_back(stage: &mut Stage) -> Result<(), Error> {
    let name = stage.roles.primary.clone();
    stage.stopped(&name)?;
    stage.set_standby(&name, false)?;
    stage.clean_up(&name)
}
