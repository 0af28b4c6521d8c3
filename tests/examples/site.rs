//! The cluster that an example runs in, and what must be true of it: who is primary, who streams, which addresses
//! are where.

use std::time::Duration;

use testbed::{ActionResult, Cluster, LedgerReport, State};

use crate::loading::Tool;
use crate::story::Shape;

/// The address that clients write to.
pub const CLIENT_VIP: &str = "10.77.0.100";
/// The address that clients read from.
const READ_VIP: &str = "10.77.0.102";

/// Time for anything that takes seconds when it works.
pub const SOON: Duration = Duration::from_secs(60);
/// What no action needs when it works.
const WELL_INSIDE_ITS_TIMEOUT: Duration = Duration::from_secs(20);

const PRIMARY: [&str; 2] = ["PRI", "LATEST"];
const SYNC: [&str; 2] = ["HS:sync", "STREAMING|SYNC"];
const ASYNC: [&str; 2] = ["HS:async", "STREAMING|ASYNC"];

/// A cluster with a configuration of that shape.
pub struct Site {
    /// The hosts.
    pub cluster: Cluster,
    shape: &'static Shape,
}

impl Site {
    /// Boots hosts with copies of a fresh primary and gives the example to its tool.
    pub fn with(file: &str, shape: &'static Shape) -> Self {
        let missing = testbed::requirements();
        assert!(missing.is_empty(), "the examples cannot run here: {missing:#?}");
        testbed::sweep();
        let mut builder = Cluster::builder()
            .hosts(shape.hosts.len())
            .agent(env!("CARGO_BIN_EXE_pgsql-ha"), "heartbeat", "pgsql")
            .property("stonith-enabled", "true")
            .pg_log("/var/log/postgresql/pgsql-ha.log");
        if shape.hosts.len() == 2 {
            builder = builder.two_node();
        }
        let cluster = builder.build().expect("the hosts boot");
        cluster.prepare_postgres().expect("PostgreSQL is prepared");
        cluster.wait_until_online(SOON);
        Tool::of(file).load(&cluster, file);
        Self { cluster, shape }
    }

    /// Waits until `primary` serves with exactly these standbys, one of them synchronous, and every address is where
    /// the example promises it.
    #[track_caller]
    pub fn settled(&self, primary: &str, standbys: &[&str]) -> State {
        let what = format!("{primary} is primary with standbys {standbys:?} and the addresses");
        let state = self.cluster.wait_until(&what, SOON, |state| {
            self.has_roles(state, primary, standbys) && self.has_addresses(state, primary)
        });
        self.streams_to(primary, standbys.len());
        if self.shape.readers.is_some() {
            let reads_a_standby = if standbys.is_empty() { "f" } else { "t" };
            self.cluster.wait_for("an answer at the readers' address", SOON, || {
                let rows = self.cluster.query_from_client(READ_VIP, "select pg_is_in_recovery()");
                (rows.ok()?.first()?.first()?.as_deref() == Some(reads_a_standby)).then_some(())
            });
        }
        state
    }

    fn has_roles(&self, state: &State, primary: &str, standbys: &[&str]) -> bool {
        let mut ranks: Vec<_> = standbys.iter().map(|name| self.record(state, name)).collect();
        ranks.sort();
        let mut wanted = vec![SYNC; standbys.len().min(1)];
        wanted.extend(vec![ASYNC; standbys.len().saturating_sub(1)]);
        wanted.sort_unstable();
        state.is_promoted_only_on(primary)
            && self.record(state, primary) == PRIMARY
            && ranks == wanted
    }

    fn has_addresses(&self, state: &State, primary: &str) -> bool {
        let reader = self.synchronous(state).unwrap_or_else(|| primary.to_owned());
        self.shape.with_primary.iter().all(|address| state.active(address) == [primary])
            && self.shape.readers.is_none_or(|address| state.active(address) == [reader.as_str()])
    }

    fn streams_to(&self, primary: &str, count: usize) {
        let host = self.cluster.host(primary);
        let question = "select count(*) from pg_stat_replication where state = 'streaming'";
        self.cluster.wait_for("the standbys stream", SOON, || {
            (host.psql(question).ok()? == count.to_string()).then_some(())
        });
    }

    /// The synchronous standby, if there is one.
    pub fn synchronous(&self, state: &State) -> Option<String> {
        let hosts = self.shape.hosts.iter();
        hosts.copied().find(|host| self.record(state, host) == SYNC).map(str::to_owned)
    }

    /// Status and data-status of a node.
    fn record(&self, state: &State, node: &str) -> [String; 2] {
        let resource = self.shape.resource;
        let status = state.transient(node, &format!("{resource}-status"));
        let data_status = state.permanent(node, &format!("{resource}-data-status"));
        [status, data_status].map(|value| value.unwrap_or_default().to_owned())
    }

    /// Asserts that no acknowledged row is missing and that every action answered well inside its timeout.
    #[track_caller]
    pub fn assert_sound(&self, report: &LedgerReport, primary: &str) {
        let missing = self.cluster.verify_ledger(report, &self.cluster.host(primary));
        let missing = missing.expect("the ledger can be read");
        let written = report.acknowledged.len();
        assert!(missing.is_empty(), "{} of {written} rows are lost: {missing:?}", missing.len());
        for action in self.cluster.actions() {
            let done = matches!(action.result, ActionResult::Exit(_));
            assert!(done && action.took < WELL_INSIDE_ITS_TIMEOUT, "{action:?}");
        }
    }

    /// Asserts that the addresses stayed on the old primary until its demotion had ended.
    #[track_caller]
    pub fn assert_addresses_outlived_the_demotion(&self, old_primary: &str) {
        let actions = self.cluster.actions();
        let of = |resource: &str, name: &str| {
            actions
                .iter()
                .find(|record| {
                    record.host == old_primary
                        && record.resource == resource
                        && record.action == name
                })
                .unwrap_or_else(|| panic!("no {name} of {resource} on {old_primary}: {actions:#?}"))
        };
        let demoted = of(self.shape.resource, "demote").when;
        for address in self.shape.with_primary {
            let stop = of(address, "stop");
            assert!(stop.when >= demoted, "{address} left before the demotion had ended: {stop:?}");
        }
    }
}
