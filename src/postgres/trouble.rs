//! What a failed conversation with the server means.

use std::io;

use nix::errno::Errno;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::pid_file::Status;
use crate::model::instance::{Answer, Refusal};

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    Refused(Refusal),
    /// The server answers, and does not let this user in by this way: another may be let in.
    Denied(String),
    Silent(String),
    /// The server did not like the statement itself.
    Statement(String),
}

impl From<Trouble> for Answer {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => Self::Refused(refusal),
            Trouble::Silent(why) => Self::Silent(why),
            Trouble::Statement(why) | Trouble::Denied(why) => Self::Refused(Refusal::Other(why)),
        }
    }
}

impl Trouble {
    /// Tells what a failed conversation means; `status` is asked where the words leave it open.
    pub(super) fn of(error: &Error, status: impl FnOnce() -> Status) -> Self {
        if let Some(said) = error.as_db_error() {
            let unavailable = *said.code() == SqlState::CANNOT_CONNECT_NOW
                || *said.code() == SqlState::ADMIN_SHUTDOWN
                || *said.code() == SqlState::CRASH_SHUTDOWN;
            if *said.code() == SqlState::TOO_MANY_CONNECTIONS {
                return Self::Refused(Refusal::Full);
            }
            if is_denial(said.code()) {
                return Self::Denied(describe(error));
            }
            return Self::Refused(match unavailable {
                true => refusal(said.message(), said.detail().unwrap_or_default(), status()),
                false => Refusal::Other(describe(error)),
            });
        }
        match (io_kind(error), status()) {
            (Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused), status) => {
                Self::Refused(match status {
                    Status::Starting => Refusal::StartingUp,
                    Status::Stopping => Refusal::ShuttingDown,
                    Status::Open | Status::Unsaid => Refusal::Other(describe(error)),
                })
            }
            (Some(_), _) if is_distrust(error) => Self::Refused(Refusal::Other(describe(error))),
            // What the server asks for, a password or a method, the client does not have.
            (None, _) if !error.is_closed() => Self::Denied(describe(error)),
            (Some(_) | None, _) => Self::Silent(describe(error)),
        }
    }
}

/// Tells whether the server does not want this user: no line of `pg_hba.conf` admits it, the password is
/// wrong or the role missing (class 28), or it may not enter this database.
fn is_denial(code: &SqlState) -> bool {
    code.code().starts_with("28") || *code == SqlState::INSUFFICIENT_PRIVILEGE
}

/// Tells what SQLSTATE 57P03 or 57P01 means.
///
/// The wording is that of `src/backend/postmaster/postmaster.c`; where it is translated, the state
/// that the postmaster noted in its file decides.
fn refusal(message: &str, detail: &str, status: Status) -> Refusal {
    if message.contains("shutting down") {
        Refusal::ShuttingDown
    } else if detail.contains("Hot standby mode is disabled") {
        Refusal::Other(format!("{message}: {detail}"))
    } else if message.contains("administrator command") && status != Status::Stopping {
        Refusal::Other(message.to_owned())
    } else if message.starts_with("the database system") {
        Refusal::StartingUp
    } else {
        match status {
            Status::Stopping => Refusal::ShuttingDown,
            Status::Starting | Status::Open | Status::Unsaid => Refusal::StartingUp,
        }
    }
}

/// Tells whether the connection is of no more use.
pub(super) fn broke(error: &Error) -> bool {
    let lost = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::DATABASE_DROPPED,
    ];
    error.is_closed() || error.code().map_or(io_kind(error).is_some(), |code| lost.contains(code))
}

/// Tells whether the two could not agree on encryption, or the server's certificate is not believed: the
/// server answers.
fn is_distrust(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
    source.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<rustls::Error>())
}

fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let source = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
    // A full queue of a stopped server's Unix socket is silence.
    match source.raw_os_error() {
        Some(code) if code == Errno::EAGAIN as i32 => Some(io::ErrorKind::WouldBlock),
        Some(_) | None => Some(source.kind()),
    }
}

/// Writes an error on one line.
pub(super) fn describe(error: &Error) -> String {
    let text = match error.as_db_error() {
        Some(said) => {
            let detail = said.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{}: {}{detail}", said.severity(), said.message())
        }
        None => match std::error::Error::source(error) {
            Some(source) if !error.to_string().contains(&source.to_string()) => {
                format!("{error}: {source}")
            }
            Some(_) | None => error.to_string(),
        },
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_understood_in_any_language() {
        let not_yet = "the database system is not yet accepting connections";
        let never = "the database system is not accepting connections";
        for (message, detail, status, expected) in [
            ("the database system is starting up", "", Status::Starting, Refusal::StartingUp),
            ("the database system is in recovery mode", "", Status::Open, Refusal::StartingUp),
            (
                not_yet,
                "Consistent recovery state has not been yet reached.",
                Status::Starting,
                Refusal::StartingUp,
            ),
            (
                never,
                "Hot standby mode is disabled.",
                Status::Open,
                Refusal::Other(format!("{never}: Hot standby mode is disabled.")),
            ),
            (
                "terminating connection due to administrator command",
                "",
                Status::Stopping,
                Refusal::ShuttingDown,
            ),
            ("the database system is shutting down", "", Status::Unsaid, Refusal::ShuttingDown),
            ("das Datenbanksystem fährt hoch", "", Status::Starting, Refusal::StartingUp),
            ("das Datenbanksystem fährt herunter", "", Status::Stopping, Refusal::ShuttingDown),
        ] {
            assert_eq!(refusal(message, detail, status), expected, "{message}");
        }
    }
}
