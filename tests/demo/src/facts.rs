//! What happened when, found in the logs of Pacemaker, of PostgreSQL and of the client. Looks nothing up itself except
//! through the testbed's history; draws nothing.

use crate::paint::Ink;
use crate::server_log;
use crate::site::{CLIENT_ADDRESS, CLIENT_RESOURCE, PG_LOG, RESOURCE};
use crate::timeline::{Moment, in_order};
use std::time::{Duration, SystemTime};
use testbed::{Acknowledged, ActionRecord, Cluster, Event, LedgerReport, Outage};

/// Who plays which part.
#[derive(Debug, Clone)]
pub struct Players {
    /// The primary that is killed.
    pub old: String,
    /// The one that takes over.
    pub new: String,
    /// The one that goes on as a standby.
    pub third: String,
}

/// The time line of the failover.
pub fn moments(
    cluster: &Cluster,
    players: &Players,
    killed: SystemTime,
    gap: Option<Outage>,
) -> Vec<Moment> {
    let Players { old, new, third } = players;
    let actions = cluster.actions();
    let action = |host: &str, resource, action| find(&actions, host, resource, action, killed);
    let (demote, promote) = (action(old, RESOURCE, "demote"), action(new, RESOURCE, "promote"));
    let address = action(new, CLIENT_RESOURCE, "start").map(|record| record.when);
    let log = |host: &str, words: &str| {
        let log = cluster.host(host).read_file(PG_LOG).ok()?;
        server_log::first(&log, killed, words)
    };
    let streams = log(third, "started streaming WAL from primary");
    let synchronous = log(new, &format!("\"{third}\" is now a synchronous standby"));
    let moment = |at, who: &str, ink, what: String| Moment { at, who: who.into(), what, ink };
    in_order(vec![
        moment(
            gap.map(|gap| gap.start),
            "client",
            Ink::Normal,
            format!("last row acknowledged by {old}"),
        ),
        moment(Some(killed), old, Ink::Bad, "the postmaster is killed (SIGKILL)".into()),
        moment(
            noticed(&cluster.events(), old, killed),
            old,
            Ink::Normal,
            "Pacemaker notices: the monitor says \"not running\" (it looks every 9 s)".into(),
        ),
        moment(
            demote.map(|record| record.when),
            old,
            Ink::Normal,
            format!("demoted{}", took(demote)),
        ),
        moment(promote.map(begun), new, Ink::Standby, "promote begins".into()),
        moment(
            promote.map(|record| record.when),
            new,
            Ink::Standby,
            format!("promote ends{}: accepts writes", took(promote)),
        ),
        moment(address, new, Ink::Standby, format!("has the clients' address {CLIENT_ADDRESS}")),
        moment(
            gap.map(|gap| gap.end),
            "client",
            Ink::Good,
            format!("first row acknowledged by {new}"),
        ),
        moment(streams, third, Ink::Standby, format!("streams from {new}")),
        moment(synchronous, third, Ink::Standby, "is the synchronous standby".into()),
    ])
}

/// The time around the fault without an answer: the longest that was not over before it.
pub fn gap(report: &LedgerReport, killed: SystemTime) -> Option<Outage> {
    let rows = report.acknowledged.windows(2);
    let gap = |pair: &[Acknowledged]| Outage { start: pair[0].at, end: pair[1].at };
    rows.map(gap).filter(|gap| gap.end > killed).max_by_key(Outage::length)
}

/// When the monitor of the dead instance said so.
fn noticed(events: &[Event], host: &str, from: SystemTime) -> Option<SystemTime> {
    let start = format!("Result of monitor operation for {RESOURCE} on {host}: ");
    let says = |event: &&Event| {
        let result = event.line.text.strip_prefix(&start);
        result.is_some_and(|result| result.to_lowercase().starts_with("not running"))
    };
    events.iter().filter(says).map(|event| event.line.at).find(|at| *at >= from)
}

/// The first such action that ended after the fault.
fn find<'a>(
    actions: &'a [ActionRecord],
    host: &str,
    resource: &str,
    action: &str,
    from: SystemTime,
) -> Option<&'a ActionRecord> {
    actions.iter().find(|record| {
        (record.host.as_str(), record.resource.as_str(), record.action.as_str())
            == (host, resource, action)
            && record.when >= from
    })
}

fn begun(record: &ActionRecord) -> SystemTime {
    record.when.checked_sub(record.took).unwrap_or(record.when)
}

fn took(record: Option<&ActionRecord>) -> String {
    record.map(|record| format!(" (took {})", in_seconds(record.took))).unwrap_or_default()
}

fn in_seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use testbed::{ActionResult, Line};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn only_the_dead_instances_own_monitor_after_the_fault_counts() {
        let event = |seconds, text: &str| Event {
            host: "pm01".into(),
            line: Line {
                at: at(seconds),
                source: "pacemaker-controld".into(),
                level: "notice".into(),
                text: text.into(),
            },
        };
        let events = [
            event(1, "Result of monitor operation for pgsql on pm01: not running"),
            event(5, "Result of monitor operation for pgsql on pm01: promoted"),
            event(6, "Result of monitor operation for pgsql on pm01: Not running (because)"),
        ];
        assert_eq!(noticed(&events, "pm01", at(3)), Some(at(6)));
        assert_eq!(noticed(&events, "pm02", at(3)), None);
    }

    #[test]
    fn an_action_begins_before_it_ends() {
        let record = ActionRecord {
            host: "pm02".into(),
            resource: "pgsql".into(),
            action: "promote".into(),
            result: ActionResult::Exit(0),
            took: Duration::from_millis(1500),
            when: at(10),
        };
        let found = [record];
        let found = find(&found, "pm02", "pgsql", "promote", at(9)).expect("it is there");
        assert_eq!(begun(found), at(8) + Duration::from_millis(500));
        assert_eq!(took(Some(found)), " (took 1.500 s)");
    }

    #[test]
    fn the_gap_is_the_longest_that_the_fault_can_have_made() {
        let row = |number: i64, seconds| Acknowledged { number, at: at(seconds) };
        let report = LedgerReport {
            started: at(0),
            stopped: at(99),
            acknowledged: vec![row(1, 1), row(2, 20), row(3, 21), row(4, 30), row(5, 31)],
            unknown: Vec::new(),
            complaints: Vec::new(),
        };
        assert_eq!(gap(&report, at(22)), Some(Outage { start: at(21), end: at(30) }));
        assert_eq!(gap(&report, at(40)), None);
    }
}
