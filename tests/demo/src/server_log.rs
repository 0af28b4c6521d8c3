//! Moments that only PostgreSQL's own log knows to the millisecond. Reads text; which moments matter is `facts`'s.

use std::time::{Duration, SystemTime};

const DAY_S: u64 = 86_400;

/// When the first line with these words was written, not before `from`.
pub fn first(log: &str, from: SystemTime, words: &str) -> Option<SystemTime> {
    let lines = log.lines().filter(|line| line.contains(words));
    lines.filter_map(stamp).find(|at| *at >= from)
}

/// The time at the start of a line with prefix `%m` in UTC: `2026-11-20 11:10:05.123 UTC`.
fn stamp(line: &str) -> Option<SystemTime> {
    let mut words = line.split(' ');
    let (date, clock) = (words.next()?, words.next()?);
    if words.next()? != "UTC" {
        return None;
    }
    let mut date = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut clock = clock.split(':');
    let (hours, minutes) = (clock.next()?.parse::<u64>().ok()?, clock.next()?.parse::<u64>().ok()?);
    let seconds = Duration::try_from_secs_f64(clock.next()?.parse().ok()?).ok()?;
    let whole = days(year, month, day)? * DAY_S + hours * 3600 + minutes * 60;
    // Floating point must not cost a millisecond.
    let millis = u64::try_from((seconds.as_micros() + 500) / 1000).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(whole) + Duration::from_millis(millis))
}

/// Days from 1970 to that date; years are counted from March, so that the leap day is the last.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    (year * 365 + year / 4 - year / 100 + year / 400 + of_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_after_the_fault_counts() {
        let log = "2026-11-20 11:10:05.123 UTC [7] walreceiver LOG:  started streaming WAL\n\
                   a line without time: started streaming WAL\n\
                   2026-11-20 11:10:06.007 UTC [9] walreceiver LOG:  started streaming WAL\n";
        let at = |millis: u64| {
            SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_173_000_000 + millis)
        };
        assert_eq!(first(log, SystemTime::UNIX_EPOCH, "started"), Some(at(5_123)));
        assert_eq!(first(log, at(5_500), "started streaming"), Some(at(6_007)));
        assert_eq!(first(log, at(9_000), "started"), None);
    }

    #[test]
    fn leap_days_are_counted() {
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2024, 3, 1), Some(19_783));
        assert_eq!(days(1969, 12, 31), None);
    }
}
