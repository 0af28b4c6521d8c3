//! The workers: each has a cluster, takes the next row that fits it, and boots another cluster when there is none or
//! when the last case has left something behind. What a row is worth is `row`'s business.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::case::{Case, Fences};
use crate::error::Error;
use crate::measure::Notes;
use crate::mode::{Mode, Speed};
use crate::play::play;
use crate::progress::Progress;
use crate::row::{Outcome, Row};
use crate::site::{Kind, Roles, Site};

/// A row to be played.
pub struct Task<'a> {
    /// The case.
    pub case: &'a Case,
    /// How commits wait.
    pub mode: Mode,
    /// How quickly fencing acts.
    pub fencing: Option<Speed>,
}

impl Task<'_> {
    const fn kind(&self) -> Kind {
        Kind { mode: self.mode, setup: self.case.setup }
    }

    /// The row with that end.
    pub fn row(&self, result: Outcome, took: f64) -> Row {
        Row {
            id: self.case.id.to_owned(),
            words: self.case.words.to_owned(),
            mode: self.mode,
            fencing: self.fencing,
            result,
            took,
        }
    }
}

/// Every row of these cases in these modes.
pub fn tasks<'a>(cases: &'a [Case], modes: &[Mode], fencing: Option<Speed>) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
    for &mode in modes {
        for case in cases {
            let speeds: &[Option<Speed>] = match case.fences {
                Fences::Maybe => &[Some(Speed::AtOnce), Some(Speed::Slow)],
                Fences::Never => &[None],
            };
            let wanted = |speed: &Option<Speed>| {
                fencing.is_none_or(|wanted| speed.unwrap_or(Speed::AtOnce) == wanted)
            };
            let speeds = speeds.iter().copied().filter(wanted);
            tasks.extend(speeds.map(|fencing| Task { case, mode, fencing }));
        }
    }
    tasks
}

/// What the workers share.
pub struct Crew<'a> {
    /// The binary.
    pub agent: &'a Path,
    /// Where the logs of a failed row go.
    pub logs: PathBuf,
    /// Says how far it is.
    pub progress: &'a Progress,
    /// What is left to do.
    pub queue: Mutex<VecDeque<Task<'a>>>,
    /// Takes a finished row.
    pub finished: &'a (dyn Fn(Row) + Sync),
}

impl<'a> Crew<'a> {
    /// Plays everything, that many rows at a time.
    pub fn work(&self, jobs: usize) {
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| self.worker());
            }
        });
    }

    fn worker(&self) {
        let mut site: Option<Site> = None;
        while let Some(task) = self.next(site.as_ref().map(|site| site.kind)) {
            if site.as_ref().is_some_and(|site| site.kind != task.kind()) {
                site = None;
            }
            let began = Instant::now();
            self.progress.begins(&task.row(Outcome::Broken(String::new()), 0.0));
            let steps = AssertUnwindSafe(|| self.one(&task, &mut site));
            let result = catch_unwind(steps).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                Err(Error::said(text.and_then(|text| text.lines().next()).unwrap_or("a panic")))
            });
            let result = result.unwrap_or_else(|error| Outcome::Broken(error.to_string()));
            let row = task.row(result, began.elapsed().as_secs_f64());
            if row.failed() {
                // What the case left says nothing about the next one.
                if let Some(site) = site.take() {
                    site.cluster.gather_evidence_in(&self.logs.join(row.name()).join("hosts"));
                }
            }
            self.progress.ends(&row);
            (self.finished)(row);
        }
    }

    /// The next row, on the cluster that is there if one fits.
    fn next(&self, kind: Option<Kind>) -> Option<Task<'a>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = queue.iter().position(|task| Some(task.kind()) == kind);
        queue.remove(fitting.unwrap_or_default())
    }

    fn one(&self, task: &Task, site: &mut Option<Site>) -> Result<Outcome, Error> {
        let roles = self.healthy(task, site)?;
        let Some(there) = site.as_ref() else { return Err(Error::said("there is no cluster")) };
        there.cluster.set_fencing(task.fencing.unwrap_or(Speed::AtOnce).fencing());
        let played = play(there, roles, task.case)?;
        let outcome = match played.result {
            Ok((measured, wrong)) => {
                if !measured.hands.is_empty() && wrong.is_empty() {
                    *site = None;
                }
                Outcome::Played(Box::new(measured), wrong)
            }
            Err(error) => Outcome::Broken(error.to_string()),
        };
        let row = task.row(outcome, 0.0);
        if row.failed() {
            self.keep(&row, &played.notes);
        }
        Ok(row.result)
    }

    /// The cluster of the case before if it is as good as new, or a new one.
    fn healthy(&self, task: &Task, site: &mut Option<Site>) -> Result<Roles, Error> {
        let clean =
            |site: &Site| catch_unwind(AssertUnwindSafe(|| site.clean().ok())).ok().flatten();
        if let Some(roles) = site.as_ref().and_then(clean) {
            return Ok(roles);
        }
        *site = None;
        let name = task.row(Outcome::Broken(String::new()), 0.0).name();
        site.insert(Site::boot(self.agent, task.kind(), &name)?).clean()
    }

    fn keep(&self, row: &Row, notes: &Notes) {
        let folder = self.logs.join(row.name());
        let text = format!("{}\n{}\n{row:#?}\n", row.verdict(), notes.text());
        let _gone = std::fs::remove_dir_all(&folder);
        let kept = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join("row.txt"), text));
        if let Err(error) = kept {
            eprintln!("faults: cannot keep {}: {error}", folder.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn a_case_without_fencing_is_played_once() {
        let cases = cases::all();
        let rows = |id, fencing| {
            let tasks = tasks(&cases, &[Mode::Async], fencing);
            tasks.iter().filter(|task| task.case.id == id).count()
        };
        assert_eq!((rows("3a", None), rows("3a", Some(Speed::Slow))), (2, 1));
        assert_eq!((rows("1a", None), rows("1a", Some(Speed::Slow))), (1, 0));
        assert_eq!(rows("1a", Some(Speed::AtOnce)), 1);
    }
}
