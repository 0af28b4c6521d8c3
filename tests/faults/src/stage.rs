//! What a case has at hand while it is played: the hosts in their roles, the ledger, words for what several cases do.
//! No case by name.

use std::process::Child;
use std::time::{Duration, SystemTime};

use testbed::{Cluster, Host, Ledger, State};

use crate::error::Error;
use crate::site::{CLONE, RESOURCE, Roles, SOON, Site, until};

/// The stage of one case.
pub struct Stage<'a> {
    /// The cluster.
    pub site: &'a Site,
    /// Who was what before.
    pub roles: Roles,
    /// What clients write through the address.
    pub ledger: &'a Ledger,
    /// When the fault began.
    pub struck: SystemTime,
    /// The primary's postmaster before, and when it began.
    pub postmaster: Option<(i32, i64)>,
    /// What the case itself found wrong.
    pub complaints: Vec<String>,
    /// Commands that end with the case.
    pub children: Vec<Child>,
}

impl Stage<'_> {
    /// The cluster.
    pub const fn cluster(&self) -> &Cluster {
        &self.site.cluster
    }

    /// The host that was the primary.
    pub fn primary(&self) -> Host {
        self.cluster().host(&self.roles.primary)
    }

    /// The host that was the synchronous standby.
    pub fn sync(&self) -> Host {
        self.cluster().host(&self.roles.sync)
    }

    /// The host of the other standby.
    pub fn third(&self) -> Host {
        self.cluster().host(&self.roles.third)
    }

    /// Notes that something is not as it should be.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.complaints.push(text.into());
    }

    /// Waits until the cluster is as described.
    pub fn until_state(
        &self,
        what: &str,
        limit: Duration,
        is_so: impl Fn(&State) -> bool,
    ) -> Result<State, Error> {
        until(what, limit, || self.cluster().state().ok().filter(&is_so))
    }

    /// Waits for that many more rows.
    pub fn rows(&self, count: usize, limit: Duration) -> Result<(), Error> {
        let before = self.ledger.acknowledged();
        let enough = || (self.ledger.acknowledged() >= before + count).then_some(());
        until("acknowledged rows", limit, enough)
    }

    /// Moves the primary to that host, as an operator does.
    pub fn switch_over_to(&self, to: &str) -> Result<(), Error> {
        let words = ["crm_resource", "--move", "-r", CLONE, "--promoted", "-N", to];
        self.site.first_on()?.run_ok(&words)?;
        Ok(())
    }

    /// Waits for a primary that is another one, or the same with another server.
    pub fn new_primary(&self, limit: Duration) -> Result<Host, Error> {
        until("a new primary", limit, || {
            self.cluster().hosts().into_iter().find(|host| self.is_new_primary(host))
        })
    }

    fn is_new_primary(&self, host: &Host) -> bool {
        let fresh = host.name() != self.roles.primary || host.postmaster_began() != self.postmaster;
        let accepts = || host.psql("select pg_is_in_recovery()").is_ok_and(|text| text == "f");
        host.is_on() && fresh && accepts()
    }

    /// Waits for the refusal of a start on that host; yields its reason.
    pub fn refusal(&self, host: &str, limit: Duration) -> Result<String, Error> {
        let what = format!("a refused start on {host}");
        until(&what, limit, || refusal(&self.cluster().state().ok()?, host))
    }

    /// Lets the cluster try again on that host, after the operator has repaired something.
    pub fn clean_up(&self, host: &str) -> Result<(), Error> {
        let words = ["crm_resource", "--cleanup", "-r", RESOURCE, "-N", host];
        self.site.first_on()?.run_ok(&words)?;
        Ok(())
    }

    /// Forbids that node to run anything, or allows it again.
    pub fn set_standby(&self, node: &str, standby: bool) -> Result<(), Error> {
        let word = if standby { "standby" } else { "online" };
        self.site.first_on()?.run_ok(&["crm", "node", word, node])?;
        Ok(())
    }

    /// Waits until nothing of PostgreSQL runs on that host, as the cluster sees it.
    pub fn stopped(&self, node: &str) -> Result<(), Error> {
        self.until_state(&format!("PostgreSQL is stopped on {node}"), SOON, |state| {
            !state.active(RESOURCE).contains(&node)
        })?;
        Ok(())
    }

    /// Opens a session on that host that runs a statement for long, and ends with the case or when it is killed.
    pub fn session(&mut self, host: &Host, sql: &str) -> Result<(), Error> {
        // A backend at work does not look by itself whether its client is still there.
        let target =
            "host=127.0.0.1 user=postgres options='-c client_connection_check_interval=200'";
        self.children.push(host.spawn(&["psql", "-d", target, "-c", sql])?);
        Ok(())
    }

    /// Writes that many megabytes of WAL on the primary.
    pub fn write_wal(&self, megabytes: usize) -> Result<(), Error> {
        let primary = self.primary();
        primary.query("create table if not exists filler (number bigint, text text)")?;
        for _ in 0..megabytes.div_ceil(8) {
            // Too short to be compressed, so that what is written is as much.
            primary.query(
                "set synchronous_commit = local; insert into filler select number, \
                 repeat(md5(random()::text), 58) from generate_series(1, 4400) number",
            )?;
        }
        Ok(())
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// The reason of a refused start.
pub fn refusal(state: &State, host: &str) -> Option<String> {
    let operation = format!("{RESOURCE}_start_0");
    let of_host =
        |failure: &&testbed::Failure| failure.node == host && failure.operation == operation;
    let failure = state.failures.iter().find(of_host)?;
    (!state.active(RESOURCE).contains(&host)).then(|| failure.reason.clone())
}
