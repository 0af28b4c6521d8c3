//! Slots and synchronous names, as a real server takes them.

use super::{Server, primary, soon, until};
use crate::model::instance::{Answer, Refusal, StandbyReport};
use crate::model::node::NodeName;
use crate::model::slot::SlotName;
use crate::model::step::ShutdownMode;
use crate::model::sync_names::SyncNames;
use crate::model::wal::Lsn;
use crate::postgres::session::Session;
use crate::postgres::version::Version;
use crate::postgres::{disk, launch, postmaster, sync_file};

fn standby(session: &mut Session) -> StandbyReport {
    let mut report = None;
    until("a standby", || match session.report(soon()) {
        Answer::Standby(standby) => {
            report = Some(standby);
            true
        }
        Answer::Refused(Refusal::StartingUp) => false,
        answer => panic!("{answer:?}"),
    });
    report.expect("reported")
}

#[test]
fn names_of_every_form_are_read_and_wal_that_a_slot_lost_is_seen() {
    let server = Server::new();
    let version = Version::new(15, 0);
    launch::prepare_directories(&server.settings, &server.user, version).expect("made");
    server.standby(&NodeName::new("PM-01")).write().expect("written");
    crate::postgres::standby::remove_mark(&server.settings, &server.user, version)
        .expect("removed");
    server.configure("max_slot_wal_keep_size = 16MB\nwal_keep_size = 0\nmax_wal_size = 32MB\n");
    server.launch();
    let mut session = server.session();
    let slot = SlotName::of("s", &NodeName::new("pm02"), &server.settings.node_list);
    primary(&mut session);
    session.create_slot(&slot, soon()).expect("created");
    assert!(!primary(&mut session).slots[0].lost);

    // Without commits: they would wait.
    let write = "select pg_logical_emit_message(false, 'x', repeat('x', 1000000)) from \
                 generate_series(1, 20); select pg_switch_wal(); checkpoint";
    until("lost", || {
        session.monitor_sql(write, soon()).expect("written");
        primary(&mut session).slots[0].lost
    });
    session.drop_slot(&slot, soon()).expect("dropped");
    session.drop_slot(&slot, soon()).expect("not there");
    session.create_slot(&slot, soon()).expect("created anew");
    let mut slots = primary(&mut session).slots;
    assert!(!slots[0].lost && slots[0].restart_lsn.is_some());
    disk::note_idle(&server.settings, &server.user, &mut slots);
    assert!(slots[0].idle.is_some_and(|idle| idle.as_secs() < 3600));
    let space = disk::wal_disk(&server.settings, &server.user, version).expect("asked");
    assert!(0 < space.free && space.free <= space.total);

    let both = || ["pm02", "dr-1.example"].map(str::to_owned);
    for names in
        [SyncNames::any_of(1, both()), SyncNames::one_of(both()), SyncNames::all_of(both())]
    {
        sync_file::write(&server.settings, &server.user, &names).expect("written");
        postmaster::reload(&server.settings, &server.user).expect("reloaded");
        until("in force", || {
            SyncNames::parse(&primary(&mut session).synchronous_standby_names) == names
        });
    }
}

#[test]
fn a_standby_keeps_slots_and_moves_them_on() {
    let server = Server::new();
    server.launch();
    primary(&mut server.session());
    server.shutdown(ShutdownMode::Fast);
    std::fs::write(server.settings.pgdata.join("standby.signal"), "").expect("write");
    server.launch();
    let mut session = server.session();
    let replayed = standby(&mut session).replayed;
    let slot = SlotName::of("s", &NodeName::new("PM-01"), &server.settings.node_list);
    session.create_slot(&slot, soon()).expect("created");
    let report = standby(&mut session);
    assert!(report.slots_advance && report.sync_config_applied);
    assert!(report.slots[0].restart_lsn <= Some(replayed) && !report.slots[0].active);
    session.advance_slot(&slot, replayed, soon()).expect("moved on");
    assert_eq!(standby(&mut session).slots[0].restart_lsn, Some(replayed));
    session.advance_slot(&slot, Lsn(8), soon()).expect_err("backwards");
    session.drop_slot(&slot, soon()).expect("dropped");
    assert_eq!(standby(&mut session).slots, []);
}
