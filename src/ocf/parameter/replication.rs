//! Parameters of replication.

use super::{Kind, Parameter, Scope};

/// `rep_mode`
pub static REP_MODE: Parameter = Parameter::new(
    "rep_mode",
    Kind::Mode,
    "none",
    Scope::Always,
    "Replication mode",
    "none: one instance without replication.\n\
     async: a promotable clone with streaming replication; commits do not wait for a standby.\n\
     sync: the same, and commits wait for a standby as long as there is one.\n\
     slave: an ordinary resource that is a standby of a primary outside of the cluster.\n\
     async and sync need node_list, master_ip and a promotable clone with notify=true; slave needs \
     master_ip. PostgreSQL itself has to be configured for replication (wal_level, \
     max_wal_senders, hot_standby, pg_hba.conf).",
);

/// `node_list`
pub static NODE_LIST: Parameter = Parameter::new(
    "node_list",
    Kind::Names,
    "",
    Scope::Replication,
    "Nodes that may run the instance",
    "Names of all nodes that may be promoted, as the cluster spells them, separated by blanks. An \
     instance on another node is a standby that is never promoted and that no commit waits for.",
);

/// `restore_command`
pub static RESTORE_COMMAND: Parameter = Parameter::new(
    "restore_command",
    Kind::Text,
    "",
    Scope::Standby,
    "restore_command of the standbys",
    "The server's restore_command on a standby: the shell command that fetches a WAL file from \
     the archive. Optional when replication slots or wal_keep_size keep enough WAL.",
);

/// `archive_cleanup_command`
pub static ARCHIVE_CLEANUP_COMMAND: Parameter = Parameter::new(
    "archive_cleanup_command",
    Kind::Text,
    "",
    Scope::Standby,
    "archive_cleanup_command of the standbys",
    "The server's archive_cleanup_command on a standby. Optional.",
);

/// `recovery_end_command`
pub static RECOVERY_END_COMMAND: Parameter = Parameter::new(
    "recovery_end_command",
    Kind::Text,
    "",
    Scope::Standby,
    "recovery_end_command of the standbys",
    "The server's recovery_end_command on a standby, run once at the end of its recovery. \
     Optional.",
);

/// `master_ip`
pub static MASTER_IP: Parameter = Parameter::new(
    "master_ip",
    Kind::Text,
    "",
    Scope::Standby,
    "Address of the primary for its standbys",
    "Address under which the standbys find the primary: usually a floating address that a resource \
     of the same cluster keeps on the primary's node (host in primary_conninfo). Needed in every \
     replication mode.",
);

/// `repuser`
pub static REPUSER: Parameter = Parameter::new(
    "repuser",
    Kind::Text,
    "postgres",
    Scope::Standby,
    "Database user of the standbys",
    "Database user with which standbys connect to the primary (user in primary_conninfo). It needs \
     the REPLICATION privilege; its password belongs into the .pgpass file of pgdba.",
);

/// `primary_conninfo_opt`
pub static PRIMARY_CONNINFO_OPT: Parameter = Parameter::new(
    "primary_conninfo_opt",
    Kind::Text,
    "",
    Scope::Standby,
    "Further words of primary_conninfo",
    "Further connection parameters for primary_conninfo, for example \"keepalives_idle=60 \
     sslmode=verify-full\". The agent itself sets host, port, user and application_name.",
);

/// `restart_on_promote`
pub static RESTART_ON_PROMOTE: Parameter = Parameter::new(
    "restart_on_promote",
    Kind::Boolean,
    "false",
    Scope::Replication,
    "Promote by a restart",
    "Promote by starting the server anew without standby mode, which keeps the timeline but takes \
     longer, instead of by pg_ctl promote. Set on-fail=fence for promote if you use it. Better \
     leave it off: two histories with the same timeline cannot be told apart.",
);

/// `replication_slot_name`
pub static REPLICATION_SLOT_NAME: Parameter = Parameter::new(
    "replication_slot_name",
    Kind::Text,
    "",
    Scope::Standby,
    "Prefix of the replication slots",
    "When set, every standby gets a physical replication slot of its own, so that the primary \
     keeps the WAL which the standby still needs. Lower case letters, digits and underscores only. \
     The slot's name is this prefix, an underscore and the node's name in lower case with dots and \
     dashes as underscores: \"ha\" gives ha_node_1_example_com to Node-1.example.com.\n\
     WAL for a standby that stays away accumulates on the primary. Bring the standby back, drop \
     the slot with pg_drop_replication_slot(), or limit it with max_slot_wal_keep_size.",
);

/// `tmpdir`
pub static TMPDIR: Parameter = Parameter::new(
    "tmpdir",
    Kind::Path,
    "/var/lib/pgsql/tmp",
    Scope::Standby,
    "Directory of the agent's files",
    "Directory for the files that the agent keeps: PGSQL.lock, rep_mode.conf and recovery.conf. It \
     must outlive a reboot, and every instance on a node needs its own.",
);

/// `xlog_check_count`
pub static XLOG_CHECK_COUNT: Parameter = Parameter::new(
    "xlog_check_count",
    Kind::Count,
    "3",
    Scope::Replication,
    "Rounds of comparison before a promotion",
    "How many monitors the agent ocf:heartbeat:pgsql lets pass, comparing WAL positions, before it \
     offers a node for promotion. Accepted for its sake; this agent does not wait for a number of \
     rounds but for the positions of the nodes that are reachable.",
);

/// `crm_attr_timeout`
pub static CRM_ATTR_TIMEOUT: Parameter = Parameter::new(
    "crm_attr_timeout",
    Kind::Seconds,
    "5",
    Scope::Replication,
    "Seconds for an attribute's update",
    "How long one update of a permanent node attribute may take.",
);

/// `stop_escalate_in_slave`
pub static STOP_ESCALATE_IN_SLAVE: Parameter = Parameter::new(
    "stop_escalate_in_slave",
    Kind::Seconds,
    "90",
    Scope::Replication,
    "Seconds for a fast shutdown of a standby",
    "The same as stop_escalate, for an instance that is a standby.",
);

/// `check_wal_receiver`
pub static CHECK_WAL_RECEIVER: Parameter = Parameter::new(
    "check_wal_receiver",
    Kind::Boolean,
    "false",
    Scope::Always,
    "Publish the state of the WAL receiver",
    "Whether each monitor publishes in the node attribute \"RESOURCE-receiver-status\" if the \
     instance receives WAL: \"normal\", \"ERROR\", or on the primary, where there is nothing to \
     receive, \"normal (master)\".",
);

/// `external_standby_node_list`
pub static EXTERNAL_STANDBY_NODE_LIST: Parameter = Parameter::new(
    "external_standby_node_list",
    Kind::Names,
    "",
    Scope::Synchronous,
    "Synchronous standbys outside of the cluster",
    "The application_name of each synchronous standby that is not a node of this cluster, \
     separated by blanks. The agent manages them in synchronous_standby_names beside the cluster's \
     own standby. Only for rep_mode=sync.",
);

/// `rejoin`, which the stock agent does not have.
pub static REJOIN: Parameter = Parameter::new(
    "rejoin",
    Kind::Text,
    "verify",
    Scope::Replication,
    "What an old primary does when it returns",
    "What a start does with a node that has been primary (PGSQL.lock is there) or that the present \
     primary does not know as its standby.\n\
     verify: the agent compares the node's WAL with the primary's history. Data that is provably a \
     part of that history starts as a standby, and the lock goes. Anything else does not start, and \
     the exit reason says why.\n\
     rewind: the same, and data that has diverged is made the primary's by pg_rewind. The WAL that only \
     this node has is kept before (rewind_keep_size). It needs data checksums or wal_log_hints=on, and repuser has to be \
     permitted to read files on the primary: grant it, in the database postgres, the functions that \
     PostgreSQL's manual lists for pg_rewind, and add a line for it to pg_hba.conf. Give start a \
     timeout that is long enough: a pg_rewind that is cut off leaves data that only a new copy \
     replaces.\n\
     off: as the agent ocf:heartbeat:pgsql: while PGSQL.lock is there the node does not start.",
);
