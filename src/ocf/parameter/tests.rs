//! Tests of the table of parameters.

use super::{ALL, Kind, Scope, find, is_secret};
use crate::model::settings::ReplicationMode;

/// Name, type and default of each parameter of `ocf:heartbeat:pgsql` (resource-agents, `main`,
/// `heartbeat/pgsql`), in the order of its meta-data. All are `required="0" unique="0"`.
const UPSTREAM: [(&str, &str, &str); 33] = [
    ("pgctl", "string", "/usr/bin/pg_ctl"),
    ("start_opt", "string", ""),
    ("ctl_opt", "string", ""),
    ("psql", "string", "/usr/bin/psql"),
    ("pgdata", "string", "/var/lib/pgsql/data"),
    ("pgdba", "string", "postgres"),
    ("pghost", "string", ""),
    ("pgport", "integer", "5432"),
    ("pglibs", "string", "/usr/lib"),
    ("monitor_user", "string", ""),
    ("monitor_password", "string", ""),
    ("monitor_sql", "string", "select now();"),
    ("config", "string", "/var/lib/pgsql/data/postgresql.conf"),
    ("pgdb", "string", "template1"),
    ("logfile", "string", "/dev/null"),
    ("socketdir", "string", ""),
    ("stop_escalate", "integer", "90"),
    ("rep_mode", "string", "none"),
    ("node_list", "string", ""),
    ("restore_command", "string", ""),
    ("archive_cleanup_command", "string", ""),
    ("recovery_end_command", "string", ""),
    ("master_ip", "string", ""),
    ("repuser", "string", "postgres"),
    ("primary_conninfo_opt", "string", ""),
    ("restart_on_promote", "boolean", "false"),
    ("replication_slot_name", "string", ""),
    ("tmpdir", "string", "/var/lib/pgsql/tmp"),
    ("xlog_check_count", "integer", "3"),
    ("crm_attr_timeout", "integer", "5"),
    ("stop_escalate_in_slave", "integer", "90"),
    ("check_wal_receiver", "boolean", "false"),
    ("external_standby_node_list", "string", ""),
];

#[test]
fn the_parameters_are_those_of_the_stock_agent_and_then_ours() {
    let ours = ALL.map(|row| (row.name, row.kind.content_type(), row.default));
    let (stock, own) = ours.split_at(UPSTREAM.len());
    assert_eq!(stock, UPSTREAM);
    assert_eq!(
        own,
        [
            ("rejoin", "string", "verify"),
            ("sync_standbys", "integer", "1"),
            ("sync_method", "string", "first"),
            ("sync_availability", "string", "available"),
            ("max_lag_on_failover", "string", "0"),
            ("standby_slot_keep_size", "string", "1GB"),
            ("slot_max_retained", "string", "0"),
            ("slot_expire", "integer", "0"),
            ("monitor_sslmode", "string", "prefer"),
            ("monitor_sslrootcert", "string", ""),
        ]
    );
    assert!(ALL.iter().all(|row| !row.required && !row.unique));
}

#[test]
fn every_parameter_is_described() {
    for row in ALL {
        assert!(!row.shortdesc.is_empty() && row.shortdesc.len() < 60, "{}", row.name);
        assert!(row.longdesc.ends_with('.'), "{}", row.name);
        assert!(!row.longdesc.contains("  "), "{}", row.name);
    }
}

#[test]
fn one_parameter_is_secret() {
    let secret: Vec<_> = ALL.iter().filter(|row| row.kind == Kind::Secret).collect();
    assert_eq!(secret.iter().map(|row| row.name).collect::<Vec<_>>(), ["monitor_password"]);
    assert!(is_secret("monitor_password"));
    assert!(!is_secret("monitor_user") && !is_secret("no_such_parameter"));
    assert!(find("no_such_parameter").is_none());
}

#[test]
fn a_scope_includes_its_modes() {
    use ReplicationMode::{Async, None, Slave, Sync};
    for (scope, modes) in [
        (Scope::Always, vec![None, Async, Sync, Slave]),
        (Scope::Standby, vec![Async, Sync, Slave]),
        (Scope::Replication, vec![Async, Sync]),
        (Scope::Synchronous, vec![Sync]),
    ] {
        for mode in [None, Async, Sync, Slave] {
            assert_eq!(scope.includes(mode), modes.contains(&mode), "{scope:?} {mode:?}");
        }
    }
}
