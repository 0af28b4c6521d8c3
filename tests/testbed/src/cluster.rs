//! The handle of a cluster: its making, its configuration, its end. What it is doing at present is in `state`.

use crate::builder::{Builder, Options};
use crate::cleanup;
use crate::command::{self, Output};
use crate::error::Error;
use crate::fencing::{Fenced, Fencing};
use crate::host::Host;
use crate::network::Port;
use crate::postgres;
use crate::requirements::requirements;
use crate::shared::Shared;
use crate::wire::Rows;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const CONFIGURE_LIMIT: Duration = Duration::from_secs(60);
/// Dozens of commands, each of which starts Python.
const SCRIPT_LIMIT: Duration = Duration::from_secs(180);

/// A cluster; it ends when this is dropped.
pub struct Cluster {
    pub(crate) shared: Arc<Shared>,
}

impl Cluster {
    /// Starts to choose a cluster.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn build(options: Options) -> Result<Self, Error> {
        let missing = requirements();
        if !missing.is_empty() {
            return Err(Error::Requirements(missing));
        }
        let start_stack = options.start_stack;
        let cluster = Self { shared: cleanup::register(|| Shared::new(options))? };
        cluster
            .on_every_host(|host| if start_stack { host.power_on() } else { host.boot_only() })?;
        Ok(cluster)
    }

    /// Every host, in order.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        (0..self.shared.machines.len())
            .map(|index| Host { shared: Arc::clone(&self.shared), index })
            .collect()
    }

    /// The host of that name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn host(&self, name: &str) -> Host {
        let found = self.hosts().into_iter().find(|host| host.name() == name);
        found.unwrap_or_else(|| panic!("the cluster has no host {name}"))
    }

    /// Does something on every host at the same time.
    pub fn on_every_host(
        &self,
        act: impl Fn(&Host) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let hosts = self.hosts();
        thread::scope(|scope| {
            let threads: Vec<_> = hosts.iter().map(|host| scope.spawn(|| act(host))).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }

    /// Gives power to every host that is off, and starts Corosync and Pacemaker wherever one of them does not run.
    pub fn power_on(&self) -> Result<(), Error> {
        self.on_every_host(|host| {
            let runs = |name| host.processes().iter().any(|process| process.name == name);
            match host.is_on() {
                false => host.power_on(),
                true if runs("corosync") && runs("pacemakerd") => Ok(()),
                true => host.start_cluster(),
            }
        })
    }

    /// Loads a configuration of the crm shell, on the first host that is on.
    pub fn configure_crm(&self, text: &str) -> Result<(), Error> {
        let words = ["crm", "-F", "configure", "load", "update", "-"];
        let host = self.first_on()?;
        host.run_with(&words, &[], Some(text), CONFIGURE_LIMIT)?
            .required("crm configure load update -")
            .map(drop)
    }

    /// Runs a script of pcs commands (a shell script), on the first host that is on.
    pub fn configure_pcs(&self, script: &str) -> Result<(), Error> {
        let host = self.first_on()?;
        host.run_with(&["sh", "-eu"], &[], Some(script), SCRIPT_LIMIT)?
            .required("the script of pcs commands")
            .map(drop)
    }

    pub(crate) fn first_on(&self) -> Result<Host, Error> {
        self.hosts().into_iter().find(Host::is_on).ok_or(Error::NobodyAnswers)
    }

    /// Changes how the power switch obeys from now on.
    pub fn set_fencing(&self, fencing: Fencing) {
        self.shared.set_fencing(fencing);
    }

    /// Whom fencing switched off so far.
    #[must_use]
    pub fn fenced(&self) -> Vec<Fenced> {
        self.shared.fenced()
    }

    /// Runs a program of this machine as the client: on the switch, outside every host.
    pub fn run_in_client(&self, words: &[&str], limit: Duration) -> Result<Output, Error> {
        let netns = self.shared.network.netns_name(Port::Client);
        let mut command = Command::new("ip");
        command::run(command.args(["netns", "exec", &netns]).args(words), None, limit)
    }

    /// Asks a server as the client, as `postgres`, through an address of the cluster; rows of text.
    pub fn query_from_client(&self, address: &str, sql: &str) -> Result<Rows, Error> {
        let netns = self.shared.network.netns(Port::Client);
        postgres::ask(&netns, address, self.shared.options.pg_port, sql)
    }

    /// Repairs every link.
    pub fn heal_network(&self) -> Result<(), Error> {
        self.shared.network.heal()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("testbed: what the hosts left is in {}", self.gather_evidence().display());
        }
        self.shared.destroy();
    }
}
