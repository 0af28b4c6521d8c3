//! One cluster with the agent in one mode: its making, who is what, and whether it is healthy. What befalls it is in
//! `cases`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use testbed::{Builder, Cluster, Host, SmallDisks, State};

use crate::case::Setup;
use crate::error::Error;
use crate::mode::Mode;

/// The address that clients use in the example.
pub const CLIENT_ADDRESS: &str = "10.77.0.100";
/// The primitive in the example.
pub const RESOURCE: &str = "pgsql";
/// Its clone.
pub const CLONE: &str = "pgsql-clone";
/// PostgreSQL's data.
pub const PGDATA: &str = "/var/lib/pgsql/data";
/// The mark of a node that has been primary.
pub const LOCK: &str = "/var/lib/pgsql/tmp/PGSQL.lock";
/// PostgreSQL's programs.
pub const BINDIR: &str = "/usr/lib/postgresql/15/bin";

const EXAMPLE: &str = include_str!("../../../crm-examples/three-hosts.crm");
const PAUSE: Duration = Duration::from_millis(200);
/// Time for anything that takes seconds on a quiet machine.
pub const SOON: Duration = Duration::from_secs(90);

/// What decides whether a case can use the cluster of the case before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// How commits wait.
    pub mode: Mode,
    /// What is different about it.
    pub setup: Setup,
}

/// One cluster.
pub struct Site {
    /// The hosts. Dropped before their disks are.
    pub cluster: Cluster,
    /// What it is.
    pub kind: Kind,
    _disks: Option<SmallDisks>,
}

/// Who is what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The primary.
    pub primary: String,
    /// The standby that commits wait for; in async mode the first of both.
    pub sync: String,
    /// The other standby.
    pub third: String,
}

impl Site {
    /// Boots three hosts with the agent and waits for a primary and two streaming standbys.
    pub fn boot(agent: &Path, kind: Kind, name: &str) -> Result<Self, Error> {
        let disks = match kind.setup {
            Setup::SmallWal => Some(SmallDisks::make(3)?),
            Setup::Example | Setup::ShortStart | Setup::Rewind => None,
        };
        let builder = builder(agent, name);
        let cluster = disks.iter().fold(builder, |builder, disks| disks.share(builder)).build()?;
        cluster.prepare_postgres()?;
        disks.iter().try_for_each(|disks| disks.move_wal(&cluster))?;
        cluster.wait_until_online(SOON);
        cluster.configure_crm(&configuration(kind))?;
        let site = Self { cluster, kind, _disks: disks };
        let roles = site.settle(SOON)?;
        if kind.setup == Setup::Rewind {
            site.cluster.host(&roles.primary).grant_rewind("repuser")?;
        }
        Ok(site)
    }

    /// Waits for one primary and two streaming standbys, in PostgreSQL's words and in the cluster's.
    pub fn settle(&self, limit: Duration) -> Result<Roles, Error> {
        until("a primary and two streaming standbys", limit, || {
            // A slow power switch may have acted on a request of before the repair.
            self.cluster.power_on().ok()?;
            self.roles()
        })
    }

    /// Who is what, if there is one primary with two streaming standbys.
    pub fn roles(&self) -> Option<Roles> {
        let state = self.cluster.state().ok()?;
        let [primary] = state.promoted()[..] else { return None };
        let standbys: Vec<_> = state.unpromoted().into_iter().collect();
        let [one, other] = standbys[..] else { return None };
        let status = |node| status(&state, node);
        let of = |sync: &str, third: &str| {
            let [primary, sync, third] = [primary, sync, third].map(str::to_owned);
            Roles { primary, sync, third }
        };
        let roles = match (status(primary), status(one), status(other)) {
            ("PRI", "HS:sync", "HS:async") => of(one, other),
            ("PRI", "HS:async", "HS:sync") => of(other, one),
            ("PRI", "HS:async", "HS:async") if !self.kind.mode.is_sync() => of(one, other),
            _ => return None,
        };
        (self.streaming(&roles.primary).len() == 2).then_some(roles)
    }

    /// The standbys that stream from that host.
    pub fn streaming(&self, primary: &str) -> Vec<String> {
        let sql = "select application_name from pg_stat_replication where state = 'streaming'";
        let rows = self.cluster.host(primary).query(sql).unwrap_or_default();
        rows.into_iter().flatten().flatten().collect()
    }

    /// Forgets the failures of earlier cases, and empties the ledger's table.
    pub fn clean(&self) -> Result<Roles, Error> {
        let host = self.first_on()?;
        host.run_ok(&["crm_resource", "--cleanup"])?;
        host.run_ok(&["crm_resource", "--clear", "-r", CLONE])?;
        let roles = self.settle(SOON)?;
        self.cluster.wait_until_idle(SOON);
        let roles_now = self.settle(SOON)?;
        self.cluster.host(&roles.primary).query("truncate ledger")?;
        Ok(roles_now)
    }

    /// A host that is on.
    pub fn first_on(&self) -> Result<Host, Error> {
        let host = self.cluster.hosts().into_iter().find(Host::is_on);
        host.ok_or_else(|| Error::said("every host is off"))
    }
}

/// What the agent says of an instance.
pub fn status<'a>(state: &'a State, node: &str) -> &'a str {
    state.transient(node, &format!("{RESOURCE}-status")).unwrap_or_default()
}

fn builder(agent: &Path, name: &str) -> Builder {
    Cluster::builder()
        .name(name)
        .agent(agent, "heartbeat", "pgsql")
        .agent(agent, "pgsql-ha", "pgsql")
        .property("stonith-enabled", "true")
        .bindir(BINDIR)
        .pg_log("/var/log/postgresql/pgsql-ha.log")
        .pg_setting("max_connections", "20")
        // No checkpoint by the clock: what a server has to recover is the case's to say.
        .pg_setting("checkpoint_timeout", "30min")
        // Data lies in memory, and clusters that serve many cases write for long.
        .pg_setting("max_wal_size", "512MB")
}

/// The example without the parameter that has cases of its own.
fn verifying() -> String {
    EXAMPLE.replace("        rejoin=\"rewind\" \\\n", "")
}

fn configuration(kind: Kind) -> String {
    let text = verifying().replace(r#"rep_mode="sync""#, kind.mode.words());
    match kind.setup {
        Setup::Example | Setup::SmallWal => text,
        Setup::ShortStart => text.replace(
            "op start interval=0s timeout=300s on-fail=restart",
            "op start interval=0s timeout=20s on-fail=restart",
        ),
        Setup::Rewind => text.replace(r#"rep_mode="#, r#"rejoin="rewind" rep_mode="#),
    }
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, limit: Duration, ask: impl FnMut() -> Option<T>) -> Result<T, Error> {
    Ok(testbed::poll(what, limit, PAUSE, ask)?)
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    workspace.join(std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_kind_of_cluster_differs_from_the_example_where_it_should() {
        let text = |mode, setup| configuration(Kind { mode, setup });
        assert_eq!(text(Mode::SyncAvailable, Setup::Example), verifying());
        assert_ne!(verifying(), EXAMPLE);
        for &mode in Mode::value_variants() {
            assert!(text(mode, Setup::Example).contains(mode.words()), "{mode}");
            assert!(text(mode, Setup::Rewind).contains(r#"rejoin="rewind" rep_mode="#), "{mode}");
            assert!(text(mode, Setup::ShortStart).contains("start interval=0s timeout=20s"));
        }
    }
}
