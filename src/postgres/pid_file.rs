//! `postmaster.pid`: what the postmaster wrote about itself (`src/include/utils/pidfile.h`).
//!
//! It proves nothing by itself; proof is `postmaster`'s business. Nobody but the server writes or
//! removes it.

use std::path::PathBuf;

use crate::model::settings::Settings;
use crate::system::SystemError;
use crate::system::files;
use crate::system::identity::{User, as_user};

const BYTES_MAX: u64 = 16 * 1024;

/// The state that the postmaster notes in the eighth line, since PostgreSQL 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It has not opened its sockets yet, or has not finished recovery.
    Starting,
    /// It takes connections, as a primary or as a standby.
    Open,
    /// It shuts down.
    Stopping,
    /// It does not say, or something else.
    Unsaid,
}

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: i32,
    /// When the postmaster started, in seconds since 1970, by the clock of that moment.
    pub(super) started: Option<u64>,
    pub(super) port: Option<u16>,
    /// Directory of the first Unix socket; `None`: not written yet, or no such socket.
    pub(super) socket_directory: Option<PathBuf>,
    pub(super) status: Status,
}

impl PidFile {
    /// Reads the file; `None`: there is none, or it is not complete enough to name a process.
    pub(super) fn read(settings: &Settings, user: &User) -> Result<Option<Self>, SystemError> {
        let path = settings.pgdata.join("postmaster.pid");
        let text = as_user(user, || files::read(&path, BYTES_MAX))??;
        Ok(text.and_then(|text| Self::parse(&text)))
    }

    fn parse(text: &str) -> Option<Self> {
        let line = |number: usize| text.lines().nth(number - 1).map(str::trim);
        let absolute = |directory: &&str| directory.starts_with('/');
        let socket_directory = line(5).filter(absolute).map(PathBuf::from);
        let status = match (line(8), &socket_directory) {
            // The socket's directory is noted once the socket is there, the state soon after.
            (Some("starting"), _) | (None, None) => Status::Starting,
            (Some("ready" | "standby"), _) => Status::Open,
            (Some("stopping"), _) => Status::Stopping,
            (Some(_) | None, _) => Status::Unsaid,
        };
        // A stand-alone server writes its number with a minus sign.
        let pid: i32 = line(1)?.parse().ok()?;
        let started = line(3).and_then(|started| started.parse().ok());
        let port = line(4).and_then(|port| port.parse().ok());
        Some(Self { pid: pid.checked_abs()?, started, port, socket_directory, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str =
        "4711\n/var/lib/pg/data\n1700000000\n5432\n/var/run/postgresql\n*\n  5432001 7\nready   \n";

    #[test]
    fn every_stage_of_the_file_is_understood() {
        let full = PidFile::parse(FULL).expect("parsed");
        assert_eq!((full.pid, full.port), (4711, Some(5432)));
        assert_eq!(full.started, Some(1_700_000_000));
        assert_eq!(full.socket_directory, Some("/var/run/postgresql".into()));
        assert_eq!(full.status, Status::Open);
        for (lines, status) in [(1, Status::Starting), (4, Status::Starting), (7, Status::Unsaid)] {
            let head: String = FULL.lines().take(lines).map(|line| format!("{line}\n")).collect();
            assert_eq!(PidFile::parse(&head).expect("parsed").status, status, "{lines}");
        }
        let early = "4711\n/var/lib/pg/data\n1700000000\n5432\n\n\n  5432001 7\n";
        assert_eq!(PidFile::parse(early).expect("parsed").status, Status::Starting);
        for (word, status) in [
            ("starting", Status::Starting),
            ("stopping", Status::Stopping),
            ("standby ", Status::Open),
            ("dreaming", Status::Unsaid),
        ] {
            let text = FULL.replace("ready   ", word);
            assert_eq!(PidFile::parse(&text).expect("parsed").status, status);
        }
    }

    #[test]
    fn what_names_no_process_is_none() {
        for text in ["", "\n", "x\n", "99999999999\n"] {
            assert_eq!(PidFile::parse(text), None);
        }
        assert_eq!(PidFile::parse("-12\n/data\n").expect("parsed").pid, 12);
    }
}
