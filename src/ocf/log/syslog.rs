//! Sends lines to the system's log as `logger` does, without starting it and without ever waiting.
//!
//! The `syslog` crate gives the names of facilities and severities. Its client is not used: it
//! blocks on a full socket, falls back to a stream, and dates the lines in UTC.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use log::Level;
use syslog::{Facility, Severity};

/// Where the system's log listens.
const SOCKET: &str = "/dev/log";
/// The longest message that is sent, in bytes.
const LENGTH_MAX: usize = 8000;

/// The way to the system's log.
#[derive(Debug)]
pub struct Syslog {
    facility: Facility,
    socket: UnixDatagram,
    path: PathBuf,
}

impl Syslog {
    /// Prepares to log under a facility, by name; an unknown one is `daemon`, Pacemaker's default.
    ///
    /// # Errors
    /// No socket can be had.
    pub fn new(facility: &str) -> io::Result<Self> {
        Self::at(facility, PathBuf::from(SOCKET))
    }

    fn at(facility: &str, path: PathBuf) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let facility = facility.trim().parse().unwrap_or(Facility::LOG_DAEMON);
        Ok(Self { facility, socket, path })
    }

    /// Sends a line. It is lost if nobody listens, or if the listener is too slow.
    pub fn send(&self, level: Level, date: &str, tag: &str, message: &str) {
        let line = line(self.facility, level, date, tag, message);
        let _ = self.socket.send_to(line.as_bytes(), &self.path);
    }
}

/// Returns the severity under which `ha_log` sends a message.
const fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::LOG_ERR,
        Level::Warn => Severity::LOG_WARNING,
        Level::Info => Severity::LOG_INFO,
        Level::Debug | Level::Trace => Severity::LOG_DEBUG,
    }
}

/// A datagram in the form of RFC 3164, without the host, as local programs send it.
fn line(facility: Facility, level: Level, date: &str, tag: &str, message: &str) -> String {
    let priority = facility as u8 | severity(level) as u8;
    let end = (0..=LENGTH_MAX.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    let message = message.get(..end.unwrap_or_default()).unwrap_or_default();
    format!("<{priority}>{date} {tag}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_what_logger_sends() {
        let socket = tempfile::tempdir().expect("a directory");
        let path = socket.path().join("log");
        let listener = UnixDatagram::bind(&path).expect("bound");
        let syslog = Syslog::at("local1", path).expect("a socket");
        syslog.send(Level::Error, "Nov 20 10:00:00", "pgsql(pgsql)[1234]", "ERROR: no");
        let mut buffer = [0; 100];
        let length = listener.recv(&mut buffer).expect("received");
        let received = String::from_utf8_lossy(&buffer[..length]);
        assert_eq!(received, "<139>Nov 20 10:00:00 pgsql(pgsql)[1234]: ERROR: no");
    }

    #[test]
    fn facility_and_severity_make_the_priority() {
        for (facility, level, priority) in [
            ("daemon", Level::Info, 30),
            ("daemon", Level::Warn, 28),
            ("DAEMON", Level::Debug, 31),
            ("local7", Level::Error, 187),
            ("no such facility", Level::Info, 30),
        ] {
            let facility = facility.parse().unwrap_or(Facility::LOG_DAEMON);
            let line = line(facility, level, "D", "T", "M");
            assert_eq!(line, format!("<{priority}>D T: M"));
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let message = "x".to_owned() + &"é".repeat(LENGTH_MAX);
        let line = line(Facility::LOG_USER, Level::Info, "", "", &message);
        assert!(line.len() <= LENGTH_MAX + 10 && line.ends_with('é'));
    }

    #[test]
    fn nobody_listening_is_no_error_and_a_slow_listener_never_blocks() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let syslog = Syslog::at("daemon", path.clone()).expect("a socket");
        syslog.send(Level::Info, "", "", "lost");
        let _never_reads = UnixDatagram::bind(&path).expect("bound");
        for _ in 0..2000 {
            syslog.send(Level::Info, "", "", &"x".repeat(LENGTH_MAX));
        }
    }
}
