//! What the demo runs: the built agent, the newest PostgreSQL of this machine, the example configuration. It boots
//! nothing; `story` does.

use crate::error::{Error, park_if_interrupted};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testbed::{Builder, Cluster};

/// The address that clients use in the example.
pub const CLIENT_ADDRESS: &str = "10.77.0.100";
/// The primitive in the example.
pub const RESOURCE: &str = "pgsql";
/// The address of the primary in the example, by its name there.
pub const CLIENT_RESOURCE: &str = "vip-client";
/// PostgreSQL's data, as the example and the testbed have it.
pub const PGDATA: &str = "/var/lib/pgsql/data";
/// The agent's own files in the example.
pub const TMPDIR: &str = "/var/lib/pgsql/tmp";
/// PostgreSQL's log in the example.
pub const PG_LOG: &str = "/var/log/postgresql/pgsql-ha.log";

const INSTALLED: &str = "/usr/lib/postgresql";
const PAUSE: Duration = Duration::from_millis(50);

/// What was found on this machine.
pub struct Site {
    /// Where PostgreSQL's programs are.
    pub bindir: String,
    /// Their major version.
    pub version: u32,
    /// The example, with this machine's paths.
    pub example: String,
    agent: PathBuf,
}

impl Site {
    /// Looks for everything; says what is missing.
    pub fn find() -> Result<Self, Error> {
        let missing = testbed::requirements();
        if !missing.is_empty() {
            return Err(testbed::Error::Requirements(missing).into());
        }
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        let agent = workspace.join(target).join("release/pgsql-ha");
        let agent = agent.canonicalize().map_err(|_| Error::NoAgent(agent))?;
        let versions = std::fs::read_dir(INSTALLED).into_iter().flatten().flatten();
        let versions =
            versions.filter_map(|entry| entry.file_name().into_string().ok()?.parse().ok());
        let version: Option<u32> = versions.filter(|version| server(*version).exists()).max();
        let version = version.ok_or(Error::NoPostgres)?;
        let bindir = format!("{INSTALLED}/{version}/bin");
        let path = workspace.join("crm-examples/three-hosts.crm");
        let example =
            std::fs::read_to_string(&path).map_err(|source| Error::Unreadable(path, source))?;
        Ok(Self { example: with_bindir(&example, &bindir), bindir, version, agent })
    }

    /// Orders the cluster: three hosts with the agent, fencing on.
    pub fn builder(&self) -> Builder {
        Cluster::builder()
            .name("demo")
            .agent(&self.agent, "heartbeat", "pgsql")
            .agent(&self.agent, "pgsql-ha", "pgsql")
            .property("stonith-enabled", "true")
            .bindir(&self.bindir)
            .pg_log(PG_LOG)
    }
}

fn server(version: u32) -> PathBuf {
    Path::new(INSTALLED).join(version.to_string()).join("bin/postgres")
}

/// The text with every `/usr/lib/postgresql/<number>/bin` replaced.
fn with_bindir(text: &str, bindir: &str) -> String {
    let start = format!("{INSTALLED}/");
    let mut parts = text.split(&start);
    let mut adapted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|mark: char| mark.is_ascii_digit());
        match rest.strip_prefix("/bin") {
            Some(rest) => adapted.extend([bindir, rest]),
            None => adapted.extend([start.as_str(), part]),
        }
    }
    adapted
}

/// Asks again and again until there is an answer.
pub fn wait<T>(
    cluster: &Cluster,
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> Result<T, Error> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        park_if_interrupted();
        if started.elapsed() >= limit {
            let evidence = cluster.gather_evidence();
            return Err(Error::Awaited { what: what.to_owned(), limit, evidence });
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_gets_the_paths_of_this_machine() {
        let text = "pgctl=\"/usr/lib/postgresql/15/bin/pg_ctl\" x=/usr/lib/postgresql/share";
        let adapted = with_bindir(text, "/usr/lib/postgresql/17/bin");
        let expected = "pgctl=\"/usr/lib/postgresql/17/bin/pg_ctl\" x=/usr/lib/postgresql/share";
        assert_eq!(adapted, expected);
    }
}
