//! The ladder by which a server is stopped: fast, immediate, SIGKILL, each within its share.

use std::time::Duration;

use crate::decide::steps::fail;
use crate::model::instance::Postmaster;
use crate::model::observation::Observation;
use crate::model::step::{ShutdownMode, Step};
use crate::model::verdict::{Failure, Reason, Verdict};

/// How long a postmaster has to be held before it is killed for that: a debugger that attaches, or a tracer, holds it
/// for a moment, and a server that is let go again may still end gently.
const HELD: Duration = Duration::from_millis(1500);

/// Returns the next rung, or `None` when nothing of the instance is left in the process table.
///
/// `patience` is how long a fast shutdown may take; it never takes more than 60 % of the action's
/// time, nor do both gentle ways together take more than 80 %. A postmaster that is held would take
/// neither.
pub(in crate::decide) fn escalate_shutdown(
    seen: &Observation,
    patience: Duration,
) -> Option<Verdict> {
    let total = seen.time.elapsed + seen.time.remaining;
    match seen.instance.postmaster {
        Postmaster::Absent => return None,
        Postmaster::Orphans { .. } => return Some(kill(seen)),
        Postmaster::Unknown => {
            return Some(match seen.time.remaining.is_zero() {
                true => fail(Failure::CannotStop),
                false => Verdict::Wait(Reason::ServerStops),
            });
        }
        Postmaster::Running { held: Some(time), .. } => {
            return Some(match time >= HELD.min(total / 5) {
                true => kill(seen),
                false => Verdict::Wait(Reason::ServerStops),
            });
        }
        Postmaster::Running { held: None, .. } => {}
    }
    let fast_ends = patience.min(total * 6 / 10);
    let immediate_ends = (fast_ends + total * 2 / 10).min(total * 8 / 10);
    let rungs = [(ShutdownMode::Fast, fast_ends), (ShutdownMode::Immediate, immediate_ends)];
    for (mode, ends) in rungs {
        if mode == ShutdownMode::Fast && patience.is_zero() {
            continue;
        }
        if seen.time.elapsed < ends {
            return Some(match seen.taken.tried(&Step::Shutdown(mode)) {
                true => Verdict::Wait(Reason::ServerStops),
                false => Verdict::Do(Step::Shutdown(mode)),
            });
        }
    }
    Some(kill(seen))
}

fn kill(seen: &Observation) -> Verdict {
    let kill = Step::Shutdown(ShutdownMode::Kill);
    match seen.taken.last(&kill) {
        Some(_) if seen.time.remaining.is_zero() => fail(Failure::CannotStop),
        Some(last) if seen.time.elapsed < last.ended + Duration::from_millis(500) => {
            Verdict::Wait(Reason::ServerStops)
        }
        Some(_) | None => Verdict::Do(kill),
    }
}
