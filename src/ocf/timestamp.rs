//! The local time as text, in the formats of `date`.
//!
//! The only use of the C library's calendar: the stock agent's lines carry local time in the
//! administrator's `HA_DATEFMT`, and neither `std` nor `nix` knows time zones.

use std::ffi::CString;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::libc;

/// The longest text that a format may give.
const LENGTH_MAX: usize = 128;

/// Returns the present local time as `date +format` prints it; empty if the format gives nothing.
#[must_use]
pub fn now(format: &str) -> String {
    // A clock before 1970 is a broken clock, not a reason not to log.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    at(i64::try_from(since_1970.as_secs()).unwrap_or_default(), format)
}

/// Returns a moment, in seconds since 1970, as local time.
#[expect(unsafe_code, reason = "localtime_r and strftime have no safe counterpart in std or nix")]
fn at(seconds: libc::time_t, format: &str) -> String {
    let Ok(format) = CString::new(format) else { return String::new() };
    let mut text = [0_u8; LENGTH_MAX];
    // SAFETY: all bytes zero is a valid `tm` (numbers, and a null `tm_zone`). localtime_r reads one
    // time_t and writes one tm, both borrowed for the call; on failure it leaves the zeros.
    // strftime writes at most `text.len()` bytes into `text` and reads the terminated `format` and
    // the tm.
    let length = unsafe {
        let mut calendar: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut calendar);
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), &raw const calendar)
    };
    String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_every_format() {
        let noon = 1_795_176_000; // 2026-11-20 12:00:00 UTC: the 20th or 21st, whatever the zone
        assert!(at(noon, "%Y/%m/%d_%T ").starts_with("2026/11/2"));
        assert!(at(noon, "%b %d %T ").starts_with("Nov 2"));
        assert_eq!(at(noon, "%s"), noon.to_string());
        assert_eq!(at(noon, ""), "");
        assert_eq!(at(noon, "a\0b"), "");
        assert_eq!(at(noon, &"%Y".repeat(100)), "");
    }

    #[test]
    fn now_is_now() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let now: u64 = now("%s").parse().expect("a number");
        assert!((before..=before + 5).contains(&now));
    }
}
