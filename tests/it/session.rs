//! What the server gets of its user's session: the limits that PAM sets, as from the shell agent, which starts it
//! through `runuser`.

use std::collections::BTreeSet;
use std::fs;

use crate::agent::{Agent, SUCCESS};
use crate::server::{Server, bindir, succeeded, until};

/// Runs what follows where this is `limits.conf`, and this the stack of `runuser` (empty: the system's).
fn with_pam(server: &Server, limits: &str, stack: &str) -> Vec<String> {
    let (file, pam) = (server.path("limits.conf"), server.path("runuser"));
    fs::write(&file, limits).expect("a file");
    let mut script = format!("mount --bind '{}' /etc/security/limits.conf", file.display());
    if !stack.is_empty() {
        fs::write(&pam, stack).expect("a file");
        script += &format!(" && mount --bind '{}' /etc/pam.d/runuser", pam.display());
    }
    script += " && exec \"$@\"";
    ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
}

fn under(agent: Agent, words: &[String]) -> Agent {
    agent.under(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

const DEEP_STACK: &str = "postgres - stack 65536\npostgres - nofile 4000\n";

#[test]
fn limits_of_the_database_user_hold_for_the_server() {
    let server = Server::new();
    server.configure("max_stack_depth = '32MB'\n");
    let agent = under(server.agent(), &with_pam(&server, DEEP_STACK, ""));
    let started = agent.run("start").exits(SUCCESS);
    assert!(!started.stderr.contains("without the limits"), "{}", started.stderr);
    assert_eq!(server.sql("show max_stack_depth"), "32MB");
    agent.run("stop").exits(SUCCESS);
}

#[test]
fn where_pam_refuses_a_session_the_server_starts_without_and_the_log_says_so() {
    let server = Server::new();
    let refuses = "auth sufficient pam_rootok.so\nsession required pam_deny.so\n";
    let agent = under(server.agent(), &with_pam(&server, "", refuses));
    let started = agent.run("start").exits(SUCCESS);
    assert!(started.stderr.contains("runs without the limits of postgres"), "{}", started.stderr);
    agent.run("stop").exits(SUCCESS);
}

/// What the kernel says of a process that an administrator or PAM may have arranged.
fn arranged(pid: i32) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).expect("a process");
    let of_status = ["Umask:", "Uid:", "Gid:", "Groups:", "NoNewPrivs:", "Seccomp:", "Cap"];
    let status = read("status");
    let status = status.lines().filter(|line| of_status.iter().any(|word| line.starts_with(word)));
    let mut lines: Vec<String> = status.map(str::to_owned).collect();
    for name in ["limits", "cgroup", "oom_score_adj", "timens_offsets"] {
        lines.push(read(name));
    }
    lines
}

/// The server's environment, without what is a matter of shells (`SHELL`, `PWD`, …), what `pg_ctl` sets, and what
/// the agent keeps from it.
fn environment(pid: i32) -> BTreeSet<String> {
    const SHELLS: [&str; 5] = ["SHELL=", "SHLVL=", "PWD=", "OLDPWD=", "_="];
    const AGENTS: [&str; 7] = ["OCF_", "PCMK_", "PG", "LANG=", "LC_", "NOTIFY_SOCKET=", "PATH="];
    let text = fs::read(format!("/proc/{pid}/environ")).expect("a process");
    let text = String::from_utf8_lossy(&text).into_owned();
    let words = text.split('\0').filter(|word| !word.is_empty());
    let all = SHELLS.iter().chain(&AGENTS);
    words
        .filter(|word| !all.clone().any(|name| word.starts_with(name)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_server_gets_what_the_shell_agent_gives_it() {
    let (ours, theirs) = (Server::new(), Server::new());
    let pam = with_pam(&ours, DEEP_STACK, "");
    let given =
        [("WALG_PREFIX", "s3://x"), ("TZ", "Asia/Tokyo"), ("NOTIFY_SOCKET", "/run/systemd/notify")];
    let agent =
        given.iter().fold(under(ours.agent(), &pam), |agent, (name, value)| agent.env(name, value));
    agent.run("start").exits(SUCCESS);
    // As pgsql_real_start() of the shell agent does.
    fs::create_dir(theirs.path("socket")).expect("a directory");
    crate::server::give_to_postgres(&theirs.path("socket"));
    let (data, log) =
        (theirs.data().display().to_string(), theirs.path("log").display().to_string());
    let pg_ctl = bindir().join("pg_ctl").display().to_string();
    let line = format!(
        "cd {data}; unset PGUSER; unset PGPASSWORD; {pg_ctl} -D {data} -l {log} -o '-c config_file={data}/postgresql.conf' -W start"
    );
    let mut shell = std::process::Command::new(&pam[0]);
    shell.args(&pam[1..]).args(["/sbin/runuser", "postgres", "-c", &line]);
    succeeded(shell.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(given).output());

    let pid_file = theirs.data().join("postmaster.pid");
    until("it answers", || fs::read_to_string(&pid_file).is_ok_and(|text| text.contains("ready")));
    let [mine, other] = [&ours, &theirs].map(|server| server.postmaster().pid);
    assert_eq!(arranged(mine), arranged(other));
    assert_eq!(environment(mine), environment(other));
    assert!(environment(mine).contains("WALG_PREFIX=s3://x"), "{:?}", environment(mine));
    let whole = fs::read(format!("/proc/{mine}/environ")).expect("a process");
    let whole = String::from_utf8_lossy(&whole).into_owned();
    for kept in ["OCF_", "NOTIFY_SOCKET"] {
        assert!(!whole.contains(kept), "{kept}: {whole}");
    }
    agent.run("stop").exits(SUCCESS);
}
