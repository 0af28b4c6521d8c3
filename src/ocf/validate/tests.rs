//! Tests of validation.

mod policy;

use std::collections::HashSet;

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::super::environment::Environment;
use super::super::fault::{Fault, worst};
use super::super::parameter;
use super::super::settings;
use super::{Context, Fact, Facts, validate, version_num};
use crate::model::action::Action;
use crate::model::exit_reason::BYTES_MAX;
use crate::ocf::word::{Printout, Word};

/// The parameters of a sound two-node cluster.
const SOUND: [(&str, &str); 5] = [
    ("OCF_RESKEY_rep_mode", "sync"),
    ("OCF_RESKEY_node_list", "pm01 pm02"),
    ("OCF_RESKEY_master_ip", "192.0.2.1"),
    ("OCF_RESKEY_CRM_meta_promoted_max", "1"),
    ("OCF_RESKEY_CRM_meta_notify", "true"),
];

fn sound_facts() -> Facts {
    Facts {
        privileged: Fact::Holds,
        pgdba_exists: Fact::Holds,
        pgctl_executable: Fact::Holds,
        psql_executable: Fact::Holds,
        config_exists: Fact::Holds,
        pgdata_present: Fact::Holds,
        pgdata_foreign_owner: None,
        pgdata_writable: Fact::Holds,
        server_version: Some(150_000),
        unix_socket_directories: None,
        recovery_target: None,
    }
}

#[test]
fn a_recovery_target_that_nothing_overrides_is_refused_before_a_start_only() {
    let facts = Facts { recovery_target: Some("recovery_target_lsn"), ..sound_facts() };
    for (action, refused) in [(Action::Start, true), (Action::Promote, false)] {
        let faults = faults_of(action, &[], &facts);
        assert_eq!(faults.len(), usize::from(refused), "{action:?}: {faults:?}");
        let told = faults.iter().all(|fault| fault.problem.contains("recovery_target_lsn"));
        assert!(told, "{faults:?}");
    }
    assert_eq!(faults_of(Action::Start, &[("OCF_RESKEY_rep_mode", "none")], &facts), []);
}

fn faults_of(word: impl Into<Word>, changes: &[(&str, &str)], facts: &Facts) -> Vec<Fault> {
    let environment = Environment::from_pairs(SOUND.iter().chain(changes).copied());
    let (settings, _) = settings::parse(&environment);
    validate(&settings, facts, &Context::new(word.into(), &environment))
}

#[test]
fn a_sound_configuration_has_no_fault() {
    for word in Word::all() {
        assert_eq!(faults_of(word, &[], &sound_facts()), []);
        assert_eq!(faults_of(word, &[], &Facts::default()), []);
    }
}

#[test]
fn each_wrong_parameter_is_explained() {
    for (change, problem, code) in [
        (("OCF_RESKEY_monitor_password", "x"), "monitor_user has to be set", 6),
        (("OCF_RESKEY_master_ip", ""), "master_ip can't be empty.", 6),
        (("OCF_RESKEY_node_list", " "), "node_list can't be empty.", 6),
        (
            ("OCF_RESKEY_CRM_meta_promoted_max", ""),
            "Replication(rep_mode=async or sync) requires",
            6,
        ),
        (("OCF_RESKEY_rep_mode", "slave"), "Replication(rep_mode=slave) does not support", 6),
        (
            ("OCF_RESKEY_replication_slot_name", "Slot-1"),
            "Invalid replication_slot_name(Slot-1).",
            6,
        ),
    ] {
        let faults = faults_of(Action::Start, &[change], &sound_facts());
        assert_eq!(faults.len(), 1, "{change:?}: {faults:?}");
        assert!(faults[0].problem.starts_with(problem), "{}", faults[0]);
        assert_eq!((faults[0].code.code(), faults[0].is_error()), (code, true), "{change:?}");
    }
}

#[test]
fn each_wrong_fact_is_explained() {
    let sound = sound_facts();
    let fails = Fact::Fails;
    for (facts, problem, code) in [
        (Facts { pgdba_exists: fails, ..sound.clone() }, "User postgres doesn't exist", 5),
        (Facts { privileged: fails, ..sound.clone() }, "The agent must be run as root", 1),
        (Facts { pgctl_executable: fails, ..sound.clone() }, "Setup problem: couldn't find", 5),
        (Facts { psql_executable: fails, ..sound.clone() }, "Setup problem: couldn't find", 5),
        (Facts { config_exists: fails, ..sound.clone() }, "Configuration file /var/lib", 5),
        (
            Facts { pgdata_present: fails, config_exists: fails, ..sound.clone() },
            "/var/lib/pgsql/data is not a PostgreSQL data directory",
            5,
        ),
        (
            Facts { pgdata_foreign_owner: Some("root".into()), ..sound.clone() },
            "Directory /var/lib/pgsql/data belongs to root, not to postgres",
            4,
        ),
        (Facts { pgdata_writable: fails, ..sound.clone() }, "Directory /var/lib/pgsql/data is", 4),
        (Facts { server_version: Some(90_000), ..sound.clone() }, "Replication mode needs", 5),
        (
            Facts { unix_socket_directories: Some("/run".into()), ..sound.clone() },
            "In PostgreSQL 9.3 or higher, socketdir can't be empty",
            6,
        ),
    ] {
        let faults = faults_of(Action::Start, &[], &facts);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].problem.starts_with(problem), "{}", faults[0]);
        assert_eq!(faults[0].code.code(), code, "{problem}");
    }
}

#[test]
fn every_reason_fits_with_a_long_path_in_every_parameter() {
    let path = format!("/srv/{}/postgresql/data", "x".repeat(39));
    let fails = Fact::Fails;
    let wrong = Facts {
        privileged: fails,
        pgdba_exists: fails,
        pgctl_executable: fails,
        psql_executable: fails,
        config_exists: fails,
        pgdata_present: fails,
        server_version: Some(90_000),
        unix_socket_directories: Some(path.clone()),
        ..sound_facts()
    };
    let facts = [
        Facts { pgdata_present: Fact::Holds, pgdata_writable: fails, ..wrong.clone() },
        Facts {
            pgdata_present: Fact::Holds,
            pgdata_foreign_owner: Some("postgres".into()),
            server_version: Some(150_000),
            ..wrong.clone()
        },
        wrong,
    ];
    let mut told = HashSet::new();
    for mode in ["none", "async", "sync", "slave", path.as_str()] {
        for value in ["", "$", "relative", path.as_str()] {
            let all =
                parameter::ALL.iter().filter(|row| !["rep_mode", "socketdir"].contains(&row.name));
            let all = all.map(|row| (format!("OCF_RESKEY_{}", row.name), value.to_owned()));
            let pairs = all.chain([("OCF_RESKEY_rep_mode".to_owned(), mode.to_owned())]);
            for promotable in ["", "1"] {
                let meta = ("OCF_RESKEY_CRM_meta_promoted_max".to_owned(), promotable.to_owned());
                let environment = Environment::from_pairs(pairs.clone().chain([meta]));
                let (settings, mut faults) = settings::parse(&environment);
                let context = Context::new(Action::Start.into(), &environment);
                faults.extend(facts.iter().flat_map(|facts| validate(&settings, facts, &context)));
                told.extend(faults.iter().map(|fault| fault.parameter));
                faults.iter().for_each(assert_tells);
            }
        }
    }
    for name in
        ["pgdba", "pgdata", "config", "pgctl", "socketdir", "replication_slot_name", "notify"]
    {
        assert!(told.contains(name), "{name} has not been wrong");
    }
}

/// Expects parameter, value and remedy within what Pacemaker shows.
fn assert_tells(fault: &Fault) {
    let reason = fault.reason();
    assert!(reason.len() <= BYTES_MAX, "{} bytes: {reason}", reason.len());
    let (name, value) = (fault.parameter, &fault.value);
    let kept = value.get(..10).unwrap_or(value);
    for part in [format!("({name}=\"{kept}"), format!("\"): {}", fault.remedy)] {
        assert!(reason.contains(&part), "no {part} in {reason}");
    }
    assert!(!reason.starts_with(' '), "what is wrong? {reason}");
}

#[test]
fn slots_need_a_server_that_has_them() {
    let facts = |version| Facts { server_version: Some(version), ..sound_facts() };
    let change = [("OCF_RESKEY_replication_slot_name", "ha")];
    assert_eq!(faults_of(Action::Start, &change, &facts(90_400)), []);
    let faults = faults_of(Action::Start, &change, &facts(90_300));
    assert!(faults[0].problem.starts_with("Replication slot needs PostgreSQL 9.4"));
}

#[test]
fn standbys_elsewhere_need_synchronous_replication() {
    let list = ("OCF_RESKEY_external_standby_node_list", "dr1 dr2");
    assert_eq!(faults_of(Action::Start, &[list], &sound_facts()), []);
    for (mode, error) in [("async", true), ("none", false)] {
        let faults =
            faults_of(Action::Start, &[list, ("OCF_RESKEY_rep_mode", mode)], &sound_facts());
        assert_eq!(faults[0].problem, "external_standby_node_list requires rep_mode=sync.");
        assert_eq!((faults[0].is_error(), faults[0].value.as_str()), (error, "dr1 dr2"));
    }
}

#[test]
fn every_fault_is_found_and_the_first_decides() {
    let facts = Facts { pgdba_exists: Fact::Fails, pgctl_executable: Fact::Fails, ..sound_facts() };
    let changes = [("OCF_RESKEY_node_list", ""), ("OCF_RESKEY_master_ip", "")];
    let faults = faults_of(Action::Start, &changes, &facts);
    let parameters: Vec<_> = faults.iter().map(|fault| fault.parameter).collect();
    assert_eq!(parameters, ["pgdba", "pgctl", "master_ip", "node_list"]);
    assert_eq!(worst(&faults).map(|fault| fault.code.code()), Some(5));
}

#[test]
fn a_clone_without_notifications_is_warned_of() {
    for value in ["false", ""] {
        let change = [("OCF_RESKEY_CRM_meta_notify", value)];
        let faults = faults_of(Action::Start, &change, &sound_facts());
        assert_eq!((faults[0].parameter, faults[0].is_error()), ("notify", false));
    }
}

#[test]
fn files_that_a_base_backup_copies_are_warned_of() {
    let change = [("OCF_RESKEY_tmpdir", "/var/lib/pgsql/data/tmp")];
    let faults = faults_of(Action::Start, &change, &sound_facts());
    assert_eq!((faults[0].parameter, faults[0].is_error()), ("tmpdir", false));
}

#[test]
fn no_running_instance_is_failed_for_its_configuration() {
    let facts = Facts { pgdba_exists: Fact::Fails, config_exists: Fact::Fails, ..sound_facts() };
    for action in [Action::Monitor, Action::Stop, Action::Status, Action::Demote, Action::Notify] {
        let faults = faults_of(action, &[("OCF_RESKEY_node_list", "")], &facts);
        assert_eq!((faults.len(), worst(&faults)), (3, None), "{action:?}");
    }
}

#[test]
fn a_cursory_validation_looks_at_the_parameters_only() {
    let facts = Facts { config_exists: Fact::Fails, ..sound_facts() };
    let not_yet_a_clone = ("OCF_RESKEY_CRM_meta_promoted_max", "");
    assert_eq!(faults_of(Word::Printout(Printout::ValidateAll), &[not_yet_a_clone], &facts), []);
    let thorough = ("OCF_CHECK_LEVEL", "10");
    let faults =
        faults_of(Word::Printout(Printout::ValidateAll), &[not_yet_a_clone, thorough], &facts);
    assert_eq!(faults.len(), 2);
    let faults =
        faults_of(Word::Printout(Printout::ValidateAll), &[("OCF_RESKEY_node_list", "")], &facts);
    assert_eq!(faults.len(), 1);
}

#[test]
fn versions_are_read_as_the_server_numbers_them() {
    for (text, number) in [
        ("9.4\n", Some(90_400)),
        ("9.6.24", Some(90_600)),
        ("10", Some(100_000)),
        ("17", Some(170_000)),
        ("", None),
        ("devel", None),
        ("4294967295", None),
        ("9.4294967295", None),
    ] {
        assert_eq!(version_num(text), number, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_environment_makes_it_panic(
        values in prop::collection::vec(any::<String>(), parameter::ALL.len()),
        mode in "none|async|sync|slave",
        version in any::<Option<u32>>(),
        text in any::<String>(),
    ) {
        let pairs = parameter::ALL.iter().zip(values)
            .map(|(row, value)| (format!("OCF_RESKEY_{}", row.name), value))
            .chain([("OCF_RESKEY_rep_mode".to_owned(), mode)]);
        let environment = Environment::from_pairs(pairs);
        let facts = Facts {
            server_version: version.or_else(|| version_num(&text)),
            unix_socket_directories: Some(text),
            ..Facts::default()
        };
        let (settings, _) = settings::parse(&environment);
        for word in Word::all() {
            let faults = validate(&settings, &facts, &Context::new(word, &environment));
            assert!(faults.iter().all(|fault| !fault.to_string().is_empty()));
        }
    }
}
