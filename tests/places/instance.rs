//! One PostgreSQL instance as an administrator configures it: the words of its primitive, and how to ask it.

use testbed::{Host, State};

/// Debian's programs.
pub const BINDIR: &str = "/usr/lib/postgresql/15/bin";

/// What the attributes of a node say: status, data-status, promotion score.
pub type Record = [String; 3];

/// The record of a primary.
pub const PRIMARY: [&str; 3] = ["PRI", "LATEST", "1000"];
/// The record of the standby that commits wait for.
pub const SYNC: [&str; 3] = ["HS:sync", "STREAMING|SYNC", "100"];
/// The record of any other standby.
pub const ASYNC: [&str; 3] = ["HS:async", "STREAMING|ASYNC", "-INFINITY"];

/// A promotable instance with its two addresses.
#[derive(Clone)]
pub struct Instance {
    /// The name of the primitive; the clone is `<resource>-clone`.
    pub resource: &'static str,
    /// Port.
    pub port: u16,
    /// Data directory.
    pub pgdata: &'static str,
    /// Directory of the agent's files.
    pub tmpdir: &'static str,
    /// The directory of the socket through which this test asks, too.
    pub socketdir: &'static str,
    /// The server's log.
    pub logfile: &'static str,
    /// The address for clients.
    pub client_vip: &'static str,
    /// The address for standbys.
    pub replication_vip: &'static str,
    /// Further parameters.
    pub more: Vec<(&'static str, &'static str)>,
}

impl Instance {
    /// The instance of the examples, with nothing special.
    pub fn usual() -> Self {
        Self {
            resource: "pgsql",
            port: 5432,
            pgdata: "/var/lib/pgsql/data",
            tmpdir: "/var/lib/pgsql/tmp",
            socketdir: "/var/run/postgresql",
            logfile: "/var/log/postgresql/pgsql-ha.log",
            client_vip: "10.77.0.100",
            replication_vip: "10.77.0.101",
            more: vec![("replication_slot_name", "ha")],
        }
    }

    /// Adds parameters.
    pub fn with(mut self, more: &[(&'static str, &'static str)]) -> Self {
        self.more.extend_from_slice(more);
        self
    }

    /// The configuration of the instance and its addresses, for crmsh; `meta` goes to the clone.
    pub fn crm(&self, nodes: &[&str], meta: &str) -> String {
        let Self { resource, client_vip, replication_vip, .. } = self;
        let more: String =
            self.more.iter().map(|(name, value)| format!(" {name}=\"{value}\"")).collect();
        let (port, pgdata, tmpdir) = (self.port, self.pgdata, self.tmpdir);
        let (socketdir, logfile, nodes) = (self.socketdir, self.logfile, nodes.join(" "));
        format!(
            "primitive {resource} ocf:heartbeat:pgsql params pgctl=\"{BINDIR}/pg_ctl\" psql=\"{BINDIR}/psql\" \
             pgdata=\"{pgdata}\" tmpdir=\"{tmpdir}\" pgport=\"{port}\" socketdir=\"{socketdir}\" logfile=\"{logfile}\" \
             pgdb=\"postgres\" rep_mode=\"sync\" node_list=\"{nodes}\" master_ip=\"{replication_vip}\" repuser=\"repuser\"{more} \
             op start interval=0s timeout=60s op stop interval=0s timeout=60s on-fail=fence \
             op monitor interval=3s timeout=30s op monitor role=Promoted interval=2s timeout=30s \
             op promote interval=0s timeout=60s op demote interval=0s timeout=60s on-fail=fence \
             op notify interval=0s timeout=30s\n\
             clone {resource}-clone {resource} meta promotable=true notify=true interleave=true {meta}\n\
             {}{}\
             group {resource}-addresses {resource}-client {resource}-replication\n\
             colocation {resource}-with-primary inf: {resource}-addresses {resource}-clone:Promoted\n\
             order {resource}-promote Mandatory: {resource}-clone:promote {resource}-addresses:start symmetrical=false\n\
             order {resource}-demote Optional: {resource}-clone:demote {resource}-addresses:stop symmetrical=false\n",
            address(&format!("{resource}-client"), client_vip),
            address(&format!("{resource}-replication"), replication_vip),
        )
    }

    /// Asks the instance on that host through its socket, as psql prints it.
    pub fn ask(&self, host: &Host, sql: &str) -> String {
        self.try_ask(host, sql)
            .unwrap_or_else(|error| panic!("{} on {host:?}: {error}", self.resource))
    }

    /// The same, when there may be no answer.
    pub fn try_ask(&self, host: &Host, sql: &str) -> Result<String, String> {
        let (psql, port) = (format!("{BINDIR}/psql"), self.port.to_string());
        let words = [&psql, "-X", "-h", self.socketdir, "-p", &port, "-d", "postgres", "-Atc", sql];
        let answer = host.run_as("postgres", &words).map_err(|error| error.to_string())?;
        match answer.success() {
            true => Ok(answer.stdout.trim_end().to_owned()),
            false => Err(answer.stderr),
        }
    }

    /// The postmaster's pid, from its own file.
    pub fn postmaster(&self, host: &Host) -> Option<String> {
        let file = host.read_file(&format!("{}/postmaster.pid", self.pgdata)).ok()?;
        file.lines().next().map(str::to_owned)
    }

    /// The attributes of a node.
    pub fn record(&self, state: &State, node: &str) -> Record {
        let resource = self.resource;
        let transient = |name: &str| state.transient(node, name).unwrap_or_default().to_owned();
        let permanent = format!("{resource}-data-status");
        [
            transient(&format!("{resource}-status")),
            state.permanent(node, &permanent).unwrap_or_default().to_owned(),
            transient(&format!("master-{resource}")),
        ]
    }

    /// What `check_wal_receiver` says of a node.
    pub fn receiver<'a>(&self, state: &'a State, node: &str) -> Option<&'a str> {
        state.transient(node, &format!("{}-receiver-status", self.resource))
    }

    /// Where this instance is promoted.
    pub fn promoted<'a>(&self, state: &'a State) -> Vec<&'a str> {
        let promoted = state.resources.iter().filter(|resource| {
            resource.id == self.resource
                && resource.role == testbed::Role::Promoted
                && resource.pending.is_none()
        });
        promoted.flat_map(|resource| &resource.nodes).map(String::as_str).collect()
    }

    /// Whether `primary` alone is primary, the first of `standbys` synchronous, and the others not.
    pub fn is_settled(&self, state: &State, primary: &str, standbys: &[&str]) -> bool {
        let ranks =
            standbys.iter().enumerate().map(|(index, name)| (index, self.record(state, name)));
        self.promoted(state) == [primary]
            && self.record(state, primary) == PRIMARY
            && ranks.into_iter().all(|(index, rank)| rank == if index == 0 { SYNC } else { ASYNC })
    }
}

fn address(name: &str, ip: &str) -> String {
    format!(
        "primitive {name} ocf:heartbeat:IPaddr2 params ip=\"{ip}\" nic=\"eth0\" cidr_netmask=\"24\" \
         op start interval=0s timeout=60s op stop interval=0s timeout=60s op monitor interval=10s timeout=60s\n"
    )
}
