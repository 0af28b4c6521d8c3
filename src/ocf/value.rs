//! How the words of OCF values are read: booleans, numbers, times.
//!
//! Pure functions on text. Which parameter has which kind of value is `parameter`'s business.

use std::time::Duration;

/// The longest time that a parameter may say, so that adding it to a clock cannot overflow.
const TIME_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads a boolean: the words that `ocf_is_true` takes for true, without regard to case, and
/// their opposites. `None` for any other word, which `ocf_is_true` takes for false.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" | "ja" | "on" => Some(true),
        "no" | "false" | "0" | "nein" | "off" | "" => Some(false),
        _ => None,
    }
}

/// Reads a number that is not negative.
#[must_use]
pub fn count(text: &str) -> Option<u32> {
    let digits = text.trim();
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Reads a time in seconds, or with one of Pacemaker's units (`pcmk__parse_ms` in
/// `lib/common/strings.c`); a time that is not a whole number of seconds stays as exact as it is.
#[must_use]
pub fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().ok()?;
    let time = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" | "msec" => Duration::from_millis(number),
        "us" | "usec" => Duration::from_micros(number),
        "" | "s" | "sec" | "secs" => Duration::from_secs(number),
        "m" | "min" | "mins" => Duration::from_secs(number.checked_mul(60)?),
        "h" | "hr" | "hrs" => Duration::from_secs(number.checked_mul(3600)?),
        _ => return None,
    };
    (time <= TIME_MAX).then_some(time)
}

/// Reads a number of bytes, or of one of PostgreSQL's units (`memory_unit_conversion_table` in guc.c),
/// which are spelt exactly so.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "kB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_those_of_ocf_is_true() {
        for text in ["yes", "true", "1", "YES", "TRUE", "True", "ja", "on", "ON", " on "] {
            assert_eq!(boolean(text), Some(true), "{text}");
        }
        for text in ["no", "false", "0", "off", "OFF", ""] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        for text in ["maybe", "2", "truely", "10"] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_have_digits_only() {
        for (text, number) in [("0", Some(0)), (" 42 ", Some(42)), ("4294967295", Some(u32::MAX))] {
            assert_eq!(count(text), number, "{text}");
        }
        for text in ["", "-1", "+1", "1.5", "4294967296", "0x10", "١"] {
            assert_eq!(count(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_may_have_a_unit_of_postgresql() {
        for (text, bytes_wanted) in
            [("0", 0), ("16777216", 1 << 24), ("16MB", 1 << 24), (" 1 GB ", 1 << 30), ("3kB", 3072)]
        {
            assert_eq!(bytes(text), Some(bytes_wanted), "{text}");
        }
        for text in ["", "MB", "-1", "1.5GB", "1mb", "1 PB", "99999999TB"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn times_may_have_a_unit() {
        for (text, time) in [
            ("90", Duration::from_secs(90)),
            ("90s", Duration::from_secs(90)),
            ("90 sec", Duration::from_secs(90)),
            ("1min", Duration::from_secs(60)),
            ("2m", Duration::from_secs(120)),
            ("1H", Duration::from_secs(3600)),
            ("1500ms", Duration::from_millis(1500)),
            ("0", Duration::ZERO),
        ] {
            assert_eq!(seconds(text), Some(time), "{text}");
        }
        for text in
            ["", "s", "-1", "1.5", "1x", "1 s s", "99999999999", "18446744073709551615h", "1d"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
