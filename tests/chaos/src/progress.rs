//! How far the run is: one living line at the bottom of a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// The run's progress.
pub struct Progress {
    live: bool,
    began: Instant,
    minutes: u64,
}

impl Progress {
    /// Of a run of so many minutes.
    pub fn new(minutes: u64) -> Self {
        Self { live: std::io::stderr().is_terminal(), began: Instant::now(), minutes }
    }

    /// Something happened.
    pub fn line(&self, text: &str) {
        self.say(&format!("{text}\n"));
    }

    /// Something came out well, or not.
    pub fn verdict(&self, text: &str, good: bool) {
        let colour = if good { "32" } else { "31" };
        match self.live {
            true => self.line(&format!("\x1b[{colour}m{text}\x1b[0m")),
            false => self.line(text),
        }
    }

    /// What is going on, for the line at the bottom of a terminal.
    pub fn now(&self, text: &str) {
        if self.live {
            let gone = self.began.elapsed().as_secs() / 60;
            let line = format!("{gone}/{} min  {text}", self.minutes);
            self.say(&format!("{}\r", line.chars().take(110).collect::<String>()));
        }
    }

    fn say(&self, text: &str) {
        let clear = if self.live { "\x1b[K" } else { "" };
        let _reader_gone = write!(std::io::stderr().lock(), "{clear}{text}");
    }
}
