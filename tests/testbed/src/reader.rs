//! A client that reads what the ledger writes, and notes each row that it saw, so that a test can prove that what was seen
//! stays. It judges nothing; which of these rows PostgreSQL promises to keep is told at `Readings`.

use crate::cluster::Cluster;
use crate::error::{Doing, Error};
use crate::host::Host;
use crate::ledger::{next_number, statement};
use crate::namespace;
use crate::network::Port;
use crate::wire::{Rows, Session};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// A vanished server must not hold up a connection attempt for longer.
const CONNECT_LIMIT: Duration = Duration::from_millis(300);
/// A commit may wait for a standby for a long time; a question may not.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);
const QUESTION_LIMIT: Duration = Duration::from_secs(2);
const REST: Duration = Duration::from_millis(100);
/// Only rows are asked for whose numbers are not older than that: what is older was seen before.
const WINDOW: Duration = Duration::from_secs(3);

/// How the reader reads.
#[derive(Debug, Clone)]
#[must_use]
pub struct ReaderPlan {
    netns: PathBuf,
    address: String,
    port: u16,
    commits: bool,
}

/// What a reader saw.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// Rows seen by a transaction that wrote a row of its own before it looked, and whose commit was acknowledged: all
    /// that it saw lies before its own commit in the WAL, so that whoever has that commit has all of it.
    pub promised: BTreeSet<i64>,
    /// Rows seen by a question alone. On a standby a row can be seen before its commit is acknowledged, and on a primary
    /// after a wait for a standby was cancelled or cut short by a restart: PostgreSQL does not promise to keep these.
    pub seen: BTreeSet<i64>,
    /// How many answers there were.
    pub answers: usize,
    /// Sums of all accounts that were not the usual one, each once in a row.
    pub sums: Vec<(SystemTime, i64)>,
}

/// A reader at work.
pub struct Reader {
    stop: Arc<AtomicBool>,
    notes: Arc<Mutex<Readings>>,
    thread: Option<JoinHandle<()>>,
}

impl ReaderPlan {
    /// Reads through an address of the cluster, from the client.
    pub fn from_client(cluster: &Cluster, address: &str) -> Self {
        let netns = cluster.shared.network.netns(Port::Client);
        let port = cluster.shared.options.pg_port;
        Self { netns, address: address.to_owned(), port, commits: false }
    }

    /// Reads inside a host, from the server there.
    pub fn inside(host: &Host) -> Self {
        let port = host.shared.options.pg_port;
        Self { netns: host.netns(), address: "127.0.0.1".into(), port, commits: false }
    }

    /// Writes a row before it looks, in the same transaction.
    pub const fn commits(mut self) -> Self {
        self.commits = true;
        self
    }

    /// Starts to read; all accounts together hold that sum.
    pub fn start(self, sum: i64) -> Result<Reader, Error> {
        let address: SocketAddr =
            format!("{}:{}", self.address, self.port).parse().map_err(|_| Error::Parse {
                what: "the reader's address".into(),
                reason: self.address.clone(),
            })?;
        let (stop, notes) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::default()));
        let work =
            Work { plan: self, address, sum, stop: Arc::clone(&stop), notes: Arc::clone(&notes) };
        let thread = thread::Builder::new().name("reader".into()).spawn(move || work.run());
        Ok(Reader { stop, notes, thread: Some(thread.doing(|| "start a reader".into())?) })
    }
}

impl Reader {
    /// Stops, and yields what was seen.
    #[must_use]
    pub fn stop(mut self) -> Readings {
        self.halt();
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn halt(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            eprintln!("testbed: a reader panicked");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.halt();
    }
}

struct Work {
    plan: ReaderPlan,
    address: SocketAddr,
    sum: i64,
    stop: Arc<AtomicBool>,
    notes: Arc<Mutex<Readings>>,
}

impl Work {
    fn run(&self) {
        let mut session = None;
        let mut numbers: VecDeque<(Instant, i64)> = VecDeque::new();
        while !self.stopped() {
            numbers.push_back((Instant::now(), next_number()));
            while numbers.len() > 1 && numbers[0].0.elapsed() > WINDOW {
                numbers.pop_front();
            }
            // Entered anew each time, because a host that was switched off and on has a new namespace.
            if session.is_none() && namespace::enter(&self.plan.netns).is_ok() {
                session = Session::connect(self.address, CONNECT_LIMIT).ok();
            }
            let from = numbers.front().map_or(0, |(_, number)| *number);
            let answered = session.as_mut().is_some_and(|session| self.look(session, from));
            if !answered {
                session = None;
            }
            thread::sleep(REST);
        }
    }

    /// One look; whether there was an answer.
    fn look(&self, session: &mut Session, from: i64) -> bool {
        let question = format!(
            "select 'sum', sum(balance) from accounts union all select 'row', number from ledger where number >= {from}"
        );
        let asked = match self.plan.commits {
            true => {
                let number = next_number();
                let both = format!("{}; {question}", statement(number, None));
                session.query(&both, COMMIT_LIMIT, &|| self.stopped())
            }
            false => session.query(&question, QUESTION_LIMIT, &|| self.stopped()),
        };
        let Ok(rows) = asked else { return false };
        self.note(&rows);
        true
    }

    fn note(&self, rows: &Rows) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.answers += 1;
        for row in rows {
            let [Some(what), Some(value)] = &row[..] else { continue };
            let Ok(value) = value.parse::<i64>() else { continue };
            match what.as_str() {
                "sum" if value == self.sum => {}
                "sum" => {
                    if notes.sums.last().is_none_or(|(_, last)| *last != value) {
                        notes.sums.push((SystemTime::now(), value));
                    }
                }
                _ if self.plan.commits => drop(notes.promised.insert(value)),
                _ => drop(notes.seen.insert(value)),
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
