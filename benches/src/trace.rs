//! Reads what strace wrote of an action: which processes it made, and which of them wrote into the cluster. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

/// The system calls that strace is asked for.
pub const CALLS: &str = "trace=clone,clone3,fork,vfork,execve";

/// What an action did besides its own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Trace {
    /// Processes it and its children made; threads are none, and itself is not counted.
    pub processes: usize,
    /// Programs that were started with words that write an attribute or the CIB.
    pub writes: usize,
}

/// Reads the output of `strace -f -e trace=…`.
#[must_use]
pub fn parse(text: &str) -> Trace {
    let mut trace = Trace::default();
    // Whether the call that each process has not finished makes a thread.
    let mut unfinished: BTreeMap<&str, bool> = BTreeMap::new();
    for line in text.lines() {
        let Some((pid, call)) = line.trim_start().split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(words) = call.strip_prefix("execve(") {
            trace.writes += usize::from(!call.contains(" = -1 ") && writes(words));
            continue;
        }
        let begins = ["clone(", "clone3(", "fork(", "vfork("].iter().any(|c| call.starts_with(c));
        let resumes = call.starts_with("<... ") && !call.starts_with("<... execve");
        let thread = match (begins, resumes) {
            (true, _) => call.contains("CLONE_THREAD"),
            (false, true) => unfinished.remove(pid).unwrap_or(false),
            (false, false) => continue,
        };
        if begins && call.ends_with("<unfinished ...>") {
            unfinished.insert(pid, thread);
            continue;
        }
        trace.processes += usize::from(!thread && made_one(call));
    }
    trace
}

/// Whether the call's result is a process number.
fn made_one(call: &str) -> bool {
    let result = call.rsplit_once(" = ").map_or("", |(_, result)| result);
    result.split_whitespace().next().and_then(|word| word.parse::<i32>().ok()).unwrap_or(-1) > 0
}

/// Whether a program with these words changes the cluster: `"/usr/sbin/attrd_updater", ["attrd_updater", "-n", …`.
fn writes(words: &str) -> bool {
    let mut quoted = words.split('"').skip(1).step_by(2);
    let program = quoted.next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    // The next is the program's own name.
    let options: Vec<&str> = quoted.skip(1).collect();
    let has =
        |letters: &[&str]| options.iter().any(|word| letters.iter().any(|l| word.starts_with(l)));
    match program {
        "attrd_updater" => has(&["-v", "-U", "-B", "-D", "-Y", "--update", "--delete"]),
        // One that only asks has no value.
        "crm_attribute" | "crm_master" => has(&["-v", "-D", "--update", "--delete"]),
        "cibadmin" => !has(&["-Q", "--query"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_counted_and_threads_are_not() {
        let text = "\
10 execve(\"/bin/sh\", [\"sh\"], 0x7 /* 9 vars */) = 0
10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11
10 clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88 <unfinished ...>
11 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD, parent_tid=[12]) = 12
10 <... clone3 resumed>)                = 13
11 clone3({flags=CLONE_VM|CLONE_THREAD} <unfinished ...>
11 <... clone3 resumed> => {parent_tid=[14]}, 88) = 14
10 vfork()                              = -1 EAGAIN (Resource temporarily unavailable)
";
        assert_eq!(parse(text), Trace { processes: 2, writes: 0 });
    }

    #[test]
    fn programs_that_write_into_the_cluster_are_told_from_those_that_ask() {
        let call = |words: &str| format!("7 execve(\"/usr/sbin/{words}], 0x1 /* 5 vars */) = 0\n");
        let asking = [
            "crm_attribute\", [\"crm_attribute\", \"-l\", \"forever\", \"-n\", \"a-data-status\", \"-G\", \"-q\"",
            "attrd_updater\", [\"attrd_updater\", \"-n\", \"a-status\", \"-Q\"",
            "cibadmin\", [\"/usr/sbin/cibadmin\", \"-Q\", \"-l\"",
        ];
        let writing = [
            "crm_attribute\", [\"crm_attribute\", \"-p\", \"a\", \"-v\", \"1000\"",
            "attrd_updater\", [\"attrd_updater\", \"-n\", \"a-status\", \"-U\", \"PRI\"",
        ];
        let text = |calls: &[&str]| calls.iter().map(|words| call(words)).collect::<String>();
        assert_eq!(parse(&text(&asking)).writes, 0);
        assert_eq!(parse(&text(&writing)).writes, 2);
    }
}
