//! Plays every fault of the catalogue in every mode, on real clusters made of namespaces, and says what came of each.
//!
//! ```text
//! main ▶ arguments, table, parts, progress
//!   └──▶ crew ─▶ play ─▶ stage, comeback
//!                  ├──▶ measure           cases ─▶ case, stage
//!                  └──▶ row (judges)      site, mode
//! ```

mod arguments;
mod case;
mod cases;
mod comeback;
mod crew;
mod error;
mod measure;
mod mode;
mod parts;
mod play;
mod progress;
mod row;
mod site;
mod stage;
mod table;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};

use arguments::Arguments;
use case::Case;
use clap::Parser;
use crew::{Crew, Task, tasks};
use error::Error;
use parts::Parts;
use progress::Progress;
use row::{Outcome, Row};

/// What the caller learns: every row passes, or not, or nothing could be played.
const FAILED: u8 = 1;
const NOT_PLAYED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(rows) if rows.iter().any(Row::failed) => ExitCode::from(FAILED),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faults: {error}");
            ExitCode::from(NOT_PLAYED)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Vec<Row>, Error> {
    let cases = cases::named(&arguments.cases)?;
    if arguments.list {
        cases.iter().for_each(|case| println!("{:<8}{}", case.id, case.words));
        return Ok(Vec::new());
    }
    let missing = testbed::requirements();
    if !missing.is_empty() {
        return Err(testbed::Error::Requirements(missing).into());
    }
    testbed::sweep();
    // The testbed's words panic with pages of evidence, which is kept in files here.
    std::panic::set_hook(Box::new(|_| {}));
    let agent = agent(arguments)?;
    let wanted = tasks(&cases, &arguments.wanted_modes(), arguments.fencing);
    let earlier = arguments.earlier.as_deref().map_or_else(|| Ok(Vec::new()), read)?;
    let rows = play_all(&agent, wanted, arguments.jobs, earlier)?;
    show(arguments, &rows, &Parts::ask(&agent))?;
    Ok(rows)
}

fn agent(arguments: &Arguments) -> Result<PathBuf, Error> {
    let beside = site::target().join("release/pgsql-ha");
    let path = arguments.agent.clone().unwrap_or(beside);
    path.canonicalize().map_err(|_| Error::NoAgent(path))
}

/// Plays what the agent can be asked for; yields these rows and the earlier ones in the order of the table.
fn play_all(
    agent: &Path,
    wanted: Vec<Task>,
    jobs: usize,
    earlier: Vec<Row>,
) -> Result<Vec<Row>, Error> {
    let meta_data = meta_data(agent)?;
    let logs = site::target().join("fault-logs");
    let table = Mutex::new(Table { rows: earlier, file: logs.join("rows.json") });
    let keep = |row| table.lock().unwrap_or_else(PoisonError::into_inner).add(row);
    let mut queue = VecDeque::new();
    for task in wanted {
        match lacking(&meta_data, task.case, task.mode) {
            Some(parameter) => {
                let why = format!("the agent has no parameter {parameter}");
                keep(task.row(Outcome::NotAvailable(why), 0.0));
            }
            None => queue.push_back(task),
        }
    }
    let progress = Progress::new(queue.len(), jobs);
    let crew = Crew { agent, logs, progress: &progress, queue: Mutex::new(queue), finished: &keep };
    crew.work(jobs);
    Ok(table.into_inner().unwrap_or_else(PoisonError::into_inner).rows)
}

/// The rows in order, kept in a file as well, so that a run that is broken off leaves what it has found out.
struct Table {
    rows: Vec<Row>,
    file: PathBuf,
}

impl Table {
    fn add(&mut self, row: Row) {
        self.rows.retain(|known| known.name() != row.name());
        self.rows.push(row);
        self.rows.sort_by(|one, other| place(one).cmp(&place(other)));
        let directory = self.file.parent().unwrap_or(Path::new("."));
        let written =
            serde_json::to_vec_pretty(&self.rows).map_err(std::io::Error::from).and_then(|text| {
                std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&self.file, text))
            });
        if let Err(error) = written {
            eprintln!("faults: cannot keep {}: {error}", self.file.display());
        }
    }
}

fn place(row: &Row) -> impl Ord {
    let (number, letter) = cases::place(&row.id);
    (row.mode, number, letter.to_owned(), row.fencing)
}

fn read(path: &Path) -> Result<Vec<Row>, Error> {
    let failed = |source| Error::Io { what: format!("read {}", path.display()), source };
    let text = std::fs::read(path).map_err(failed)?;
    Ok(serde_json::from_slice(&text)?)
}

fn meta_data(agent: &Path) -> Result<String, Error> {
    let failed = |source| Error::Io { what: format!("run {}", agent.display()), source };
    let output = Command::new(agent).arg("meta-data").output().map_err(failed)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The parameter that the agent would need and does not have.
fn lacking(meta_data: &str, case: &Case, mode: mode::Mode) -> Option<&'static str> {
    let needed = [mode.parameter(), case.setup.parameter()];
    let known = |name: &&str| meta_data.contains(&format!("<parameter name=\"{name}\""));
    needed.into_iter().flatten().find(|name| !known(name))
}

fn show(arguments: &Arguments, rows: &[Row], parts: &Parts) -> Result<(), Error> {
    if let Some(path) = &arguments.write {
        let failed = |source| Error::Io { what: format!("write {}", path.display()), source };
        std::fs::write(path, table::markdown(rows, parts)).map_err(failed)?;
    }
    if arguments.json {
        let report = serde_json::json!({ "parts": parts, "rows": rows });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", table::text(rows));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;

    #[test]
    fn what_the_agent_does_not_have_is_not_asked_of_it() {
        let cases = cases::all();
        let case = |id| cases.iter().find(|case| case.id == id).expect("it is in the catalogue");
        let old = r#"<parameter name="rep_mode">"#;
        assert_eq!(lacking(old, case("1a"), Mode::SyncAvailable), None);
        assert_eq!(lacking(old, case("1a"), Mode::SyncStrict), Some("sync_availability"));
        assert_eq!(lacking(old, case("22"), Mode::Async), Some("rejoin"));
        let new = r#"<parameter name="sync_availability"> <parameter name="rejoin">"#;
        assert_eq!(lacking(new, case("22"), Mode::SyncStrict), None);
    }
}
