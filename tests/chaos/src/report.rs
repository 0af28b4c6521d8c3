//! What came of a run: a table for people, JSON for machines, and the logs of the rounds in which something is wrong.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::catalogue;
use crate::clients::Notes;
use crate::error::Error;
use crate::round::Round;
use crate::site::{Site, target};

/// Where the logs of a round are kept.
pub fn folder(seed: u64, round: u64) -> PathBuf {
    target().join("chaos-logs").join(format!("{seed}-{round}"))
}

/// The command that plays a round again.
pub fn replay(seed: u64, round: u64, fixed: &str) -> String {
    format!("make chaos SEED={seed} ROUND={round}{fixed}")
}

/// Keeps everything that explains a round: its plan and story, what the clients noted, the hosts' logs.
pub fn keep(site: &Site, seed: u64, round: &Round, notes: Option<&Notes>, replay: &str) {
    let folder = folder(seed, round.round);
    site.cluster.gather_evidence_in(&folder.join("hosts"));
    let notes = notes.map(Notes::text).unwrap_or_default();
    let mut text = format!("{replay}\n\n{}\n", round.story.join("\n"));
    for hand in &round.hands {
        let _infallible = writeln!(text, "{hand:?}");
    }
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("round.txt"), format!("{text}\n{notes}")));
    if let Err(error) = written {
        eprintln!("chaos: cannot keep {}: {error}", folder.display());
    }
}

/// Writes the results so far.
pub fn write(path: &Path, seed: u64, rounds: &[Round]) -> Result<(), Error> {
    let report = json!({ "seed": seed, "rounds": rounds });
    let text = serde_json::to_vec_pretty(&report)?;
    let failed = |source| Error::Io { what: format!("write {}", path.display()), source };
    std::fs::write(path, text).map_err(failed)
}

/// The table.
pub fn table(rounds: &[Round]) -> String {
    let mut text = String::new();
    let sum = |of: fn(&Round) -> usize| rounds.iter().map(of).sum::<usize>();
    let bad = rounds.iter().filter(|round| !round.wrong.is_empty()).count();
    let longest = rounds.iter().max_by(|one, other| one.outage.total_cmp(&other.outage));
    let slowest = rounds.iter().map(|round| round.whole_after).fold(0.0, f64::max);
    let hands = |act: &str| {
        rounds.iter().flat_map(|round| &round.hands).filter(|hand| hand.act == act).count()
    };
    let lines = [
        ("rounds", format!("{}, {bad} with something wrong", rounds.len())),
        ("rows acknowledged", sum(|round| round.acknowledged).to_string()),
        ("rows lost", sum(|round| round.lost).to_string()),
        ("rows read without a promise, and gone", sum(|round| round.unpromised).to_string()),
        (
            "longest outage",
            longest.map_or("–".into(), |round| {
                format!("{:.1} s, round {}", round.outage, round.round)
            }),
        ),
        ("longest way back", format!("{slowest:.1} s after everything was mended")),
        ("hosts fenced", sum(|round| round.fenced).to_string()),
        ("hands", format!("{} copies, {} cleanups", hands("copy"), hands("cleanup"))),
    ];
    for (name, value) in lines {
        let _infallible = writeln!(text, "{name:<38} {value}");
    }
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for round in rounds {
        for fault in &round.faults {
            let count = counts.entry(fault).or_default();
            count.0 += 1;
            count.1 += usize::from(!round.wrong.is_empty());
        }
    }
    let _infallible = writeln!(text, "\n{:<38} times  in rounds with something wrong", "fault");
    for fault in catalogue::all() {
        if let Some((times, bad)) = counts.get(fault.name) {
            let _infallible = writeln!(text, "{:<38} {times:>5}  {bad}", fault.name);
        }
    }
    text
}
