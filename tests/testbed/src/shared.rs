//! What every handle of one cluster refers to, its making and its end. No behaviour of hosts or daemons here.

use crate::builder::Options;
use crate::error::{Doing, Error};
use crate::fencing::{self, Fenced, Fencing};
use crate::machine::Machine;
use crate::network::{self, Network, Port};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where clusters live on this machine: one directory each, named after its owner, with a tmpfs on it.
pub(crate) const CLUSTERS: &str = "/run/testbed";

/// The guest programs, compiled by build.rs.
static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/testbed-host"));
static FENCE_AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fence_testbed"));

static COUNTER: AtomicU32 = AtomicU32::new(1);

/// One cluster.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) dir: PathBuf,
    pub(crate) network: Network,
    pub(crate) machines: Vec<Machine>,
    fencing: Mutex<Fencing>,
    fenced: Mutex<Vec<Fenced>>,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Makes disks, network and power switch; the hosts are off.
    pub(crate) fn new(options: Options) -> Result<Arc<Self>, Error> {
        let name = format!("tb{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let dir = Path::new(CLUSTERS).join(&name);
        let made = Self::make(options, &name, &dir);
        if made.is_err() {
            clear(&name);
        }
        made
    }

    fn make(options: Options, name: &str, dir: &Path) -> Result<Arc<Self>, Error> {
        fs::create_dir_all(dir).doing(|| format!("make {}", dir.display()))?;
        mount(Some("testbed"), dir, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
            .doing(|| "mount the disks".into())?;
        fs::write(dir.join("owner"), crate::cleanup::owner()).doing(|| "write the owner".into())?;
        for directory in ["bin", "power"] {
            fs::create_dir_all(dir.join(directory)).doing(|| format!("make {directory}"))?;
        }
        let guest = dir.join("bin/testbed-host");
        fs::write(&guest, GUEST).doing(|| "write the guest program".into())?;
        fs::set_permissions(&guest, fs::Permissions::from_mode(0o755))
            .doing(|| "make the guest program executable".into())?;
        let network = Network::new(name)?;
        let machines = options
            .hosts
            .iter()
            .enumerate()
            .map(|(index, host)| Machine::new(host, Port::Host(index), dir));
        let machines = machines.collect::<Result<Vec<_>, _>>()?;
        let fencing = Mutex::new(options.fencing);
        let shared = Arc::new(Self {
            options,
            dir: dir.to_owned(),
            network,
            machines,
            fencing,
            fenced: Mutex::default(),
        });
        fencing::serve(&dir.join("power"), &shared)?;
        Ok(shared)
    }

    pub(crate) fn guest(&self) -> PathBuf {
        self.dir.join("bin/testbed-host")
    }

    pub(crate) const fn fence_agent() -> &'static [u8] {
        FENCE_AGENT
    }

    pub(crate) fn machine(&self, host: &str) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.name == host)
    }

    /// What the hosts see of this machine, as the guest program takes it.
    pub(crate) fn shares(&self) -> Vec<String> {
        let power = format!("{}=/run/testbed", self.dir.join("power").display());
        let chosen = self
            .options
            .shares
            .iter()
            .map(|(source, target)| format!("{}={}", source.display(), target.display()));
        std::iter::once(power).chain(chosen).collect()
    }

    pub(crate) fn fencing(&self) -> Fencing {
        *held(&self.fencing)
    }

    pub(crate) fn set_fencing(&self, fencing: Fencing) {
        *held(&self.fencing) = fencing;
    }

    pub(crate) fn note_fenced(&self, fenced: Fenced) {
        held(&self.fenced).push(fenced);
    }

    pub(crate) fn fenced(&self) -> Vec<Fenced> {
        held(&self.fenced).clone()
    }

    /// Ends the cluster and leaves nothing behind; may be called again.
    pub(crate) fn destroy(&self) {
        for machine in &self.machines {
            if let Err(error) = machine.off(&self.network) {
                eprintln!("testbed: {} does not go off: {error}", machine.name);
            }
        }
        self.remove();
    }

    /// Ends the cluster of a process that is about to exit: no host can be switched on any more.
    pub(crate) fn scrap(&self) {
        for machine in &self.machines {
            // Killed already, if Ctrl-C reached it from the terminal.
            let _gone = machine.scrap(&self.network);
        }
        self.remove();
    }

    fn remove(&self) {
        fencing::stop(&self.dir.join("power"));
        if let Some(name) = self.dir.file_name().and_then(|name| name.to_str()) {
            clear(name);
        }
    }
}

/// Removes namespaces, mounts and directory of a cluster whose processes are gone.
pub(crate) fn clear(name: &str) {
    network::remove_namespaces(name);
    let dir = Path::new(CLUSTERS).join(name);
    // Not mounted, or no such directory: then it is clear already.
    let _unmounted = umount2(&dir, MntFlags::MNT_DETACH);
    let _removed = fs::remove_dir(&dir);
}
