//! A small disk for every host's WAL, so that one can be filled. It lies outside the hosts, because a disk survives a
//! power failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use testbed::{Builder, Cluster, Host};

use crate::error::Error;
use crate::site::PGDATA;

/// Where a host sees the disks.
const MOUNTED: &str = "/var/lib/pgsql/disks";
/// Where this machine has them, in one directory per process.
const DISKS: &str = "/run/pgsql-ha-faults";
const SIZE: &str = "size=320m,mode=755";
const HOSTS: [&str; 3] = ["pm01", "pm02", "pm03"];
const FILLER: &str = "filler";

static COUNTER: AtomicU32 = AtomicU32::new(1);

/// The disks of one cluster; they go when this is dropped.
pub struct SmallDisks {
    directory: PathBuf,
}

impl SmallDisks {
    /// Makes an empty one for each host.
    pub fn make() -> Result<Self, Error> {
        sweep();
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let disks =
            Self { directory: Path::new(DISKS).join(format!("{}-{number}", std::process::id())) };
        for host in HOSTS {
            let path = disks.directory.join(host);
            let failed = |source| Error::Io { what: format!("make {}", path.display()), source };
            fs::create_dir_all(&path).map_err(failed)?;
            let mount = ["-t", "tmpfs", "-o", SIZE, "faults"];
            let status = Command::new("mount").args(mount).arg(&path).status().map_err(failed)?;
            if !status.success() {
                return Err(Error::said(format!("cannot mount a tmpfs on {}", path.display())));
            }
        }
        Ok(disks)
    }

    /// Lets every host see them.
    pub fn share(&self, builder: Builder) -> Builder {
        HOSTS.iter().fold(builder, |builder, host| {
            builder.share_at(self.directory.join(host), format!("{MOUNTED}/{host}"))
        })
    }

    /// Moves the WAL of every host to its disk; the servers are stopped.
    pub fn move_wal(&self, cluster: &Cluster) -> Result<(), Error> {
        for host in cluster.hosts() {
            let disk = disk_of(&host);
            let script = format!(
                "chown postgres:postgres {disk} && mv {PGDATA}/pg_wal {disk}/pg_wal && \
                 ln -s {disk}/pg_wal {PGDATA}/pg_wal && chown -h postgres:postgres {PGDATA}/pg_wal"
            );
            host.run_ok(&["sh", "-euc", &script])?;
        }
        Ok(())
    }
}

impl Drop for SmallDisks {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

fn disk_of(host: &Host) -> String {
    format!("{MOUNTED}/{}", host.name())
}

/// Leaves no byte on the disk of the host's WAL.
pub fn fill(host: &Host) -> Result<(), Error> {
    let filler = format!("{}/{FILLER}", disk_of(host));
    // It ends when nothing fits any more, which is what it is for.
    host.run(&["dd", "if=/dev/zero", &format!("of={filler}"), "bs=64k"])?;
    Ok(())
}

/// Gives the space back.
pub fn empty(host: &Host) -> Result<(), Error> {
    host.run_ok(&["rm", "-f", &format!("{}/{FILLER}", disk_of(host))])?;
    Ok(())
}

/// Removes what processes left that are no more.
fn sweep() {
    for entry in fs::read_dir(DISKS).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.split('-').next().unwrap_or_default();
        if !owner.is_empty() && !Path::new("/proc").join(owner).exists() {
            remove(&entry.path());
        }
    }
}

fn remove(directory: &Path) {
    for host in HOSTS {
        let path = directory.join(host);
        let _not_mounted = Command::new("umount").arg("-l").arg(&path).status();
        let _not_there = fs::remove_dir(&path);
    }
    let _not_there = fs::remove_dir(directory);
}
