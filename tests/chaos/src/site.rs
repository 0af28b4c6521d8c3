//! One cluster: its making, the operator's commands, and whether it is whole. What befalls it is in `catalogue`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use testbed::{Cluster, Host, SmallDisks, State};

use crate::error::Error;
use crate::setup::{Mode, Rejoin, Setup};

/// The address that clients use in the example.
pub const CLIENT_ADDRESS: &str = "10.77.0.100";
/// The resource behind it.
const CLIENT_RESOURCE: &str = "vip-client";
/// The primitive in the example.
pub const RESOURCE: &str = "pgsql";
/// Its clone.
pub const CLONE: &str = "pgsql-clone";
/// PostgreSQL's data.
pub const PGDATA: &str = "/var/lib/pgsql/data";
/// The mark of a node that has been primary.
pub const LOCK: &str = "/var/lib/pgsql/tmp/PGSQL.lock";
/// PostgreSQL's programs.
pub const BINDIR: &str = "/usr/lib/postgresql/15/bin";
/// How many accounts there are, and what they hold together.
pub const ACCOUNTS: i64 = 20;
/// What all accounts hold together.
pub const SUM: i64 = ACCOUNTS * 1000;

const PAUSE: Duration = Duration::from_millis(250);
/// A cluster's first minutes.
const BOOT: Duration = Duration::from_secs(120);
/// An operator's command; on a host in trouble it may hang.
const COMMAND: Duration = Duration::from_secs(15);

/// One cluster.
pub struct Site {
    /// The hosts. Dropped before their disks are.
    pub cluster: Cluster,
    /// What it is like.
    pub setup: Setup,
    /// Rows of earlier rounds that have to be there.
    pub kept: Mutex<BTreeSet<i64>>,
    _disks: SmallDisks,
}

impl Site {
    /// Boots the hosts with the agent and waits until the cluster is whole.
    pub fn boot(agent: &Path, setup: Setup, name: &str) -> Result<Self, Error> {
        let disks = SmallDisks::make(usize::from(setup.hosts))?;
        let builder = Cluster::builder()
            .name(name)
            .hosts(usize::from(setup.hosts))
            .fencing(setup.fencing.fencing())
            .agent(agent, "heartbeat", "pgsql")
            .property("stonith-enabled", "true")
            .bindir(BINDIR)
            .pg_log("/var/log/postgresql/pgsql-ha.log")
            .pg_setting("max_connections", "40")
            .pg_setting("checkpoint_timeout", "1min")
            .pg_setting("min_wal_size", "32MB")
            .pg_setting("max_wal_size", "96MB");
        let builder = if setup.hosts == 2 { builder.two_node() } else { builder };
        let cluster = disks.share(builder).build()?;
        cluster.prepare_postgres()?;
        disks.move_wal(&cluster)?;
        until("every host in the cluster", BOOT, || {
            let state = cluster.state().ok()?;
            (state.quorum && state.online().len() == cluster.hosts().len()).then_some(())
        })?;
        cluster.configure_crm(&setup.configuration())?;
        let site = Self { cluster, setup, kept: Mutex::default(), _disks: disks };
        let mut missing = String::new();
        let primary = until("a whole cluster", BOOT, || {
            site.is_whole(&site.cluster.state().ok()?).map_err(|why| missing = why).ok()
        })
        .map_err(|error| Error::said(format!("{error}: {missing}")))?;
        let primary = site.cluster.host(&primary);
        primary.query(&format!(
            "create table accounts as select id::bigint, {}::bigint as balance from generate_series(0, {}) id",
            SUM / ACCOUNTS,
            ACCOUNTS - 1
        ))?;
        primary.query("alter table accounts add primary key (id)")?;
        if setup.rejoin == Rejoin::Rewind {
            primary.grant_rewind("repuser")?;
        }
        Ok(site)
    }

    /// The primary, if the cluster is whole, or what is missing: one primary on record and in fact, all others stream
    /// from it and are on record as what the mode wants, clients reach it, and nothing is under way.
    pub fn is_whole(&self, state: &State) -> Result<String, String> {
        let hosts = self.cluster.hosts().len();
        let [primary] = state.promoted()[..] else {
            return Err(format!("promoted: {:?}", state.promoted()));
        };
        if state.unpromoted().len() != hosts - 1 || state.online().len() != hosts {
            return Err(format!("unpromoted: {:?}", state.unpromoted()));
        }
        if state.active(CLIENT_RESOURCE) != [primary] {
            return Err(format!("the clients' address is on {:?}", state.active(CLIENT_RESOURCE)));
        }
        self.recorded(state, primary)?;
        let streaming = self.streaming(primary);
        if streaming.len() != hosts - 1 {
            return Err(format!("{streaming:?} stream from {primary}"));
        }
        match self.cluster.is_idle(state) {
            true => Ok(primary.to_owned()),
            false => Err("the cluster is busy".into()),
        }
    }

    /// Whether the record is as it should be in the end.
    fn recorded(&self, state: &State, primary: &str) -> Result<(), String> {
        let record = |node: &str| {
            let status = state.transient(node, &format!("{RESOURCE}-status"));
            let data = state.permanent(node, &format!("{RESOURCE}-data-status"));
            format!("{} {}", status.unwrap_or("-"), data.unwrap_or("-"))
        };
        if record(primary) != "PRI LATEST" {
            return Err(format!("{primary} is on record as {}", record(primary)));
        }
        let standbys: Vec<_> = state.unpromoted().into_iter().map(record).collect();
        let count = |wanted: &str| standbys.iter().filter(|record| *record == wanted).count();
        let (synchronous, others) = match self.setup.mode {
            Mode::Sync | Mode::Strict => (1, "HS:async STREAMING|ASYNC"),
            Mode::Any => (0, "HS:sync STREAMING|QUORUM"),
            Mode::Async => (0, "HS:async STREAMING|ASYNC"),
        };
        let fits = count("HS:sync STREAMING|SYNC") == synchronous
            && count(others) == standbys.len() - synchronous;
        if fits { Ok(()) } else { Err(format!("the standbys are on record as {standbys:?}")) }
    }

    /// The standbys that stream from that host.
    pub fn streaming(&self, primary: &str) -> Vec<String> {
        let sql = "select application_name from pg_stat_replication where state = 'streaming'";
        let rows = self.cluster.host(primary).query(sql).unwrap_or_default();
        rows.into_iter().flatten().flatten().collect()
    }

    /// Runs a command on the first host on which it succeeds.
    pub fn operator(&self, words: &[&str]) -> Result<String, Error> {
        let mut last = Error::said("every host is off");
        for host in self.cluster.hosts().iter().filter(|host| host.is_on()) {
            match host.run_with(words, &[], None, COMMAND) {
                Ok(output) if output.success() => return Ok(output.stdout),
                Ok(output) => last = Error::said(format!("{words:?}: {}", output.stderr.trim())),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    /// Lets a node run resources again.
    pub fn online(&self, node: &str) -> Result<(), Error> {
        self.operator(&["crm_attribute", "-t", "nodes", "-N", node, "-n", "standby", "-D"])
            .map(drop)
    }

    /// Takes back what moves and bans have left.
    pub fn clear(&self) -> Result<(), Error> {
        self.operator(&["crm_resource", "--clear", "-r", CLONE]).map(drop)
    }

    /// Takes back that the resource is stopped or demoted.
    pub fn no_target_role(&self) -> Result<(), Error> {
        let words = ["crm_resource", "-r", CLONE, "--meta", "-d", "target-role"];
        self.operator(&words).map(drop)
    }

    /// Changes `node_list`.
    pub fn node_list(&self, names: &str) -> Result<(), Error> {
        let words = ["crm_resource", "-r", RESOURCE, "-p", "node_list", "-v", names];
        self.operator(&words).map(drop)
    }

    /// Begins or ends maintenance mode.
    pub fn maintenance(&self, on: bool) -> Result<(), Error> {
        let value = if on { "true" } else { "false" };
        let words = ["crm_attribute", "-t", "crm_config", "-n", "maintenance-mode", "-v", value];
        self.operator(&words).map(drop)
    }

    /// Forgets failures, of one node or of all.
    pub fn clean_up(&self, node: Option<&str>) -> Result<(), Error> {
        let all = ["crm_resource", "--cleanup"];
        let of_node = node.map_or(Vec::new(), |node| vec!["-r", RESOURCE, "-N", node]);
        self.operator(&[&all[..], &of_node].concat()).map(drop)
    }

    /// The host that accepts writes, if there is just one.
    pub fn writable(&self) -> Option<Host> {
        let accepts =
            |host: &Host| host.psql("select pg_is_in_recovery()").ok().as_deref() == Some("f");
        let mut found =
            self.cluster.hosts().into_iter().filter(|host| host.is_on() && accepts(host));
        found.next().filter(|_| found.next().is_none())
    }
}

/// What Pacemaker has on record as failed, in words.
pub fn failures(state: &State) -> Vec<String> {
    let words = |failure: &testbed::Failure| {
        let testbed::Failure { node, operation, exit_status, reason } = failure;
        format!("{operation} on {node}: {exit_status} {reason}")
    };
    state.failures.iter().map(words).collect()
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, limit: Duration, ask: impl FnMut() -> Option<T>) -> Result<T, Error> {
    Ok(testbed::poll(what, limit, PAUSE, ask)?)
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = workspace.canonicalize().unwrap_or(workspace);
    let chosen = std::env::var_os("CARGO_TARGET_DIR").filter(|chosen| !chosen.is_empty());
    workspace.join(chosen.map_or("target".into(), PathBuf::from))
}
