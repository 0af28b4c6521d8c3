//! What kind of machine measured, without its name, so that figures can be compared.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// What kind of machine measured.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Processors.
    pub processors: usize,
    /// The kind of processor.
    pub processor: String,
    /// Memory.
    pub memory_gib: u64,
    /// Its system.
    pub system: String,
    /// Its kernel.
    pub kernel: String,
    /// Its Pacemaker.
    pub pacemaker: String,
}

impl Machine {
    /// Looks around.
    #[must_use]
    pub fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let memory = value(&read("/proc/meminfo"), "MemTotal:");
        let kibibytes = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default();
        let name = value(&read("/proc/cpuinfo"), "model name");
        Self {
            processors: std::thread::available_parallelism().map_or(1, Into::into),
            processor: name.trim_start_matches(':').trim().to_owned(),
            memory_gib: (kibibytes + (1 << 19)) >> 20,
            system: value(&read("/etc/os-release"), "PRETTY_NAME=").trim_matches('"').to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            pacemaker: pacemaker(),
        }
    }
}

/// What stands behind a word at the beginning of a line.
fn value(text: &str, word: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default().trim().to_owned()
}

fn pacemaker() -> String {
    let output = Command::new("pacemakerd").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

/// How many processes wanted to run during the last minute.
#[must_use]
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_behind_their_words() {
        assert_eq!(value("a: 1\nMemTotal:   12 kB\n", "MemTotal:"), "12 kB");
        assert_eq!(value("a: 1", "b:"), "");
    }
}
