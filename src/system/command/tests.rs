//! Tests of `command`.

use nix::sys::signal::Signal;

use super::*;
use crate::system::process::Process;

fn shell(script: &str) -> Command {
    Command::new("/bin/sh").arg("-c").arg(script)
}

fn soon(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

#[test]
fn output_of_any_size_arrives_without_deadlock() {
    let script =
        "head -c 3000000 /dev/zero | tr '\\0' e >&2; head -c 3000000 /dev/zero | tr '\\0' o";
    let output = shell(script).run().expect("runs");
    assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_000, 3_000_000));
}

#[test]
fn lines_are_handed_over_as_they_come_and_not_kept() {
    let mut lines = 0;
    let running = shell("seq 200000; printf 'a\\rb\\r' >&2; printf last >&2; exit 3").spawn();
    let error = running.expect("started").each_line(|_| lines += 1).expect_err("fails");
    assert_eq!((lines, error.exit_code()), (200_003, Some(3)));
    assert!(error.to_string().ends_with("last"), "{error}");
}

#[test]
fn a_failure_carries_code_and_words() {
    let error = shell("echo reason >&2; exit 105").run().expect_err("fails");
    assert_eq!(error.exit_code(), Some(105));
    assert!(error.to_string().contains("reason"), "{error}");
    let missing = Command::new("/no/such/program").run().expect_err("fails");
    assert!(matches!(missing, CommandError::Start { .. }));
    let relative = Command::new("sh").run().expect_err("fails");
    assert!(matches!(relative, CommandError::Start { .. }));
}

#[test]
fn the_deadline_kills_the_whole_group() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let script = format!("sleep 600 & echo $! > {}; wait", file.path().display());
    // On a busy machine the shell needs longer to have a child.
    let child: i32 = (0..8)
        .find_map(|power| {
            let error = shell(&script).deadline(soon(100 << power)).run().expect_err("killed");
            assert!(matches!(error, CommandError::TimedOut { .. }));
            std::fs::read_to_string(file.path()).expect("file").trim().parse().ok()
        })
        .expect("a child");
    let end = soon(60_000);
    while Process::read(child).is_some() {
        assert!(Instant::now() < end, "the shell's child was not killed");
        std::thread::yield_now();
    }
}

/// As when a server is asked in the meantime, and takes longer.
#[test]
fn what_was_said_in_time_is_heard_later() {
    let running = shell("seq 100000").deadline(soon(1_000)).spawn().expect("started");
    crate::system::pause::pause(Duration::from_millis(1_500));
    assert!(running.wait().expect("it has ended").stdout.ends_with("\n100000\n"));
}

#[test]
fn an_endless_writer_does_not_outlive_the_deadline() {
    let error = shell("exec cat /dev/zero").deadline(soon(50)).run().expect_err("killed");
    assert!(matches!(error, CommandError::TimedOut { .. }));
}

#[test]
fn a_daemon_that_keeps_the_output_open_is_not_waited_for() {
    let output = shell("sleep 600 & echo $!").run().expect("runs");
    let daemon = Process::read(output.stdout.trim().parse().expect("a number"));
    let daemon = daemon.expect("it lives, for nobody waited for its end");
    assert!(daemon.signal(Signal::SIGKILL).expect("signal"));
}

#[test]
fn the_environment_is_clean() {
    let output = Command::new("/usr/bin/env").env("GIVEN", "1").run().expect("runs");
    let mut keys: Vec<_> =
        output.stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["GIVEN", "HOME", "LANG", "LC_ALL", "PATH"]);
}

#[test]
fn a_program_runs_as_another_user_with_its_groups() {
    if !super::super::identity::acting_as_root() {
        return;
    }
    let nobody = User::lookup("nobody").expect("lookup").expect("exists");
    let output = shell("id -u; id -G; umask").as_user(&nobody).run().expect("runs");
    assert_eq!(output.stdout, format!("{}\n{}\n0077\n", nobody.uid, nobody.gid));
    let refused = super::super::identity::as_user(&nobody, || shell("id").run());
    assert!(matches!(refused, Ok(Err(CommandError::Start { .. }))));
}
