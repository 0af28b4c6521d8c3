//! The old primary's way back: what the agent says, and what the operator does about it. The only module that must
//! change when the agent learns to do it by itself; a host that needs no help is shown as such already.

use crate::error::Error;
use crate::facts::Players;
use crate::hosts::{in_words, status};
use crate::progress::Progress;
use crate::server_log;
use crate::site::{PG_LOG, PGDATA, RESOURCE, Site, TMPDIR, wait};
use std::time::{Duration, SystemTime};
use testbed::{Cluster, Host, State};

const SOON: Duration = Duration::from_secs(60);

/// How the old primary came back.
#[derive(Debug, Default)]
pub struct Comeback {
    /// Why it did not by itself, in the agent's words.
    pub refusal: Option<String>,
    /// What was done by hand.
    pub steps: Vec<Step>,
    /// As what it streams now, in words; none when it does not.
    pub streams_as: Option<String>,
    /// When it began to.
    pub streams_since: Option<SystemTime>,
}

/// A command that was run in the host.
#[derive(Debug, Clone)]
pub struct Step {
    /// The words as one would type them.
    pub words: Vec<String>,
    /// Whether it ended well.
    pub worked: bool,
    /// How long it ran.
    pub took: Duration,
    /// The last line that it printed.
    pub said: String,
}

/// Brings the old primary back as a standby of the new one.
pub fn bring_back(
    cluster: &Cluster,
    site: &Site,
    players: &Players,
    fault_at: SystemTime,
    progress: &Progress,
) -> Result<Comeback, Error> {
    if players.old == players.new {
        return Ok(Comeback::default());
    }
    let host = cluster.host(&players.old);
    let name = &players.old;
    if !host.is_on() {
        progress.stage(&format!("switching {name} on again"), || {
            host.power_on()?;
            Ok((format!("{name} is switched on again"), ()))
        })?;
    }
    let refusal = progress.stage(&format!("waiting for {name}'s own attempt to return"), || {
        let answer = || cluster.state().ok().and_then(|state| attempt(&state, name));
        let refusal = wait(cluster, "neither a refusal nor a return", SOON, answer)?;
        let words = if refusal.is_some() { "refuses to start, and says why" } else { "returns" };
        Ok((format!("{name} {words}"), refusal))
    })?;
    let mut comeback = Comeback { refusal, ..Comeback::default() };
    if comeback.refusal.is_some() {
        for commands in remedies(&site.bindir, &players.new) {
            if run_all(&host, &commands, progress, &mut comeback.steps)? {
                break;
            }
        }
        run_all(&host, &aftermath(), progress, &mut comeback.steps)?;
    }
    let streams_as = progress.stage(&format!("waiting until {name} streams"), || {
        let streams = || cluster.state().ok().and_then(|state| streams_as(&state, name));
        let how = wait(cluster, "the old primary did not return as a standby", SOON, streams)?;
        Ok((format!("{name} streams from {} ({how})", players.new), how))
    })?;
    let log = host.read_file(PG_LOG).unwrap_or_default();
    comeback.streams_since =
        server_log::first(&log, fault_at, "started streaming WAL from primary");
    comeback.streams_as = Some(streams_as);
    Ok(comeback)
}

/// The reason of a refused start, or nothing when the host streams by itself; nobody knows yet otherwise.
fn attempt(state: &State, host: &str) -> Option<Option<String>> {
    let operation = format!("{RESOURCE}_start_0");
    let refused =
        |failure: &&testbed::Failure| failure.node == host && failure.operation == operation;
    match state.failures.iter().find(refused) {
        Some(failure) => Some(Some(failure.reason.clone())),
        None => streams_as(state, host).map(|_| None),
    }
}

fn streams_as(state: &State, host: &str) -> Option<String> {
    let status = status(state, host);
    let streams = ["HS:sync", "HS:async", "HS:potential"].contains(&status);
    (streams && state.unpromoted().contains(&host)).then(|| in_words(status).to_owned())
}

type Words = Vec<String>;

fn words(words: &[&str]) -> Words {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The cheap remedy, and the one that always works: each is tried when the one before it failed.
fn remedies(bindir: &str, primary: &str) -> [Vec<Words>; 2] {
    let as_postgres = ["runuser", "-u", "postgres", "--"];
    let rewind = format!("{bindir}/pg_rewind");
    let source = format!("host={primary} user=postgres dbname=postgres");
    let target = ["--target-pgdata", PGDATA, "--source-server", &source];
    let (copy, fresh, aside) =
        (format!("{bindir}/pg_basebackup"), format!("{PGDATA}.new"), format!("{PGDATA}.old"));
    let copying = [&copy, "-D", &fresh, "-h", primary, "-U", "repuser", "-c", "fast"];
    [
        vec![words(&[&as_postgres[..], &[&rewind], &target].concat())],
        vec![
            words(&[&as_postgres[..], &copying].concat()),
            words(&["mv", PGDATA, &aside]),
            words(&["mv", &fresh, PGDATA]),
        ],
    ]
}

fn aftermath() -> Vec<Words> {
    let lock = format!("{TMPDIR}/PGSQL.lock");
    vec![words(&["rm", &lock]), words(&["crm", "resource", "cleanup", RESOURCE])]
}

/// Runs commands in the host until one fails; yields whether all worked.
fn run_all(
    host: &Host,
    commands: &[Words],
    progress: &Progress,
    steps: &mut Vec<Step>,
) -> Result<bool, Error> {
    for command in commands {
        let typed = typed(command);
        let shown = format!("{}# {}", host.name(), typed.join(" "));
        let step = progress.stage(&shown, || {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let output = host.run(&words)?;
            let printed = format!("{}{}", output.stdout, output.stderr);
            let said = printed.trim_end().lines().last().unwrap_or_default().to_owned();
            let step = Step { words: typed, worked: output.success(), took: output.took, said };
            let end = if step.worked { String::new() } else { format!("  failed: {}", step.said) };
            Ok((format!("{shown}{end}"), step))
        })?;
        steps.push(step);
        if steps.last().is_some_and(|step| !step.worked) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The words as one would type them to a shell.
fn typed(words: &[String]) -> Words {
    let quoted = |word: &String| {
        if word.contains(' ') { format!("'{word}'") } else { word.clone() }
    };
    words.iter().map(quoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_typed() {
        let [rewind, copy] = remedies("/bin", "pm02");
        let line = typed(&rewind[0]).join(" ");
        let source = "--source-server 'host=pm02 user=postgres dbname=postgres'";
        assert!(line.starts_with("runuser -u postgres -- /bin/pg_rewind "), "{line}");
        assert!(line.ends_with(source), "{line}");
        assert_eq!(typed(&copy[1]).join(" "), "mv /var/lib/pgsql/data /var/lib/pgsql/data.old");
    }
}
