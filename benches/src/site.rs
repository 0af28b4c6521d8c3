//! One cluster with one agent: its first start, which is measured, and the quiet state before a fault.

use std::time::{Duration, SystemTime};

use testbed::{Cluster, Ledger, State, poll};

use crate::configuration::{CLIENT_ADDRESS, RESOURCE};
use crate::contender::{Agent, Contenders};
use crate::error::Error;
use crate::statistics::Time;

/// More than the stock agent needs for anything.
pub const LIMIT: Duration = Duration::from_secs(180);

/// Rows after which the cluster serves its clients again.
pub const ENOUGH_ROWS: usize = 100;

const STREAMING: &str = "select count(*) from pg_stat_replication where state = 'streaming'";

/// One cluster with one agent.
pub struct Site {
    /// The hosts.
    pub cluster: Cluster,
}

/// Who is what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The host that is promoted.
    pub primary: String,
    /// The synchronous standby.
    pub sync: String,
}

impl Site {
    /// Boots three hosts with equal data directories and an idle Pacemaker without resources.
    ///
    /// # Errors
    /// When they do not boot.
    pub fn boot(contenders: &Contenders, agent: Agent, name: &str) -> Result<Self, Error> {
        let cluster = contenders.builder(agent, name).build()?;
        cluster.prepare_postgres()?;
        cluster.wait_until_online(LIMIT);
        cluster.wait_until_idle(LIMIT);
        Ok(Self { cluster })
    }

    /// Loads the configuration; yields the time from the commit until the primary has acknowledged a row through the
    /// address of the clients and two standbys stream.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn start(&self, contenders: &Contenders) -> Result<Time, Error> {
        let ledger = Ledger::start(&self.cluster, CLIENT_ADDRESS)?;
        let began = SystemTime::now();
        self.cluster.configure_crm(contenders.configuration.text())?;
        let streaming = poll("two standbys stream", LIMIT, Duration::from_millis(50), || {
            let asked = self.cluster.hosts().into_iter().map(|host| host.psql(STREAMING));
            asked.flatten().any(|count| count.trim() == "2").then(SystemTime::now)
        })?;
        poll("a first row", LIMIT, Duration::from_millis(50), || ledger.last_acknowledged())?;
        let report = ledger.stop();
        let first = report.acknowledged.first().map_or(report.stopped, |row| row.at);
        let commit = self.commit_after(began).unwrap_or(began);
        Ok(since(commit, first.max(streaming)))
    }

    /// When Pacemaker took up the configuration: the first transition that it began then.
    fn commit_after(&self, moment: SystemTime) -> Option<SystemTime> {
        let begins = |text: &str| text.starts_with("State transition S_IDLE -> S_POLICY_ENGINE");
        let events = self.cluster.events();
        let found = events.iter().find(|e| e.line.at >= moment && begins(&e.line.text));
        found.map(|event| event.line.at)
    }

    /// Waits until there is one primary, one synchronous standby and one that is not, and Pacemaker has nothing to do.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn settle(&self) -> Result<Roles, Error> {
        let look = || roles(&self.cluster.state().ok()?);
        poll("a primary and two standbys", LIMIT, Duration::from_millis(300), look)?;
        self.cluster.wait_until_idle(LIMIT);
        Ok(poll("a primary and two standbys", LIMIT, Duration::from_millis(300), look)?)
    }
}

fn roles(state: &State) -> Option<Roles> {
    let attribute = format!("{RESOURCE}-status");
    let with = |wanted: &str| {
        let nodes = state.nodes.iter().map(|node| node.name.as_str());
        nodes
            .filter(|node| {
                state.transient(node, &attribute).is_some_and(|status| status.starts_with(wanted))
            })
            .collect::<Vec<_>>()
    };
    let ([primary], [sync], 2) = (&with("PRI")[..], &with("HS:sync")[..], with("HS:").len()) else {
        return None;
    };
    state
        .is_promoted_only_on(primary)
        .then(|| Roles { primary: (*primary).to_owned(), sync: (*sync).to_owned() })
}

/// The time between two moments; zero when they are the other way round.
#[must_use]
pub fn since(earlier: SystemTime, later: SystemTime) -> Time {
    Time(later.duration_since(earlier).unwrap_or_default())
}
