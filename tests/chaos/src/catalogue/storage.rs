//! What befalls the disks: one is full or busy, a directory cannot be written or read.

use super::Fault;
use crate::error::Error;
use crate::scene::{Scene, Undo};
use crate::site::PGDATA;

pub(super) const FAULTS: [Fault; 4] = [
    Fault::new("disk full", "disk of the WAL is full", 4, (4, 20), |scene| {
        let host = scene.host.clone();
        host.fill_wal_disk()?;
        fill_segment(scene);
        Ok(Box::new(move || Ok(host.empty_wal_disk()?)))
    }),
    Fault::new("WAL unwritable", "WAL's directory cannot be written", 3, (4, 20), |scene| {
        let undo = forbid(scene, &format!("{PGDATA}/pg_wal/."))?;
        fill_segment(scene);
        Ok(undo)
    }),
    Fault::new("data unreadable", "data directory cannot be read", 3, (3, 20), |scene| {
        forbid(scene, PGDATA)
    }),
    Fault::new("disk busy", "disk is busy with other things", 2, (3, 10), |scene| {
        scene.script(
            "trap 'rm -f /var/lib/pgsql/busy' EXIT; while :; do \
             dd if=/dev/zero of=/var/lib/pgsql/busy bs=1M count=64 conv=fsync 2>/dev/null; sleep 0.1; done",
        )
    }),
];

/// The server takes the next segment, if it is a primary: the open one would last for the round.
fn fill_segment(scene: &Scene) {
    // It fails when the server does, and on a standby.
    let _panics = scene.host.query("set statement_timeout = '3s'; select pg_switch_wal()");
}

fn forbid<'a>(scene: &Scene<'a>, path: &str) -> Result<Undo<'a>, Error> {
    let (host, path) = (scene.host.clone(), path.to_owned());
    host.run_ok(&["chmod", "000", &path])?;
    Ok(Box::new(move || {
        host.run_ok(&["chmod", "700", &path])?;
        Ok(())
    }))
}
