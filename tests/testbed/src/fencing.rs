//! The power switch: answers the fence agents of the hosts over a unix socket. Which host deserves it is Pacemaker's
//! business.

use crate::error::{Doing, Error};
use crate::shared::Shared;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, SystemTime};

/// How the power switch obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fencing {
    /// At once.
    Immediate,
    /// After that time, as a slow management board does. A host that dies meanwhile takes its own request along.
    After(Duration),
    /// Never: every request fails.
    Disabled,
}

/// A host that fencing switched off.
#[derive(Debug, Clone)]
pub struct Fenced {
    /// Whom.
    pub host: String,
    /// When the switch was asked.
    pub asked: SystemTime,
    /// When the last process of the host was dead.
    pub dead: SystemTime,
}

/// Listens until the socket's directory goes away with the cluster.
pub(crate) fn serve(directory: &Path, shared: &Arc<Shared>) -> Result<(), Error> {
    let listener = UnixListener::bind(directory.join("power"))
        .doing(|| "open the power switch's socket".into())?;
    let shared = Arc::downgrade(shared);
    let accept = move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if shared.strong_count() == 0 {
                break;
            }
            let shared = shared.clone();
            // A caller that dies half-way is Pacemaker's affair.
            thread::spawn(move || drop(answer(&stream, &shared)));
        }
    };
    thread::Builder::new()
        .name("power switch".into())
        .spawn(accept)
        .doing(|| "start the power switch".into())?;
    Ok(())
}

/// Wakes the listener, so that it notices the end.
pub(crate) fn stop(directory: &Path) {
    drop(UnixStream::connect(directory.join("power")));
}

fn answer(stream: &UnixStream, shared: &Weak<Shared>) -> std::io::Result<()> {
    let mut question = String::new();
    BufReader::new(stream).read_line(&mut question)?;
    let (action, host) = question.trim_end().split_once(' ').unwrap_or((question.trim_end(), ""));
    let answer = obey(action, host, stream, shared);
    let mut stream = stream;
    stream.write_all(answer.as_bytes())
}

fn obey(action: &str, host: &str, caller: &UnixStream, shared: &Weak<Shared>) -> String {
    let asked = SystemTime::now();
    let Some(cluster) = shared.upgrade() else { return "the cluster is gone".into() };
    let fencing = cluster.fencing();
    match (action, cluster.machine(host)) {
        ("list", _) => {
            let names: Vec<String> =
                cluster.machines.iter().map(|machine| format!("{},\n", machine.name)).collect();
            format!("ok\n{}", names.concat())
        }
        ("validate-all", _) => "ok\n".into(),
        _ if fencing == Fencing::Disabled => "the power switch does not obey".into(),
        ("monitor", _) => "ok\n".into(),
        ("status", Some(machine)) if machine.pid().is_some() => "ok\n".into(),
        ("status", Some(_)) => "is off\n".into(),
        ("off" | "reboot", Some(_)) => {
            // The cluster may end while we wait; only the weak reference stays.
            drop(cluster);
            if let Fencing::After(delay) = fencing {
                thread::sleep(delay);
            }
            switch_off(host, asked, caller, shared)
        }
        ("on", Some(_)) => "only the test switches hosts on".into(),
        _ => format!("no host {host:?}, or nothing called {action:?}"),
    }
}

fn switch_off(host: &str, asked: SystemTime, caller: &UnixStream, shared: &Weak<Shared>) -> String {
    /// One at a time: of two hosts that shoot each other, the one that is hit first does not shoot any more.
    static TRIGGER: Mutex<()> = Mutex::new(());
    let _one_at_a_time = TRIGGER.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(cluster) = shared.upgrade() else { return "the cluster is gone".into() };
    let Some(machine) = cluster.machine(host) else { return format!("no host {host:?}") };
    if has_hung_up(caller) {
        return "the caller is gone".into();
    }
    match machine.off(&cluster.network) {
        Ok(was_on) => {
            if was_on {
                cluster.note_fenced(Fenced { host: host.into(), asked, dead: SystemTime::now() });
            }
            "ok\n".into()
        }
        Err(error) => error.to_string(),
    }
}

/// Whether the fence agent at the other end is no more, because its host is dead or Pacemaker lost patience.
fn has_hung_up(mut caller: &UnixStream) -> bool {
    if caller.set_nonblocking(true).is_err() {
        return true;
    }
    let hung_up = match caller.read(&mut [0_u8; 16]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    hung_up || caller.set_nonblocking(false).is_err()
}
