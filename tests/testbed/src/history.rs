//! What happened, read afterwards from the hosts' logs: a time line, and every action with its result and its time.
//! It waits for nothing and judges nothing.

use crate::cluster::Cluster;
use crate::host::Host;
use crate::log::{self, Line};
use crate::stack::PACEMAKER_LOG;
use roxmltree::Node as Xml;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// Something worth seeing on a time line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The host that wrote it down.
    pub host: String,
    /// What it wrote.
    pub line: Line,
}

/// An action of a resource, as the executor saw it end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    /// Where it ran.
    pub host: String,
    /// The resource.
    pub resource: String,
    /// `start`, `promote`, `notify`, …; a probe is a `monitor`.
    pub action: String,
    /// What became of it.
    pub result: ActionResult,
    /// How long it took.
    pub took: Duration,
    /// When it was over.
    pub when: SystemTime,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionResult {
    /// With that exit code.
    Exit(i32),
    /// Pacemaker's own deadline passed, or something else of the kind, in the executor's words.
    NotDone(String),
}

/// What the controllers, the fencers and the executors say that a reader of a failover wants to know.
const TELLING: [&str; 16] = [
    "State transition",
    "Result of ",
    "Requesting fencing",
    "Requesting local execution of",
    "was terminated",
    "Operation 'reboot'",
    "Operation 'off'",
    "Peer ",
    "state is now",
    "Quorum ",
    "Transition ",
    "error output",
    "Setting ",
    "Promote ",
    "Demote ",
    "Fence ",
];

impl Cluster {
    /// The lines that tell the story, of all hosts, in the order of time: the agent's own, elections, transitions,
    /// fencing, results of actions.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lines().into_iter().filter(|event| is_telling(&event.line)).collect()
    }

    /// The agents' own lines alone.
    #[must_use]
    pub fn agent_lines(&self) -> Vec<Event> {
        self.lines().into_iter().filter(|event| !is_daemon(&event.line)).collect()
    }

    /// Every action that ended, in the order of time. Of monitors, which the executor does not log, there is only what
    /// the CIB remembers: for each interval the last whose result was a new one.
    #[must_use]
    pub fn actions(&self) -> Vec<ActionRecord> {
        let mut actions: Vec<_> = self.lines().iter().filter_map(action).collect();
        actions.extend(self.state().map(|state| state.monitors).unwrap_or_default());
        actions.sort_by_key(|action| action.when);
        actions
    }

    /// The actions that took longer than that, for a test to want none of them.
    #[must_use]
    pub fn actions_slower_than(&self, limit: Duration) -> Vec<ActionRecord> {
        self.actions().into_iter().filter(|action| action.took > limit).collect()
    }

    /// The actions of which a controller has said, since then, that their time was over.
    #[must_use]
    pub fn timeouts(&self, since: SystemTime) -> Vec<String> {
        let lines = self.lines();
        let late = lines.iter().filter(|event| {
            let text = &event.line.text;
            event.line.at >= since && text.starts_with("Result of ") && text.contains("Timed Out")
        });
        let texts =
            late.map(|event| event.line.text.split(" | ").next().unwrap_or_default().to_owned());
        texts.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn lines(&self) -> Vec<Event> {
        let mut events: Vec<Event> = self.hosts().iter().flat_map(lines_of).collect();
        events.sort_by_key(|event| event.line.at);
        events
    }
}

fn lines_of(host: &Host) -> Vec<Event> {
    let today = SystemTime::now();
    let text = host.read_file(PACEMAKER_LOG).unwrap_or_default();
    let lines = text.lines().filter_map(|line| log::parse(line, today));
    lines.map(|line| Event { host: host.name().to_owned(), line }).collect()
}

fn is_daemon(line: &Line) -> bool {
    line.source.starts_with("pacemaker") || line.source.starts_with("crm_") || line.source == "cib"
}

fn is_telling(line: &Line) -> bool {
    !is_daemon(line)
        || (line.level != "info" && TELLING.iter().any(|words| line.text.starts_with(words)))
        || line.text.contains("error output")
}

/// `d promote (call 20, PID 211) exited with status 0 (execution time 27ms)`, or what 2.0 and 3.0 say in its place; on a
/// busy machine with ` after being queued 2ms` before the last bracket.
fn action(event: &Event) -> Option<ActionRecord> {
    let line = &event.line;
    if line.source != "pacemaker-execd" {
        return None;
    }
    let (what, rest) = line.text.split_once(" (call ")?;
    let (resource, action) = what.rsplit_once(' ')?;
    let rest = rest.split_once(") ")?.1;
    let took = duration(rest.split_once("execution time ")?.1.split([')', ' ']).next()?)?;
    let result = match rest.strip_prefix("exited with status ") {
        Some(rest) => ActionResult::Exit(
            rest.split(|mark: char| !mark.is_ascii_digit()).next()?.parse().ok()?,
        ),
        None => ActionResult::NotDone(rest.split(" (execution").next().unwrap_or(rest).to_owned()),
    };
    Some(ActionRecord {
        host: event.host.clone(),
        resource: resource.trim_start_matches("notice: ").to_owned(),
        action: action.to_owned(),
        result,
        took,
        when: line.at,
    })
}

/// Reads `27ms`, `5.140s` or `1m2s` (`pcmk__readable_interval()`).
fn duration(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    let (minutes, seconds) = match text.split_once('m') {
        Some((minutes, "")) => (minutes, "0s"),
        Some(both) => both,
        None => ("0", text),
    };
    let seconds = seconds.strip_suffix('s')?;
    let seconds = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    Some(Duration::from_secs(60 * minutes.parse::<u64>().ok()?) + seconds)
}

/// A monitor that has ended, from the history in the CIB.
pub(crate) fn monitor(element: Xml) -> Option<ActionRecord> {
    let number = |name| element.attribute(name)?.parse::<u64>().ok();
    if element.attribute("operation")? != "monitor" || element.attribute("op-status")? == "-1" {
        return None;
    }
    let above = |tag| element.ancestors().find(|above| above.has_tag_name(tag));
    Some(ActionRecord {
        host: above("node_state")?.attribute("uname")?.to_owned(),
        resource: above("lrm_resource")?.attribute("id")?.to_owned(),
        action: "monitor".into(),
        result: ActionResult::Exit(element.attribute("rc-code")?.parse().ok()?),
        took: Duration::from_millis(number("exec-time")?),
        when: SystemTime::UNIX_EPOCH + Duration::from_secs(number("last-rc-change")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(text: &str) -> Option<ActionRecord> {
        let line = Line {
            at: SystemTime::UNIX_EPOCH,
            source: "pacemaker-execd".into(),
            level: "info".into(),
            text: text.into(),
        };
        action(&Event { host: "pm01".into(), line })
    }

    #[test]
    fn the_executors_words_are_read() {
        let record =
            ended("d promote (call 20, PID 211) exited with status 0 (execution time 27ms)");
        let record = record.expect("it is an action");
        assert_eq!((record.resource.as_str(), record.action.as_str()), ("d", "promote"));
        assert_eq!(
            (record.result, record.took),
            (ActionResult::Exit(0), Duration::from_millis(27))
        );
        let late =
            "d start (call 9) could not be executed: Timed Out (boo) (execution time 5000ms)";
        let late = ended(late).expect("it is an action");
        assert_eq!(
            late.result,
            ActionResult::NotDone("could not be executed: Timed Out (boo)".into())
        );
        let queued = "d stop (call 45, PID 1152) exited with status 0 (execution time 49ms after being queued 2ms)";
        let queued = ended(queued).expect("it is an action");
        assert_eq!((queued.action.as_str(), queued.took), ("stop", Duration::from_millis(49)));
        assert_eq!(ended("Cancelling d_monitor_0"), None);
        for (text, millis) in [("27ms", 27), ("5.140s", 5140), ("1m2s", 62_000), ("2m", 120_000)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!((duration("soon"), duration("")), (None, None));
    }
}
