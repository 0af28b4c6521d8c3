//! The rows as a table: on a terminal, and as a Markdown document. Nothing is judged here.

use std::fmt::Write;

use crate::cases::ELSEWHERE;
use crate::parts::Parts;
use crate::row::{Hand, Measured, Outcome, Row};

const HEAD: [&str; 10] = [
    "case",
    "mode",
    "fencing",
    "outage",
    "acknowledged",
    "lost",
    "only there",
    "primaries at once",
    "hands",
    "time-outs",
];

/// The cells of a row, without the verdict.
fn cells(row: &Row) -> [String; 10] {
    let fencing = row.fencing.map_or_else(|| "–".to_owned(), |speed| speed.to_string());
    let of = |show: fn(&Measured) -> String| row.measured().map_or_else(|| "–".to_owned(), show);
    [
        row.id.clone(),
        row.mode.to_string(),
        fencing,
        of(|m| format!("{:.1} s", m.outage)),
        of(|m| m.acknowledged.to_string()),
        of(|m| m.lost.to_string()),
        of(|m| m.only_there.to_string()),
        of(|m| m.primaries_at_once.to_string()),
        of(|m| hands(&m.hands)),
        of(|m| m.timeouts.len().to_string()),
    ]
}

fn hands(hands: &[Hand]) -> String {
    if hands.is_empty() {
        return "none".into();
    }
    let word = |hand: &Hand| format!("{} ({:?})", hand.act, hand.data).to_lowercase();
    hands.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The table for a terminal, and a line with the counts.
pub fn text(rows: &[Row]) -> String {
    let all: Vec<_> = rows.iter().map(|row| (cells(row), row.verdict())).collect();
    let width = |column: usize| {
        let cells = all.iter().map(|(cells, _)| cells[column].chars().count());
        cells.chain([HEAD[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |cells: &[&str], verdict: &str| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}  {verdict}\n", padded.collect::<Vec<_>>().join("  "))
    };
    let mut text = line(&HEAD, "verdict");
    for (cells, verdict) in &all {
        text += &line(&cells.each_ref().map(String::as_str), verdict);
    }
    text + &counts(rows) + "\n"
}

fn counts(rows: &[Row]) -> String {
    let failed = rows.iter().filter(|row| row.failed()).count();
    let missing = |row: &&Row| matches!(row.result, Outcome::NotAvailable(_));
    let missing = rows.iter().filter(missing).count();
    let acknowledged: usize =
        rows.iter().filter_map(Row::measured).map(|measured| measured.acknowledged).sum();
    format!(
        "{} rows: {} passed, {failed} failed, {missing} not available; {acknowledged} rows acknowledged",
        rows.len(),
        rows.len() - failed - missing
    )
}

/// The document.
pub fn markdown(rows: &[Row], parts: &Parts) -> String {
    let mut text = format!("{INTRODUCTION}\nPlayed with {parts}. {}.\n\n", counts(rows));
    let head = HEAD.join(" | ").replacen("case", "case | what happens", 1);
    let rule = "---|".repeat(HEAD.len() + 2);
    let _infallible = writeln!(text, "| {head} | verdict |\n|{rule}");
    for row in rows {
        let mut cells = cells(row).to_vec();
        cells.insert(1, row.words.clone());
        let verdict = row.verdict();
        let verdict = if row.failed() { format!("**{verdict}**") } else { verdict };
        let cells = cells.join(" | ");
        let _infallible = writeln!(text, "| {cells} | {} |", verdict.replace('|', "\\|"));
    }
    text += "\nTried elsewhere:\n\n";
    for (id, words) in ELSEWHERE {
        let _infallible = writeln!(text, "* {id}: {words}");
    }
    text
}

const INTRODUCTION: &str = "\
# Faults, in full

What `make faults` played and found. Each row is a real cluster of three hosts under write load: Corosync, Pacemaker,
fencing and PostgreSQL, with clients that write through the virtual address, a writer inside the primary's own host, which
sees what an isolated primary acknowledges, and a probe that asks every host without pause whether it accepts writes.

* outage: the longest time without an acknowledged row that ended after the fault; where the fault itself keeps everybody
  from serving (all hosts off, say), the time until the operator repairs it is part of it
* lost: rows acknowledged through the virtual address that the primary does not have in the end
* only there: rows acknowledged inside the old primary's host that the primary does not have in the end
* primaries at once: the most servers that accepted writes at one moment
* hands: what an operator had to do beside repairing the fault, and how the data stood, which was found out from the WAL
  itself: of `diverged` data some is not part of the primary's history, so that a copy or pg_rewind is due; where the data
  was a `prefix`, a hand is a failure
* time-outs: actions that ran into Pacemaker's timeout
* a case in which nobody may be fenced is played once, and has no entry under fencing

A row fails when an acknowledged row is lost in a sync mode, or in any mode without a failure of the primary; when a second
primary lives that fencing let live; when an action runs into its timeout; when a hand is needed that the data did not make
necessary; when the case's own expectation is not met.
";
