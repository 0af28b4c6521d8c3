//! As whom the server is asked, and what it does not show to everybody.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};

use super::{Server, primary, soon, until};
use crate::model::instance::{Answer, Postmaster, PrimaryReport, Refusal};
use crate::model::node::NodeName;
use crate::model::slot::SlotName;
use crate::model::step::ShutdownMode;
use crate::model::wal::Timeline;
use crate::postgres::postmaster;
use crate::system::command::Running;

const WATCHER: &str = "create role watcher login";

/// A server with a role that has no rights, and with something that streams from it.
fn watched() -> (Server, Running) {
    let server = Server::new();
    admit(&server, &["local all watcher trust"]);
    server.launch();
    primary(&mut server.session());
    assert_eq!(server.session().monitor_sql(WATCHER, soon()), Ok(()));
    let received = server.directory.path().join("received");
    crate::system::identity::as_user(&server.user, || fs::create_dir(&received))
        .expect("as its owner")
        .expect("made");
    let receiver = server.tool("pg_receivewal").args(["-h", &server.settings.socketdir, "-D"]);
    let receiver = receiver.arg(&received).spawn().expect("pg_receivewal");
    let mut session = server.session();
    until("streaming", || streams(&primary(&mut session)));
    (server, receiver)
}

fn streams(report: &PrimaryReport) -> bool {
    report.standbys.iter().any(|row| row.state.as_deref() == Some("streaming"))
}

/// Puts rules before the others, and lets a server that runs read them.
fn admit(server: &Server, rules: &[&str]) {
    let hba = server.settings.pgdata.join("pg_hba.conf");
    let first = server.directory.path().join("first_pg_hba.conf");
    if !first.exists() {
        fs::copy(&hba, &first).expect("copied");
    }
    let rest = fs::read_to_string(&first).expect("read");
    fs::write(&hba, rules.join("\n") + "\n" + &rest).expect("write");
    let _not_yet_running = postmaster::reload(&server.settings, &server.user);
}

#[test]
fn what_is_recorded_is_asked_as_the_owner_and_only_the_operators_statement_as_another() {
    let (mut server, _receiver) = watched();
    server.settings.monitor_user = "watcher".into();
    let mut session = server.session();
    let report = primary(&mut session);
    assert!(streams(&report) && !report.hides_standbys(), "{report:?}");
    assert_eq!(report.asked_as, server.settings.pgdba);
    let as_watcher = "select 1 / (current_user = 'watcher')::int";
    assert_eq!(session.monitor_sql(as_watcher, soon()), Ok(()));
}

#[test]
fn where_the_owner_is_not_let_in_the_other_is_asked_and_what_is_hidden_is_known_to_be() {
    let (mut server, _receiver) = watched();
    let owner = server.settings.pgdba.clone();
    let reject = format!("local all {owner} reject");
    server.settings.monitor_user = "watcher".into();
    admit(&server, &[&reject, "local all watcher trust"]);
    until("asked as watcher", || primary(&mut server.session()).asked_as == "watcher");
    let report = primary(&mut server.session());
    assert!(report.hides_standbys() && !report.standbys.is_empty(), "{report:?}");

    admit(&server, &["local all watcher trust"]);
    server.settings.monitor_user.clear();
    until("the owner is let in", || {
        let granted = server.session().monitor_sql("grant pg_monitor to watcher", soon());
        granted.is_ok()
    });
    server.settings.monitor_user = "watcher".into();
    admit(&server, &[&reject, "local all watcher trust"]);
    until("asked as watcher", || primary(&mut server.session()).asked_as == "watcher");
    let report = primary(&mut server.session());
    assert!(streams(&report) && !report.hides_standbys(), "{report:?}");

    admit(&server, &[&reject, "local all watcher reject"]);
    until("nobody is let in", || {
        matches!(server.session().report(soon()), Answer::Refused(Refusal::Other(_)))
    });
}

#[test]
fn an_owner_whom_the_address_does_not_admit_comes_by_the_socket() {
    let mut server = Server::new();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    server.settings.pgport = port.expect("a free port").port();
    let port = server.settings.pgport;
    server.configure(&format!("listen_addresses = '127.0.0.1'\nport = {port}\n"));
    admit(&server, &["host all watcher 127.0.0.1/32 trust", "host all all all reject"]);
    server.settings.pghost = "127.0.0.1".into();
    server.launch();
    assert_eq!(primary(&mut server.session()).asked_as, server.settings.pgdba);
    server.settings.monitor_user = "watcher".into();
    let mut session = server.session();
    assert_eq!(primary(&mut session).asked_as, server.settings.pgdba);
    let missing = session.monitor_sql("select 1", soon());
    assert!(missing.is_err(), "there is no such role: {missing:?}");
}

#[test]
fn a_user_without_rights_is_answered_and_the_password_file_is_read() {
    let mut server = Server::new();
    let hba = server.settings.pgdata.join("pg_hba.conf");
    let rules = fs::read_to_string(&hba).expect("read");
    fs::write(&hba, format!("local all monitor scram-sha-256\n{rules}")).expect("write");
    server.launch();
    primary(&mut server.session());
    let create = "create role monitor login password 'se:cret'";
    assert_eq!(server.session().monitor_sql(create, soon()), Ok(()));

    server.settings.monitor_user = "monitor".into();
    let refused = server.session().monitor_sql("select 1", soon()).map_err(|answer| *answer);
    assert!(matches!(refused, Err(Answer::Refused(Refusal::Other(_)))), "{refused:?}");
    server.user.home = server.directory.path().to_owned();
    let file = server.user.home.join(".pgpass");
    fs::write(&file, "localhost:*:*:monitor:se\\:cret\n").expect("write");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    chown(&file, Some(server.user.uid), None).expect("chown");
    let mut session = server.session();
    assert_eq!(session.monitor_sql("select 1", soon()), Ok(()));
    assert_eq!(primary(&mut session).timeline, Timeline(1));
    // The record and slots are the superuser's business, on a connection of its own.
    let slot = SlotName::of("s", &NodeName::new("pm02"), &server.settings.node_list);
    session.create_slot(&slot, soon()).expect("created");
    assert_eq!(primary(&mut session).slots.len(), 1);

    postmaster::shutdown(&server.settings, &server.user, ShutdownMode::Fast, soon()).expect("sent");
    until("gone", || server.find() == Postmaster::Absent);
    fs::write(server.settings.pgdata.join("standby.signal"), "").expect("write");
    server.launch();
    until("a standby", || match session.report(soon()) {
        Answer::Standby(standby) => {
            assert_eq!(
                (standby.primary_conninfo.as_deref(), standby.timeline),
                (Some(""), Timeline(1))
            );
            true
        }
        Answer::Refused(Refusal::StartingUp) => false,
        answer => panic!("{answer:?}"),
    });
}
