//! Parameters that the stock agent does not have: whom commits wait for, who is too far behind, and
//! what slots may keep.

use super::{Kind, Parameter, Scope};

/// `sync_standbys`
pub static SYNC_STANDBYS: Parameter = Parameter::new(
    "sync_standbys",
    Kind::Count,
    "1",
    Scope::Synchronous,
    "How many standbys a commit waits for",
    "How many standbys each commit waits for while there are as many; with fewer it waits for those \
     there are. With external_standby_node_list commits wait for every connected standby instead.",
);

/// `sync_method`
pub static SYNC_METHOD: Parameter = Parameter::new(
    "sync_method",
    Kind::Word,
    "first",
    Scope::Synchronous,
    "Which standbys a commit waits for",
    "first: for sync_standbys chosen ones, each of which then has every commit; another is chosen \
     when one goes.\n\
     any: for whichever sync_standbys of all connected standbys are quickest, so that a slow or lost \
     one holds nobody up (quorum commit, PostgreSQL 10 or later). To promote one of N such standbys, \
     N - sync_standbys + 1 of them must be reachable. Every node needs this agent, not the shell \
     agent; not together with external_standby_node_list or restart_on_promote.",
);

/// `sync_availability`
pub static SYNC_AVAILABILITY: Parameter = Parameter::new(
    "sync_availability",
    Kind::Word,
    "available",
    Scope::Synchronous,
    "What commits do without a standby",
    "available: they stop waiting when the last standby goes, once the cluster has recorded that it \
     must not be promoted.\n\
     strict: they wait until a standby is there; a new primary accepts writes, but acknowledges none \
     before that. While it knows of none that can follow it, synchronous_standby_names is \
     no-standby-yet, and the next monitor changes it: not in maintenance mode. Before the shell \
     agent takes over, set available and wait for a monitor.",
);

/// `max_lag_on_failover`
pub static MAX_LAG_ON_FAILOVER: Parameter = Parameter::new(
    "max_lag_on_failover",
    Kind::Bytes,
    "0",
    Scope::Replication,
    "Bytes that a promoted standby may lack",
    "With rep_mode=async: a standby that lacks more WAL than this is not promoted. What it lacks is \
     what the last monitor of the primary saw; it may be promoted again once it lacks no more than \
     half of that. Bytes, or with a unit as in postgresql.conf (kB, MB, GB, TB); 0: no limit.",
);

/// `standby_slot_keep_size`
pub static STANDBY_SLOT_KEEP_SIZE: Parameter = Parameter::new(
    "standby_slot_keep_size",
    Kind::Bytes,
    "1GB",
    Scope::Replication,
    "WAL that a standby keeps for the others",
    "With replication_slot_name: how much WAL each standby keeps for the other nodes, in slots of the \
     same names as on the primary, so that after a failover a node that lacks less than this still \
     finds its WAL (PostgreSQL 11 or later). Up to a quarter more is kept. Every node needs \
     max_replication_slots for all others. The slots move on with the monitors: in maintenance mode \
     they keep more. Bytes, or with a unit (kB, MB, GB, TB); 0: standbys have \
     no slots for the others.",
);

/// `slot_max_retained`
pub static SLOT_MAX_RETAINED: Parameter = Parameter::new(
    "slot_max_retained",
    Kind::Bytes,
    "0",
    Scope::Replication,
    "WAL that the slot of an absent standby keeps",
    "How much WAL the primary keeps in the slot of a standby that is not connected; beyond that the \
     slot is dropped, and the standby needs an archive or a new copy when it returns. From four \
     fifths of it on, the log warns. Bytes, or with a unit (kB, MB, GB, TB); 0: no limit, and the log \
     warns while less than a tenth of the file system of the WAL is free.",
);

/// `slot_expire`
pub static SLOT_EXPIRE: Parameter = Parameter::new(
    "slot_expire",
    Kind::Seconds,
    "0",
    Scope::Replication,
    "How long the slot of an absent node is kept",
    "The primary drops the slot of a node on which no instance runs once PostgreSQL has not saved the \
     slot for this time. 0: never.",
);

/// `rewind_keep_size`
pub static REWIND_KEEP_SIZE: Parameter = Parameter::new(
    "rewind_keep_size",
    Kind::Bytes,
    "16GB",
    Scope::Replication,
    "WAL that is kept before pg_rewind",
    "With rejoin=rewind: how much WAL that only this node has may be kept, all folders together, in \
     PGSQL.rewound in tmpdir (beside pgdata, if tmpdir lies in it). It is copied there before pg_rewind \
     begins; if it is more than this, or the disk has no room for it, the node is not rewound and the \
     start is refused. Bytes, or with a unit (kB, MB, GB, TB); 0: nothing is kept.",
);

/// `rewind_keep_days`
pub static REWIND_KEEP_DAYS: Parameter = Parameter::new(
    "rewind_keep_days",
    Kind::Count,
    "30",
    Scope::Replication,
    "How long that WAL is kept",
    "After how many days a start removes what was kept before pg_rewind. 0: never.",
);
