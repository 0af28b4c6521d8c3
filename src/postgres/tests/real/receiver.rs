//! A WAL receiver that hangs, as it does towards a host that died.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::{Server, until};
use crate::model::node::NodeName;
use crate::postgres::postmaster::{end_wal_receiver, has_wal_receiver, wal_receivers};

fn receivers(server: &Server) -> Vec<i32> {
    let found = wal_receivers(&server.settings, &server.user).expect("read");
    found.iter().map(|process| process.pid).collect()
}

#[test]
fn a_receiver_that_is_still_connecting_is_ended_and_recovery_tries_anew() {
    let mut server = Server::new();
    // Whoever connects here waits for an answer for ever.
    let mute = server.directory.path().join("mute");
    fs::create_dir(&mute).expect("directory");
    let port = server.settings.pgport;
    let socket = mute.join(format!(".s.PGSQL.{port}"));
    let _listener = UnixListener::bind(&socket).expect("bound");
    fs::set_permissions(&socket, Permissions::from_mode(0o777)).expect("chmod");
    server.settings.master_ip = mute.to_string_lossy().into_owned();
    server.standby(&NodeName::new("pm02")).write().expect("written");
    server.launch();
    until("a receiver", || has_wal_receiver(&server.settings, &server.user));
    let first = receivers(&server);
    end_wal_receiver(&server.settings, &server.user).expect("signalled");
    until("another receiver", || {
        let now = receivers(&server);
        !now.is_empty() && now.iter().all(|pid| !first.contains(pid))
    });
}
