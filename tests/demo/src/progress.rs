//! One line per stage while the demo works, with the time it took. Knows no stage by name.

use crate::error::Error;
use crate::paint::{Ink, Paint, pad};
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
/// With mark and time that fits a terminal of 80 columns.
const WIDTH: usize = 64;

/// Shows the stages.
pub struct Progress {
    paint: Paint,
}

/// Prints a text; a reader that went away is no reason to leave the cluster behind.
pub fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _reader_gone = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

impl Progress {
    /// Shows the stages in that look.
    pub const fn new(paint: Paint) -> Self {
        Self { paint }
    }

    /// Does the work of a stage, which yields its result in words and as a value.
    pub fn stage<T>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<(String, T), Error>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let (done, end) = mpsc::channel::<()>();
        let result = thread::scope(|scope| {
            scope.spawn(move || self.show_life(what, started, &end));
            // Dropped at the end, also of a panic, so that the sign of life ends.
            let _done = done;
            work()
        });
        crate::error::park_if_interrupted();
        let (mark, ink, words) = match &result {
            Ok((words, _)) => (self.paint.glyphs().done, Ink::Good, words.as_str()),
            Err(_) => (self.paint.glyphs().failed, Ink::Bad, what),
        };
        self.line(mark, ink, words, started.elapsed(), "\n");
        result.map(|(_, value)| value)
    }

    fn show_life(&self, what: &str, started: Instant, end: &mpsc::Receiver<()>) {
        let frames = self.paint.glyphs().spinner;
        let mut turn = 0;
        loop {
            if testbed::interrupted() {
                let clear = if self.paint.is_live() { "\r\x1b[K" } else { "" };
                return say(&format!("{clear}interrupted: removing the cluster\n"));
            }
            if let Some(frame) = frames.get(turn % frames.len().max(1)) {
                self.line(frame, Ink::Standby, what, started.elapsed(), "");
            }
            turn += 1;
            match end.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn line(&self, mark: &str, ink: Ink, words: &str, took: Duration, end: &str) {
        let clear = if self.paint.is_live() { "\r\x1b[K" } else { "" };
        let took = self.paint.ink(Ink::Faint, &format!("{:6.1} s", took.as_secs_f64()));
        let mark = self.paint.ink(ink, &pad(mark, 2));
        say(&format!("{clear} {mark} {} {took}{end}", pad(&self.fitted(words), WIDTH)));
    }

    /// The words, shortened where a line is drawn over: one that breaks leaves its remains behind.
    fn fitted(&self, words: &str) -> String {
        if !self.paint.is_live() || words.chars().count() <= WIDTH {
            return words.to_owned();
        }
        words.chars().take(WIDTH - 1).chain(['…']).collect()
    }
}
