//! How far the run is: a line for each row that begins and one for each that ends, with colours on a terminal.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::row::Row;

/// The run's progress.
pub struct Progress {
    all: usize,
    jobs: usize,
    ended: AtomicUsize,
    running: Mutex<Vec<String>>,
    live: bool,
    began: Instant,
}

impl Progress {
    /// Of that many rows, that many at a time.
    pub fn new(all: usize, jobs: usize) -> Self {
        let live = std::io::stderr().is_terminal();
        let running = Mutex::default();
        Self { all, jobs, ended: AtomicUsize::new(0), running, live, began: Instant::now() }
    }

    /// A row begins.
    pub fn begins(&self, row: &Row) {
        self.change(|running| running.push(title(row)));
        if !self.live {
            self.say(&format!("faults: {} …\n", title(row)));
        }
        self.show_running();
    }

    /// A row has ended.
    pub fn ends(&self, row: &Row) {
        self.change(|running| running.retain(|known| *known != title(row)));
        let number = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        let colour = if row.failed() { "31" } else { "32" };
        let verdict = row.verdict();
        let verdict = if self.live { format!("\x1b[{colour}m{verdict}\x1b[0m") } else { verdict };
        let outage = row.measured().map(|measured| format!(", outage {:.1} s", measured.outage));
        let line = format!(
            "[{number:>3}/{}] {}: {verdict} ({:.0} s{})\n",
            self.all,
            title(row),
            row.took,
            outage.unwrap_or_default()
        );
        self.say(&line);
        self.show_running();
    }

    /// The line at the bottom of a terminal.
    fn show_running(&self) {
        if !self.live {
            return;
        }
        let mut running = String::new();
        self.change(|now| running = now.join("; "));
        let minutes = self.began.elapsed().as_secs() / 60;
        let line: String =
            format!("{minutes} min, {} jobs: {running}", self.jobs).chars().take(110).collect();
        self.say(&format!("{line}\r"));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        change(&mut self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    fn say(&self, text: &str) {
        let clear = if self.live { "\x1b[K" } else { "" };
        let _reader_gone = write!(std::io::stderr().lock(), "{clear}{text}");
    }
}

fn title(row: &Row) -> String {
    let fencing = row.fencing.map(|speed| format!(", fencing {speed}")).unwrap_or_default();
    format!("{} {}, {}{fencing}", row.id, row.words, row.mode)
}
