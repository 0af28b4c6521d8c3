//! The one screen at the end. It only draws: everything it shows is in the story.

use crate::hosts;
use crate::options::Fault;
use crate::paint::{Ink, Paint, pad, wrap};
use crate::sparkline;
use crate::story::Story;
use crate::timeline::{self, seconds};
use std::time::{Duration, SystemTime};

const WIDTH: usize = 100;
const BARS: usize = 88;
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(3);

/// Draws the screen.
pub fn render(story: &Story, paint: Paint) -> String {
    let title = format!(
        "pgsql-ha: three hosts, PostgreSQL {}, rep_mode=sync. {} under load.",
        story.version,
        match story.players.fault {
            Fault::Postmaster => "The primary is killed",
            Fault::Power => "The primary loses power",
        }
    );
    let [before, after, now] = &story.scenes;
    let rows: [(&str, &[_]); 3] = [("before", before), ("after", after), ("now", now)];
    let mut lines =
        vec![String::new(), format!(" {}", paint.ink(Ink::Strong, &title)), String::new()];
    lines.extend(hosts::picture(&rows, paint));
    lines.push(heading("What happened when", paint));
    lines.extend(timeline::draw(&story.moments, story.killed, paint));
    lines.push(heading("Rows acknowledged per 100 ms", paint));
    lines.extend(writes(story, paint));
    lines.extend(figures(story, paint));
    lines.push(heading("The old primary's way back", paint));
    lines.extend(way_back(story, paint));
    lines.push(String::new());
    lines.push(verdict(story, paint));
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn heading(text: &str, paint: Paint) -> String {
    format!("\n {}", paint.ink(Ink::Strong, text))
}

/// The bars, and below them what they show.
fn writes(story: &Story, paint: Paint) -> Vec<String> {
    let Some(gap) = story.gap else { return vec![" no row was acknowledged after it".into()] };
    let from = story.killed.checked_sub(BEFORE).unwrap_or(story.killed).max(story.report.started);
    let until = (gap.end + AFTER).min(story.report.stopped);
    let moments: Vec<_> = story.report.acknowledged.iter().map(|row| row.at).collect();
    let fitted = sparkline::fit(&sparkline::count(&moments, from, until), BARS);
    let bars = sparkline::draw(&fitted.counts, paint.glyphs().bars);
    let (cut, missing) = fitted.cut.unwrap_or_default();
    let omission = match missing {
        0 => String::new(),
        bars => format!(
            "// {:.1} s //",
            (sparkline::BAR * u32::try_from(bars).unwrap_or(0)).as_secs_f64()
        ),
    };
    let column = |at: SystemTime| {
        let bar =
            at.duration_since(from).unwrap_or_default().as_millis() / sparkline::BAR.as_millis();
        let bar = usize::try_from(bar).unwrap_or(usize::MAX);
        if missing > 0 && bar >= cut {
            bar.saturating_sub(missing).max(cut) + omission.len()
        } else {
            bar
        }
    };
    let (fault, end) = (column(gap.start), column(gap.end));
    let all: Vec<char> =
        bars.chars().take(cut).chain(omission.chars()).chain(bars.chars().skip(cut)).collect();
    let piece = |from: usize, until: usize| {
        all.iter().skip(from).take(until.saturating_sub(from)).collect::<String>()
    };
    let up = paint.glyphs().up;
    let labels = [
        (fault, format!("{up} {} dies", story.players.old)),
        (end, format!("{up} {} acknowledges", story.players.new)),
    ];
    vec![
        format!(
            " {}{}{}",
            paint.ink(Ink::Good, &piece(0, fault + 1)),
            paint.ink(Ink::Bad, &piece(fault + 1, end)),
            paint.ink(Ink::Good, &piece(end.max(fault + 1), usize::MAX))
        ),
        format!(" {}", paint.ink(Ink::Faint, &place(&labels))),
    ]
}

/// Puts each label at its column, or behind the one before it.
fn place(labels: &[(usize, String)]) -> String {
    let mut line = String::new();
    for (column, label) in labels {
        let used = line.chars().count();
        let start = if used == 0 { *column } else { (*column).max(used + 2) };
        line.push_str(&" ".repeat(start - used));
        line.push_str(label);
    }
    line
}

fn figures(story: &Story, paint: Paint) -> Vec<String> {
    let strong = |ink, text: String| paint.ink(ink, &text);
    let outage =
        story.gap.map_or("unknown".into(), |gap| format!("{:.3} s", gap.length().as_secs_f64()));
    let unknown = story.report.unknown.len();
    let arrived = match (unknown, story.unknown_but_there) {
        (0, _) => String::new(),
        (_, there) => format!(" ({there} of them arrived)"),
    };
    let lost = if story.lost == 0 { Ink::Good } else { Ink::Bad };
    vec![
        String::new(),
        format!(
            " write outage {}    acknowledged {}    lost {}    never answered {}{arrived}",
            strong(Ink::Strong, outage),
            strong(Ink::Strong, story.report.acknowledged.len().to_string()),
            strong(lost, story.lost.to_string()),
            strong(Ink::Strong, unknown.to_string()),
        ),
    ]
}

fn way_back(story: &Story, paint: Paint) -> Vec<String> {
    let old = &story.players.old;
    let glyphs = paint.glyphs();
    let mut lines = Vec::new();
    match &story.comeback.refusal {
        Some(reason) => {
            let text = format!("{old} refuses to start: {reason}");
            lines
                .extend(wrap(text.split_whitespace(), WIDTH).iter().map(|line| format!(" {line}")));
        }
        None if story.recovered_in_place() => {
            lines.push(format!(" {old} was up again before another took over: it is the primary."));
        }
        None => lines.push(format!(" {old} came back by itself, without a hand.")),
    }
    for step in &story.comeback.steps {
        let (mark, ink) =
            if step.worked { (glyphs.done, Ink::Good) } else { (glyphs.failed, Ink::Bad) };
        let took = paint.ink(Ink::Faint, &format!("{:.1} s", step.took.as_secs_f64()));
        let command = wrap(step.words.iter().map(String::as_str), WIDTH - 20);
        let last = command.len().saturating_sub(1);
        for (index, part) in command.iter().enumerate() {
            let start = if index == 0 {
                format!(" {} {old}# ", paint.ink(ink, &pad(mark, 2)))
            } else {
                " ".repeat(7 + old.chars().count())
            };
            let end = if index == last { format!("  {took}") } else { " \\".into() };
            lines.push(format!("{start}{}{end}", paint.ink(Ink::Strong, part)));
        }
        if !step.worked {
            lines.push(format!("       {}", paint.ink(Ink::Bad, &step.said)));
        }
    }
    lines.extend(return_in_words(story, paint));
    lines
}

fn return_in_words(story: &Story, paint: Paint) -> Option<String> {
    let how = story.comeback.streams_as.as_ref()?;
    let since = story.comeback.streams_since;
    let since =
        since.map_or("time unknown".into(), |at| format!("{:+.1} s", seconds(story.killed, at)));
    let rows = if story.old_has_all { "and has every acknowledged row" } else { "but lags behind" };
    let (old, new) = (&story.players.old, &story.players.new);
    let mark = paint.ink(Ink::Good, &pad(paint.glyphs().done, 2));
    Some(format!(" {mark} {old} streams from {new} ({how}, since {since}), {rows}"))
}

fn verdict(story: &Story, paint: Paint) -> String {
    let glyphs = paint.glyphs();
    let old = &story.players.old;
    let took = story.took.as_secs_f64();
    if story.is_good() {
        let words = format!(
            "{} No acknowledged row is lost, and {old} {}.",
            glyphs.done,
            if story.recovered_in_place() { "serves again" } else { "streams again" }
        );
        format!(" {} All of it took {took:.0} s.", paint.ink(Ink::Good, &words))
    } else {
        let words =
            format!("{} {} acknowledged rows are lost; see {old}.", glyphs.failed, story.lost);
        format!(" {} All of it took {took:.0} s.", paint.ink(Ink::Bad, &words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_never_overlap() {
        assert_eq!(place(&[(3, "ab".into()), (4, "cd".into())]), "   ab  cd");
        assert_eq!(place(&[(0, "ab".into()), (9, "cd".into())]), "ab       cd");
    }
}
