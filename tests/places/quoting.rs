//! Values with quotes, blanks, backslashes and per cent signs arrive where they belong as they were written.

use testbed::Cluster;

use crate::instance::Instance;
use crate::site::{SOON, Site};

const DATA: &str = "/var/lib/pgsql/data";

/// A shell command with all of it; PostgreSQL makes `%` of `%%`. What it was asked for stands in the file.
const RESTORE_COMMAND: &str =
    r#"printf "100%%%% \\\\o/ it's %s\n" "%f" >> "/var/lib/pgsql/it's asked.log"; false"#;
const ASKED: &str = "/var/lib/pgsql/it's asked.log";

/// Leaves a file whose name shows what arrived.
const RECOVERY_END_COMMAND: &str = r#"touch "/var/lib/pgsql/it's the end \\ of 100%%""#;
const ENDED: &str = r"/var/lib/pgsql/it's the end \ of 100%";
const CLEANUP_COMMAND: &str = r"echo 'it is \\ '\''%r'\'' of 100%%'";

/// Without that very file no standby can log in.
const CONNINFO_OPT: &str =
    r"passfile='/var/lib/pgsql/100% it\'s\\pass' fallback_application_name='a \'b\' \\ %c'";

/// Writes a line into the server's log, so that it shows what arrived.
const MONITOR_SQL: &str =
    r#"do $x$ begin raise log 'it''s "monitored" 100%% \o/ $HOME `id`'; end $x$"#;
const MONITORED: &str = r#"it's "monitored" 100% \o/ $HOME `id`"#;

const PASSWORD: &str = r#"it's "se\cret" 100% $HOME"#;

/// A file that is root's, in a directory that is root's.
const CONFIG: &str = "/etc/it's ours/postgresql.conf";

const PREPARATION: &str = r#"
    cat > "/var/lib/pgsql/100% it's\\pass" <<'END'
*:*:*:repuser:replica\\tion\:word
END
    mkdir "/etc/it's ours"
    mv /var/lib/pgsql/data/postgresql.conf "/etc/it's ours/postgresql.conf"
    chown root:postgres "/etc/it's ours/postgresql.conf"
    chmod 640 "/etc/it's ours/postgresql.conf"
    chown postgres:postgres /var/lib/pgsql/100*
    chmod 600 /var/lib/pgsql/100*
    sed -i '1i local all watcher scram-sha-256' /var/lib/pgsql/data/pg_hba.conf
    sed -i '1i host replication repuser 10.77.0.0/24 scram-sha-256' /var/lib/pgsql/data/pg_hba.conf
"#;

const STATEMENTS: [&str; 3] = [
    r#"create role watcher login replication password 'it''s "se\cret" 100% $HOME'"#,
    "grant pg_monitor to watcher",
    r"alter role repuser password 'replica\tion:word'",
];

fn instance() -> Instance {
    Instance { pgdata: DATA, ..Instance::usual() }
        .with(&[("monitor_user", "watcher"), ("config", CONFIG)])
}

fn assert_values(instance: &Instance, site: &Site, node: &str) {
    let host = site.host(node);
    assert_eq!(instance.ask(&host, "show restore_command"), RESTORE_COMMAND);
    assert_eq!(instance.ask(&host, "show recovery_end_command"), RECOVERY_END_COMMAND);
    assert_eq!(instance.ask(&host, "show archive_cleanup_command"), CLEANUP_COMMAND);
    let conninfo = instance.ask(&host, "show primary_conninfo");
    assert!(conninfo.ends_with(CONNINFO_OPT), "{conninfo}");
    site.answers(instance, &host, "select status from pg_stat_wal_receiver", "streaming");
    site.contains(&host, ASKED, "100% \\o/ it's 0000000");
}

#[test]
fn awkward_characters_in_commands_passwords_and_statements_arrive_as_they_were_written() {
    let site = Site::boot(Cluster::builder().hosts(2).two_node());
    site.fill(DATA, &STATEMENTS);
    site.everywhere(PREPARATION);
    let instance = instance();
    site.configure(&instance.crm(&["pm01", "pm02"], "target-role=Stopped"));
    let parameters = [
        ("restore_command", RESTORE_COMMAND),
        ("primary_conninfo_opt", CONNINFO_OPT),
        ("recovery_end_command", RECOVERY_END_COMMAND),
        ("archive_cleanup_command", CLEANUP_COMMAND),
        ("monitor_sql", MONITOR_SQL),
        ("monitor_password", PASSWORD),
    ];
    site.set_parameters(instance.resource, &parameters);
    let clone = format!("{}-clone", instance.resource);
    let words = ["crm_resource", "-r", &clone, "--meta", "--delete-parameter", "target-role"];
    site.host("pm01").run_ok(&words).expect("the instance may start");

    site.settled(&instance, "pm01", &["pm02"]);
    assert_values(&instance, &site, "pm02");
    site.contains(&site.host("pm01"), instance.logfile, MONITORED);

    let words = ["crm_resource", "--move", "-r", &clone, "--promoted", "-N", "pm02"];
    site.host("pm01").run_ok(&words).expect("the move is accepted");
    site.settled(&instance, "pm02", &["pm01"]);
    assert_values(&instance, &site, "pm01");
    site.contains(&site.host("pm02"), instance.logfile, MONITORED);
    site.host("pm02").run_ok(&["test", "-f", ENDED]).expect("recovery_end_command has run");
    let owner = site.host("pm02").run_ok(&["stat", "-c", "%U %G %a", CONFIG]);
    assert_eq!(owner.expect("the configuration is there"), "root postgres 640\n");
    let state = site.cluster.wait_until_idle(SOON);
    assert!(state.failures.is_empty(), "{:?}", state.failures);
    let own = site.cluster.agent_lines();
    let told = own.iter().find(|event| event.line.text.contains("se\\cret"));
    assert!(told.is_none(), "the password is in the log: {told:?}");
    site.assert_calm();
}
