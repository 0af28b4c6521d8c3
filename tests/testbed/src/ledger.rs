//! A client that writes numbered rows and notes every one that was acknowledged, so that a test can prove that none was
//! lost, and how long nobody could write. It judges nothing but that; what befalls the cluster meanwhile is the test's.

use crate::cluster::Cluster;
use crate::error::{Doing, Error};
use crate::host::Host;
use crate::namespace;
use crate::network::Port;
use crate::wire::{Failure, Session};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

/// A gap between acknowledgements that is worth a mention.
pub const OUTAGE_FLOOR: Duration = Duration::from_millis(200);

/// A vanished server must not hold up a connection attempt for longer.
const CONNECT_LIMIT: Duration = Duration::from_millis(700);
/// A commit may wait for a standby for a long time and still be alive; the kernel notices a dead peer sooner.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// Never reused in this process, so that several ledgers share a table.
static NEXT: AtomicI64 = AtomicI64::new(1);

/// A number that no row of this process has yet.
pub(crate) fn next_number() -> i64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The row of that number, and a transfer with it if there are accounts; they are locked in one order, so that no two
/// transfers wait for each other.
pub(crate) fn statement(number: i64, accounts: Option<i64>) -> String {
    let row = format!("insert into ledger (number) values ({number})");
    let Some(accounts) = accounts else { return row };
    let one = number * 7919 % accounts;
    let other = (one + 1 + number % (accounts - 1)) % accounts;
    let amount = if one < other { number % 10 } else { -(number % 10) };
    let (low, high) = (one.min(other), one.max(other));
    format!(
        "{row}; update accounts set balance = balance - {amount} where id = {low}; \
         update accounts set balance = balance + {amount} where id = {high}"
    )
}

/// How the ledger writes.
#[derive(Debug, Clone)]
#[must_use]
pub struct LedgerPlan {
    netns: PathBuf,
    address: String,
    port: u16,
    writers: usize,
    pause: Duration,
    connect_limit: Duration,
    rest: Duration,
    accounts: Option<i64>,
}

/// A ledger that is being written.
pub struct Ledger {
    stop: Arc<AtomicBool>,
    notes: Arc<Mutex<LedgerReport>>,
    writers: Vec<JoinHandle<()>>,
}

/// A row that the server acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// The row's number.
    pub number: i64,
    /// When the answer arrived.
    pub at: SystemTime,
}

/// A time without acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The last acknowledgement before it.
    pub start: SystemTime,
    /// The first one after it, or the end of the ledger.
    pub end: SystemTime,
}

impl Outage {
    /// How long it lasted.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }
}

/// What the ledger noted.
#[derive(Debug, Clone)]
pub struct LedgerReport {
    /// When the writers started.
    pub started: SystemTime,
    /// When they were told to stop.
    pub stopped: SystemTime,
    /// In the order of the answers.
    pub acknowledged: Vec<Acknowledged>,
    /// Sent, never answered: these may be there or not.
    pub unknown: Vec<i64>,
    /// Distinct complaints in a row, each once, with the time of the first.
    pub complaints: Vec<(SystemTime, String)>,
}

impl LedgerPlan {
    const fn new(netns: PathBuf, address: String, port: u16) -> Self {
        let (pause, rest) = (Duration::from_millis(2), PAUSE_BETWEEN_ATTEMPTS);
        let (connect_limit, accounts) = (CONNECT_LIMIT, None);
        Self { netns, address, port, writers: 1, pause, connect_limit, rest, accounts }
    }

    /// A client of its own, writing to an address of the cluster.
    pub fn from_client(cluster: &Cluster, address: &str) -> Self {
        let netns = cluster.shared.network.netns(Port::Client);
        Self::new(netns, address.to_owned(), cluster.shared.options.pg_port)
    }

    /// A client inside a host, writing to the server there.
    pub fn inside(host: &Host) -> Self {
        Self::new(host.netns(), "127.0.0.1".into(), host.shared.options.pg_port)
    }

    /// That many writers at once (default: one).
    pub const fn writers(mut self, writers: usize) -> Self {
        self.writers = writers;
        self
    }

    /// How long each rests after an answer (default: 2 ms).
    pub const fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// How long an attempt to connect may take (default: 700 ms); what is sent to an address that moves is lost.
    pub const fn connect_limit(mut self, connect_limit: Duration) -> Self {
        self.connect_limit = connect_limit;
        self
    }

    /// How long each rests after a refusal (default: 10 ms), a standby's for instance.
    pub const fn rest(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }

    /// Each row comes with a transfer between two of so many accounts, in one transaction (table `accounts` with `id`
    /// from 0 and `balance`).
    pub const fn transfers(mut self, accounts: i64) -> Self {
        self.accounts = Some(accounts);
        self
    }

    /// Starts to write.
    pub fn start(self) -> Result<Ledger, Error> {
        let address: SocketAddr =
            format!("{}:{}", self.address, self.port).parse().map_err(|_| Error::Parse {
                what: "the ledger's address".into(),
                reason: self.address.clone(),
            })?;
        let stop = Arc::new(AtomicBool::new(false));
        let notes = Arc::new(Mutex::new(LedgerReport::new()));
        let mut writers = Vec::new();
        for _ in 0..self.writers {
            let writer = Writer {
                plan: self.clone(),
                address,
                stop: Arc::clone(&stop),
                notes: Arc::clone(&notes),
            };
            let thread = thread::Builder::new().name("ledger".into()).spawn(move || writer.work());
            writers.push(thread.doing(|| "start a ledger's writer".into())?);
        }
        Ok(Ledger { stop, notes, writers })
    }
}

impl Ledger {
    /// Starts one writer that goes through an address of the cluster, from the client.
    pub fn start(cluster: &Cluster, address: &str) -> Result<Self, Error> {
        LedgerPlan::from_client(cluster, address).start()
    }

    /// Starts one writer inside a host.
    pub fn start_on(host: &Host) -> Result<Self, Error> {
        LedgerPlan::inside(host).start()
    }

    /// How many rows are acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).acknowledged.len()
    }

    /// When the last row so far was acknowledged.
    #[must_use]
    pub fn last_acknowledged(&self) -> Option<SystemTime> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.acknowledged.last().map(|row| row.at)
    }

    /// Stops the writers and yields what they noted.
    #[must_use]
    pub fn stop(mut self) -> LedgerReport {
        self.halt();
        let mut report = self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.acknowledged.sort_by_key(|row| row.at);
        report
    }

    fn halt(&mut self) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.stopped = SystemTime::now();
        drop(notes);
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers.drain(..) {
            if writer.join().is_err() {
                eprintln!("testbed: a writer of the ledger panicked");
            }
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.halt();
    }
}

impl LedgerReport {
    fn new() -> Self {
        let now = SystemTime::now();
        let (acknowledged, unknown, complaints) = (Vec::new(), Vec::new(), Vec::new());
        Self { started: now, stopped: now, acknowledged, unknown, complaints }
    }

    /// Every time without an acknowledgement that lasted longer than `OUTAGE_FLOOR`.
    #[must_use]
    pub fn outages(&self) -> Vec<Outage> {
        self.gaps().into_iter().filter(|gap| gap.length() > OUTAGE_FLOOR).collect()
    }

    /// The longest time without an acknowledgement.
    #[must_use]
    pub fn longest_outage(&self) -> Duration {
        self.gaps().iter().map(Outage::length).max().unwrap_or_default()
    }

    fn gaps(&self) -> Vec<Outage> {
        let answers = self.acknowledged.iter().map(|row| row.at);
        let moments: Vec<_> = std::iter::once(self.started)
            .chain(answers)
            .chain(std::iter::once(self.stopped))
            .collect();
        moments.windows(2).map(|pair| Outage { start: pair[0], end: pair[1] }).collect()
    }
}

impl Host {
    /// Every row of the ledger that the host's server has.
    pub fn ledger_rows(&self) -> Result<BTreeSet<i64>, Error> {
        let rows = self.query("select number from ledger")?;
        Ok(rows.into_iter().flatten().flatten().filter_map(|number| number.parse().ok()).collect())
    }
}

impl Cluster {
    /// The acknowledged rows that the host's server does not have; empty is what every test wants.
    pub fn verify_ledger(&self, report: &LedgerReport, host: &Host) -> Result<Vec<i64>, Error> {
        let there = host.ledger_rows()?;
        let noted = report.acknowledged.iter().map(|row| row.number);
        Ok(noted.filter(|number| !there.contains(number)).collect())
    }
}

/// One writer, with its own thread, since a thread enters the client's namespace for good.
struct Writer {
    plan: LedgerPlan,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    notes: Arc<Mutex<LedgerReport>>,
}

impl Writer {
    fn work(&self) {
        while !self.stopped() {
            // Entered anew each time, because a host that was switched off and on has a new namespace.
            let connected = namespace::enter(&self.plan.netns)
                .map_err(|error| error.to_string())
                .and_then(|()| {
                    Session::connect(self.address, self.plan.connect_limit)
                        .map_err(|error| error.to_string())
                });
            match connected {
                Ok(session) => self.write(session),
                Err(complaint) => {
                    self.complain(complaint);
                    thread::sleep(PAUSE_BETWEEN_ATTEMPTS);
                }
            }
        }
    }

    /// Writes until something is wrong with the connection.
    fn write(&self, mut session: Session) {
        while !self.stopped() {
            let number = next_number();
            let statement = statement(number, self.plan.accounts);
            match session.query(&statement, ANSWER_LIMIT, &|| self.stopped()) {
                Ok(_) => self.note(|notes| {
                    notes.acknowledged.push(Acknowledged { number, at: SystemTime::now() })
                }),
                Err(Failure::Refused(complaint)) => {
                    self.complain(complaint);
                    thread::sleep(self.plan.rest);
                    return;
                }
                Err(Failure::Lost(error)) => {
                    self.note(|notes| notes.unknown.push(number));
                    return self.complain(error.to_string());
                }
            }
            thread::sleep(self.plan.pause);
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn note(&self, act: impl FnOnce(&mut LedgerReport)) {
        act(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn complain(&self, complaint: String) {
        self.note(|notes| {
            if notes.complaints.last().is_none_or(|(_, last)| *last != complaint) {
                notes.complaints.push((SystemTime::now(), complaint));
            }
        });
    }
}
