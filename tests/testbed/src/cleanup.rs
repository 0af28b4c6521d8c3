//! Leaves nothing behind: on Ctrl-C, and after runs that were killed. How one cluster ends is `shared`'s business.

use crate::error::Error;
use crate::shared::{self, CLUSTERS, Shared};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, Weak};

static CLUSTERS_ALIVE: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());
static BELL: OnceLock<std::io::PipeWriter> = OnceLock::new();
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes a cluster and remembers it, so that Ctrl-C ends it too, even one that is half made.
pub(crate) fn register(
    make: impl FnOnce() -> Result<Arc<Shared>, Error>,
) -> Result<Arc<Shared>, Error> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = clean_up_on_signals() {
            eprintln!("testbed: Ctrl-C will leave things behind until the next run: {error}");
        }
        sweep();
    });
    let mut alive = CLUSTERS_ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
    alive.retain(|cluster| cluster.strong_count() > 0);
    let shared = make()?;
    alive.push(Arc::downgrade(&shared));
    Ok(shared)
}

/// Whether Ctrl-C, SIGTERM or SIGHUP came: everything is being taken down, and the process ends by itself.
#[must_use]
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

fn clean_up_on_signals() -> std::io::Result<()> {
    let (mut listener, bell) = std::io::pipe()?;
    if BELL.set(bell).is_err() {
        return Ok(());
    }
    let action = SigAction::new(SigHandler::Handler(ring), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        #[expect(unsafe_code, reason = "installing a signal handler is unsafe by nature")]
        // SAFETY: the handler only writes one byte to a pipe, which is async-signal-safe.
        unsafe { sigaction(signal, &action) }?;
    }
    let wait = move || {
        let mut signal = [0_u8];
        if listener.read_exact(&mut signal).is_ok() {
            let alive = CLUSTERS_ALIVE.lock().unwrap_or_else(PoisonError::into_inner);
            alive.iter().filter_map(Weak::upgrade).for_each(|cluster| cluster.scrap());
            std::process::exit(128 + i32::from(signal[0]));
        }
    };
    std::thread::Builder::new().name("clean up".into()).spawn(wait).map(drop)
}

extern "C" fn ring(signal: nix::libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
    if let (Some(mut bell), Ok(signal)) = (BELL.get(), u8::try_from(signal)) {
        let _pipe_full_means_already_rung = bell.write(&[signal]);
    }
}

/// Removes what earlier runs left that were killed: their namespaces, mounts and directories.
pub fn sweep() {
    let Ok(entries) = fs::read_dir(CLUSTERS) else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let owner =
            fs::read_to_string(Path::new(CLUSTERS).join(&name).join("owner")).unwrap_or_default();
        let just_being_made =
            owner.is_empty() && pid_of(&name).is_some_and(|pid| start_time(pid).is_some());
        if !just_being_made && !is_alive(&owner) {
            shared::clear(&name);
        }
    }
}

/// Who owns the clusters of this process: its pid and when it started, since pids come round again.
pub(crate) fn owner() -> String {
    let pid = std::process::id();
    format!("{pid} {}", start_time(pid).unwrap_or_default())
}

fn is_alive(owner: &str) -> bool {
    let Some((pid, started)) = owner.split_once(' ') else { return false };
    pid.parse().ok().and_then(start_time).is_some_and(|now| now == started)
}

/// The owner's pid as the cluster's name has it: `tb<pid>-<counter>`.
fn pid_of(cluster: &str) -> Option<u32> {
    cluster.strip_prefix("tb")?.split_once('-')?.0.parse().ok()
}

/// Field 22 of `/proc/<pid>/stat`.
fn start_time(pid: u32) -> Option<String> {
    let mut text = String::new();
    File::open(format!("/proc/{pid}/stat")).ok()?.read_to_string(&mut text).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_an_impostor_is_not() {
        assert!(is_alive(&owner()));
        assert!(!is_alive(&format!("{} 1", std::process::id())));
        assert!(!is_alive(""));
        assert_eq!(pid_of("tb4711-2"), Some(4711));
    }
}
