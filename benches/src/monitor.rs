//! The monitor action by hand: what it costs, which processes it makes, what it writes. Both agents' clusters are up
//! at the same time and their monitors run in turn, so that a busy machine is as busy for one as for the other.

use std::thread;

use serde::Serialize;
use testbed::Host;

use crate::contender::{Agent, Contenders};
use crate::error::Error;
use crate::gauge::{self, Cost};
use crate::site::Site;
use crate::statistics::Summary;
use crate::trace::{self, CALLS, Trace};

const AGENT: &str = "/usr/lib/ocf/resource.d/heartbeat/pgsql";
const TRACE_FILE: &str = "/tmp/bench-trace";

/// A host that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The primary.
    Primary,
    /// The synchronous standby.
    Standby,
}

/// What the monitors of one agent cost at one place.
#[derive(Debug, Clone, Serialize)]
pub struct Monitors {
    /// Whose.
    pub agent: Agent,
    /// Where.
    pub place: Place,
    /// Each run.
    pub costs: Vec<Cost>,
    /// Wall time.
    pub wall: Option<Summary>,
    /// Processor time.
    pub cpu: Option<Summary>,
    /// Of a run of its own under strace, since that slows it down.
    pub trace: Trace,
    /// Changes of the CIB while this agent's monitors ran, by hand and by Pacemaker.
    pub cib_changes: u64,
}

/// A host with the environment of its monitor.
struct Spot {
    agent: Agent,
    place: Place,
    host: Host,
    environment: Vec<(String, String)>,
    costs: Vec<Cost>,
    cib_before: CibVersion,
}

impl Spot {
    fn expected_code(&self) -> i32 {
        match self.place {
            Place::Primary => 8,
            Place::Standby => 0,
        }
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn run(&mut self) -> Result<(), Error> {
        let cost = gauge::measure(&self.host, &[AGENT, "monitor"], &self.environment())?;
        if cost.code != self.expected_code() {
            let text = format!("{} on the {:?}: {}", self.agent, self.place, cost.code);
            return Err(Error::Parse { what: "the monitor's exit code", text });
        }
        self.costs.push(cost);
        Ok(())
    }

    fn trace(&self) -> Result<Trace, Error> {
        let words = ["strace", "-f", "-qq", "-e", CALLS, "-e", "signal=none", "-o", TRACE_FILE];
        let words = [&words[..], &[AGENT, "monitor"]].concat();
        let output =
            self.host.run_with(&words, &self.environment(), None, testbed::COMMAND_LIMIT)?;
        if output.code != self.expected_code() {
            let text = output.stderr + " (is strace installed?)";
            return Err(Error::Parse { what: "the answer of strace", text });
        }
        Ok(trace::parse(&self.host.read_file(TRACE_FILE)?))
    }

    fn conclude(self) -> Result<Monitors, Error> {
        Ok(Monitors {
            agent: self.agent,
            place: self.place,
            wall: Summary::of(self.costs.iter().map(|cost| cost.wall)),
            cpu: Summary::of(self.costs.iter().map(|cost| cost.cpu)),
            cib_changes: cib_version(&self.host)?.changes_since(self.cib_before),
            trace: self.trace()?,
            costs: self.costs,
        })
    }
}

/// Measures monitors of both agents on a primary and on a standby.
///
/// # Errors
/// When a cluster does not come up, or a monitor does not say what it should.
pub fn measure(contenders: &Contenders, runs: usize) -> Result<Vec<Monitors>, Error> {
    eprintln!("bench: the clusters for the monitors start");
    let sites = thread::scope(|scope| {
        let boot = |agent| scope.spawn(move || running_site(contenders, agent));
        let threads: Vec<_> = contenders.agents().into_iter().map(boot).collect();
        let joined = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(Error::Panicked("a cluster did not start".into())))
        });
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let mut spots = Vec::new();
    for (agent, site) in &sites {
        spots.extend(spots_of(contenders, *agent, site)?);
    }
    for run in 1..=runs {
        eprintln!("bench: monitor {run}/{runs}");
        for spot in &mut spots {
            spot.run()?;
        }
    }
    spots.into_iter().map(Spot::conclude).collect()
}

fn running_site(contenders: &Contenders, agent: Agent) -> Result<(Agent, Site), Error> {
    let site = Site::boot(contenders, agent, &format!("bench.monitor.{agent}"))?;
    site.start(contenders)?;
    Ok((agent, site))
}

fn spots_of(contenders: &Contenders, agent: Agent, site: &Site) -> Result<Vec<Spot>, Error> {
    let roles = site.settle()?;
    let places = [(Place::Primary, &roles.primary), (Place::Standby, &roles.sync)];
    let spot = |(place, name): (Place, &String)| {
        let environment =
            contenders.configuration.monitor_environment(name, place == Place::Primary);
        let host = site.cluster.host(name);
        let cib_before = cib_version(&host)?;
        Ok(Spot { agent, place, host, environment, costs: Vec::new(), cib_before })
    };
    places.into_iter().map(spot).collect()
}

/// The version of the CIB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CibVersion {
    /// Counts changes of the configuration.
    epoch: u64,
    /// Counts changes of the status; starts anew with each epoch.
    updates: u64,
}

impl CibVersion {
    /// How many changes there were, or the least there can have been.
    const fn changes_since(self, earlier: Self) -> u64 {
        match self.epoch.saturating_sub(earlier.epoch) {
            0 => self.updates.saturating_sub(earlier.updates),
            epochs => epochs + self.updates,
        }
    }
}

fn cib_version(host: &Host) -> Result<CibVersion, Error> {
    let cib = host.run_ok(&["cibadmin", "-Q", "-l"])?;
    let head = cib.split_once('>').map_or(cib.as_str(), |(head, _)| head);
    let number = |name: &str| {
        let value = head.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
        value.parse::<u64>().ok()
    };
    let version = number("epoch").zip(number("num_updates"));
    let version = version.map(|(epoch, updates)| CibVersion { epoch, updates });
    version.ok_or_else(|| Error::Parse { what: "the version of the CIB", text: head.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_the_cib_are_counted_over_epochs() {
        let version = |epoch, updates| CibVersion { epoch, updates };
        assert_eq!(version(5, 7).changes_since(version(5, 7)), 0);
        assert_eq!(version(5, 9).changes_since(version(5, 7)), 2);
        assert_eq!(version(6, 1).changes_since(version(5, 7)), 2);
    }
}
