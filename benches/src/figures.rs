//! The figures to reach, and whether they are. Pure. The limits are the project's promise; what is measured is told in
//! `README.md`.

use std::time::Duration;

use serde::Serialize;

use crate::contender::Agent;
use crate::failover::{Failover, Start};
use crate::fault::Fault;
use crate::monitor::{Monitors, Place};
use crate::statistics::{Summary, Time, times};

/// A monitor costs at most this part of the stock agent's.
const MONITOR_PART: u32 = 15;
/// A failover takes at most this part of the stock agent's.
const FAILOVER_PART: u32 = 2;
/// A first start takes at most this.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A figure to reach.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What it is about.
    pub what: &'static str,
    /// What was measured, in words.
    pub measured: String,
    /// What is wanted, in words.
    pub wanted: String,
    /// Whether it is reached.
    pub reached: bool,
}

/// Judges the monitors.
#[must_use]
pub fn of_monitors(monitors: &[Monitors]) -> Vec<Figure> {
    let find = |agent, place| monitors.iter().find(|m| m.agent == agent && m.place == place);
    let (ours, stock) = (find(Agent::Ours, Place::Primary), find(Agent::Stock, Place::Primary));
    let mut figures = Vec::new();
    if let (Some(ours), Some(stock)) = (ours, stock) {
        let part = |what, ours, stock| compared(what, ours, stock, MONITOR_PART);
        figures.extend(part("monitor on the primary, wall time", ours.wall, stock.wall));
        figures.extend(part("monitor on the primary, cpu time", ours.cpu, stock.cpu));
    }
    let own: Vec<&Monitors> = monitors.iter().filter(|m| m.agent == Agent::Ours).collect();
    if !own.is_empty() {
        let processes = own.iter().map(|m| m.trace.processes).max().unwrap_or_default();
        figures.push(counted("processes of a steady monitor", processes as u64, 1));
        let writes = own.iter().map(|m| m.trace.writes as u64 + m.cib_changes).sum();
        figures.push(counted("attributes written by steady monitors", writes, 0));
    }
    figures
}

/// Judges the first starts.
#[must_use]
pub fn of_starts(starts: &[Start]) -> Option<Figure> {
    let took = starts.iter().filter(|start| start.agent == Agent::Ours).map(|start| start.took);
    let summary = Summary::of(took)?;
    Some(Figure {
        what: "first start, median",
        measured: seconds(summary.median),
        wanted: format!("at most {}", seconds(Time(START_LIMIT))),
        reached: summary.median.0 <= START_LIMIT,
    })
}

/// Judges the failovers.
#[must_use]
pub fn of_failovers(failovers: &[Failover]) -> Vec<Figure> {
    let detected = |agent| {
        let killed = failovers.iter().filter(move |failover| {
            failover.agent == agent && failover.fault == Fault::KilledPostmaster
        });
        Summary::of(killed.filter_map(|failover| failover.from_not_running))
    };
    let what = "killed postmaster, from \"not running\" to the first row";
    let mut figures = Vec::from_iter(compared(
        what,
        detected(Agent::Ours),
        detected(Agent::Stock),
        FAILOVER_PART,
    ));
    let own: Vec<_> = failovers.iter().filter(|failover| failover.agent == Agent::Ours).collect();
    if !own.is_empty() {
        let lost = own.iter().map(|failover| failover.lost as u64).sum();
        figures.push(counted("acknowledged rows lost", lost, 0));
    }
    figures
}

fn compared(
    what: &'static str,
    ours: Option<Summary>,
    stock: Option<Summary>,
    part: u32,
) -> Option<Figure> {
    let (ours, stock) = (ours?.median, stock?.median);
    Some(Figure {
        what,
        measured: format!("1/{:.1}", times(ours, stock)),
        wanted: format!("at most 1/{part} of the stock agent's"),
        reached: ours.0 * part <= stock.0,
    })
}

fn counted(what: &'static str, count: u64, limit: u64) -> Figure {
    let wanted = if limit == 0 { "none".to_owned() } else { format!("at most {limit}") };
    Figure { what, measured: count.to_string(), wanted, reached: count <= limit }
}

fn seconds(time: Time) -> String {
    format!("{:.1} s", time.0.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed(agent: Agent, milliseconds: u64) -> Failover {
        Failover {
            agent,
            fault: Fault::KilledPostmaster,
            outage: Time(Duration::from_secs(9)),
            from_not_running: Some(Time(Duration::from_millis(milliseconds))),
            from_fenced: None,
            same_host: false,
            acknowledged: 5,
            lost: 0,
            load: 0.0,
        }
    }

    #[test]
    fn medians_are_compared_and_half_is_enough() {
        let runs = |ours| {
            [killed(Agent::Ours, ours), killed(Agent::Ours, 1), killed(Agent::Ours, 9000)]
                .into_iter()
                .chain([killed(Agent::Stock, 4000)])
                .collect::<Vec<_>>()
        };
        let reached = |ours| of_failovers(&runs(ours)).iter().all(|figure| figure.reached);
        assert!(reached(2000));
        assert!(!reached(2001));
    }

    #[test]
    fn one_agent_alone_is_not_compared_and_a_lost_row_is_a_failure() {
        let mut alone = [killed(Agent::Ours, 1)];
        assert!(of_failovers(&alone).iter().all(|figure| figure.reached));
        alone[0].lost = 1;
        assert!(of_failovers(&alone).iter().any(|figure| !figure.reached));
        assert!(of_failovers(&[killed(Agent::Stock, 1)]).is_empty());
    }

    #[test]
    fn ten_seconds_are_enough_for_a_start() {
        let start = |took| Start { agent: Agent::Ours, took: Time(took), load: 0.0 };
        let reached = |took| of_starts(&[start(took)]).is_some_and(|figure| figure.reached);
        assert!(reached(START_LIMIT) && !reached(START_LIMIT + Duration::from_millis(1)));
        assert!(of_starts(&[]).is_none());
    }
}
