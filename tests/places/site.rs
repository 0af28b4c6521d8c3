//! The hosts of one test: boot, copies of the database, configuration, and what must be true after every fault.

use std::time::Duration;

use testbed::{ActionResult, Builder, Cluster, Host, LedgerReport, State};

use crate::instance::{BINDIR, Instance};

/// Time for anything that takes seconds when it works.
pub const SOON: Duration = Duration::from_secs(60);

/// What no action needs when it works, the stops that are made difficult apart.
const WELL_INSIDE_ITS_TIMEOUT: Duration = Duration::from_secs(20);

/// Nothing that the host's server sends arrives any more, not even what the kernel sends after its end.
const DEAF: &str = "nft add table inet deaf
    nft 'add chain inet deaf out { type filter hook output priority 0; }'
    nft add rule inet deaf out ip daddr != 127.0.0.1 tcp sport 5432 drop";

/// One cluster under test.
pub struct Site {
    /// The hosts.
    pub cluster: Cluster,
}

impl Site {
    /// Boots hosts with our agent, nothing configured, and a fresh data directory on each.
    pub fn boot(builder: Builder) -> Self {
        let missing = testbed::requirements();
        assert!(missing.is_empty(), "the cluster tests cannot run here: {missing:#?}");
        testbed::sweep();
        let binary = env!("CARGO_BIN_EXE_pgsql-ha");
        let builder = builder
            .agent(binary, "heartbeat", "pgsql")
            .agent(binary, "pgsql-ha", "pgsql")
            .property("stonith-enabled", "true");
        let cluster = builder.build().expect("the hosts boot");
        cluster.prepare_postgres().expect("PostgreSQL is prepared");
        cluster.wait_until_online(SOON);
        Self { cluster }
    }

    /// The host of that name.
    #[track_caller]
    pub fn host(&self, name: &str) -> Host {
        self.cluster.host(name)
    }

    /// Runs statements on the first host's server, and gives every other host a copy of it; all are stopped then.
    pub fn fill(&self, pgdata: &str, statements: &[&str]) {
        let hosts = self.cluster.hosts();
        let (origin, others) = hosts.split_first().expect("there are hosts");
        origin.start_postgres().expect("the first server starts");
        for statement in statements {
            origin.psql(statement).expect("the first server takes it");
        }
        let (program, address) = (format!("{BINDIR}/pg_basebackup"), origin.address());
        for host in others {
            host.run_ok(&["find", pgdata, "-mindepth", "1", "-delete"]).expect("the old data goes");
            let words = [&program, "-h", &address, "-U", "repuser", "-c", "fast", "-D", pgdata];
            let copied = host.run_as("postgres", &words).expect("pg_basebackup runs");
            assert!(copied.success(), "{copied:?}");
        }
        origin.stop_postgres("fast").expect("the first server stops");
    }

    /// Lets nothing that this host's server sends reach anybody.
    pub fn cut_replication(&self, primary: &Host) {
        primary.run_ok(&["sh", "-euc", DEAF]).expect("replication is cut off");
    }

    /// Undoes it.
    pub fn mend_replication(&self, primary: &Host) {
        primary.run_ok(&["nft", "delete", "table", "inet", "deaf"]).expect("it arrives again");
    }

    /// Runs a shell script on every host.
    pub fn everywhere(&self, script: &str) {
        let run = |host: &Host| host.run_ok(&["sh", "-euc", script]).map(drop);
        self.cluster.on_every_host(run).unwrap_or_else(|error| panic!("{script}: {error}"));
    }

    /// Loads a configuration, with a fence device for every host.
    pub fn configure(&self, text: &str) {
        let mut all = "rsc_defaults resource-stickiness=200 migration-threshold=3\n".to_owned();
        for (index, host) in self.cluster.hosts().iter().enumerate() {
            all += &format!(
                "primitive fence-{index} stonith:fence_testbed params pcmk_host_list=\"{host:?}\"\n\
                 location fence-{index}-elsewhere fence-{index} -inf: {host:?}\n"
            );
        }
        self.cluster.configure_crm(&(all + text)).expect("crmsh takes the configuration");
    }

    /// Sets parameters past any shell: crmsh has rules of its own for quotes and backslashes.
    pub fn set_parameters(&self, resource: &str, parameters: &[(&str, &str)]) {
        let host = &self.cluster.hosts()[0];
        for (name, value) in parameters {
            let value = format!("--parameter-value={value}");
            host.run_ok(&["crm_resource", "-r", resource, "--set-parameter", name, &value])
                .expect("the parameter is taken");
        }
    }

    /// Waits until the instance's roles and attributes are as they should be.
    #[track_caller]
    pub fn settled(&self, instance: &Instance, primary: &str, standbys: &[&str]) -> State {
        let name = instance.resource;
        let what = format!("{name}: {primary} is primary with standbys {standbys:?}");
        self.cluster.wait_until(&what, SOON, |state| instance.is_settled(state, primary, standbys))
    }

    /// Waits until a question has that answer.
    #[track_caller]
    pub fn answers(&self, instance: &Instance, host: &Host, sql: &str, wanted: &str) {
        let what = format!("{sql} answers {wanted} on {host:?}");
        self.cluster.wait_for(&what, SOON, || {
            instance.try_ask(host, sql).is_ok_and(|answer| answer == wanted).then_some(())
        });
    }

    /// Waits until a file of a host contains a text.
    #[track_caller]
    pub fn contains(&self, host: &Host, path: &str, text: &str) {
        let what = format!("{path} on {host:?} contains {text}");
        self.cluster.wait_for(&what, SOON, || {
            host.read_file(path).is_ok_and(|content| content.contains(text)).then_some(())
        });
    }

    /// Asserts that no acknowledged row is missing there.
    #[track_caller]
    pub fn assert_complete(&self, report: &LedgerReport, primary: &str) {
        assert!(!report.acknowledged.is_empty(), "the ledger has not written a row");
        let missing = self.cluster.verify_ledger(report, &self.host(primary));
        let missing = missing.expect("the ledger can be read");
        assert!(missing.is_empty(), "{} rows are lost: {missing:?}", missing.len());
    }

    /// Asserts that every action answered well inside its timeout, and that nobody was fenced.
    #[track_caller]
    pub fn assert_calm(&self) {
        for action in self.cluster.actions() {
            let done = matches!(action.result, ActionResult::Exit(_));
            assert!(done && action.took < WELL_INSIDE_ITS_TIMEOUT, "{action:?}");
        }
        assert!(self.cluster.fenced().is_empty(), "{:?}", self.cluster.fenced());
    }
}
