//! Files that hold rubbish, or are no files: no action panics or outlives its timeout, a primary's monitor answers 8, and
//! a stop that answers 0 has ended the server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::agent::{NOT_RUNNING, PROMOTED, SUCCESS};
use crate::broken_cluster::{ANSWERS, LOAD, Paper, TIMEOUT};
use crate::server::give_to_postgres;

/// What may stand in the place of a file.
#[derive(Debug, Clone, Copy)]
enum Rubbish {
    Empty,
    Text(&'static str),
    Bytes,
    /// 20 MiB of lines.
    Large,
    Directory,
    Fifo,
    LinkToNowhere,
    LinkToItself,
}

const EVERYTHING: [Rubbish; 9] = [
    Rubbish::Empty,
    Rubbish::Text("99999999999999999999\n\n-1\nx y z\n'\n"),
    Rubbish::Text("synchronous_standby_names = 'ANY 99999999999 ((\"\ntimeline -1\n"),
    Rubbish::Bytes,
    Rubbish::Large,
    Rubbish::Directory,
    Rubbish::Fifo,
    Rubbish::LinkToNowhere,
    Rubbish::LinkToItself,
];

/// Puts it in the place of the file, whatever is there.
fn put(rubbish: Rubbish, path: &Path) {
    clear(path);
    match rubbish {
        Rubbish::Empty => fs::write(path, "").expect("a file"),
        Rubbish::Text(text) => fs::write(path, text).expect("a file"),
        Rubbish::Bytes => {
            let bytes: Vec<u8> = (0..=255_u8).cycle().take(3000).collect();
            fs::write(path, bytes).expect("a file");
        }
        Rubbish::Large => fs::write(path, "# a line of rubbish\n".repeat(1 << 20)).expect("a file"),
        Rubbish::Directory => fs::create_dir(path).expect("a directory"),
        Rubbish::Fifo => mkfifo(path, Mode::from_bits_truncate(0o600)).expect("a FIFO"),
        Rubbish::LinkToNowhere => return symlink("/no/such/place", path).expect("a link"),
        Rubbish::LinkToItself => return symlink(path, path).expect("a link"),
    }
    give_to_postgres(path);
}

fn clear(path: &Path) {
    match path.symlink_metadata() {
        Err(_) => {}
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).expect("a directory of ours"),
        Ok(_) => fs::remove_file(path).expect("a file of ours"),
    }
}

/// The files that the agent reads, and `postmaster.pid`, on which the server itself looks.
fn files(paper: &Paper) -> Vec<PathBuf> {
    let (data, tmp) = (paper.server.data(), paper.server.path("tmp"));
    let ours = ["PGSQL.lock", "rep_mode.conf", "recovery.conf"].map(|name| tmp.join(name));
    let theirs = ["PG_VERSION", "standby.signal", "postgresql.conf"].map(|name| data.join(name));
    ours.into_iter().chain(theirs).collect()
}

#[test]
fn a_running_primary_is_known_and_stopped_among_rubbish() {
    let paper = Paper::primary();
    let kept = paper.server.path("kept");
    for file in files(&paper) {
        let had = file.exists();
        if had {
            fs::rename(&file, &kept).expect("a file of ours");
        }
        for rubbish in EVERYTHING {
            put(rubbish, &file);
            let seen = paper.agent.clone().recurring().run("monitor").exits_one_of(&ANSWERS);
            let seen = seen.within(TIMEOUT + LOAD);
            let what = format!("{rubbish:?} in {}", file.display());
            assert!(seen.code() == PROMOTED, "{what}: {}: {}", seen.code(), seen.stderr);
        }
        let notify = paper.agent.clone().meta("notify_type", "post");
        let notify = notify.meta("notify_operation", "start").run("notify");
        drop(notify.exits(SUCCESS).within(TIMEOUT + LOAD));
        clear(&file);
        if had {
            fs::rename(&kept, &file).expect("a file of ours");
        }
    }
    files(&paper).iter().for_each(|file| put(Rubbish::Bytes, file));
    paper.assert_stops(&paper.agent, "rubbish everywhere");
}

#[test]
fn rubbish_in_postmaster_pid_hides_no_server() {
    for rubbish in EVERYTHING.into_iter().skip(1).step_by(2) {
        let paper = Paper::new();
        paper.server.agent().run("start").exits(SUCCESS);
        let file = paper.server.data().join("postmaster.pid");
        put(rubbish, &file);
        let seen = paper.server.agent().timeout(TIMEOUT).recurring().run("monitor");
        let seen = seen.exits_one_of(&ANSWERS).within(TIMEOUT + LOAD);
        assert!(seen.code() != NOT_RUNNING, "{rubbish:?}: {}", seen.stderr);
        let stop = paper.server.agent().timeout(TIMEOUT).param("stop_escalate", "2");
        stop.run("stop").exits(SUCCESS).within(TIMEOUT + LOAD);
        let left = paper.server.processes();
        assert!(left.is_empty(), "{rubbish:?}: {left:?}");
    }
}

#[test]
fn a_start_among_rubbish_ends_in_time_and_can_be_stopped() {
    let paper = Paper::new();
    paper.agent.run("start").exits(SUCCESS);
    paper.assert_stops(&paper.agent, "at first");
    let kept = paper.server.path("kept");
    for (number, file) in files(&paper).into_iter().enumerate() {
        let had = file.exists();
        if had {
            fs::rename(&file, &kept).expect("a file of ours");
        }
        // The other half of the files meets the other half of the rubbish.
        for rubbish in EVERYTHING.into_iter().skip(number % 2).step_by(2) {
            put(rubbish, &file);
            let started = paper.agent.run("start").exits_one_of(&ANSWERS).within(TIMEOUT + LOAD);
            let told = started.code() == SUCCESS || started.stderr.contains("ocf-exit-reason:");
            assert!(told, "{rubbish:?} in {}: {}", file.display(), started.stderr);
            paper.assert_stops(&paper.agent, &format!("{rubbish:?} in {}", file.display()));
        }
        clear(&file);
        if had {
            fs::rename(&kept, &file).expect("a file of ours");
        }
    }
}

#[test]
fn a_fifo_in_the_place_of_the_version_stops_no_start() {
    let paper = Paper::new();
    put(Rubbish::Fifo, &paper.server.data().join("PG_VERSION"));
    for action in ["validate-all", "start", "promote"] {
        let agent = paper.agent.clone().env("OCF_CHECK_LEVEL", "10");
        drop(agent.run(action).exits_one_of(&ANSWERS).within(TIMEOUT + LOAD));
    }
}

#[test]
fn rubbish_in_a_stale_postmaster_pid_is_no_server() {
    let paper = Paper::new();
    for rubbish in EVERYTHING.into_iter().step_by(2) {
        let file = paper.server.data().join("postmaster.pid");
        put(rubbish, &file);
        paper.agent.run("monitor").exits(NOT_RUNNING).without_reason();
        paper.agent.run("stop").exits(SUCCESS).without_reason();
        drop(paper.agent.run("start").exits_one_of(&ANSWERS).within(TIMEOUT + LOAD));
        paper.assert_stops(&paper.agent, &format!("{rubbish:?}"));
        clear(&file);
    }
}
