//! Tests of `standby`.

use super::*;
use crate::postgres::tests::{Fake, settings_in};
use std::path::Path;

fn settings() -> Settings {
    Settings {
        master_ip: "192.168.0.200".into(),
        primary_conninfo_opt: "keepalives_idle=60 password='it\\'s'".into(),
        restore_command: "cp '/arch ive/%f' \"%p\" \\ || false".into(),
        replication_slot_name: "s".into(),
        node_list: vec![NodeName::new("PM-01"), NodeName::new("pm02")],
        rep_mode: ReplicationMode::Sync,
        ..settings_in(Path::new("/data"))
    }
}

fn text(settings: &Settings, version: Version, primary: Option<&str>) -> String {
    let user = User::lookup("root").expect("lookup").expect("exists");
    let local = NodeName::new("PM-01");
    let recovers_to = RecoveryTimeline::Latest;
    let retry_interval_unset = false;
    Standby {
        settings,
        user: &user,
        local: &local,
        version,
        primary,
        recovers_to,
        retry_interval_unset,
    }
    .text()
}

#[test]
fn the_text_is_the_stock_agents_but_quoted() {
    let expected = "\
primary_conninfo = 'host=192.168.0.200 port=5432 user=postgres application_name=pm-01 \
keepalives_idle=60 password=''it\\\\''s'''
restore_command = 'cp ''/arch ive/%f'' \"%p\" \\\\ || false'
recovery_target_timeline = 'latest'
primary_slot_name = 's_pm_01'
";
    assert_eq!(text(&settings(), Version::new(15, 0), None), expected);
    let unlisted = Settings { node_list: vec![NodeName::new("pm02")], ..settings() };
    let unlisted = text(&unlisted, Version::new(15, 0), None);
    assert!(!unlisted.contains("slot"), "the primary keeps no slot for it: {unlisted}");
    let old = text(&settings(), Version::new(11, 0), Some("pm02"));
    assert!(old.contains("host=pm02 port"));
    assert!(old.contains("standby_mode = 'on'\n"));
    let alone = Settings { rep_mode: ReplicationMode::Slave, node_list: Vec::new(), ..settings() };
    assert!(text(&alone, Version::new(15, 0), None).contains("primary_slot_name = 's_pm_01'"));
    let bare = settings_in(Path::new("/data"));
    let bare = text(&bare, Version::new(12, 0), Some("x y"));
    assert!(bare.contains("'host=''x y'' port=5432 user=postgres application_name=pm-01'\n"));
    assert!(bare.contains("restore_command = ''\n"));
    assert!(!bare.contains("slot"));
}

#[test]
fn a_standby_looks_for_its_primary_often_unless_the_operator_says_otherwise() {
    let settings = settings();
    let user = User::lookup("root").expect("lookup").expect("exists");
    let local = NodeName::new("PM-01");
    for (version, retry_interval_unset, written) in
        [(15, true, true), (15, false, false), (11, true, false)]
    {
        let version = Version::new(version, 0);
        let standby = Standby {
            settings: &settings,
            user: &user,
            local: &local,
            version,
            primary: None,
            recovers_to: RecoveryTimeline::Latest,
            retry_interval_unset,
        };
        assert_eq!(standby.text().contains("wal_retrieve_retry_interval = '1s'"), written);
    }
}

#[test]
fn the_value_reads_back_through_both_grammars() {
    let text = text(&settings(), Version::new(15, 0), None);
    let conninfo = quoting::last_setting(&text, "primary_conninfo").expect("set");
    let pairs = quoting::conninfo_pairs(&conninfo).expect("parsed");
    assert_eq!(pairs.last(), Some(&("password".to_owned(), "it's".to_owned())));
    let command = quoting::last_setting(&text, "restore_command");
    assert_eq!(command, Some(settings().restore_command));
}

#[test]
fn another_source_of_the_conninfo_is_noticed() {
    let ours = "host=10.0.0.1 port=5432 user=rep application_name=a password=x";
    assert!(!primary_conninfo_overridden(ours, ours));
    let shown = "user=rep  password=******** host='10.0.0.1' port=5432 application_name=a";
    assert!(!primary_conninfo_overridden(shown, ours));
    assert!(primary_conninfo_overridden(&shown.replace("0.1", "0.2"), ours));
    assert!(primary_conninfo_overridden("postgresql://10.0.0.1/", ours));
    assert!(primary_conninfo_overridden("", ours));
}

#[test]
fn files_are_written_once_and_are_current_then() {
    for version in [Version::new(11, 0), Version::new(15, 0)] {
        let mut fake = Fake::new();
        fake.settings.rep_mode = ReplicationMode::Sync;
        std::fs::write(&fake.settings.config, "port = 5432\n").expect("write");
        let local = NodeName::new("pm01");
        let standby = Standby {
            settings: &fake.settings,
            user: &fake.user,
            local: &local,
            version,
            primary: None,
            recovers_to: RecoveryTimeline::Latest,
            retry_interval_unset: false,
        };
        assert!(!standby.is_current().expect("read"));
        standby.write().expect("written");
        assert!(standby.is_current().expect("read"));
        assert!(has_mark(&fake.settings, &fake.user, version).expect("read"));
        let config = std::fs::read_to_string(&fake.settings.config).expect("read");
        standby.write().expect("written again");
        assert_eq!(std::fs::read_to_string(&fake.settings.config).expect("read"), config);
        assert_eq!(
            config.matches("# added by pgsql RA").count(),
            if version.uses_recovery_conf() { 1 } else { 2 }
        );
        assert!(!Standby { primary: Some("pm02"), ..standby }.is_current().expect("read"));
        remove_mark(&fake.settings, &fake.user, version).expect("removed");
        assert!(!has_mark(&fake.settings, &fake.user, version).expect("read"));
        assert!(!standby.is_current().expect("read"));
        fake.settings.rep_mode = ReplicationMode::Async;
        let standby = Standby {
            settings: &fake.settings,
            user: &fake.user,
            local: &local,
            version,
            primary: None,
            recovers_to: RecoveryTimeline::Latest,
            retry_interval_unset: false,
        };
        standby.write().expect("written");
        let config = std::fs::read_to_string(&fake.settings.config).expect("read");
        assert!(!config.contains("rep_mode.conf"));
    }
}
