//! Everything that was measured, as data. How it is shown is `table`'s business; how it is judged, `figures`'.

use std::time::SystemTime;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::contender::Contenders;
use crate::failover::{FailedRun, Failover, Start};
use crate::figures::{self, Figure};
use crate::machine::{Machine, load};
use crate::monitor::Monitors;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// Where.
    pub machine: Machine,
    /// The stock agent.
    pub stock: String,
    /// The parameter that decides how the stock agent elects at the first start.
    pub xlog_check_count: u32,
    /// The machine's load at the beginning and at the end.
    pub load: [f64; 2],
    /// Monitors by hand.
    pub monitor: Option<Vec<Monitors>>,
    /// First starts.
    pub starts: Vec<Start>,
    /// Faults.
    pub failovers: Vec<Failover>,
    /// Runs that failed.
    pub failed: Vec<FailedRun>,
    /// The figures to reach, of what was measured.
    pub figures: Vec<Figure>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn begin(contenders: &Contenders, arguments: &Arguments) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            began: since.map(|since| since.as_secs()).unwrap_or_default(),
            machine: Machine::look(),
            stock: contenders.stock.version.clone(),
            xlog_check_count: arguments.xlog_check_count,
            load: [load(); 2],
            monitor: None,
            starts: Vec::new(),
            failovers: Vec::new(),
            failed: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// Judges what was measured.
    pub fn conclude(&mut self) {
        self.load[1] = load();
        self.figures = figures::of_monitors(self.monitor.as_deref().unwrap_or_default());
        self.figures.extend(figures::of_starts(&self.starts));
        self.figures.extend(figures::of_failovers(&self.failovers));
    }

    /// Whether every figure is reached and every run succeeded: without the stock agent's there is nothing to compare.
    #[must_use]
    pub fn all_reached(&self) -> bool {
        self.failed.is_empty() && self.figures.iter().all(|figure| figure.reached)
    }
}
