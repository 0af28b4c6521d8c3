//! The matrix: one line per cluster and scenario, written anew after each, so that a run that is broken off leaves what
//! it has found out. It runs nothing.

use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::parts;

/// What became of a scenario.
enum Outcome {
    NotReached,
    Passed(Duration, String),
    Failed(Duration, String),
}

/// One cluster's part of the matrix.
pub struct Report {
    key: String,
    /// What runs, as the parts themselves print it.
    versions: String,
    scenarios: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// A cluster on which nothing has been tried; `key` sorts the matrix.
    pub fn new(key: &str, scenarios: &[&'static str]) -> Self {
        let scenarios = scenarios.iter().map(|name| (*name, Outcome::NotReached)).collect();
        let report = Self { key: key.to_owned(), versions: "did not boot".into(), scenarios };
        report.save();
        report
    }

    /// Says what runs in the cluster.
    pub fn runs(&mut self, versions: &str) {
        versions.clone_into(&mut self.versions);
        self.save();
    }

    /// Plays a scenario and notes how it went; one that fails fails the test, and the later ones are not reached.
    /// What the scenario pushes is shown beside its result.
    pub fn play<T>(&mut self, scenario: &str, act: impl FnOnce(&mut String) -> T) -> T {
        let started = Instant::now();
        eprintln!("{}: {scenario} …", self.key);
        let mut note = String::new();
        let played = catch_unwind(AssertUnwindSafe(|| act(&mut note)));
        let took = started.elapsed();
        let outcome = match &played {
            Ok(_) => Outcome::Passed(took, note),
            Err(panic) => Outcome::Failed(took, first_line(panic.as_ref())),
        };
        let row = self.scenarios.iter_mut().find(|(name, _)| *name == scenario);
        row.expect("the scenario was announced").1 = outcome;
        self.save();
        played.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn save(&self) {
        let mut text = String::new();
        for (name, outcome) in &self.scenarios {
            let outcome = match outcome {
                Outcome::NotReached => "not reached | ".into(),
                Outcome::Passed(took, note) => {
                    let comma = if note.is_empty() { "" } else { ": " };
                    format!("ok{comma}{note} | {:.1} s", took.as_secs_f32())
                }
                Outcome::Failed(took, why) => {
                    format!("**failed**: {why} | {:.1} s", took.as_secs_f32())
                }
            };
            writeln!(text, "| {} | {name} | {outcome} |", self.versions).expect("to a string");
        }
        let results = parts::directory().join("results");
        fs::create_dir_all(&results).expect("the directory of results can be made");
        fs::write(results.join(&self.key), text).expect("a result can be written");
        write_matrix(&results);
    }
}

/// The message of a panic, fit for a cell of the table.
fn first_line(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic");
    text.lines().next().unwrap_or_default().replace('|', "\\|")
}

fn write_matrix(results: &PathBuf) {
    let mut files: Vec<_> = fs::read_dir(results)
        .expect("the results can be listed")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let rows: String =
        files.iter().map(|file| fs::read_to_string(file).unwrap_or_default()).collect();
    let head = "| Debian | Pacemaker | Corosync | crmsh | PostgreSQL | agent | scenario | result | took |\n\
                |---|---|---|---|---|---|---|---|---|\n";
    fs::write(parts::directory().join("matrix.md"), format!("{head}{rows}"))
        .expect("the matrix can be written");
}
