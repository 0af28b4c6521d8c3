//! The cluster that the tests run: hosts with our agent, a configuration from `crm-examples`, and
//! what must be true of it after every fault.

use std::path::Path;
use std::time::Duration;

use testbed::{ActionResult, Builder, Cluster, Fencing, LedgerReport, State};

/// The address that clients use.
pub const CLIENT_VIP: &str = "10.77.0.100";

/// Time for anything that takes seconds when it works.
pub const SOON: Duration = Duration::from_secs(60);

/// What no action needs when it works; the shortest timeout in the examples is 60 s.
const WELL_INSIDE_ITS_TIMEOUT: Duration = Duration::from_secs(20);

/// One cluster under test.
pub struct Site {
    /// The hosts.
    pub cluster: Cluster,
    /// The name of the primitive.
    resource: &'static str,
}

impl Site {
    /// Three hosts as `crm-examples/three-hosts.crm` has them, one primary and two streaming standbys.
    pub fn three_hosts() -> Self {
        Self::three_hosts_with(|builder| builder)
    }

    /// The same, with something different.
    pub fn three_hosts_with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let site = Self::boot(change(with_agent(Cluster::builder())), "pgsql");
        site.load("three-hosts.crm");
        site.settled("pm01", &["pm02", "pm03"]);
        site
    }

    /// The same, with another text of the example.
    pub fn three_hosts_changed(change: impl FnOnce(String) -> String) -> Self {
        let site = Self::boot(with_agent(Cluster::builder()), "pgsql");
        site.load_changed("three-hosts.crm", change);
        site.settled("pm01", &["pm02", "pm03"]);
        site
    }

    /// The same, with another parameter of the resource in place of `rejoin`.
    pub fn three_hosts_with_parameter(parameter: &str) -> Self {
        Self::three_hosts_changed(|text| text.replacen("rejoin=\"rewind\"", parameter, 1))
    }

    /// Two hosts as the PG-REX slides have them.
    pub fn two_hosts(fencing: Fencing) -> Self {
        let builder = with_agent(Cluster::builder()).hosts(2).two_node().fencing(fencing);
        let site = Self::boot(builder, "prmPostgresql");
        site.load("two-hosts-pg-rex.crm");
        site.settled("pm01", &["pm02"]);
        site
    }

    /// Boots hosts with a fresh primary and copies of it, nothing configured yet.
    pub fn boot(builder: Builder, resource: &'static str) -> Self {
        let missing = testbed::requirements();
        assert!(missing.is_empty(), "the cluster tests cannot run here: {missing:#?}");
        testbed::sweep();
        let cluster = builder.build().expect("the hosts boot");
        cluster.prepare_postgres().expect("PostgreSQL is prepared");
        cluster.wait_until_online(SOON);
        Self { cluster, resource }
    }

    /// Loads one of the examples with crmsh, as it is.
    pub fn load(&self, example: &str) {
        self.load_changed(example, |text| text);
    }

    /// The same, with something different.
    pub fn load_changed(&self, name: &str, change: impl FnOnce(String) -> String) {
        self.cluster.configure_crm(&change(example(name))).expect("crmsh takes the example");
    }

    /// Waits until `primary` is the primary, one of `standbys` is synchronous and the others are
    /// not, and everything that is documented of their attributes is true.
    #[track_caller]
    pub fn settled(&self, primary: &str, standbys: &[&str]) -> State {
        let what = format!("{primary} is primary with standbys {standbys:?}");
        self.cluster.wait_until(&what, SOON, |state| {
            let mut ranks: Vec<_> = standbys.iter().map(|name| self.record(state, name)).collect();
            ranks.sort();
            let mut wanted = vec![SYNC; standbys.len().min(1)];
            wanted.extend(vec![ASYNC; standbys.len().saturating_sub(1)]);
            wanted.sort_unstable();
            state.is_promoted_only_on(primary)
                && self.record(state, primary) == PRIMARY
                && ranks == wanted
        })
    }

    /// Waits until one of these is the primary on record, whichever.
    #[track_caller]
    pub fn settled_somewhere(&self, nodes: &[&str]) -> State {
        let what = format!("one of {nodes:?} is primary");
        self.cluster.wait_until(&what, SOON * 2, |state| {
            let is_primary = |name: &&&str| {
                state.is_promoted_only_on(name) && self.record(state, name) == PRIMARY
            };
            nodes.iter().any(|name| is_primary(&name))
        })
    }

    /// The attributes of a node: status, data-status, promotion score.
    pub fn record(&self, state: &State, node: &str) -> [String; 3] {
        let resource = self.resource;
        let transient = |name: &str| state.transient(node, name).unwrap_or_default().to_owned();
        let permanent = format!("{resource}-data-status");
        [
            transient(&format!("{resource}-status")),
            state.permanent(node, &permanent).unwrap_or_default().to_owned(),
            transient(&format!("master-{resource}")),
        ]
    }

    /// Asserts what must hold after every fault: no acknowledged row is missing on the primary,
    /// and every action answered well inside its timeout.
    #[track_caller]
    pub fn assert_sound(&self, report: &LedgerReport, primary: &str) {
        assert!(!report.acknowledged.is_empty(), "the ledger has not written a row");
        let host = self.cluster.host(primary);
        let missing = self.cluster.verify_ledger(report, &host).expect("the ledger can be read");
        assert!(
            missing.is_empty(),
            "{} of {} acknowledged rows are lost, the first of them {:?}",
            missing.len(),
            report.acknowledged.len(),
            &missing[..missing.len().min(5)]
        );
        for action in self.cluster.actions() {
            let done = matches!(action.result, ActionResult::Exit(_));
            assert!(done && action.took < WELL_INSIDE_ITS_TIMEOUT, "{action:?}");
        }
    }
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crm-examples").join(name);
    std::fs::read_to_string(path).expect("the example is there")
}

const PRIMARY: [&str; 3] = ["PRI", "LATEST", "1000"];
pub const SYNC: [&str; 3] = ["HS:sync", "STREAMING|SYNC", "100"];
const ASYNC: [&str; 3] = ["HS:async", "STREAMING|ASYNC", "-INFINITY"];

/// Installs the binary of this build as the stock agent's replacement in every host.
pub fn with_agent(builder: Builder) -> Builder {
    let binary = env!("CARGO_BIN_EXE_pgsql-ha");
    builder
        .agent(binary, "heartbeat", "pgsql")
        .agent(binary, "pgsql-ha", "pgsql")
        .property("stonith-enabled", "true")
        .pg_log("/var/log/postgresql/pgsql-ha.log")
}
