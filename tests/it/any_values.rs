//! Parameters with any values at all, thousands of them: reading and checking them never panics, and every fault that is
//! found says what to do about it.

use pgsql_ha::model::exit_reason::BYTES_MAX;
use pgsql_ha::ocf::environment::Environment;
use pgsql_ha::ocf::exit_code::ExitCode;
use pgsql_ha::ocf::fault::Fault;
use pgsql_ha::ocf::parameter::{self, Kind};
use pgsql_ha::ocf::settings::parse;
use pgsql_ha::ocf::validate::{Context, Fact, Facts, validate};
use pgsql_ha::ocf::word::Word;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

/// Words that somebody might write where they do not belong, beside any text at all.
fn value() -> impl Strategy<Value = String> {
    const WORDS: [&str; 24] = [
        "",
        " ",
        "0",
        "-1",
        "1",
        "3.5",
        "65535",
        "65536",
        "99999999999999999999",
        "18446744073709551615h",
        "true",
        "maybe",
        "none",
        "async",
        "sync",
        "slave",
        "SYNC",
        "relative/path",
        "/no/such/place",
        "/dev/null",
        "'",
        "a\nb",
        "é\u{FFFD}",
        "pm01 PM01  pm02",
    ];
    prop_oneof![prop::sample::select(&WORDS[..]).prop_map(str::to_owned), any::<String>()]
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![Just(Fact::Holds), Just(Fact::Fails), Just(Fact::Unknown)]
}

fn facts() -> impl Strategy<Value = Facts> {
    let node = (fact(), fact(), fact(), fact(), fact(), fact(), fact());
    let target = prop_oneof![Just(None), Just(Some("recovery_target_time"))];
    let server = (any::<Option<u32>>(), any::<Option<String>>(), any::<Option<String>>(), target);
    (node, server).prop_map(|(node, (server_version, stranger, directories, target))| Facts {
        privileged: node.0,
        pgdba_exists: node.1,
        pgctl_executable: node.2,
        psql_executable: node.3,
        config_exists: node.4,
        pgdata_writable: node.5,
        pgdata_present: node.6,
        pgdata_foreign_owner: stranger,
        server_version,
        unix_socket_directories: directories,
        recovery_target: target,
    })
}

/// What every fault has to say, whatever is wrong.
fn assert_helps(fault: &Fault, secret: &str) {
    let text = fault.to_string();
    assert!(text.contains(&format!("{}=\"{}\"", fault.parameter, fault.value)), "{text}");
    let reason = fault.reason();
    assert!(reason.len() <= BYTES_MAX, "{} bytes: {reason}", reason.len());
    assert!(reason.ends_with(&format!("\"): {}", fault.remedy)), "{reason}");
    assert!(!fault.problem.trim().is_empty() && !fault.remedy.trim().is_empty(), "{text}");
    let codes = [
        ExitCode::Generic,
        ExitCode::Args,
        ExitCode::Permission,
        ExitCode::Installed,
        ExitCode::Configured,
    ];
    assert!(codes.contains(&fault.code), "{text}: {:?}", fault.code);
    let plain = secret.len() > 8 && text.contains(secret);
    assert!(!(plain && fault.parameter == "monitor_password"), "a secret in {text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_set_every_fault_helps(
        values in prop::collection::vec(prop::option::of(value()), parameter::ALL.len()),
        meta in prop::collection::vec(value(), 6),
        facts in facts(),
        word in prop::sample::select(Word::all().collect::<Vec<_>>()),
    ) {
        let set = parameter::ALL.iter().zip(&values);
        let set = set.filter_map(|(row, value)| Some((format!("OCF_RESKEY_{}", row.name), value.clone()?)));
        let names = ["promotable", "promoted_max", "notify", "timeout", "interval", "on_node"];
        let meta = names.iter().zip(&meta);
        let meta = meta.map(|(name, value)| (format!("OCF_RESKEY_CRM_meta_{name}"), value.clone()));
        let environment = Environment::from_pairs(set.chain(meta));
        let (settings, mut faults) = parse(&environment);
        let context = Context::new(word, &environment);
        let found = validate(&settings, &facts, &context);
        assert!(context.can_fail() || found.iter().all(|fault| !fault.is_error()));
        faults.extend(found);
        let secret = environment.parameter("monitor_password").unwrap_or_default();
        faults.iter().for_each(|fault| assert_helps(fault, secret));
    }

    #[test]
    fn what_is_no_number_time_or_boolean_is_told(text in "[!-/:-@\u{e0}-\u{ff}]{1,8}", at in 0..parameter::ALL.len()) {
        let row = parameter::ALL[at];
        let (_, faults) = parse(&Environment::from_pairs([(format!("OCF_RESKEY_{}", row.name), text.clone())]));
        if matches!(row.kind, Kind::Count | Kind::Port | Kind::Seconds | Kind::Boolean | Kind::Mode) {
            assert!(matches!(&faults[..], [fault] if fault.parameter == row.name && fault.value == text), "{faults:?}");
        }
    }
}
