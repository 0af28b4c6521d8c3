//! The parameters: one table for parsing, defaults, meta-data and manual page.
//!
//! The rows stand in `instance` (the server and its monitoring), `replication`, and `policy` (what the
//! stock agent does not have). What a value
//! means for the agent is `settings`' business.

pub mod instance;
pub mod policy;
pub mod replication;

use crate::model::settings::ReplicationMode;

/// What is shown instead of a secret.
pub const HIDDEN: &str = "(hidden)";

/// How a parameter's value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that must not reach a log.
    Secret,
    /// The path of a file or directory.
    Path,
    /// The name or path of a program.
    Program,
    /// Names, separated by blanks.
    Names,
    /// A word of `rep_mode`.
    Mode,
    /// A number that is not negative.
    Count,
    /// A TCP port.
    Port,
    /// A number of seconds, or a time with a unit.
    Seconds,
    /// A boolean.
    Boolean,
    /// A number of bytes, with or without a unit.
    Bytes,
    /// One of a few words.
    Word,
}

impl Kind {
    /// Returns the type that the meta-data names: the stock agent's.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text
            | Self::Secret
            | Self::Path
            | Self::Program
            | Self::Names
            | Self::Mode
            | Self::Bytes
            | Self::Word => "string",
            Self::Count | Self::Port | Self::Seconds => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// The replication modes that use a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every mode.
    Always,
    /// The modes with a standby: async, sync, slave.
    Standby,
    /// The modes of a promotable clone: async, sync.
    Replication,
    /// sync.
    Synchronous,
}

impl Scope {
    /// Tells whether a mode uses the parameter.
    #[must_use]
    pub const fn includes(self, mode: ReplicationMode) -> bool {
        match (self, mode) {
            (Self::Always, _)
            | (Self::Standby | Self::Replication | Self::Synchronous, ReplicationMode::Sync)
            | (Self::Standby | Self::Replication, ReplicationMode::Async)
            | (Self::Standby, ReplicationMode::Slave) => true,
            (Self::Synchronous, ReplicationMode::Async)
            | (Self::Replication | Self::Synchronous, ReplicationMode::Slave)
            | (Self::Standby | Self::Replication | Self::Synchronous, ReplicationMode::None) => {
                false
            }
        }
    }
}

/// One parameter of the agent.
#[derive(Debug)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// How its value is read.
    pub kind: Kind,
    /// The value when it is not set, as text.
    pub default: &'static str,
    /// The replication modes that use it.
    pub scope: Scope,
    /// Whether it must be set.
    pub required: bool,
    /// Whether no two resources may have the same value.
    pub unique: bool,
    /// What it is, in a few words.
    pub shortdesc: &'static str,
    /// What it is and how to choose it.
    pub longdesc: &'static str,
}

impl Parameter {
    /// Makes a row; none of the stock agent's parameters is required or unique.
    const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        scope: Scope,
        shortdesc: &'static str,
        longdesc: &'static str,
    ) -> Self {
        Self { name, kind, default, scope, required: false, unique: false, shortdesc, longdesc }
    }
}

/// Every parameter, in the order of the meta-data: the stock agent's, then our own.
pub static ALL: [&Parameter; 43] = [
    &instance::PGCTL,
    &instance::START_OPT,
    &instance::CTL_OPT,
    &instance::PSQL,
    &instance::PGDATA,
    &instance::PGDBA,
    &instance::PGHOST,
    &instance::PGPORT,
    &instance::PGLIBS,
    &instance::MONITOR_USER,
    &instance::MONITOR_PASSWORD,
    &instance::MONITOR_SQL,
    &instance::CONFIG,
    &instance::PGDB,
    &instance::LOGFILE,
    &instance::SOCKETDIR,
    &instance::STOP_ESCALATE,
    &replication::REP_MODE,
    &replication::NODE_LIST,
    &replication::RESTORE_COMMAND,
    &replication::ARCHIVE_CLEANUP_COMMAND,
    &replication::RECOVERY_END_COMMAND,
    &replication::MASTER_IP,
    &replication::REPUSER,
    &replication::PRIMARY_CONNINFO_OPT,
    &replication::RESTART_ON_PROMOTE,
    &replication::REPLICATION_SLOT_NAME,
    &replication::TMPDIR,
    &replication::XLOG_CHECK_COUNT,
    &replication::CRM_ATTR_TIMEOUT,
    &replication::STOP_ESCALATE_IN_SLAVE,
    &replication::CHECK_WAL_RECEIVER,
    &replication::EXTERNAL_STANDBY_NODE_LIST,
    &replication::REJOIN,
    &policy::SYNC_STANDBYS,
    &policy::SYNC_METHOD,
    &policy::SYNC_AVAILABILITY,
    &policy::MAX_LAG_ON_FAILOVER,
    &policy::STANDBY_SLOT_KEEP_SIZE,
    &policy::SLOT_MAX_RETAINED,
    &policy::SLOT_EXPIRE,
    &instance::MONITOR_SSLMODE,
    &instance::MONITOR_SSLROOTCERT,
];

/// Finds a parameter by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Parameter> {
    ALL.iter().copied().find(|parameter| parameter.name == name)
}

/// Tells whether a parameter's value must not be shown.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    find(name).is_some_and(|parameter| parameter.kind == Kind::Secret)
}

#[cfg(test)]
mod tests;
