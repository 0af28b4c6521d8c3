//! Lines of `pacemaker.log` as data: when, who, how grave, what. Which of them matter is `history`'s business.

use std::time::{Duration, SystemTime};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_S: u64 = 86_400;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// To the millisecond, where Pacemaker writes that.
    pub at: SystemTime,
    /// The daemon, or the agent's tag such as `pgsql-ha(pgsqld)`.
    pub source: String,
    /// `info`, `notice`, `warning`, `error`, in the writer's own case.
    pub level: String,
    /// The message.
    pub text: String,
}

/// Reads one line, of a daemon or of an agent; nothing else is a line.
pub(crate) fn parse(line: &str, today: SystemTime) -> Option<Line> {
    agent_line(line, today).or_else(|| daemon_line(line, today))
}

/// `Nov 20 10:38:20.866 pm01 pacemaker-execd     [33] (log_finished) <tab>info: d promote …`.
fn daemon_line(line: &str, today: SystemTime) -> Option<Line> {
    let (at, rest) = stamp(line, today)?;
    let (_host, rest) = rest.split_once(' ')?;
    let (source, rest) = rest.split_once('[')?;
    let rest = rest.split_once(']')?.1.trim_start();
    let rest = if rest.starts_with('(') { rest.split_once(')')?.1 } else { rest };
    let (level, text) = rest.trim_start().split_once(": ")?;
    Some(Line { at, source: source.trim().into(), level: level.into(), text: text.trim().into() })
}

/// `Nov 20 10:51:40  pgsql(pgsqld)[200]:    INFO: Changing …`, as ocf-shellfuncs writes to `HA_LOGFILE`.
fn agent_line(line: &str, today: SystemTime) -> Option<Line> {
    let (at, rest) = stamp(line, today)?;
    let (tag, rest) = rest.trim_start().split_once("]:")?;
    let (source, pid) = tag.rsplit_once('[')?;
    if source.contains(' ') || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (level, text) = rest.trim_start().split_once(": ")?;
    Some(Line { at, source: source.into(), level: level.into(), text: text.trim().into() })
}

/// The time at the start of a line, and the rest. The year, which is not written, is that which makes it the past.
fn stamp(line: &str, today: SystemTime) -> Option<(SystemTime, &str)> {
    let (month, rest) = line.split_once(' ')?;
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let (clock, rest) = rest.split_once(' ')?;
    let month = MONTHS.iter().position(|&name| name == month)?;
    let mut parts = clock.split(':');
    let (hours, minutes) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    let seconds = Duration::try_from_secs_f64(parts.next()?.parse().ok()?).ok()?;
    let day: u64 = day.parse().ok()?;
    let of_year =
        |year| SystemTime::UNIX_EPOCH + Duration::from_secs(days_before(year, month, day) * DAY_S);
    let now_s = today.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let year = 1970 + now_s / (DAY_S * 146_097 / 400);
    let latest = today + Duration::from_secs(DAY_S);
    let date = [year + 1, year, year - 1].into_iter().map(of_year).find(|date| *date <= latest)?;
    Some((date + Duration::from_secs(hours * 3600 + minutes * 60) + seconds, rest))
}

/// Days from 1970 to that date.
fn days_before(year: u64, month: usize, day: u64) -> u64 {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum();
    years + lengths[..month].iter().sum::<u64>() + day.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_daemons_and_agents_are_read() {
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_171_110);
        let daemon = "Nov 20 10:38:20.866 pm01 pacemaker-execd     [33] (log_finished) \tinfo: d promote done";
        let line = parse(daemon, today).expect("it is a line");
        let expected = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_171_100_866);
        assert_eq!((line.at, line.source.as_str()), (expected, "pacemaker-execd"));
        assert_eq!((line.level.as_str(), line.text.as_str()), ("info", "d promote done"));
        let line = parse("Nov 20 10:38:20  pgsql(pgsqld)[12]:    INFO: Hello: you", today)
            .expect("it is a line");
        assert_eq!((line.source.as_str(), line.text.as_str()), ("pgsql(pgsqld)", "Hello: you"));
        assert_eq!(parse("no line", today), None);
    }

    #[test]
    fn a_december_line_read_in_january_is_of_last_year() {
        let january = SystemTime::UNIX_EPOCH + Duration::from_secs(days_before(2027, 0, 2) * DAY_S);
        let line = parse("Dec 31 00:00:00 pm01 x [1] (f) info: y", january).expect("it is a line");
        assert_eq!(
            line.at,
            SystemTime::UNIX_EPOCH + Duration::from_secs(days_before(2026, 11, 31) * DAY_S)
        );
    }
}
