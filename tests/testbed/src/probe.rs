//! Asks every host without pause whether its server accepts writes, and reports when two did at once. Whether that was
//! allowed at the moment is the test's to say.

use crate::cluster::Cluster;
use crate::error::{Doing, Error};
use crate::host::Host;
use crate::namespace;
use crate::wire::Session;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

const INTERVAL: Duration = Duration::from_millis(20);
const LIMIT: Duration = Duration::from_millis(500);
const QUESTION: &str = "select not pg_is_in_recovery()";

/// A time during which a host's server was seen to accept writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// Where.
    pub host: String,
    /// The first answer that said so.
    pub from: SystemTime,
    /// The last one before an answer that said no, or none.
    pub until: SystemTime,
}

/// A time during which two servers accepted writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoPrimaries {
    /// Where.
    pub hosts: (String, String),
    /// When it began.
    pub from: SystemTime,
    /// When it was over.
    pub until: SystemTime,
}

/// The probe, at work.
pub struct PrimariesProbe {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Primary>>>,
    threads: Vec<JoinHandle<()>>,
}

impl PrimariesProbe {
    /// Starts to ask every host over its own loopback, so that no cut link hides a primary.
    pub fn start(cluster: &Cluster) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut threads = Vec::new();
        for host in cluster.hosts() {
            let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
            let thread = thread::Builder::new()
                .name("probe".into())
                .spawn(move || watch(&host, &stop, &seen));
            threads.push(thread.doing(|| "start a probe".into())?);
        }
        Ok(Self { stop, seen, threads })
    }

    /// Stops, and yields every time a host was primary, in order.
    #[must_use]
    pub fn stop(mut self) -> Vec<Primary> {
        self.halt();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        seen.sort_by_key(|primary| primary.from);
        seen
    }

    /// The host that was seen last to accept writes.
    #[must_use]
    pub fn last_primary(&self) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().max_by_key(|primary| primary.until).map(|primary| primary.host.clone())
    }

    fn halt(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("testbed: a probe panicked");
            }
        }
    }
}

impl Drop for PrimariesProbe {
    fn drop(&mut self) {
        self.halt();
    }
}

/// Every time two different hosts were primary at once.
#[must_use]
pub fn two_primaries(seen: &[Primary]) -> Vec<TwoPrimaries> {
    let mut found = Vec::new();
    for (index, one) in seen.iter().enumerate() {
        for other in seen[index + 1..].iter().filter(|other| other.host != one.host) {
            let (from, until) = (one.from.max(other.from), one.until.min(other.until));
            if from < until {
                found.push(TwoPrimaries {
                    hosts: (one.host.clone(), other.host.clone()),
                    from,
                    until,
                });
            }
        }
    }
    found
}

fn watch(host: &Host, stop: &AtomicBool, seen: &Mutex<Vec<Primary>>) {
    let address = SocketAddr::from(([127, 0, 0, 1], host.shared.options.pg_port));
    let mut session = None;
    let mut current: Option<usize> = None;
    while !stop.load(Ordering::Relaxed) {
        if session.is_none() && host.is_on() && namespace::enter(&host.netns()).is_ok() {
            session = Session::connect(address, LIMIT).ok();
        }
        let asked = SystemTime::now();
        let answer = session.as_mut().map(|session| session.query(QUESTION, LIMIT, &|| false));
        match answer {
            Some(Ok(rows))
                if rows.first().and_then(|row| row.first()) == Some(&Some("t".into())) =>
            {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                // The answer was true at some moment after the question: the last that is certain is the question.
                if let Some(index) = current {
                    seen[index].until = asked;
                } else {
                    let now = SystemTime::now();
                    current = Some(seen.len());
                    seen.push(Primary { host: host.name().to_owned(), from: now, until: now });
                }
            }
            Some(Ok(_)) => current = None,
            Some(Err(_)) | None => {
                session = None;
                current = None;
            }
        }
        thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_overlap_of_different_hosts_counts() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let primary = |host: &str, from, until| Primary {
            host: host.into(),
            from: at(from),
            until: at(until),
        };
        let seen = [primary("a", 0, 10), primary("b", 8, 20), primary("a", 20, 30)];
        let found = two_primaries(&seen);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].from, found[0].until), (at(8), at(10)));
    }
}
