//! The agent's parameters as plain data.
//!
//! How they are spelt, read and described is `ocf::parameter`'s business.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::node::{NodeName, ResourceName};
use super::policy::{Policy, SyncAvailability};
use super::slot::SlotName;
use super::sync_names::{NO_STANDBY_YET, SyncMethod, SyncNames};

/// Parameter `rep_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicationMode {
    /// One instance, no replication.
    None,
    /// Promotable clone, commits do not wait for standbys.
    Async,
    /// Promotable clone, commits wait for a standby.
    Sync,
    /// A standby of a primary outside of the cluster.
    Slave,
}

impl ReplicationMode {
    /// Tells whether the resource is a promotable clone with one primary.
    #[must_use]
    pub const fn is_replication(self) -> bool {
        match self {
            Self::Async | Self::Sync => true,
            Self::None | Self::Slave => false,
        }
    }
}

/// Parameter `rejoin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejoin {
    /// A node that has been primary starts when its data is proven to be part of the primary's history.
    Verify,
    /// The same, and data that has diverged is made the primary's by `pg_rewind`.
    Rewind,
    /// The lock alone decides.
    Off,
}

/// Text that must not reach a log or a command line.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Whether the agent's own connection is encrypted, in libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Only where the server insists.
    Allow,
    /// Unless the server cannot, or does not admit it.
    Prefer,
    /// Always.
    Require,
    /// Always, and the certificate comes from somebody who is trusted.
    VerifyCa,
    /// The same, and it is the host's.
    VerifyFull,
}

/// The parameters of one resource. Empty texts mean "not set", as for the stock agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the resource (`OCF_RESOURCE_INSTANCE` without clone number).
    pub resource: ResourceName,
    /// Path of `pg_ctl`; the other server programs are expected beside it.
    pub pgctl: PathBuf,
    /// Path of `psql`.
    pub psql: PathBuf,
    /// The data directory.
    pub pgdata: PathBuf,
    /// The system user that owns the instance, also the database superuser.
    pub pgdba: String,
    /// Host name or address where the server listens; empty: the Unix socket.
    pub pghost: String,
    /// Port.
    pub pgport: u16,
    /// Directory of the client libraries.
    pub pglibs: String,
    /// The server's configuration file.
    pub config: PathBuf,
    /// Options for the server (`pg_ctl -o`).
    pub start_opt: String,
    /// Further options for `pg_ctl start`.
    pub ctl_opt: String,
    /// Database of the monitoring connection.
    pub pgdb: String,
    /// The server's log file.
    pub logfile: PathBuf,
    /// Directory of the Unix socket; empty: the server's own default.
    pub socketdir: String,
    /// How long a fast shutdown may take before an immediate one.
    pub stop_escalate: Duration,
    /// The same for a standby.
    pub stop_escalate_in_slave: Duration,
    /// Database user that runs `monitor_sql`; empty: `pgdba`.
    pub monitor_user: String,
    /// Its password.
    pub monitor_password: Option<Secret>,
    /// Whether the agent's connection over TCP is encrypted.
    pub monitor_sslmode: SslMode,
    /// File of those whose certificates are trusted; empty: `root.crt` where libpq looks for it.
    pub monitor_sslrootcert: String,
    /// Statement that a monitored instance must answer.
    pub monitor_sql: String,
    /// Whether `monitor_sql` is the default statement.
    pub monitor_sql_is_default: bool,
    /// Publish `<rsc>-receiver-status`.
    pub check_wal_receiver: bool,
    /// Replication mode.
    pub rep_mode: ReplicationMode,
    /// The cluster's nodes that may hold the instance.
    pub node_list: Vec<NodeName>,
    /// `restore_command` of the standbys.
    pub restore_command: String,
    /// `archive_cleanup_command` of the standbys.
    pub archive_cleanup_command: String,
    /// `recovery_end_command` of the standbys.
    pub recovery_end_command: String,
    /// Address under which standbys find the primary.
    pub master_ip: String,
    /// Database user of the standbys' connections.
    pub repuser: String,
    /// Further words of `primary_conninfo`.
    pub primary_conninfo_opt: String,
    /// Promote by a restart instead of by `pg_ctl promote`.
    pub restart_on_promote: bool,
    /// Directory of `PGSQL.lock`, `rep_mode.conf` and `recovery.conf`.
    pub tmpdir: PathBuf,
    /// Rounds of comparison that the stock agent waits through; accepted, not needed.
    pub xlog_check_count: u32,
    /// How long one write of a permanent attribute may take.
    pub crm_attr_timeout: Duration,
    /// What a start does with a node that has been primary.
    pub rejoin: Rejoin,
    /// Prefix of the slot names; empty: no slots.
    pub replication_slot_name: String,
    /// Application names of synchronous standbys outside of the cluster.
    pub external_standby_node_list: Vec<String>,
    /// What the stock agent has no parameters for.
    pub policy: Policy,
}

impl Settings {
    /// Tells whether the resource is a promotable clone with one primary.
    #[must_use]
    pub const fn is_replication(&self) -> bool {
        self.rep_mode.is_replication()
    }

    /// Returns the database user that runs `monitor_sql`.
    #[must_use]
    pub fn database_user(&self) -> &str {
        if self.monitor_user.is_empty() { &self.pgdba } else { &self.monitor_user }
    }

    /// Tells whether the agent keeps replication slots.
    #[must_use]
    pub fn uses_slots(&self) -> bool {
        !self.replication_slot_name.is_empty()
    }

    /// Tells whether commits wait for some of several standbys.
    #[must_use]
    pub fn is_quorum_commit(&self) -> bool {
        self.rep_mode == ReplicationMode::Sync && self.policy.sync_method == SyncMethod::Any
    }

    /// Tells whether commits wait for a standby even when there is none.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.rep_mode == ReplicationMode::Sync
            && self.policy.sync_availability == SyncAvailability::Strict
    }

    /// Returns whom the commits of a primary wait for that knows no standby.
    #[must_use]
    pub fn names_of_nobody(&self) -> SyncNames {
        match self.is_strict() {
            true => SyncNames::one_of([NO_STANDBY_YET.to_owned()]),
            false => SyncNames::nobody(),
        }
    }

    /// Returns the name of a node's replication slot.
    #[must_use]
    pub fn slot_of(&self, node: &NodeName) -> SlotName {
        SlotName::of(&self.replication_slot_name, node, &self.node_list)
    }

    /// Returns the path of the lock that marks a node which has been primary.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.tmpdir.join("PGSQL.lock")
    }

    /// Returns the path of the file that says since when this node has followed a primary.
    #[must_use]
    pub fn followed_file(&self) -> PathBuf {
        self.tmpdir.join("PGSQL.followed")
    }

    /// Returns the path of the file that says when an instance was first started here.
    #[must_use]
    pub fn started_file(&self) -> PathBuf {
        self.tmpdir.join("PGSQL.started")
    }

    /// Returns the path of the list of slots that the agent has made on this server.
    #[must_use]
    pub fn slot_record(&self) -> PathBuf {
        self.tmpdir.join("PGSQL.slots")
    }

    /// Returns the path of the file that marks a data directory which `pg_rewind` has not finished.
    #[must_use]
    pub fn rewind_marker(&self) -> PathBuf {
        self.outside_pgdata("PGSQL.rewind")
    }

    /// Returns the path of the directory for the WAL that `pg_rewind` takes from this node.
    #[must_use]
    pub fn kept_wal(&self) -> PathBuf {
        self.outside_pgdata("PGSQL.rewound")
    }

    /// Returns a path in tmpdir, or beside a data directory that holds tmpdir, for `pg_rewind` removes what
    /// the primary lacks.
    fn outside_pgdata(&self, name: &str) -> PathBuf {
        match (self.tmpdir.starts_with(&self.pgdata), self.pgdata.file_name()) {
            (true, Some(directory)) => {
                let mut beside = directory.to_owned();
                beside.push(".");
                beside.push(name);
                self.pgdata.with_file_name(beside)
            }
            (true, None) | (false, _) => self.tmpdir.join(name),
        }
    }

    /// Returns the path of the included file with `synchronous_standby_names`.
    #[must_use]
    pub fn rep_mode_conf(&self) -> PathBuf {
        self.tmpdir.join("rep_mode.conf")
    }

    /// Tells whether `node_list` names this node.
    #[must_use]
    pub fn lists(&self, node: &NodeName) -> bool {
        self.node_list.contains(node)
    }

    /// Returns the nodes of `node_list` other than `local`.
    pub fn peers<'a>(&'a self, local: &'a NodeName) -> impl Iterator<Item = &'a NodeName> {
        self.node_list.iter().filter(move |node| *node != local)
    }
}

#[cfg(test)]
impl Settings {
    /// Settings like the defaults, around this data directory, for tests.
    pub(crate) fn example(pgdata: &std::path::Path) -> Self {
        Self {
            resource: ResourceName::from_instance("pgsql"),
            pgctl: "/usr/bin/pg_ctl".into(),
            psql: "/usr/bin/psql".into(),
            pgdata: pgdata.to_owned(),
            pgdba: "postgres".into(),
            pghost: String::new(),
            pgport: 5432,
            pglibs: "/usr/lib".into(),
            config: pgdata.join("postgresql.conf"),
            start_opt: String::new(),
            ctl_opt: String::new(),
            pgdb: "template1".into(),
            logfile: "/dev/null".into(),
            socketdir: String::new(),
            stop_escalate: Duration::from_secs(90),
            stop_escalate_in_slave: Duration::from_secs(90),
            monitor_user: String::new(),
            monitor_password: None,
            monitor_sslmode: SslMode::Prefer,
            monitor_sslrootcert: String::new(),
            monitor_sql: "select now();".into(),
            monitor_sql_is_default: true,
            check_wal_receiver: false,
            rep_mode: ReplicationMode::None,
            node_list: Vec::new(),
            restore_command: String::new(),
            archive_cleanup_command: String::new(),
            recovery_end_command: String::new(),
            master_ip: "192.0.2.1".into(),
            repuser: "postgres".into(),
            primary_conninfo_opt: String::new(),
            restart_on_promote: false,
            tmpdir: pgdata.join("tmp"),
            xlog_check_count: 3,
            crm_attr_timeout: Duration::from_secs(5),
            rejoin: Rejoin::Verify,
            replication_slot_name: String::new(),
            external_standby_node_list: Vec::new(),
            policy: Policy::default(),
        }
    }
}
