//! A small disk for every host's WAL, so that one can be filled. It lies outside the hosts, because a disk survives a
//! power failure.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::builder::Builder;
use crate::cluster::Cluster;
use crate::error::{Doing, Error};
use crate::host::Host;

/// Where a host sees the disks.
const MOUNTED: &str = "/var/lib/pgsql/disks";
/// Where this machine has them, in one directory per process.
const DISKS: &str = "/run/testbed-disks";
const SIZE: &str = "size=320m,mode=755";
const FILLER: &str = "filler";

static COUNTER: AtomicU32 = AtomicU32::new(1);

/// The disks of one cluster; they go when this is dropped.
pub struct SmallDisks {
    directory: PathBuf,
    hosts: Vec<String>,
}

impl SmallDisks {
    /// Makes an empty one for each of the hosts pm01, pm02, …
    pub fn make(hosts: usize) -> Result<Self, Error> {
        sweep();
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(DISKS).join(format!("{}-{number}", std::process::id()));
        let disks = Self { directory, hosts: crate::builder::names(hosts) };
        for host in &disks.hosts {
            let path = disks.directory.join(host);
            fs::create_dir_all(&path).doing(|| format!("make {}", path.display()))?;
            mount(Some("testbed"), &path, Some("tmpfs"), MsFlags::empty(), Some(SIZE))
                .doing(|| format!("mount a disk on {}", path.display()))?;
        }
        Ok(disks)
    }

    /// Lets every host see them.
    pub fn share(&self, builder: Builder) -> Builder {
        self.hosts.iter().fold(builder, |builder, host| {
            builder.share_at(self.directory.join(host), format!("{MOUNTED}/{host}"))
        })
    }

    /// Moves the WAL of every host to its disk; the servers are stopped.
    pub fn move_wal(&self, cluster: &Cluster) -> Result<(), Error> {
        for host in cluster.hosts() {
            let (disk, pgdata) = (disk_of(&host), &host.shared.options.pgdata);
            let script = format!(
                "chown postgres:postgres {disk} && mv {pgdata}/pg_wal {disk}/pg_wal && \
                 ln -s {disk}/pg_wal {pgdata}/pg_wal && chown -h postgres:postgres {pgdata}/pg_wal"
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

impl Host {
    /// Leaves no byte on the disk of the host's WAL.
    pub fn fill_wal_disk(&self) -> Result<(), Error> {
        let filler = format!("{}/{FILLER}", disk_of(self));
        // It ends when nothing fits any more, which is what it is for.
        self.run(&["dd", "if=/dev/zero", &format!("of={filler}"), "bs=64k"]).map(drop)
    }

    /// Gives the space back.
    pub fn empty_wal_disk(&self) -> Result<(), Error> {
        self.run_ok(&["rm", "-f", &format!("{}/{FILLER}", disk_of(self))]).map(drop)
    }
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
    for host in fs::read_dir(directory).into_iter().flatten().flatten() {
        let _not_mounted = umount2(&host.path(), MntFlags::MNT_DETACH);
        let _not_there = fs::remove_dir(host.path());
    }
    let _not_there = fs::remove_dir(directory);
}
