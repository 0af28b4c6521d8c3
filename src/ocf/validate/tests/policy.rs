//! Tests of the policy of replication.

use super::*;

#[test]
fn a_policy_that_makes_no_sense_is_explained() {
    let old = Facts { server_version: Some(90_600), ..sound_facts() };
    let sound = sound_facts();
    let list = |names| ("OCF_RESKEY_node_list", names);
    let count = |number| ("OCF_RESKEY_sync_standbys", number);
    let any = ("OCF_RESKEY_sync_method", "any");
    let strict = ("OCF_RESKEY_sync_availability", "strict");
    let dr = ("OCF_RESKEY_external_standby_node_list", "dr1");
    let limit = ("OCF_RESKEY_max_lag_on_failover", "16MB");
    let mode = ("OCF_RESKEY_rep_mode", "async");
    for (changes, facts, parameter, error) in [
        (vec![count("1")], &sound, None, false),
        (vec![count("2")], &sound, Some("sync_standbys"), true),
        (vec![count("2"), list("pm01 pm02 pm03")], &sound, None, false),
        (vec![list("pm01")], &sound, None, false),
        (vec![list("pm01"), strict], &sound, Some("sync_standbys"), true),
        (vec![any], &sound, None, false),
        (vec![any], &old, Some("sync_method"), true),
        (vec![any, dr], &sound, Some("external_standby_node_list"), true),
        (
            vec![any, ("OCF_RESKEY_restart_on_promote", "true")],
            &sound,
            Some("restart_on_promote"),
            true,
        ),
        (vec![dr, count("2")], &sound, Some("sync_standbys"), false),
        (vec![limit], &sound, Some("max_lag_on_failover"), false),
        (vec![limit, mode], &sound, None, false),
        (vec![count("2"), mode], &sound, Some("sync_standbys"), false),
        (vec![any, mode], &sound, Some("sync_method"), false),
        (vec![strict, mode], &sound, Some("sync_availability"), false),
    ] {
        let faults = faults_of(Action::Start, &changes, facts);
        let told = faults.first().map(|fault| fault.parameter);
        assert_eq!(
            (told, faults.len()),
            (parameter, usize::from(parameter.is_some())),
            "{changes:?}"
        );
        assert_eq!(faults.iter().any(Fault::is_error), error, "{changes:?}: {faults:?}");
    }
}
