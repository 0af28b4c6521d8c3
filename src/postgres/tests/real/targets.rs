//! What keeps a standby from being a plain one: recovery targets that were left behind, replay that is paused.

use super::{Server, primary, soon, until};
use crate::facts;
use crate::model::instance::{Answer, Refusal};
use crate::model::node::NodeName;
use crate::model::step::ShutdownMode;

#[test]
fn a_target_in_the_configuration_file_promotes_no_standby_and_one_that_overrides_is_found() {
    let server = Server::new();
    server.configure("recovery_target = 'immediate'\nrecovery_target_action = 'promote'\n");
    server.standby(&NodeName::new("pm02")).write().expect("written");
    assert!(server.standby(&NodeName::new("pm02")).is_current().expect("read"));
    server.launch();
    let mut session = server.session();
    until("a standby that has tried to stream", || match session.report(soon()) {
        Answer::Standby(report) => report.local_wal_exhausted,
        Answer::Refused(Refusal::StartingUp) => false,
        other => panic!("{other:?}"),
    });
    assert_eq!(facts::gather(&server.settings).recovery_target, None);

    crate::postgres::launch::promote(&server.settings, &server.user, soon()).expect("promoted");
    primary(&mut session);
    let set = "alter system set recovery_target_name = 'before the upgrade'";
    assert_eq!(session.monitor_sql(set, soon()), Ok(()));
    let found = facts::gather(&server.settings).recovery_target;
    assert_eq!(found, Some("recovery_target_name"));
    assert_eq!(session.monitor_sql("alter system reset recovery_target_name", soon()), Ok(()));
    assert_eq!(facts::gather(&server.settings).recovery_target, None);
    server.shutdown(ShutdownMode::Fast);
}

#[test]
fn a_replay_that_is_paused_goes_on() {
    let server = Server::new();
    server.standby(&NodeName::new("pm02")).write().expect("written");
    server.launch();
    let mut session = server.session();
    until("a standby", || match session.report(soon()) {
        Answer::Standby(_) => true,
        Answer::Refused(Refusal::StartingUp) => false,
        other => panic!("{other:?}"),
    });
    assert!(!session.resume_replay(soon()).expect("a standby"));
    assert_eq!(session.monitor_sql("select pg_wal_replay_pause()", soon()), Ok(()));
    assert!(session.resume_replay(soon()).expect("a standby"));
    assert!(!session.resume_replay(soon()).expect("a standby"));
    crate::postgres::launch::promote(&server.settings, &server.user, soon()).expect("promoted");
    primary(&mut session);
    assert!(session.resume_replay(soon()).is_err(), "a primary replays nothing");
}
