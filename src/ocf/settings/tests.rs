//! Tests of the reading of parameters.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::super::environment::Environment;
use super::super::exit_code::ExitCode;
use super::super::fault::{Fault, worst};
use super::super::parameter;
use super::parse;
use crate::model::node::NodeName;
use crate::model::policy::Policy;
use crate::model::settings::{ReplicationMode, Settings};

fn parse_with(parameters: &[(&str, &str)]) -> (Settings, Vec<Fault>) {
    parse(&Environment::from_pairs(
        parameters.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), *value)),
    ))
}

#[test]
fn without_any_variable_all_is_default_and_right() {
    let (settings, faults) = parse(&Environment::default());
    assert_eq!(faults, []);
    assert_eq!(settings.resource.as_str(), "default");
    assert_eq!(settings.pgctl, Path::new("/usr/bin/pg_ctl"));
    assert_eq!(settings.config, Path::new("/var/lib/pgsql/data/postgresql.conf"));
    assert_eq!((settings.pgport, settings.xlog_check_count), (5432, 3));
    assert_eq!((settings.pgdba.as_str(), settings.pgdb.as_str()), ("postgres", "template1"));
    assert_eq!(settings.stop_escalate, Duration::from_secs(90));
    assert_eq!(settings.crm_attr_timeout, Duration::from_secs(5));
    assert_eq!(settings.rep_mode, ReplicationMode::None);
    assert!(settings.monitor_sql_is_default && settings.monitor_password.is_none());
    assert!(!settings.restart_on_promote && !settings.check_wal_receiver);
}

#[test]
fn the_defaults_of_the_table_are_those_that_are_used() {
    let all: Vec<_> = parameter::ALL.iter().map(|row| (row.name, row.default)).collect();
    assert_eq!(parse_with(&all), parse(&Environment::default()));
}

#[test]
fn the_policy_is_read_and_its_defaults_are_the_tables() {
    assert_eq!(parse(&Environment::default()).0.policy, Policy::default());
    let (settings, faults) = parse_with(&[
        ("rep_mode", "sync"),
        ("sync_standbys", "2"),
        ("sync_method", "any"),
        ("sync_availability", "strict"),
        ("standby_slot_keep_size", "512MB"),
        ("slot_expire", "24h"),
    ]);
    assert_eq!(faults, []);
    assert!(settings.is_quorum_commit() && settings.is_strict());
    assert_eq!(
        (settings.policy.sync_standbys, settings.policy.standby_slot_keep_size),
        (2, 1 << 29)
    );
    assert_eq!(settings.policy.slot_expire, Duration::from_secs(24 * 3600));
    for (name, value, error) in [
        ("sync_standbys", "0", true),
        ("sync_method", "quorum", true),
        ("sync_availability", "", true),
        ("slot_max_retained", "10 gb", false),
    ] {
        let (settings, faults) = parse_with(&[("rep_mode", "sync"), (name, value)]);
        assert_eq!(settings.policy, Policy::default(), "{name}");
        assert_eq!(faults.iter().map(Fault::is_error).collect::<Vec<_>>(), [error], "{name}");
    }
}

#[test]
fn the_configuration_file_follows_the_data_directory() {
    let (settings, _) = parse_with(&[("pgdata", "/srv/pg")]);
    assert_eq!(settings.config, Path::new("/srv/pg/postgresql.conf"));
    let (settings, _) = parse_with(&[("pgdata", "/srv/pg"), ("config", "/etc/pg.conf")]);
    assert_eq!(settings.config, Path::new("/etc/pg.conf"));
}

#[test]
fn an_empty_value_stays_empty_where_that_means_something() {
    let names = ["pglibs", "monitor_user", "socketdir", "pghost", "node_list", "master_ip"];
    let (settings, faults) = parse_with(&names.map(|name| (name, "")));
    assert_eq!(faults, []);
    assert_eq!(settings.pglibs, "");
    assert!(settings.node_list.is_empty());
    let (settings, faults) = parse_with(&[("pgdb", ""), ("monitor_user", "mon")]);
    assert_eq!((settings.pgdb.as_str(), faults), ("mon", vec![]));
}

#[test]
fn a_faulty_value_is_reported_and_the_default_used() {
    for (name, value, problem) in [
        ("pgctl", "", "pgctl can't be empty."),
        ("config", "", "config can't be empty."),
        ("config", "pg.conf", "config is not an absolute path"),
        ("pgdba", " ", "pgdba can't be empty."),
        ("pgport", "", "pgport is not a port number"),
        ("pgport", "0", "pgport is not a port number"),
        ("pgport", "65536", "pgport is not a port number"),
        ("rep_mode", "Sync", "Invalid rep_mode"),
        ("pghost", "h\u{FFFD}st", "pghost is not UTF-8 text."),
    ] {
        let (settings, faults) = parse_with(&[(name, value)]);
        assert_eq!(settings, parse(&Environment::default()).0, "{name}");
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        assert!(faults[0].is_error() && faults[0].code == ExitCode::Configured);
        assert_eq!((faults[0].problem.as_str(), faults[0].parameter), (problem, name));
    }
}

#[test]
fn what_the_agent_can_do_without_is_only_a_warning() {
    for (name, value) in [
        ("stop_escalate", "soon"),
        ("stop_escalate_in_slave", "-1"),
        ("crm_attr_timeout", ""),
        ("xlog_check_count", "3.5"),
        ("restart_on_promote", "maybe"),
        ("tmpdir", "tmp"),
        ("repuser", ""),
        ("logfile", ""),
        ("monitor_sql", " "),
    ] {
        let (settings, faults) = parse_with(&[(name, value)]);
        assert_eq!(settings, parse(&Environment::default()).0, "{name}");
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        assert_eq!(worst(&faults), None);
    }
}

#[test]
fn a_parameter_of_replication_matters_where_there_is_replication() {
    let (_, faults) = parse_with(&[("tmpdir", "tmp"), ("rep_mode", "sync")]);
    assert_eq!(worst(&faults).map(|fault| fault.parameter), Some("tmpdir"));
}

#[test]
fn another_instance_is_never_meant_by_mistake() {
    for value in ["", "data"] {
        let (settings, faults) = parse_with(&[("pgdata", value)]);
        assert_eq!(settings.pgdata, Path::new(value));
        assert!(worst(&faults).is_some());
    }
}

#[test]
fn names_are_split_at_blanks_and_kept_as_spelt() {
    let (settings, faults) =
        parse_with(&[("node_list", " PM-01.example\tpm02\n pm03 "), ("rep_mode", "async")]);
    let names: Vec<_> = settings.node_list.iter().map(NodeName::as_str).collect();
    assert_eq!(names, ["PM-01.example", "pm02", "pm03"]);
    assert_eq!(faults, []);
    let (settings, faults) = parse_with(&[("node_list", "pm01 PM01 pm02")]);
    assert_eq!(settings.node_list.len(), 2);
    assert!(faults[0].problem.contains("PM01") && !faults[0].is_error());
}

#[test]
fn numbers_times_and_booleans_are_read() {
    let (settings, faults) = parse_with(&[
        ("pgport", "5433"),
        ("stop_escalate", "2min"),
        ("crm_attr_timeout", "1500ms"),
        ("restart_on_promote", "YES"),
        ("check_wal_receiver", "on"),
        ("monitor_sql", "select 1"),
        ("pgctl", "no_such"),
    ]);
    assert_eq!(settings.pgport, 5433);
    assert_eq!(settings.stop_escalate, Duration::from_secs(120));
    assert_eq!(settings.crm_attr_timeout, Duration::from_millis(1500));
    assert!(settings.restart_on_promote && settings.check_wal_receiver);
    assert!(!settings.monitor_sql_is_default);
    assert_eq!(settings.pgctl, Path::new("no_such"));
    assert_eq!((faults.len(), worst(&faults)), (1, None));
}

#[test]
fn the_cluster_has_to_name_the_resource() {
    let environment = Environment::from_pairs([("OCF_RA_VERSION_MAJOR", "1")]);
    assert_eq!(worst(&parse(&environment).1).map(|fault| fault.code), Some(ExitCode::Args));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_environment_makes_it_panic(values in prop::collection::vec(any::<String>(), parameter::ALL.len())) {
        let pairs: Vec<_> = parameter::ALL.iter().zip(&values)
            .map(|(row, value)| (row.name, value.as_str())).collect();
        let (settings, faults) = parse_with(&pairs);
        assert!(faults.iter().all(|fault| !fault.problem.is_empty()));
        assert!(settings.pgport > 0);
    }

    #[test]
    fn a_password_is_never_shown(tail in "[a-z0-9\u{FFFD}]{8,20}") {
        let password = format!("Q7{tail}");
        let (settings, faults) = parse_with(&[("monitor_password", &password)]);
        assert!(!format!("{settings:?} {faults:?}").contains(&password));
        assert!(!faults.iter().any(|fault| fault.to_string().contains(&password)));
    }
}
