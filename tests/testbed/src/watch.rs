//! Looks at the cluster and waits until it is as it should be. Never sleeps for a fixed time; shows everything that
//! helps when the wait was in vain. What a state means is in `state`.

use crate::cluster::Cluster;
use crate::command::{SOON, poll};
use crate::error::Error;
use crate::host::Host;
use crate::stack::PACEMAKER_LOG;
use crate::state::State;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// How long the cluster's own programs may take, when the cluster may be in trouble.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
const LINES_PER_HOST: usize = 25;

impl Host {
    /// The cluster as this host sees it.
    pub fn cluster_state(&self) -> Result<State, Error> {
        let ask = |words: &[&str]| {
            let output = self.run_with(words, &[], None, LOOK_LIMIT)?;
            output.required(&words.join(" ")).map(|output| output.stdout)
        };
        let crm_mon = ask(&["crm_mon", "-1", "--inactive", "--output-as", "xml"])?;
        State::parse(self.name(), &crm_mon, &ask(&["cibadmin", "-Q", "-l"])?)
    }
}

impl Cluster {
    /// The cluster as the first host sees it that has quorum; without any, as the first that answers sees it.
    pub fn state(&self) -> Result<State, Error> {
        let mut without_quorum = None;
        for host in self.hosts().iter().filter(|host| host.is_on()) {
            match host.cluster_state() {
                Ok(state) if state.quorum => return Ok(state),
                Ok(state) => without_quorum = without_quorum.or(Some(state)),
                Err(_) => {}
            }
        }
        without_quorum.ok_or(Error::NobodyAnswers)
    }

    /// Waits until the cluster is as described, and yields that state.
    ///
    /// # Panics
    /// When the time is up, with the state, and the last log lines of every host.
    #[track_caller]
    pub fn wait_until(&self, what: &str, limit: Duration, is_so: impl Fn(&State) -> bool) -> State {
        let started = Instant::now();
        match poll(what, limit, SOON, || self.state().ok().filter(&is_so)) {
            Ok(state) => state,
            Err(error) => panic!("{error} (waited {:?})\n{}", started.elapsed(), self.dump()),
        }
    }

    /// Waits until every host is online, the partition has quorum, and there is a DC.
    #[track_caller]
    pub fn wait_until_online(&self, limit: Duration) -> State {
        let hosts = self.hosts().len();
        self.wait_until("all hosts are online", limit, |state| {
            state.quorum && state.dc.is_some() && state.online().len() == hosts
        })
    }

    /// Waits until the DC has nothing left to do.
    #[track_caller]
    pub fn wait_until_idle(&self, limit: Duration) -> State {
        self.wait_until("the cluster is idle", limit, |state| self.is_idle(state))
    }

    /// Whether the DC has nothing left to do.
    #[must_use]
    pub fn is_idle(&self, state: &State) -> bool {
        let (Some(dc), Ok(host)) = (&state.dc, self.first_on()) else { return false };
        let answer = host.run_with(&["crmadmin", "-q", "-S", dc], &[], None, LOOK_LIMIT);
        answer.is_ok_and(|answer| format!("{}{}", answer.stdout, answer.stderr).contains("S_IDLE"))
    }

    /// Waits until something of the test's own is true.
    ///
    /// # Panics
    /// When the time is up, as `wait_until` does.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, limit: Duration, ask: impl FnMut() -> Option<T>) -> T {
        poll(what, limit, SOON, ask).unwrap_or_else(|error| panic!("{error}\n{}", self.dump()))
    }

    /// Everything that helps to understand where the cluster stands.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for host in self.hosts() {
            let on = if host.is_on() { "on" } else { "off" };
            let _infallible = writeln!(
                text,
                "━━━ {} ({on}), last lines that matter of {PACEMAKER_LOG}",
                host.name()
            );
            let log = host.read_file(PACEMAKER_LOG).unwrap_or_default();
            let lines: Vec<&str> = log
                .lines()
                .filter(|line| !line.contains("info:") && !line.contains("-based "))
                .collect();
            for line in &lines[lines.len().saturating_sub(LINES_PER_HOST)..] {
                let _infallible = writeln!(text, "{line}");
            }
        }
        for host in self.hosts().iter().filter(|host| host.is_on()) {
            if let Ok(answer) = host.run_with(&["crm_mon", "-1rAf"], &[], None, LOOK_LIMIT) {
                let _infallible = writeln!(
                    text,
                    "━━━ crm_mon on {}\n{}{}",
                    host.name(),
                    answer.stdout,
                    answer.stderr
                );
            }
        }
        text
    }
}
