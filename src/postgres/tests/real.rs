//! The layer against a real PostgreSQL 15 in a temporary directory: each test makes its own server
//! on its own socket, as the user `postgres` when it runs as root.

mod receiver;
mod rights;
mod slots;
mod targets;
mod tls;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{settings_in, whoami};
use crate::model::instance::{Answer, ControlState, Postmaster, PrimaryReport, Refusal};
use crate::model::node::NodeName;
use crate::model::recovery_timeline::RecoveryTimeline;
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::slot::SlotName;
use crate::model::step::ShutdownMode;
use crate::model::sync_names::SyncNames;
use crate::model::wal::Timeline;
use crate::postgres::server_log::{self, Mark};
use crate::postgres::session::Session;
use crate::postgres::standby::{Standby, primary_conninfo_overridden};
use crate::postgres::version::Version;
use crate::postgres::{control_data, launch, postmaster, sync_file};
use crate::system::command::Command;
use crate::system::identity::{User, acting_as_root};
use crate::system::process::Process;

pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(180)
}

pub(super) struct Server {
    pub(super) directory: TempDir,
    pub(super) settings: Settings,
    pub(super) user: User,
}

impl Server {
    /// Prepares an empty place for a server.
    pub(super) fn place() -> Self {
        let name = if acting_as_root() { "postgres".to_owned() } else { whoami() };
        let user = User::lookup(&name).expect("lookup").unwrap_or_else(|| panic!("no user {name}"));
        let directory = tempfile::tempdir().expect("directory");
        chown(directory.path(), Some(user.uid), Some(user.gid)).expect("chown");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let mut settings = settings_in(&directory.path().join("data"));
        settings.pgdba = name;
        settings.tmpdir = directory.path().join("tmp");
        settings.socketdir = directory.path().join("socket").to_string_lossy().into_owned();
        settings.logfile = directory.path().join("log");
        settings.master_ip = settings.socketdir.clone();
        settings.repuser.clone_from(&settings.pgdba);
        settings.rep_mode = ReplicationMode::Sync;
        settings.replication_slot_name = "s".into();
        settings.node_list = vec![NodeName::new("PM-01"), NodeName::new("pm02")];
        assert!(settings.pgctl.exists(), "these tests need PostgreSQL 15 (package postgresql-15)");
        Self { directory, settings, user }
    }

    pub(super) fn new() -> Self {
        let server = Self::place();
        let data = &server.settings.pgdata;
        server.tool("initdb").args(["-N", "-A", "peer", "-D"]).arg(data).run().expect("initdb");
        server.configure("listen_addresses = ''\nfsync = off\n");
        server
    }

    pub(super) fn tool(&self, name: &str) -> Command {
        let program = self.settings.pgctl.with_file_name(name);
        Command::new(program).as_user(&self.user).deadline(soon())
    }

    pub(super) fn configure(&self, line: &str) {
        let config = &self.settings.config;
        let socket = format!("unix_socket_directories = '{}'\n", self.settings.socketdir);
        let text = fs::read_to_string(config).expect("read");
        fs::write(config, text + &socket + line).expect("write");
    }

    pub(super) fn launch(&self) {
        let version = Version::of_directory(&self.settings, &self.user).expect("version");
        launch::prepare_directories(&self.settings, &self.user, version).expect("directories");
        launch::launch(&self.settings, &self.user, soon()).expect("launched");
    }

    fn find(&self) -> Postmaster {
        postmaster::find(&self.settings, &self.user).expect("found")
    }

    pub(super) fn session(&self) -> Session {
        Session::new(&self.settings, &self.user)
    }

    pub(super) fn standby<'a>(&'a self, local: &'a NodeName) -> Standby<'a> {
        let (settings, user, version) = (&self.settings, &self.user, Version::new(15, 0));
        let recovers_to = RecoveryTimeline::Latest;
        Standby {
            settings,
            user,
            local,
            version,
            primary: None,
            recovers_to,
            retry_interval_unset: true,
        }
    }

    pub(super) fn shutdown(&self, mode: ShutdownMode) {
        postmaster::shutdown(&self.settings, &self.user, mode, soon()).expect("signalled");
        until("stopped", || self.find() == Postmaster::Absent);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = postmaster::shutdown(&self.settings, &self.user, ShutdownMode::Kill, soon());
    }
}

pub(super) fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = soon();
    while !reached() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        crate::system::pause::pause(Duration::from_millis(10));
    }
}

pub(super) fn primary(session: &mut Session) -> PrimaryReport {
    let mut report = None;
    until("a primary", || match session.report(soon()) {
        Answer::Primary(primary) => {
            report = Some(primary);
            true
        }
        Answer::Standby(_) | Answer::Refused(Refusal::StartingUp) => false,
        other => panic!("{other:?}"),
    });
    report.expect("reported")
}

#[test]
fn a_primary_is_launched_asked_stopped_and_proven_gone() {
    let server = Server::new();
    assert_eq!(server.find(), Postmaster::Absent);
    server.launch();
    let Postmaster::Running { pid, .. } = server.find() else { panic!("not running") };
    let mut session = server.session();
    let report = primary(&mut session);
    assert_eq!(report.timeline, Timeline(1));
    assert!(report.wal_end.0 > 0x0100_0000);

    assert_eq!(session.monitor_sql("select now();", soon()), Ok(()));
    let failed = session.monitor_sql("select no_such_thing", soon());
    let said = failed.map_err(|answer| *answer);
    assert!(matches!(said, Err(Answer::MonitorSqlFailed(_))), "{said:?}");
    let late =
        session.monitor_sql("select pg_sleep(60)", Instant::now() + Duration::from_millis(200));
    assert!(late.is_err());
    let local = NodeName::new("pm02");
    let slot = SlotName::of("s", &local, &server.settings.node_list);
    session.create_slot(&slot, soon()).expect("created");
    session.create_slot(&slot, soon()).expect("exists");
    let slots = primary(&mut session).slots;
    assert_eq!((slots.len(), slots[0].name.as_str()), (1, "s_pm02"));
    assert!(slots[0].restart_lsn.is_some());

    kill(Pid::from_raw(pid), Signal::SIGSTOP).expect("stopped");
    let silent = server.session().report(Instant::now() + Duration::from_millis(300));
    assert!(matches!(silent, Answer::Silent(_)), "{silent:?}");
    kill(Pid::from_raw(pid), Signal::SIGCONT).expect("continued");
    primary(&mut session);

    server.shutdown(ShutdownMode::Fast);
    let refused = session.report(soon());
    assert!(matches!(refused, Answer::Refused(_)), "{refused:?}");
    let control = control_data::read(&server.settings, &server.user, soon()).expect("read");
    assert_eq!((control.state, control.timeline), (ControlState::ShutDown, Timeline(1)));
    server.launch();
    primary(&mut session);
}

#[test]
fn orphans_of_a_killed_postmaster_are_seen_and_removed() {
    let server = Server::new();
    server.launch();
    let mut session = server.session();
    primary(&mut session);
    let Postmaster::Running { pid, .. } = server.find() else { panic!("not running") };
    // Stopped children cannot notice that their parent is gone.
    let children = Process::using_directory(&server.settings.pgdata).expect("read");
    let mut children = children.unwrap_or_default();
    children.retain(|process| process.parent == pid);
    assert!(children.len() > 2);
    for child in &children {
        child.signal(Signal::SIGSTOP).expect("stopped");
    }
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("killed");
    until("orphans", || server.find() == Postmaster::Orphans { count: children.len() });
    postmaster::shutdown(&server.settings, &server.user, ShutdownMode::Kill, soon()).expect("gone");
    assert_eq!(server.find(), Postmaster::Absent);
    server.launch();
    primary(&mut session);
}

#[test]
fn a_standby_follows_is_reported_and_promoted() {
    let first = Server::new();
    let (one, two) = (NodeName::new("PM-01"), NodeName::new("pm02"));
    launch::prepare_directories(&first.settings, &first.user, Version::new(15, 0)).expect("made");
    first.standby(&one).write().expect("written");
    crate::postgres::standby::remove_mark(&first.settings, &first.user, Version::new(15, 0))
        .expect("removed");
    first.launch();
    let mut session = first.session();
    primary(&mut session);
    let slot = SlotName::of("s", &two, &first.settings.node_list);
    session.create_slot(&slot, soon()).expect("created");

    let mut second = Server::place();
    second.settings.master_ip.clone_from(&first.settings.socketdir);
    let data = second.settings.pgdata.clone();
    let copy = first.tool("pg_basebackup").args(["-c", "fast", "-h", &first.settings.socketdir]);
    copy.arg("-D").arg(&data).run().expect("copied");
    second.configure("");
    fs::write(&second.settings.config, {
        let text = fs::read_to_string(&second.settings.config).expect("read");
        text.replace(
            &*first.directory.path().to_string_lossy(),
            &second.directory.path().to_string_lossy(),
        )
    })
    .expect("write");
    second.standby(&two).write().expect("written");
    assert!(second.standby(&two).is_current().expect("read"));
    second.launch();
    let mut other = second.session();
    until("streaming", || match other.report(soon()) {
        Answer::Standby(standby) => standby.is_streaming(),
        Answer::Refused(Refusal::StartingUp) => false,
        answer => panic!("{answer:?}"),
    });
    sync_file::write(&first.settings, &first.user, &SyncNames::all_of(["pm02".into()]))
        .expect("ok");
    postmaster::reload(&first.settings, &first.user).expect("reloaded");
    until("synchronous", || {
        let report = primary(&mut session);
        let row = report.standbys.iter().find(|row| row.application_name == "pm02");
        report.synchronous_standby_names == "\"pm02\""
            && row.is_some_and(|row| row.sync_state.as_deref() == Some("sync"))
    });
    let end = primary(&mut session);
    assert_eq!(end.standbys[0].state.as_deref(), Some("streaming"));
    let Answer::Standby(report) = other.report(soon()) else { panic!("no standby") };
    let ours = second.standby(&two).conninfo();
    let effective = report.primary_conninfo.clone().expect("visible");
    assert!(!primary_conninfo_overridden(&effective, &ours), "{effective}");
    assert_eq!(report.timeline, Timeline(1));
    until("all received", || match other.report(soon()) {
        Answer::Standby(standby) => standby.wal_end >= end.wal_end,
        answer => panic!("{answer:?}"),
    });

    first.shutdown(ShutdownMode::Immediate);
    launch::promote(&second.settings, &second.user, soon()).expect("promoted");
    assert_eq!(primary(&mut other).timeline, Timeline(2));
}

#[test]
fn a_server_that_cannot_start_tells_why() {
    let mut server = Server::new();
    server.configure("max_connections = many\n");
    for logfile in [server.settings.logfile.clone(), "/dev/null".into()] {
        server.settings.logfile = logfile;
        let mark = Mark::now(&server.settings, &server.user);
        server.launch();
        until("dead", || server.find() == Postmaster::Absent);
        let reason = server_log::last_fatal(&server.settings, &server.user, &mark, soon());
        let reason = reason.expect("a reason");
        assert!(reason.contains("max_connections"), "{reason}");
    }
}
