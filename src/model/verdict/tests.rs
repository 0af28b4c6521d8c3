//! What an operator reads of a failure.

use super::*;

#[test]
fn what_an_operator_needs_is_within_what_pacemaker_shows() {
    let lock = PathBuf::from("/var/lib/pgsql/tmp/PGSQL.lock");
    let data_status = Some(DataStatus::Disconnected);
    let primary = Some(NodeName::new("db-node02"));
    let locked = Failure::Locked { lock, data_status, primary, resync: Resync::Rewind }.to_string();
    assert!(locked.len() <= 128, "{} bytes: {locked}", locked.len());
    for part in ["DISCONNECT", "primary db-node02", "pg_rewind", "rm /var/lib/pgsql/tmp/PGSQL.lock"]
    {
        assert!(locked.contains(part), "{part}: {locked}");
    }
}

#[test]
fn what_is_wrong_with_a_parameter_fits_with_its_remedy() {
    let path = PathBuf::from(format!("/srv/{}/postgresql/data", "x".repeat(39)));
    assert_eq!(path.as_os_str().len(), 60);
    let error = "Input/output error (os error 5)".to_owned();
    let long = "ERROR: ".repeat(30);
    for (failure, parts) in [
        (Failure::NoReplication, ["rep_mode", "set rep_mode to async or sync"]),
        (
            Failure::DataDirectoryMissing(path.clone()),
            ["pgdata=\"/srv/xx", "mount its file system"],
        ),
        (
            Failure::DataDirectoryUnreadable(path.clone(), error),
            ["pgdata=\"/srv/xx", "check its owner, mode and disk"],
        ),
        (
            Failure::CannotListen { pghost: "db.example.org".repeat(5), line: long.clone() },
            ["pghost=\"db.example.org", "name an address of this node"],
        ),
        (Failure::MonitorSql(long.clone()), ["failed: ERROR", "check monitor_sql"]),
        (Failure::ForeignSyncNames(long.clone()), ["synchronous_standby_names", "remove it"]),
        (Failure::ConninfoOverridden(long.clone()), ["primary_conninfo", "remove it from"]),
        (
            Failure::Locked {
                lock: path.join("PGSQL.lock"),
                data_status: Some(DataStatus::Disconnected),
                primary: Some(NodeName::new("db-node02")),
                resync: Resync::Copy,
            },
            ["pg_basebackup from db-node02", "PGSQL.lock"],
        ),
        (
            Failure::StepFailed(
                Box::new(Step::PrepareDirectories),
                wrong_parameter("socketdir", &path.to_string_lossy(), &long, "correct the path"),
            ),
            ["socketdir=\"/srv/xx", "correct the path"],
        ),
    ] {
        let reason = failure.to_string();
        assert!(reason.len() <= BYTES_MAX, "{} bytes: {reason}", reason.len());
        parts.iter().for_each(|part| assert!(reason.contains(part), "{part}: {reason}"));
    }
}
