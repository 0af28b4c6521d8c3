//! The order form of a cluster: what may be chosen, with its defaults. Nothing is built here.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::fencing::Fencing;
use std::path::{Path, PathBuf};

/// An agent to install in every host.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) source: PathBuf,
    pub(crate) provider: String,
    pub(crate) name: String,
}

/// Everything that can be chosen.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) hosts: Vec<String>,
    pub(crate) release_tree: PathBuf,
    pub(crate) shares: Vec<(PathBuf, PathBuf)>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) fencing: Fencing,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) token_ms: u32,
    pub(crate) two_node: bool,
    pub(crate) start_stack: bool,
    pub(crate) pgdata: String,
    pub(crate) bindir: String,
    pub(crate) pg_port: u16,
    pub(crate) pg_settings: Vec<(String, String)>,
    pub(crate) pg_log: String,
}

/// Chooses what the cluster is like; `build` makes it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    options: Options,
}

impl Default for Builder {
    fn default() -> Self {
        let test = std::thread::current().name().unwrap_or("cluster").to_owned();
        let options = Options {
            name: test,
            hosts: names(3),
            release_tree: PathBuf::from("/"),
            shares: Vec::new(),
            agents: Vec::new(),
            fencing: Fencing::Immediate,
            properties: [("dc-deadtime", "1s"), ("stonith-enabled", "false")]
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            token_ms: 1000,
            two_node: false,
            start_stack: true,
            pgdata: "/var/lib/pgsql/data".into(),
            bindir: "/usr/lib/postgresql/15/bin".into(),
            pg_port: 5432,
            pg_settings: Vec::new(),
            pg_log: "/var/log/postgresql.log".into(),
        };
        Self { options }
    }
}

pub(crate) fn names(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("pm{number:02}")).collect()
}

impl Builder {
    /// That many hosts, called pm01, pm02, … (default: three).
    pub fn hosts(mut self, count: usize) -> Self {
        self.options.hosts = names(count);
        self
    }

    /// Hosts with these names.
    pub fn host_names(mut self, names: &[&str]) -> Self {
        self.options.hosts = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// The name of the folder for logs (default: the name of the test's thread).
    pub fn name(mut self, name: &str) -> Self {
        self.options.name = name.to_owned();
        self
    }

    /// The directory that the hosts have as their root, e.g. a debootstrap tree (default: `/`).
    pub fn release_tree(mut self, tree: impl AsRef<Path>) -> Self {
        self.options.release_tree = tree.as_ref().to_owned();
        self
    }

    /// A directory of this machine that every host sees at the same path, e.g. other PostgreSQL binaries.
    pub fn share(self, directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref().to_owned();
        self.share_at(directory.clone(), directory)
    }

    /// A directory of this machine that every host sees at that path.
    pub fn share_at(mut self, source: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        self.options.shares.push((source.as_ref().to_owned(), target.as_ref().to_owned()));
        self
    }

    /// An agent of this machine to be installed as `ocf:<provider>:<name>`.
    pub fn agent(mut self, source: impl AsRef<Path>, provider: &str, name: &str) -> Self {
        let agent = Agent {
            source: source.as_ref().to_owned(),
            provider: provider.into(),
            name: name.into(),
        };
        self.options.agents.push(agent);
        self
    }

    /// How the power switch obeys (default: at once).
    pub const fn fencing(mut self, fencing: Fencing) -> Self {
        self.options.fencing = fencing;
        self
    }

    /// A cluster property that the CIB holds from the first boot on (defaults: dc-deadtime=1s, stonith-enabled=false).
    pub fn property(mut self, name: &str, value: &str) -> Self {
        set(&mut self.options.properties, name, value);
        self
    }

    /// Corosync's token time-out (default: 1000 ms).
    pub const fn token_ms(mut self, token_ms: u32) -> Self {
        self.options.token_ms = token_ms;
        self
    }

    /// Corosync's `two_node: 1`.
    pub const fn two_node(mut self) -> Self {
        self.options.two_node = true;
        self
    }

    /// Boots the hosts without Corosync and Pacemaker.
    pub const fn without_stack(mut self) -> Self {
        self.options.start_stack = false;
        self
    }

    /// PostgreSQL's data directory in every host (default: `/var/lib/pgsql/data`).
    pub fn pgdata(mut self, pgdata: &str) -> Self {
        self.options.pgdata = pgdata.to_owned();
        self
    }

    /// PostgreSQL's programs (default: Debian's, version 15).
    pub fn bindir(mut self, bindir: &str) -> Self {
        self.options.bindir = bindir.to_owned();
        self
    }

    /// PostgreSQL's port (default: 5432).
    pub const fn pg_port(mut self, port: u16) -> Self {
        self.options.pg_port = port;
        self
    }

    /// A line of postgresql.conf, as it is to stand there (quote what needs quotes).
    pub fn pg_setting(mut self, name: &str, value: &str) -> Self {
        set(&mut self.options.pg_settings, name, value);
        self
    }

    /// The server's log, as the agent's `logfile` parameter has it (default: `/var/log/postgresql.log`).
    pub fn pg_log(mut self, path: &str) -> Self {
        self.options.pg_log = path.to_owned();
        self
    }

    /// Makes the cluster: boots all hosts, and waits until Corosync and Pacemaker run on each.
    pub fn build(self) -> Result<Cluster, Error> {
        Cluster::build(self.options)
    }
}

fn set(list: &mut Vec<(String, String)>, name: &str, value: &str) {
    list.retain(|(known, _)| known != name);
    list.push((name.to_owned(), value.to_owned()));
}
