//! How long an exit reason may be, and how one is made to fit.
//!
//! Pacemaker keeps 128 bytes (`EXIT_REASON_MAX_LEN` in `services_linux.c`) and cuts the rest off, so
//! that whatever an operator needs has to be within. What reasons say is not said here.

/// What Pacemaker shows of an exit reason, in bytes.
pub const BYTES_MAX: usize = 128;

/// What is left of a value however long problem and remedy are, in bytes.
const VALUE_BYTES_MIN: usize = 24;

const GAP: &str = "...";

/// Takes the middle out of a text that is longer than this many bytes: of a path, the beginning and
/// the name are what tells it from others.
#[must_use]
pub fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let kept = bytes_max.saturating_sub(GAP.len());
    let (head, tail) = (kept / 2, text.len() - (kept - kept / 2));
    let head = (0..=head).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let tail = (tail..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("{}{GAP}{}", &text[..head], &text[tail..])
}

/// Says what is wrong with which parameter, and what to do about it. The remedy is whole; the value,
/// and then the problem, are shortened where there is no room.
#[must_use]
pub fn wrong_parameter(parameter: &str, value: &str, problem: &str, remedy: &str) -> String {
    let frame = format!(" ({parameter}=\"\"): {remedy}").len();
    let room = BYTES_MAX.saturating_sub(frame);
    let value = shortened(value, room.saturating_sub(problem.len()).max(VALUE_BYTES_MIN));
    let problem = shortened(problem, room.saturating_sub(value.len()));
    format!("{problem} ({parameter}=\"{value}\"): {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes_first() {
        for (text, bytes_max, short) in [
            ("/data", 5, "/data"),
            ("/srv/database/data", 11, "/srv...data"),
            ("ééééé", 8, "é...é"),
            ("abcdef", 3, "..."),
        ] {
            assert_eq!(shortened(text, bytes_max), short);
        }
    }

    #[test]
    fn a_short_value_is_whole_and_a_long_one_fits() {
        let said = |value: &str| wrong_parameter("pgport", value, "no port number", "write one");
        assert_eq!(said("x"), "no port number (pgport=\"x\"): write one");
        assert_eq!(said(&"x".repeat(1000)).len(), BYTES_MAX);
        let long = wrong_parameter("p", &"v".repeat(99), &"w".repeat(99), "put it right");
        assert!(long.len() <= BYTES_MAX && long.ends_with("put it right"), "{long}");
        assert!(long.contains("vvv...vvv"), "{long}");
    }
}
