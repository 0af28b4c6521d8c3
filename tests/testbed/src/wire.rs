//! A PostgreSQL client of the smallest kind: simple queries over TCP, no password, and a deadline around every
//! conversation, because a frozen server accepts connections and never answers. No retries; no knowledge of ledgers.

use nix::sys::socket::{setsockopt, sockopt};
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Rows of text; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server refused; it has not done it.
    #[error("{0}")]
    Refused(String),
    /// The connection is gone, or the answer is late; the server may have done it.
    #[error("{0}")]
    Lost(#[from] Error),
}

/// A connection.
pub(crate) struct Session {
    stream: TcpStream,
}

/// Ends a wait early, e.g. when the test is over.
pub(crate) type Interrupt<'a> = &'a dyn Fn() -> bool;

const SLICE: Duration = Duration::from_millis(50);

impl Session {
    /// Connects as `postgres` to the database `postgres`. A peer that vanishes is noticed within about a second.
    pub(crate) fn connect(address: SocketAddr, limit: Duration) -> Result<Self, Failure> {
        let deadline = Instant::now() + limit;
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(limit))?;
        setsockopt(&stream, sockopt::TcpUserTimeout, &1000).map_err(Error::from)?;
        setsockopt(&stream, sockopt::KeepAlive, &true).map_err(Error::from)?;
        setsockopt(&stream, sockopt::TcpKeepIdle, &1).map_err(Error::from)?;
        setsockopt(&stream, sockopt::TcpKeepInterval, &1).map_err(Error::from)?;
        setsockopt(&stream, sockopt::TcpKeepCount, &1).map_err(Error::from)?;
        let mut session = Self { stream };
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        body.extend_from_slice(
            b"user\0postgres\0database\0postgres\0application_name\0testbed\0\0",
        );
        let length = u32::try_from(body.len() + 4).map_err(Error::other)?;
        session.stream.write_all(&[&length.to_be_bytes()[..], &body].concat())?;
        session.answer(deadline, &|| false)?;
        Ok(session)
    }

    /// Runs one statement, or several in one transaction.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        limit: Duration,
        interrupt: Interrupt,
    ) -> Result<Rows, Failure> {
        let deadline = Instant::now() + limit;
        let length = u32::try_from(sql.len() + 5).map_err(Error::other)?;
        self.stream
            .write_all(&[b"Q", &length.to_be_bytes()[..], sql.as_bytes(), b"\0"].concat())?;
        self.answer(deadline, interrupt)
    }

    /// Reads messages until the server is ready for the next query.
    fn answer(&mut self, deadline: Instant, interrupt: Interrupt) -> Result<Rows, Failure> {
        let (mut rows, mut refusal) = (Rows::new(), None);
        loop {
            let mut head = [0_u8; 5];
            self.read(&mut head, deadline, interrupt)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]).saturating_sub(4);
            let mut body = vec![0_u8; usize::try_from(length).map_err(Error::other)?];
            self.read(&mut body, deadline, interrupt)?;
            match head[0] {
                b'Z' => return refusal.map_or(Ok(rows), |text| Err(Failure::Refused(text))),
                b'D' => rows.push(row(&body)),
                b'E' => {
                    let text = error_text(&body);
                    if text.starts_with("FATAL") || text.starts_with("PANIC") {
                        return Err(Failure::Lost(Error::new(ErrorKind::ConnectionAborted, text)));
                    }
                    refusal = Some(text);
                }
                b'R' if body[..4] != [0; 4] => {
                    return Err(Failure::Refused("the server wants a password".into()));
                }
                _ => {}
            }
        }
    }

    fn read(
        &mut self,
        buffer: &mut [u8],
        deadline: Instant,
        interrupt: Interrupt,
    ) -> Result<(), Error> {
        let mut filled = 0;
        while filled < buffer.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || interrupt() {
                return Err(Error::new(ErrorKind::TimedOut, "no answer in time"));
            }
            self.stream.set_read_timeout(Some(left.min(SLICE).max(Duration::from_millis(1))))?;
            match self.stream.read(&mut buffer[filled..]) {
                Ok(0) => {
                    return Err(Error::new(
                        ErrorKind::UnexpectedEof,
                        "the server closed the connection",
                    ));
                }
                Ok(count) => filled += count,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    // ETIMEDOUT is the kernel's verdict on a vanished peer, EAGAIN only the end of our slice.
                    if error.raw_os_error() == Some(nix::libc::ETIMEDOUT) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn row(body: &[u8]) -> Vec<Option<String>> {
    let mut rest = body.get(2..).unwrap_or_default();
    let mut columns = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        let (value, next) = after.split_at(usize::try_from(length).unwrap_or(0).min(after.len()));
        columns.push((length >= 0).then(|| String::from_utf8_lossy(value).into_owned()));
        rest = next;
    }
    columns
}

/// `SEVERITY SQLSTATE: message`.
fn error_text(body: &[u8]) -> String {
    let field = |code: u8| {
        let found = body.split(|&byte| byte == 0).find(|field| field.first() == Some(&code));
        found.map_or_else(String::new, |field| String::from_utf8_lossy(&field[1..]).into_owned())
    };
    format!("{} {}: {}", field(b'S'), field(b'C'), field(b'M'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_errors_are_read() {
        assert_eq!(row(b"\0\x02\0\0\0\x01t\xff\xff\xff\xff"), [Some("t".into()), None]);
        assert_eq!(error_text(b"SERROR\0C25006\0Mread-only\0\0"), "ERROR 25006: read-only");
    }
}
