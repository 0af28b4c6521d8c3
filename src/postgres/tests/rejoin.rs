//! What a returning node reads, and `pg_rewind`, between two real servers.

use std::fs;
use std::time::{Duration, Instant};

use super::real::{Server, primary, soon, until};
use crate::model::instance::{Answer, ControlData, ControlState, Refusal};
use crate::model::node::NodeName;
use crate::model::step::ShutdownMode;
use crate::model::wal::{Lsn, Timeline};
use crate::postgres::standby::Standby;
use crate::postgres::version::Version;
use crate::postgres::{control_data, launch, lock_file, remote, rewind, wal_directory, wal_end};

const V15: Version = Version::new(15, 0);

fn control(server: &Server) -> ControlData {
    control_data::read(&server.settings, &server.user, soon()).expect("read")
}

fn end(server: &Server, version: Version) -> Lsn {
    let (settings, user, control) = (&server.settings, &server.user, control(server));
    let history = wal_directory::history(settings, user, V15, control.newest_timeline());
    wal_end::find(settings, user, version, &control, history.as_ref(), soon()).expect("found")
}

pub(super) fn run(server: &Server, sql: &str) {
    primary(&mut server.session());
    assert_eq!(server.session().monitor_sql(sql, soon()), Ok(()), "{sql}");
}

/// A primary and a streaming copy of it.
pub(super) fn pair() -> (Server, Server) {
    let first = Server::new();
    first.configure("wal_log_hints = on\n");
    first.launch();
    primary(&mut first.session());
    let mut second = Server::place();
    second.settings.replication_slot_name.clear();
    second.settings.master_ip.clone_from(&first.settings.socketdir);
    let copy = first.tool("pg_basebackup").args(["-c", "fast", "-h", &first.settings.socketdir]);
    copy.arg("-D").arg(&second.settings.pgdata).run().expect("copied");
    let text = fs::read_to_string(&second.settings.config).expect("read");
    let (theirs, ours) = (first.directory.path(), second.directory.path());
    let text = text.replace(&*theirs.to_string_lossy(), &ours.to_string_lossy());
    fs::write(&second.settings.config, text).expect("write");
    let node = NodeName::new("pm02");
    second.standby(&node).write().expect("written");
    second.launch();
    until("streaming", || match second.session().report(soon()) {
        Answer::Standby(standby) => standby.is_streaming(),
        Answer::Refused(Refusal::StartingUp) => false,
        answer => panic!("{answer:?}"),
    });
    (first, second)
}

/// The way from the first of a pair, as a standby, to the second.
pub(super) fn to<'a>(first: &'a Server, second: &'a Server, local: &'a NodeName) -> Standby<'a> {
    Standby { primary: Some(&second.settings.socketdir), ..first.standby(local) }
}

#[test]
fn the_end_of_wal_is_found_whatever_became_of_the_server() {
    let server = Server::new();
    let quietly = V15;
    let printing = Version::new(12, 0);
    server.launch();
    run(&server, "create table t as select generate_series(1, 20000) i");
    let flushed = primary(&mut server.session()).wal_end;
    server.shutdown(ShutdownMode::Immediate);
    assert_eq!(control(&server).state, ControlState::InProduction);
    let crashed = end(&server, quietly);
    assert!(crashed >= flushed, "{crashed} {flushed}");
    assert_eq!(end(&server, printing), crashed);

    server.launch();
    run(&server, "select pg_switch_wal()");
    server.shutdown(ShutdownMode::Fast);
    let checkpoint = control(&server).checkpoint;
    let clean = end(&server, quietly);
    assert_eq!((end(&server, printing), clean), (clean, Lsn(checkpoint.0 + 120)));

    // A file that is missing where the next record would be.
    server.launch();
    run(&server, "select pg_switch_wal()");
    server.shutdown(ShutdownMode::Immediate);
    let switched = end(&server, quietly);
    assert!(switched > clean, "{switched} {clean}");
    assert_eq!(end(&server, printing), switched);

    // Segments that were made in advance hold nothing, not even their size.
    let wal = wal_directory::directory(&server.settings, V15);
    for name in ["000000010000000000000000", "0000000100000000000000FF", "0000000200000000000000FF"]
    {
        fs::write(wal.join(name), vec![0; 1 << 20]).expect("write");
    }
    assert_eq!(end(&server, quietly), switched);
    assert_eq!(end(&server, printing), switched);

    let mut bare = server.settings.clone();
    bare.pgctl = "/nowhere/pg_ctl".into();
    let mut known = control(&server);
    assert!(wal_end::find(&bare, &server.user, V15, &known, None, soon()).is_err());
    known.state = ControlState::ShutDown;
    known.checkpoint = checkpoint;
    let found = wal_end::find(&bare, &server.user, V15, &known, None, soon());
    assert_eq!(found.expect("from the checkpoint alone"), clean);
}

#[test]
fn a_planned_switch_leaves_a_prefix_and_a_crash_with_unsent_wal_is_rewound() {
    let (first, second) = pair();
    let local = NodeName::new("PM-01");
    run(&first, "create table t as select generate_series(1, 1000) i");
    let (identifier, history) = remote::history(&to(&first, &first, &local), soon()).expect("told");
    assert_eq!(identifier, control_identifier(&first));
    assert_eq!(history.timeline, Timeline(1));
    first.shutdown(ShutdownMode::Fast);
    launch::promote(&second.settings, &second.user, soon()).expect("promoted");
    until("promoted", || matches!(second.session().report(soon()), Answer::Primary(_)));
    let (_, history) = remote::history(&to(&first, &second, &local), soon()).expect("told");
    let fork = history.fork_point(Timeline(1)).expect("a fork");
    assert_eq!(end(&first, V15), fork, "everything was received");

    // The same node again, as a primary of its own that goes another way.
    first.launch();
    run(&first, "create table lonely as select generate_series(1, 20000) i");
    first.shutdown(ShutdownMode::Immediate);
    assert!(end(&first, V15) > fork);
    let (settings, user) = (&first.settings, &first.user);
    lock_file::create(settings, user, Timeline(1)).expect("created");

    let crashed = rewind::rewind(&to(&first, &second, &local), &local, soon());
    assert!(crashed.expect_err("not shut down").to_string().contains("shut down cleanly"));
    assert_eq!(rewind::marker(settings, user).expect("read"), None, "nothing was touched");
    rewind::recover_alone(settings, user, soon()).expect("recovered");
    assert_eq!(control(&first).state, ControlState::ShutDown);
    remote::checkpoint(&to(&first, &second, &local), soon()).expect("written");
    let source = remote::rewind_source(&to(&first, &second, &local), soon()).expect("told");
    assert_eq!((source.readable, source.control_timeline), (true, Timeline(2)));

    let late = rewind::rewind(&to(&first, &second, &local), &local, Instant::now());
    late.expect_err("no time");
    assert_eq!(rewind::marker(settings, user).expect("read"), None, "nothing was touched");
    rewind::rewind(&to(&first, &second, &local), &local, soon()).expect("rewound");
    assert_eq!(rewind::marker(settings, user).expect("read"), None);
    assert_eq!(lock_file::read(settings, user).expect("read"), None);
    let control = control(&first);
    assert_eq!(control.state, ControlState::InArchiveRecovery);
    assert_eq!(control.newest_timeline(), Timeline(2));
}

fn control_identifier(server: &Server) -> u64 {
    control(server).system_identifier
}

#[test]
fn a_rewind_that_is_cut_off_stays_marked() {
    let (mut first, second) = pair();
    let local = NodeName::new("PM-01");
    first.shutdown(ShutdownMode::Immediate);
    launch::promote(&second.settings, &second.user, soon()).expect("promoted");
    until("promoted", || matches!(second.session().report(soon()), Answer::Primary(_)));
    remote::checkpoint(&to(&first, &second, &local), soon()).expect("written");
    // A directory of programs in which a real run never ends.
    let programs = first.directory.path().join("bin");
    let real = first.settings.pgctl.with_file_name("pg_rewind");
    fs::create_dir(&programs).expect("made");
    let script =
        "#!/bin/sh\ncase \"$*\" in *--dry-run*) exit 0 ;; esac\necho begun >&2\nexec sleep 60\n";
    fs::write(programs.join("pg_rewind"), script).expect("written");
    let mode = fs::metadata(&real).expect("it is there").permissions();
    fs::set_permissions(programs.join("pg_rewind"), mode).expect("executable");
    first.settings.pgctl = programs.join("pg_ctl");
    first.settings.tmpdir = first.settings.pgdata.join("tmp");
    let soon = Instant::now() + Duration::from_secs(2);
    let cut = rewind::rewind(&to(&first, &second, &local), &local, soon).expect_err("cut off");
    assert!(cut.to_string().contains("did not end in time"), "{cut}");
    let marked = rewind::marker(&first.settings, &first.user).expect("read");
    assert_eq!(marked.as_deref(), Some("pg_rewind from PM-01"));
    let marker = first.settings.rewind_marker();
    assert!(!marker.starts_with(&first.settings.pgdata), "{}", marker.display());
    assert!(!fs::read_to_string(marker).expect("read").contains("password"));
}
