//! What is kept of a real server's WAL before `pg_rewind`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::real::{Server, primary, soon};
use super::rejoin::run;
use crate::model::rejoin::LostWal;
use crate::model::step::ShutdownMode;
use crate::model::wal::{Timeline, WalLayout};
use crate::postgres::kept_wal::{expired, keep, remove};
use crate::postgres::version::Version;
use crate::system::command::Command;
use crate::system::files::create_directory;

const V15: Version = Version::new(15, 0);

/// The complete folders.
fn folders(server: &Server) -> Vec<PathBuf> {
    let found = fs::read_dir(server.settings.kept_wal()).expect("read");
    found.map(|folder| folder.expect("read").path()).collect()
}

#[test]
fn what_only_this_node_has_is_kept_whole_and_can_be_looked_at() {
    let mut server = Server::new();
    server.launch();
    run(&server, "create table lonely (i int)");
    run(&server, "select pg_switch_wal()");
    let from = primary(&mut server.session()).wal_end;
    run(&server, "insert into lonely select generate_series(1, 1000)");
    run(&server, "select pg_switch_wal()");
    run(&server, "insert into lonely select generate_series(1, 1000)");
    let to = primary(&mut server.session()).wal_end;
    server.shutdown(ShutdownMode::Immediate);
    let lost = LostWal { timeline: Timeline(1), from, to, layout: WalLayout::USUAL };

    let two_segments = 2 << 24;
    server.settings.policy.rewind_keep_size = two_segments - 1;
    let refused = keep(&server.settings, &server.user, V15, &lost, soon()).expect_err("too much");
    for word in ["rewind_keep_size", "32MB", "32 MB of WAL", "raise it"] {
        assert!(refused.to_string().contains(word), "{word}: {refused}");
    }
    assert_eq!(folders(&server), Vec::<PathBuf>::new());

    // What a start that was cut off has left.
    let unfinished = server.settings.kept_wal().join("unfinished");
    create_directory(&unfinished, 0o700, &server.user).expect("made");
    server.settings.policy.rewind_keep_size = two_segments;
    keep(&server.settings, &server.user, V15, &lost, soon()).expect("kept");
    let found = folders(&server);
    let [folder] = &found[..] else { panic!("{found:?}") };
    let data = fs::metadata(folder).expect("there");
    assert_eq!((data.permissions().mode() & 0o777, data.uid()), (0o700, server.user.uid));
    let (first, last) = (lost.first_segment(), lost.last_segment());
    for name in [&first, &last] {
        let original = fs::read(server.settings.pgdata.join("pg_wal").join(name)).expect("read");
        assert!(fs::read(folder.join(name)).expect("read") == original, "{name}");
    }
    let dump = Command::new(server.settings.pgctl.with_file_name("pg_waldump"));
    let dump = dump.deadline(soon()).arg("-p").arg(folder).args(["-s", &lost.from.to_string()]);
    let dump = dump.args(["-e", &lost.to.to_string()]).args([&first, &last]).run().expect("read");
    assert!(dump.stdout.matches("INSERT").count() >= 2000, "{}", dump.stdout.len());

    // The same is kept once; something else would, together with it, be more than there may be.
    keep(&server.settings, &server.user, V15, &lost, soon()).expect("kept");
    assert_eq!(folders(&server).len(), 1);
    let segment = server.settings.pgdata.join("pg_wal").join(&last);
    let mut bytes = fs::read(&segment).expect("read");
    bytes[1 << 20] ^= 1;
    fs::write(&segment, bytes).expect("written");
    keep(&server.settings, &server.user, V15, &lost, soon()).expect_err("too much");
    assert_eq!(folders(&server).len(), 1);

    // A start that is tried again within the same second has a folder of its own.
    server.settings.policy.rewind_keep_size = 4 * two_segments;
    for byte in 2..=4 {
        let mut bytes = fs::read(&segment).expect("read");
        bytes[byte << 20] ^= 1;
        fs::write(&segment, bytes).expect("written");
        keep(&server.settings, &server.user, V15, &lost, soon()).expect("kept");
    }
    assert_eq!(folders(&server).len(), 4);
}

#[test]
fn only_folders_of_the_agent_that_are_old_enough_go() {
    let mut server = Server::place();
    assert_eq!(expired(&server.settings, &server.user), Vec::<PathBuf>::new());
    let place = server.settings.kept_wal();
    for name in ["wal-1000000000", "wal-99999999999", "wal-x", "another"] {
        create_directory(&place.join(name), 0o700, &server.user).expect("made");
    }
    let old = place.join("wal-1000000000");
    assert_eq!(expired(&server.settings, &server.user), std::slice::from_ref(&old));
    server.settings.policy.rewind_keep_days = 0;
    assert_eq!(expired(&server.settings, &server.user), Vec::<PathBuf>::new());
    remove(&server.user, &old).expect("removed");
    remove(&server.user, &old).expect("it is gone already");
    assert_eq!(folders(&server).len(), 3);
}
