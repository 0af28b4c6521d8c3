//! The cluster of one row: hosts of some release with some PostgreSQL and some agent, the configuration of
//! `crm-examples` in the words of that release, and what must be true of it after every fault.

use std::path::Path;
use std::time::Duration;

use testbed::{
    ActionResult, Builder, Cluster, Host, Ledger, LedgerReport, PrimariesProbe, State,
    two_primaries,
};

use crate::parts::{self, Debian};

/// The address that clients use.
pub const CLIENT_VIP: &str = "10.77.0.100";

/// The address that standbys use.
const REPLICATION_VIP: &str = "10.77.0.101";
const DATA: &str = "/var/lib/pgsql/data";
const COPY: &str = "/var/lib/pgsql/copy";

/// Time for anything that takes seconds when it works.
pub const SOON: Duration = Duration::from_secs(90);

/// What no action of ours needs when it works.
const WELL_INSIDE_ITS_TIMEOUT: Duration = Duration::from_secs(20);

/// The names of the hosts.
pub const HOSTS: [&str; 3] = ["pm01", "pm02", "pm03"];

/// Whose names of the roles the configuration uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// `ms`, Master, Slave.
    Old,
    /// `clone … promotable`, Promoted, Unpromoted.
    New,
}

/// One cluster under test.
pub struct Site {
    pub cluster: Cluster,
    debian: Debian,
    bindir: String,
}

impl Site {
    /// Hosts of that release with its own PostgreSQL and our agent.
    pub fn of_release(debian: Debian) -> Self {
        Self::boot(debian, debian.bindir().into(), with_agent(Cluster::builder()))
    }

    /// Hosts of that release as it comes, with the shell agent.
    pub fn with_shell_agent(debian: Debian) -> Self {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let built = parts::agent();
        let directory = built.parent().expect("the agent is in a directory");
        let builder =
            Cluster::builder().share_at(scripts, "/opt/scripts").share_at(directory, "/opt/agent");
        Self::boot(debian, debian.bindir().into(), builder)
    }

    /// Hosts of Debian 12 with that PostgreSQL and our agent.
    pub fn of_postgresql(major: u32) -> Self {
        let home = format!("/opt/postgresql/{major}");
        let builder = with_agent(Cluster::builder()).share_at(parts::postgresql(major), &home);
        Self::boot(Debian::Twelve, format!("{home}/bin"), builder)
    }

    fn boot(debian: Debian, bindir: String, builder: Builder) -> Self {
        let missing = testbed::requirements();
        assert!(missing.is_empty(), "the matrix cannot run here: {missing:#?}");
        testbed::sweep();
        let builder = builder
            .release_tree(debian.tree())
            .bindir(&bindir)
            .property("stonith-enabled", "true")
            .pg_log("/var/log/postgresql/pgsql-ha.log");
        let cluster = builder.build().expect("the hosts boot");
        cluster.prepare_postgres().expect("PostgreSQL is prepared");
        cluster.wait_until_online(SOON);
        Self { cluster, debian, bindir }
    }

    /// What runs, as the parts print it: cells of the matrix.
    pub fn versions(&self) -> String {
        let host = self.host("pm01");
        let ask = |words: &[&str]| {
            let text = host.run_ok(words).expect("a program knows its version");
            let line = text.lines().next().unwrap_or_default().to_owned();
            let number = line.split([' ', '\'', '(', ')']).find(|word| {
                word.starts_with(|mark: char| mark.is_ascii_digit()) && word.contains('.')
            });
            number.unwrap_or(&line).to_owned()
        };
        let server = format!("{}/postgres", self.bindir);
        [
            ask(&["cat", "/etc/debian_version"]),
            ask(&["pacemakerd", "--version"]),
            ask(&["corosync", "-v"]),
            ask(&["crm", "--version"]),
            ask(&[&server, "--version"]),
        ]
        .join(" | ")
    }

    /// The version of our agent, as it prints it.
    pub fn our_agent(&self) -> String {
        let program = match self.host(HOSTS[0]).path("/opt/agent").exists() {
            true => "/opt/agent/pgsql-ha",
            false => "/usr/lib/ocf/resource.d/heartbeat/pgsql",
        };
        let printed = self.host(HOSTS[0]).run_ok(&[program, "--version"]);
        printed.expect("the agent knows its version").trim().to_owned()
    }

    /// The version of the release's own agents.
    pub fn shell_agent(&self) -> String {
        let words = ["dpkg-query", "-W", "-f", "${Version}", "resource-agents"];
        let version = self.host(HOSTS[0]).run_ok(&words).expect("the package is installed");
        version.trim_start_matches("1:").to_owned()
    }

    /// Replaces a stopped host's data by a copy of the primary's.
    pub fn copy_from_primary(&self, name: &str) {
        let host = self.host(name);
        let program = format!("{}/pg_basebackup", self.bindir);
        let words = [&program, "-h", REPLICATION_VIP, "-U", "repuser", "-c", "fast", "-D", COPY];
        let copied = host.run_as("postgres", &words).expect("pg_basebackup runs");
        assert!(copied.success(), "{copied:?}");
        host.run_ok(&["rm", "-rf", DATA]).expect("the old data goes");
        host.run_ok(&["mv", COPY, DATA]).expect("the copy takes its place");
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Host {
        self.cluster.host(name)
    }

    /// Loads the example with three hosts; `change` sees its text last.
    pub fn configure(&self, roles: Roles, change: impl FnOnce(String) -> String) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crm-examples/three-hosts.crm");
        let text = std::fs::read_to_string(path).expect("the example is there");
        let text = text
            // The shell agent does not know it.
            .replace("        rejoin=\"rewind\" \\\n", "")
            // So that nobody waits for what only a monitor notices.
            .replace("interval=9s", "interval=2s")
            .replace("interval=10s", "interval=3s")
            .replace("/usr/lib/postgresql/15/bin/pg_ctl", &format!("{}/pg_ctl", self.bindir))
            .replace("/usr/lib/postgresql/15/bin/psql", &format!("{}/psql", self.debian.bindir()));
        let text = match roles {
            Roles::New => text,
            Roles::Old => text
                .replace("clone pgsql-clone pgsql", "ms pgsql-clone pgsql")
                .replace("promotable=true promoted-max", "master-max")
                .replace("promoted-node-max", "master-node-max")
                .replace("Promoted", "Master"),
        };
        self.cluster.configure_crm(&change(text)).expect("crmsh takes the example");
    }

    /// Waits until `primary` is the primary, one standby is synchronous, the others stream.
    #[track_caller]
    pub fn settled(&self, primary: &str, standbys: &[&str]) -> State {
        let what = format!("{primary} is primary with standbys {standbys:?}");
        self.cluster.wait_until(&what, SOON, |state| self.is_settled(state, primary, standbys))
    }

    /// The same, asked of one state.
    pub fn is_settled(&self, state: &State, primary: &str, standbys: &[&str]) -> bool {
        let ranks: Vec<_> = standbys.iter().map(|name| record(state, name)).collect();
        let synchronous = ranks.iter().filter(|rank| **rank == SYNC).count();
        // The shell agent puts every standby on the list, so that the others are potential.
        let others = ranks.iter().filter(|rank| **rank == ASYNC || **rank == POTENTIAL).count();
        state.is_promoted_only_on(primary)
            && record(state, primary) == PRIMARY
            && synchronous == standbys.len().min(1)
            && others == standbys.len() - synchronous
    }

    /// The node that is synchronous at present.
    #[track_caller]
    pub fn synchronous(&self) -> String {
        self.cluster.wait_for("a synchronous standby", SOON, || {
            let state = self.cluster.state().ok()?;
            HOSTS.iter().find(|name| record(&state, name) == SYNC).map(|name| (*name).to_owned())
        })
    }

    /// Lets Pacemaker forget the failures that a test has caused.
    pub fn forget_failures(&self) {
        self.host(HOSTS[0]).run_ok(&["crm_resource", "--cleanup"]).expect("failures are forgotten");
        self.cluster.wait_until("no failure is left", SOON, |state| state.failures.is_empty());
    }

    /// Brings a fault on under load through the virtual address; `act` returns who is primary afterwards.
    pub fn under_load(&self, act: impl FnOnce() -> String) -> LedgerReport {
        let probe = PrimariesProbe::start(&self.cluster).expect("the probe starts");
        let ledger = Ledger::start(&self.cluster, CLIENT_VIP).expect("the ledger starts");
        self.rows(&ledger);
        let primary = act();
        self.rows(&ledger);
        let report = ledger.stop();
        eprintln!(
            "    {} rows, longest outage {:?}",
            report.acknowledged.len(),
            report.longest_outage()
        );
        let both = two_primaries(&probe.stop());
        assert!(both.is_empty(), "two hosts accepted writes at once: {both:?}");
        let host = self.host(&primary);
        let missing = self.cluster.verify_ledger(&report, &host).expect("the ledger can be read");
        assert!(missing.is_empty(), "{} acknowledged rows are lost: {missing:?}", missing.len());
        report
    }

    fn rows(&self, ledger: &Ledger) {
        let before = ledger.acknowledged();
        self.cluster.wait_for("acknowledged rows", SOON, || {
            (ledger.acknowledged() >= before + 100).then_some(())
        });
    }

    /// Asserts that no action has come near its timeout or failed to be done.
    pub fn assert_quick(&self) {
        for action in self.cluster.actions() {
            let done = matches!(action.result, ActionResult::Exit(_));
            assert!(done && action.took < WELL_INSIDE_ITS_TIMEOUT, "{action:?}");
        }
    }
}

const PRIMARY: [&str; 3] = ["PRI", "LATEST", "1000"];
const SYNC: [&str; 3] = ["HS:sync", "STREAMING|SYNC", "100"];
const ASYNC: [&str; 3] = ["HS:async", "STREAMING|ASYNC", "-INFINITY"];
const POTENTIAL: [&str; 3] = ["HS:potential", "STREAMING|POTENTIAL", "-INFINITY"];

/// The attributes of a node: status, data-status, promotion score.
pub fn record(state: &State, node: &str) -> [String; 3] {
    let transient = |name: &str| state.transient(node, name).unwrap_or_default().to_owned();
    let data_status = state.permanent(node, "pgsql-data-status").unwrap_or_default().to_owned();
    [transient("pgsql-status"), data_status, transient("master-pgsql")]
}

/// Every host but that one.
pub fn all_but(name: &str) -> Vec<&'static str> {
    HOSTS.into_iter().filter(|host| *host != name).collect()
}

fn with_agent(builder: Builder) -> Builder {
    let agent = parts::agent();
    builder.agent(&agent, "heartbeat", "pgsql").agent(&agent, "pgsql-ha", "pgsql")
}
