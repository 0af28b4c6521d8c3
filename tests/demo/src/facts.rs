//! What happened when, found in the logs of Pacemaker, of PostgreSQL and of the client. Looks nothing up itself except
//! through the testbed's history; draws nothing.

use crate::options::Fault;
use crate::paint::Ink;
use crate::server_log;
use crate::site::{CLIENT_ADDRESS, CLIENT_RESOURCE, PG_LOG, RESOURCE};
use crate::timeline::{Moment, in_order};
use std::time::{Duration, SystemTime};
use testbed::{Acknowledged, ActionRecord, ActionResult, Cluster, Event, LedgerReport, Outage};

/// Who plays which part.
#[derive(Debug, Clone)]
pub struct Players {
    /// What happens.
    pub fault: Fault,
    /// The primary that is hit.
    pub old: String,
    /// The primary after that; the same, if it recovers before another takes over.
    pub new: String,
    /// The standby that went on meanwhile.
    pub third: String,
}

/// Where the moments are looked up.
struct Search<'a> {
    cluster: &'a Cluster,
    players: &'a Players,
    from: SystemTime,
    actions: Vec<ActionRecord>,
    events: Vec<Event>,
}

/// The time line of the failover.
pub fn moments(
    cluster: &Cluster,
    players: &Players,
    killed: SystemTime,
    gap: Option<Outage>,
) -> Vec<Moment> {
    let (actions, events) = (cluster.actions(), cluster.events());
    let search = Search { cluster, players, from: killed, actions, events };
    let Players { fault, old, new, .. } = players;
    let client = |at, ink, what: String| moment(at, "client", ink, what);
    let fault = match fault {
        Fault::Postmaster => "the postmaster is killed (SIGKILL)",
        Fault::Power => "the power is cut",
    };
    let mut moments = vec![
        client(gap.map(|gap| gap.start), Ink::Normal, format!("last row acknowledged by {old}")),
        moment(Some(killed), old, Ink::Bad, fault.into()),
    ];
    moments.extend(search.end_of_the_old());
    moments.extend(search.promotion());
    let end = gap.map(|gap| gap.end);
    moments.push(client(end, Ink::Good, format!("first row acknowledged by {new}")));
    moments.extend(search.standbys());
    in_order(moments)
}

fn moment(at: Option<SystemTime>, who: &str, ink: Ink, what: String) -> Moment {
    Moment { at, who: who.into(), what, ink }
}

impl Search<'_> {
    fn action(&self, host: &str, resource: &str, action: &str) -> Option<&ActionRecord> {
        find(&self.actions, host, resource, action, self.from)
    }

    fn log(&self, host: &str, words: &str) -> Option<SystemTime> {
        let log = self.cluster.host(host).read_file(PG_LOG).ok()?;
        server_log::first(&log, self.from, words)
    }

    fn event(&self, is_it: impl Fn(&str) -> bool) -> Option<SystemTime> {
        let mut found = self.events.iter().filter(|event| is_it(&event.line.text));
        found.find(|event| event.line.at >= self.from).map(|event| event.line.at)
    }

    /// How the cluster notices, and what it does to the old primary.
    fn end_of_the_old(&self) -> Vec<Moment> {
        let old = &self.players.old;
        match self.players.fault {
            Fault::Postmaster => {
                let noticed = noticed(&self.events, old, self.from);
                let says = "the monitor says \"not running\" (Pacemaker looks every 9 s)";
                let demote = self.action(old, RESOURCE, "demote");
                let at = demote.map(|record| record.when);
                vec![
                    moment(noticed, old, Ink::Normal, says.into()),
                    moment(at, old, Ink::Normal, format!("demoted{}", took(demote))),
                ]
            }
            Fault::Power => {
                let asked = self.event(|text| text.starts_with("Requesting fencing"));
                let fenced =
                    self.event(|text| text.starts_with(&format!("Peer {old} was terminated")));
                vec![
                    moment(
                        asked,
                        old,
                        Ink::Normal,
                        "the others miss it and ask for fencing".into(),
                    ),
                    moment(fenced, old, Ink::Normal, "fenced: it is certain to be off".into()),
                ]
            }
        }
    }

    fn promotion(&self) -> Vec<Moment> {
        let new = &self.players.new;
        let promote = self.action(new, RESOURCE, "promote");
        let end = promote.map(|record| record.when);
        let address = self.action(new, CLIENT_RESOURCE, "start").map(|record| record.when);
        let accepts = format!("promote ends{}: PostgreSQL accepts writes", took(promote));
        vec![
            moment(promote.map(begun), new, Ink::Standby, "promote begins".into()),
            moment(end, new, Ink::Standby, accepts),
            moment(
                address,
                new,
                Ink::Standby,
                format!("has the clients' address {CLIENT_ADDRESS}"),
            ),
        ]
    }

    fn standbys(&self) -> Vec<Moment> {
        let Players { old, new, third, .. } = self.players;
        let mut moments = Vec::new();
        if let Some(start) = self.action(old, RESOURCE, "start") {
            let (ink, what) = match start.result {
                ActionResult::Exit(0) => (Ink::Standby, "is started again, as a standby"),
                ActionResult::Exit(_) | ActionResult::NotDone(_) => (Ink::Bad, "refuses to start"),
            };
            moments.push(moment(Some(start.when), old, ink, what.into()));
        }
        let streams = self.log(third, "started streaming WAL from primary");
        moments.push(moment(streams, third, Ink::Standby, format!("streams from {new}")));
        let synchronous = |host: &String| {
            let words = format!("\"{host}\" is now a synchronous standby");
            self.log(new, &words).map(|at| (at, host.clone()))
        };
        let first = [old, third].into_iter().filter_map(synchronous).min();
        let (at, host) = first.map_or((None, third.clone()), |(at, host)| (Some(at), host));
        moments.push(moment(at, &host, Ink::Standby, "is the synchronous standby".into()));
        moments
    }
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
    use testbed::Line;

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
