//! Conversations with the server: the only connection of the program.
//!
//! One deadline stands around each conversation, the handshake included, because a stopped
//! postmaster's socket accepts and never answers. A session keeps its connection over the
//! questions of one action. What is asked, and how rows are read, is in `statements`.

mod connection;
mod tls;
mod verifier;

use std::time::{Duration, Instant};

use log::debug;
use tokio::runtime::Runtime;
use tokio::time::timeout_at;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, SimpleQueryMessage};

use self::connection::{Connection, Door, Failed, Role, config, doors, reach};
use super::statements::{self, Row};
use super::trouble::{Trouble, broke, describe};
use super::version::Version;
use super::{PostgresError, control_data, postmaster};
use crate::model::instance::{Answer, Receiver, Refusal};
use crate::model::settings::Settings;
use crate::model::slot::SlotName;
use crate::model::wal::Lsn;
use crate::system::identity::{User, as_user};

/// How long a polite farewell may take.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(20);

/// A conversation with the local server, connected when it is first needed.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    user: User,
    runtime: Option<Runtime>,
    monitor: Option<Connection>,
    owner: Option<Connection>,
}

impl Session {
    /// Prepares a session; nothing is asked yet.
    #[must_use]
    pub fn new(settings: &Settings, user: &User) -> Self {
        let (settings, user) = (settings.clone(), user.clone());
        Self { settings, user, runtime: None, monitor: None, owner: None }
    }

    /// Asks what the server is and how far it is.
    pub fn report(&mut self, deadline: Instant) -> Answer {
        let asked = self.converse(Role::Owner, deadline, async |connection| {
            connection.client.simple_query(&statements::report(connection.version)).await
        });
        let (version, messages) = match asked {
            Ok(answer) => answer,
            Err(trouble) => return trouble.into(),
        };
        let mut report = statements::read_report(&results(messages));
        if let (Answer::Primary(primary), Some(owner)) = (&mut report.answer, &self.owner) {
            primary.asked_as.clone_from(&owner.user);
        }
        if let Answer::Standby(standby) = &mut report.answer {
            standby.slots_advance = version.advances_slots();
            if report.lacks_timeline {
                match control_data::newest_timeline(&self.settings, &self.user, deadline) {
                    Ok(timeline) => standby.timeline = timeline,
                    Err(error) => return Answer::Refused(Refusal::Other(error.to_string())),
                }
            }
            if !version.has_receiver_view()
                && postmaster::has_wal_receiver(&self.settings, &self.user)
            {
                standby.receiver = Some(Receiver { streaming: true, timeline: None });
            }
        }
        report.answer
    }

    /// Runs the operator's own statement.
    ///
    /// # Errors
    /// What to report in place of the instance's state: it failed, or nobody answers.
    pub fn monitor_sql(&mut self, sql: &str, deadline: Instant) -> Result<(), Box<Answer>> {
        let role = match self.settings.monitor_user.is_empty() {
            true => Role::Owner,
            false => Role::Monitor,
        };
        let asked = self
            .converse(role, deadline, async |connection| connection.client.simple_query(sql).await);
        match asked {
            Ok(_) => Ok(()),
            Err(Trouble::Statement(why)) => Err(Box::new(Answer::MonitorSqlFailed(why))),
            Err(trouble) => Err(Box::new(trouble.into())),
        }
    }

    /// Creates a physical slot that keeps WAL from now on; one that exists is left as it is.
    ///
    /// # Errors
    /// The server says no, or does not answer.
    pub fn create_slot(&mut self, name: &SlotName, deadline: Instant) -> Result<(), PostgresError> {
        let name = name.as_str();
        let asked = self.converse(Role::Owner, deadline, async |connection| {
            let sql = statements::create_slot(connection.version.has_receiver_view());
            match connection.client.query(sql, &[&name]).await {
                Err(error) if error.code() == Some(&SqlState::DUPLICATE_OBJECT) => Ok(()),
                result => result.map(drop),
            }
        });
        done(asked)
    }

    /// Lets a slot keep WAL from this position on only.
    ///
    /// # Errors
    /// The server says no (it is in use, or the position is beyond what is replayed), or does not answer.
    pub fn advance_slot(
        &mut self,
        name: &SlotName,
        to: Lsn,
        deadline: Instant,
    ) -> Result<(), PostgresError> {
        let (name, to) = (name.as_str(), to.to_string());
        let asked = self.converse(Role::Owner, deadline, async |connection| {
            connection.client.query(statements::ADVANCE_SLOT, &[&name, &to]).await.map(drop)
        });
        done(asked)
    }

    /// Drops a slot; one that does not exist is dropped.
    ///
    /// # Errors
    /// The server says no (it is in use), or does not answer.
    pub fn drop_slot(&mut self, name: &SlotName, deadline: Instant) -> Result<(), PostgresError> {
        let name = name.as_str();
        let asked = self.converse(Role::Owner, deadline, async |connection| {
            match connection.client.query(statements::DROP_SLOT, &[&name]).await {
                Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => Ok(()),
                result => result.map(drop),
            }
        });
        done(asked)
    }

    /// Lets a standby's replay go on; `true`: it was paused.
    ///
    /// # Errors
    /// The server says no (it is no standby any more), or does not answer.
    pub fn resume_replay(&mut self, deadline: Instant) -> Result<bool, PostgresError> {
        let mut was_paused = false;
        let asked = self.converse(Role::Owner, deadline, async |connection| {
            let sql = statements::resume_replay(connection.version.says_xlog());
            connection.client.query_one(sql, &[]).await?.try_get::<_, bool>(0)
        });
        let asked = asked.map(|(version, paused)| {
            was_paused = paused;
            (version, ())
        });
        done(asked).map(|()| was_paused)
    }

    /// Ends the connections; the next question makes new ones.
    pub fn close(&mut self) {
        let connections = [self.monitor.take(), self.owner.take()];
        let Some(runtime) = self.runtime.take() else { return };
        for connection in connections.into_iter().flatten() {
            drop(connection.client);
            runtime.block_on(async {
                // A server that does not take the farewell notices the closed socket.
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, connection.driver).await;
            });
        }
        // A name resolver that hangs must not hold the agent.
        runtime.shutdown_background();
    }

    /// Asks one question; a connection that broke since the last one is made again, once.
    fn converse<T>(
        &mut self,
        role: Role,
        deadline: Instant,
        question: impl AsyncFn(&Connection) -> Result<T, Error>,
    ) -> Result<(Version, T), Trouble> {
        loop {
            let reused = self.connect(role, deadline)?;
            let (Some(runtime), Some(connection)) = (&self.runtime, self.slot(role).as_ref())
            else {
                return Err(Trouble::Silent("no connection".into()));
            };
            let asked =
                runtime.block_on(async { timeout_at(deadline.into(), question(connection)).await });
            let error = match asked {
                Ok(Ok(answer)) => return Ok((connection.version, answer)),
                Ok(Err(error)) => error,
                Err(_) => {
                    self.discard(role);
                    return Err(Trouble::Silent("no answer to a query in time".into()));
                }
            };
            match broke(&error) {
                false => return Err(Trouble::Statement(describe(&error))),
                true => self.discard(role),
            }
            if !reused {
                return Err(self.trouble(&error));
            }
        }
    }

    /// Makes sure that there is a connection; `true`: it is from an earlier question.
    fn connect(&mut self, role: Role, deadline: Instant) -> Result<bool, Trouble> {
        if let Some(connection) = self.slot(role) {
            if !connection.client.is_closed() {
                return Ok(true);
            }
            self.discard(role);
        }
        if self.runtime.is_none() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            self.runtime = Some(runtime.map_err(|e| Trouble::Silent(e.to_string()))?);
        }
        let mut denied = None;
        for door in doors(&self.settings, &self.user, role) {
            match self.enter(role, &door, deadline) {
                Ok(()) => return Ok(false),
                Err(Trouble::Denied(why)) => {
                    debug!("{why}");
                    denied = Some(Trouble::Denied(why));
                }
                // It answers elsewhere, so that nothing but this socket is missing.
                Err(Trouble::Refused(Refusal::Other(why))) if denied.is_some() => debug!("{why}"),
                Err(trouble) => return Err(trouble),
            }
        }
        Err(denied.unwrap_or_else(|| Trouble::Silent("nobody to ask as".into())))
    }

    fn enter(&mut self, role: Role, door: &Door, deadline: Instant) -> Result<(), Trouble> {
        match self.connect_anew(role, door, deadline) {
            // The socket may have appeared between the attempt and the look at the server's state.
            Err(Trouble::Refused(Refusal::Other(_))) => self.connect_anew(role, door, deadline),
            result => result,
        }
    }

    fn connect_anew(&mut self, role: Role, door: &Door, deadline: Instant) -> Result<(), Trouble> {
        let (config, ways) = config(&self.settings, &self.user, door, deadline);
        let Some(runtime) = &self.runtime else { return Err(Trouble::Silent("no runtime".into())) };
        // The server's `peer` method asks the kernel for the effective user at connect.
        let connected = as_user(&self.user, || {
            runtime.block_on(async {
                timeout_at(deadline.into(), reach(&config, &ways, &door.user)).await
            })
        });
        match connected {
            Ok(Ok(Ok(connection))) => {
                *self.slot_mut(role) = Some(connection);
                Ok(())
            }
            Ok(Ok(Err(Failed::During(error)))) => Err(self.trouble(&error)),
            Ok(Ok(Err(Failed::Before(why)))) => Err(Trouble::Refused(Refusal::Other(why))),
            Ok(Err(_)) => Err(Trouble::Silent("the server does not answer a connection".into())),
            Err(error) => Err(Trouble::Refused(Refusal::Other(error.to_string()))),
        }
    }

    const fn slot(&self, role: Role) -> &Option<Connection> {
        match role {
            Role::Monitor => &self.monitor,
            Role::Owner => &self.owner,
        }
    }

    const fn slot_mut(&mut self, role: Role) -> &mut Option<Connection> {
        match role {
            Role::Monitor => &mut self.monitor,
            Role::Owner => &mut self.owner,
        }
    }

    fn discard(&mut self, role: Role) {
        if let Some(connection) = self.slot_mut(role).take() {
            connection.driver.abort();
        }
    }

    fn trouble(&self, error: &Error) -> Trouble {
        Trouble::of(error, || postmaster::status(&self.settings, &self.user))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// Turns the end of a command, which has no rows to be read, into success or the server's words.
fn done(asked: Result<(Version, ()), Trouble>) -> Result<(), PostgresError> {
    match asked {
        Ok(_) => Ok(()),
        Err(Trouble::Statement(why) | Trouble::Denied(why) | Trouble::Silent(why)) => {
            Err(PostgresError::Server(why))
        }
        Err(Trouble::Refused(refusal)) => Err(PostgresError::Server(match refusal {
            Refusal::StartingUp => "the server is starting up".into(),
            Refusal::ShuttingDown => "the server is shutting down".into(),
            Refusal::Full => "no connection is free".into(),
            Refusal::Other(why) => why,
        })),
    }
}

/// Sorts the messages by statement.
fn results(messages: Vec<SimpleQueryMessage>) -> Vec<Vec<Row>> {
    let mut results = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
            }
            SimpleQueryMessage::CommandComplete(_) => results.push(std::mem::take(&mut rows)),
            _ => {}
        }
    }
    results
}
