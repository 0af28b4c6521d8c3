//! An old primary that starts beside an archive that it shares with the new one.

use super::real::{Server, primary, soon, until};
use super::rejoin::{pair, run, to};
use crate::model::instance::{Answer, Refusal, StandbyReport};
use crate::model::node::NodeName;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::step::ShutdownMode;
use crate::model::wal::{Lsn, Timeline};
use crate::postgres::standby::Standby;
use crate::postgres::version::Version;
use crate::postgres::{launch, remote, wal_directory};

const V15: Version = Version::new(15, 0);

/// A crashed primary with WAL that nobody received, and the one that was promoted since, both of which keep
/// their WAL in the same archive. Returns where the later timeline left the first one.
fn forked() -> (Server, Server, Lsn) {
    let archive = |server: &mut Server, directory: &std::path::Path| {
        let place = directory.join("archive");
        server.settings.restore_command = format!("cp {}/%f \"%p\"", place.display());
        format!("archive_mode = on\narchive_command = 'cp \"%p\" {}/%f'\n", place.display())
    };
    let (mut first, mut second) = pair();
    let shared = first.directory.path().to_owned();
    let made = crate::system::identity::as_user(&first.user, || {
        std::fs::create_dir(shared.join("archive"))
    });
    made.expect("identity").expect("made");
    let lines = archive(&mut first, &shared);
    first.configure(&lines);
    first.shutdown(ShutdownMode::Fast);
    first.launch();
    run(&first, "create table common as select generate_series(1, 1000) i");
    let end = primary(&mut first.session()).wal_end;
    until("all is received", || report(&second).is_some_and(|report| report.replayed >= end));
    second.shutdown(ShutdownMode::Fast);
    let lines = archive(&mut second, &shared);
    second.configure(&lines);
    // What nobody receives.
    run(&first, "create table lonely as select generate_series(1, 2000) i");
    run(&first, "insert into lonely select generate_series(1, 20000)");
    first.shutdown(ShutdownMode::Immediate);

    second.launch();
    until("a standby", || matches!(second.session().report(soon()), Answer::Standby(_)));
    launch::promote(&second.settings, &second.user, soon()).expect("promoted");
    run(&second, "create table served as select generate_series(1, 50000) i");
    run(&second, "select pg_switch_wal()");
    run(&second, "insert into served select generate_series(1, 50000)");
    run(&second, "select pg_switch_wal()");
    let history = shared.join("archive/00000002.history");
    until("the history is archived", || history.exists());
    let local = NodeName::new("PM-01");
    let (_, history) = remote::history(&to(&first, &second, &local), soon()).expect("told");
    let fork = history.fork_point(Timeline(1)).expect("a fork");
    (first, second, fork)
}

fn report(server: &Server) -> Option<StandbyReport> {
    match server.session().report(soon()) {
        Answer::Standby(standby) => Some(standby),
        Answer::Refused(Refusal::StartingUp | Refusal::Other(_)) => None,
        answer => {
            let log = std::fs::read_to_string(&server.settings.logfile).unwrap_or_default();
            panic!("{answer:?}: {log}")
        }
    }
}

#[test]
fn unproven_data_is_not_led_past_the_fork_by_an_archive() {
    let (first, second, fork) = forked();
    let local = NodeName::new("PM-01");
    let recovers_to = RecoveryTimeline::Own(Some(Timeline(1)));
    let standby = Standby { recovers_to, ..to(&first, &second, &local) };
    standby.write().expect("written");
    assert_eq!(standby.recovers_at_present().expect("read"), Some(recovers_to));
    first.launch();
    let (settings, user) = (&first.settings, &first.user);
    let told = || wal_directory::left_at(settings, user, V15, Timeline(1));
    until("it is told of the fork", || told().is_some_and(|left| left.lsn == fork));
    until("it has read its own WAL", || {
        report(&first).is_some_and(|report| report.local_wal_exhausted)
    });
    // It is sent what both have in common, again and again, and no more.
    let asks = || {
        let log = std::fs::read_to_string(&first.settings.logfile).expect("read");
        assert!(!log.contains("on timeline 2"), "{log}");
        log.matches("on timeline 1").count() + log.matches("restarted WAL streaming").count()
    };
    until("it has asked the primary", || asks() >= 1);
    let seen = report(&first).expect("a standby");
    assert!(seen.replayed > fork, "{} {fork}", seen.replayed);
    assert_eq!(seen.timeline, Timeline(1));
    assert_eq!(wal_directory::newest_timeline(settings, user, V15), Some(Timeline(1)));
}
