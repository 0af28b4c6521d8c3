//! The shapes of log lines: what `ha_log` and `ha_debug` of `ocf-shellfuncs` print. Pure.
//!
//! The shell's word splitting is part of the shape: a date that ends with a blank, as that of the
//! default format does, is followed by one more blank in the log file.

use log::Level;

/// Returns the word with which `ocf_log` begins a message.
#[must_use]
pub const fn level_word(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    }
}

/// Makes one line of a text: what would end the line, or steer a terminal, becomes a blank.
#[must_use]
pub fn fold(text: &str) -> String {
    let blanked = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
    text.trim().chars().map(blanked).collect()
}

/// Prepares a date as the shell does when it splits the output of `date` into words.
fn words(date: &str) -> String {
    let mut words = date.split_whitespace().collect::<Vec<_>>().join(" ");
    if date.ends_with(char::is_whitespace) {
        words.push(' ');
    }
    words
}

/// A line of `HA_LOGFILE`.
#[must_use]
pub fn log_file(date: &str, tag: &str, message: &str) -> String {
    format!("{} {tag}:    {message}\n", words(date))
}

/// A line of `HA_DEBUGLOG`.
#[must_use]
pub fn debug_file(date: &str, tag: &str, message: &str) -> String {
    format!("{tag}:\t{}{message}\n", words(date))
}

/// A line on standard error when there is no other place.
#[must_use]
pub fn standard_error(date: &str, message: &str) -> String {
    format!("{}{message}\n", words(date))
}

/// A line for a person at a terminal.
#[must_use]
pub fn terminal(tag: Option<&str>, message: &str, colour: Option<&str>) -> String {
    let tag = tag.map(|tag| format!("{tag}: ")).unwrap_or_default();
    match (colour, message.split_once(':')) {
        (Some(colour), Some((word, rest))) => format!("{tag}{colour}{word}:\x1b[0m{rest}\n"),
        (Some(_) | None, Some(_) | None) => format!("{tag}{message}\n"),
    }
}

/// Returns the terminal's code for a level's colour.
#[must_use]
pub const fn colour(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug | Level::Trace => "\x1b[2m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "pgsql(pgsql)[1234]";
    const MESSAGE: &str = "INFO: Changing pgsql-status on pm02 : HS:alone->HS:sync.";

    #[test]
    fn lines_have_the_shape_that_the_shell_gives_them() {
        for (date, in_log, in_debug, on_stderr) in [
            (
                "Nov 20 10:00:00 ",
                "Nov 20 10:00:00  pgsql(pgsql)[1234]:    INFO",
                "pgsql(pgsql)[1234]:\tNov 20 10:00:00 INFO",
                "Nov 20 10:00:00 INFO",
            ),
            (
                "2026/11/20_10:00:00 ",
                "2026/11/20_10:00:00  pgsql(pgsql)[1234]:    INFO",
                "pgsql(pgsql)[1234]:\t2026/11/20_10:00:00 INFO",
                "2026/11/20_10:00:00 INFO",
            ),
            (
                "Nov  5  10:00:00",
                "Nov 5 10:00:00 pgsql(pgsql)[1234]:    INFO",
                "pgsql(pgsql)[1234]:\tNov 5 10:00:00INFO",
                "Nov 5 10:00:00INFO",
            ),
        ] {
            let rest = ": Changing pgsql-status on pm02 : HS:alone->HS:sync.\n";
            assert_eq!(log_file(date, TAG, MESSAGE), format!("{in_log}{rest}"));
            assert_eq!(debug_file(date, TAG, MESSAGE), format!("{in_debug}{rest}"));
            assert_eq!(standard_error(date, MESSAGE), format!("{on_stderr}{rest}"));
        }
    }

    #[test]
    fn a_person_gets_colour_and_no_date() {
        assert_eq!(terminal(None, "ERROR: no: way", None), "ERROR: no: way\n");
        assert_eq!(terminal(Some("x"), "ERROR: no: way", None), "x: ERROR: no: way\n");
        let red = colour(Level::Error);
        assert_eq!(terminal(None, "ERROR: no: way", Some(red)), "\x1b[31mERROR:\x1b[0m no: way\n");
    }

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(fold(" a\nb\r\nc\x1b[31m\td\n"), "a b  c [31m\td");
    }
}
