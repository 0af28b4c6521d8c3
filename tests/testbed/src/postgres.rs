//! PostgreSQL on the hosts without a cluster manager: the first data directory, its copies, start and stop by hand,
//! questions. What an agent would do does not belong here.

use crate::builder::Options;
use crate::cluster::Cluster;
use crate::error::{Doing, Error};
use crate::host::Host;
use crate::machine::DiskFile;
use crate::namespace;
use crate::stack::account;
use crate::template;
use crate::wire::{Rows, Session};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

const PG_HBA: &str = "local all all peer\n\
                      host all all 127.0.0.1/32 trust\n\
                      host all all 10.77.0.0/24 trust\n\
                      local replication all peer\n\
                      host replication all 127.0.0.1/32 trust\n\
                      host replication all 10.77.0.0/24 trust\n";

const SETTINGS: [(&str, &str); 13] = [
    ("listen_addresses", "'*'"),
    ("wal_level", "replica"),
    ("hot_standby", "on"),
    ("max_wal_senders", "10"),
    ("max_replication_slots", "10"),
    ("wal_log_hints", "on"),
    ("archive_mode", "off"),
    ("logging_collector", "off"),
    ("log_line_prefix", "'%m [%p] %a '"),
    ("shared_buffers", "16MB"),
    ("wal_sender_timeout", "5s"),
    ("wal_receiver_timeout", "5s"),
    ("timezone", "'UTC'"),
];

/// The table that the ledger writes.
const FIRST_STATEMENTS: [&str; 2] = [
    "create role repuser login replication",
    "create table ledger (number bigint primary key, written timestamptz not null default clock_timestamp())",
];

const REWIND_FUNCTIONS: [&str; 4] = [
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
];

const SQL_LIMIT: Duration = Duration::from_secs(10);

impl Cluster {
    /// Gives every host the same data directory: fresh, with a role `repuser` and the ledger's table, stopped.
    pub fn prepare_postgres(&self) -> Result<(), Error> {
        let options = &self.shared.options;
        let first = self.first_on()?;
        let key = format!(
            "{:?}",
            (
                &options.release_tree,
                &options.shares,
                &options.bindir,
                &options.pgdata,
                options.pg_port,
                &options.pg_settings
            )
        );
        let template = template::get_or_make(&key, || {
            make_data_directory(&first, options)?;
            template::pack(&first.path(&options.pgdata))
        })?;
        self.on_every_host(|host| {
            empty_data_directory(host, options)?;
            template::unpack(&template, &host.path(&options.pgdata))
        })
    }
}

fn empty_data_directory(host: &Host, options: &Options) -> Result<(), Error> {
    let owner = account(&options.release_tree, "postgres")?;
    if let Some((parent, _)) =
        options.pgdata.rsplit_once('/').filter(|(parent, _)| !parent.is_empty())
    {
        let path = host.path(parent);
        std::fs::create_dir_all(&path).doing(|| format!("make {parent} on {}", host.name()))?;
        std::os::unix::fs::chown(&path, Some(owner.0), Some(owner.1))
            .doing(|| format!("give {parent} to postgres"))?;
    }
    host.machine().blank_directory(&options.pgdata, 0o700, owner)?;
    host.machine().write(&DiskFile { path: &options.pg_log, content: b"", mode: 0o600, owner })
}

fn make_data_directory(host: &Host, options: &Options) -> Result<(), Error> {
    empty_data_directory(host, options)?;
    let owner = account(&options.release_tree, "postgres")?;
    let initdb = format!("{}/initdb", options.bindir);
    host.run_as_ok(
        "postgres",
        &[&initdb, "-D", &options.pgdata, "-N", "-A", "trust", "-E", "UTF8", "--locale=C"],
    )?;
    let conf_path = format!("{}/postgresql.conf", options.pgdata);
    let conf = host.read_file(&conf_path)? + &settings(host, options)?;
    host.machine().write(&DiskFile {
        path: &conf_path,
        content: conf.as_bytes(),
        mode: 0o600,
        owner,
    })?;
    let hba_path = format!("{}/pg_hba.conf", options.pgdata);
    host.machine().write(&DiskFile {
        path: &hba_path,
        content: PG_HBA.as_bytes(),
        mode: 0o600,
        owner,
    })?;
    host.start_postgres()?;
    for statement in FIRST_STATEMENTS {
        host.psql(statement)?;
    }
    host.stop_postgres("fast")
}

fn settings(host: &Host, options: &Options) -> Result<String, Error> {
    let version = host.read_file(&format!("{}/PG_VERSION", options.pgdata))?;
    let major: u32 =
        version.trim().split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let keep = if major >= 13 { ("wal_keep_size", "64MB") } else { ("wal_keep_segments", "4") };
    let port = options.pg_port.to_string();
    let chosen = options.pg_settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut text = String::from("\n# The testbed's.\n");
    for (name, value) in SETTINGS.into_iter().chain([keep, ("port", port.as_str())]).chain(chosen) {
        writeln!(text, "{name} = {value}").expect("writing to a string cannot fail");
    }
    Ok(text)
}

/// Asks a server one question, from that namespace.
pub(crate) fn ask(netns: &Path, address: &str, port: u16, sql: &str) -> Result<Rows, Error> {
    let failed = |reason: String| Error::Sql(format!("{sql} at {address}:{port}: {reason}"));
    let address: IpAddr = address.parse().map_err(|_| failed("no IP address".into()))?;
    let server = SocketAddr::from((address, port));
    let asked = namespace::inside(netns, || {
        Session::connect(server, SQL_LIMIT)?.query(sql, SQL_LIMIT, &|| false)
    })?;
    asked.map_err(|failure| failed(failure.to_string()))
}

impl Host {
    fn run_as_ok(&self, user: &str, words: &[&str]) -> Result<(), Error> {
        self.run_as(user, words)?
            .required(&format!("{}: {}", self.name(), words.join(" ")))
            .map(drop)
    }

    fn pg_ctl(&self, words: &[&str]) -> Result<(), Error> {
        let options = &self.shared.options;
        let program = format!("{}/pg_ctl", options.bindir);
        let common = [program.as_str(), "-D", &options.pgdata, "-w", "-l", &options.pg_log];
        self.run_as_ok("postgres", &[&common, words].concat())
    }

    /// Starts the server by hand.
    pub fn start_postgres(&self) -> Result<(), Error> {
        self.pg_ctl(&["start"])
    }

    /// Stops the server by hand: `smart`, `fast` or `immediate`.
    pub fn stop_postgres(&self, mode: &str) -> Result<(), Error> {
        self.pg_ctl(&["stop", "-m", mode])
    }

    /// The postmaster's pid as the host numbers it, if that process is there.
    #[must_use]
    pub fn postmaster(&self) -> Option<i32> {
        let file =
            self.read_file(&format!("{}/postmaster.pid", self.shared.options.pgdata)).ok()?;
        let pid = file.lines().next()?.trim().parse().ok()?;
        self.processes()
            .into_iter()
            .any(|process| process.pid == pid && process.name.starts_with("postgres"))
            .then_some(pid)
    }

    /// The same, and the second in which it began: a host that was off gives the same numbers again.
    pub fn postmaster_began(&self) -> Option<(i32, i64)> {
        let pid = self.postmaster()?;
        let pgdata = &self.shared.options.pgdata;
        let file = self.read_file(&format!("{pgdata}/postmaster.pid")).ok()?;
        Some((pid, file.lines().nth(2)?.trim().parse().ok()?))
    }

    /// Asks the server, over the host's own loopback, as `postgres`.
    pub fn query(&self, sql: &str) -> Result<Rows, Error> {
        ask(&self.netns(), "127.0.0.1", self.shared.options.pg_port, sql)
    }

    /// Asks the server; the answer as `psql -At` prints it.
    pub fn psql(&self, sql: &str) -> Result<String, Error> {
        let line = |row: Vec<Option<String>>| {
            row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|")
        };
        Ok(self.query(sql)?.into_iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    /// A new copy of the primary's data, in place of what was there; the host's server is stopped.
    pub fn copy_from(&self, primary: &Self) -> Result<(), Error> {
        let options = &self.shared.options;
        let (program, pgdata) = (format!("{}/pg_basebackup", options.bindir), &options.pgdata);
        let (address, port, fresh) =
            (primary.address(), options.pg_port.to_string(), format!("{pgdata}.new"));
        let words =
            [&program, "-D", &fresh, "-h", &address, "-p", &port, "-U", "repuser", "-c", "fast"];
        self.run_ok(&["rm", "-rf", &fresh])?;
        self.run_as_ok("postgres", &words)?;
        // The WAL may have a disk of its own, behind a link, which stays.
        let script = format!(
            "if [ -L {pgdata}/pg_wal ]; then disk=$(readlink {pgdata}/pg_wal); rm -rf $disk; \
             mv {fresh}/pg_wal $disk; mv {pgdata}/pg_wal {fresh}/pg_wal; fi; \
             rm -rf {pgdata} && mv {fresh} {pgdata}"
        );
        self.run_ok(&["sh", "-euc", &script]).map(drop)
    }

    /// Grants a role what it needs beside replication, so that pg_rewind can copy with it (PostgreSQL's manual,
    /// pg_rewind); the host's server is the primary.
    pub fn grant_rewind(&self, role: &str) -> Result<(), Error> {
        REWIND_FUNCTIONS.iter().try_for_each(|function| {
            self.query(&format!("grant execute on function pg_catalog.{function} to {role}"))
                .map(drop)
        })
    }

    /// Adds an address to the host by hand and tells the neighbours.
    pub fn add_address(&self, address: &str) -> Result<(), Error> {
        self.run_ok(&["ip", "addr", "add", &format!("{address}/24"), "dev", "eth0"]).map(drop)
    }

    pub(crate) fn netns(&self) -> std::path::PathBuf {
        self.shared.network.netns(self.machine().port)
    }
}
