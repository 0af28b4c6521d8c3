//! A server's history: which timelines led to its own, and where each was left.
//!
//! The text is that of a history file (`readTimeLineHistory()` in `timeline.c`). Nothing here says
//! whose data is good; that is `decide::rejoin`'s business.

use std::fmt;

use super::wal::{Lsn, Timeline};

/// What could not be read as a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadHistory(pub String);

impl fmt::Display for BadHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is no line of a timeline's history", self.0)
    }
}

impl std::error::Error for BadHistory {}

/// A timeline and its ancestors, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineHistory {
    /// The timeline itself.
    pub timeline: Timeline,
    /// Each ancestor with the position where it was left.
    forks: Vec<(Timeline, Lsn)>,
}

impl TimelineHistory {
    /// The history of a timeline without ancestors: a server that was never promoted.
    #[must_use]
    pub const fn first(timeline: Timeline) -> Self {
        Self { timeline, forks: Vec::new() }
    }

    /// Reads the text of this timeline's history file: lines of a timeline, a position and a reason;
    /// `#` begins a comment.
    ///
    /// # Errors
    /// A line of another form, or ancestors that do not rise up to the timeline: PostgreSQL refuses
    /// those as well.
    pub fn parse(timeline: Timeline, text: &str) -> Result<Self, BadHistory> {
        let mut forks: Vec<(Timeline, Lsn)> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = || BadHistory(line.chars().take(60).collect());
            let mut words = line.split_ascii_whitespace();
            let ancestor = words.next().and_then(|word| word.parse().ok()).map(Timeline);
            let left_at = words.next().and_then(|word| word.parse().ok());
            let (Some(ancestor), Some(left_at)) = (ancestor, left_at) else { return Err(bad()) };
            let rises = forks.last().is_none_or(|(last, at)| *last < ancestor && *at <= left_at);
            if !rises || ancestor >= timeline || ancestor == Timeline(0) {
                return Err(bad());
            }
            forks.push((ancestor, left_at));
        }
        Ok(Self { timeline, forks })
    }

    /// Returns where the history left one of its ancestors; `None`: it is no ancestor.
    #[must_use]
    pub fn fork_point(&self, ancestor: Timeline) -> Option<Lsn> {
        self.forks.iter().find(|(timeline, _)| *timeline == ancestor).map(|(_, lsn)| *lsn)
    }

    /// Returns where this timeline itself began; `None`: it has no ancestor.
    #[must_use]
    pub fn beginning(&self) -> Option<Lsn> {
        self.forks.last().map(|(_, lsn)| *lsn)
    }

    /// Tells whether the other's timeline is this one or an ancestor of it, with the same way up to
    /// there. Timelines are numbered by each server for itself: the same number may be another's.
    #[must_use]
    pub fn continues(&self, other: &Self) -> bool {
        let known = other.timeline == self.timeline || self.fork_point(other.timeline).is_some();
        let before = |(timeline, _): &&(Timeline, Lsn)| *timeline < other.timeline;
        known && self.forks.iter().filter(before).eq(other.forks.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const THIRD: &str =
        "1\t0/3000148\tno recovery target specified\n\n# a comment\n2\t1/50 before 2026-11-20\n";

    #[test]
    fn a_history_tells_where_each_ancestor_was_left() {
        let third = TimelineHistory::parse(Timeline(3), THIRD).expect("parsed");
        assert_eq!(third.fork_point(Timeline(1)), Some(Lsn(0x300_0148)));
        assert_eq!(third.fork_point(Timeline(2)), Some(Lsn(0x1_0000_0050)));
        assert_eq!((third.fork_point(Timeline(3)), third.fork_point(Timeline(4))), (None, None));
        assert_eq!(third.beginning(), Some(Lsn(0x1_0000_0050)));
        assert_eq!(
            TimelineHistory::parse(Timeline(1), ""),
            Ok(TimelineHistory::first(Timeline(1)))
        );
    }

    #[test]
    fn a_history_continues_only_those_of_the_same_way() {
        let third = TimelineHistory::parse(Timeline(3), THIRD).expect("parsed");
        for (timeline, text, same) in [
            (1, "", true),
            (2, "1 0/3000148 x", true),
            (3, THIRD, true),
            (2, "1 0/3000150 x", false),
            (2, "", false),
            (3, "1 0/3000148 x", false),
            (4, THIRD, false),
        ] {
            let other = TimelineHistory::parse(Timeline(timeline), text).expect("parsed");
            assert_eq!(third.continues(&other), same, "{timeline}: {text}");
        }
    }

    #[test]
    fn absurd_histories_are_refused() {
        for text in [
            "1",
            "x 0/1 y",
            "1 here",
            "0 0/1",
            "3 0/1",
            "9 0/1",
            "2 0/1\n1 0/2",
            "1 0/1\n1 0/2",
            "1 0/9\n2 0/1",
        ] {
            assert!(TimelineHistory::parse(Timeline(3), text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(timeline in any::<u32>(), text in "(\\PC|\n|\t){0,80}") {
            let _ = TimelineHistory::parse(Timeline(timeline), &text);
        }

        #[test]
        fn what_is_written_reads_back(forks in proptest::collection::btree_map(1u32..1000, any::<u64>(), 0..6)) {
            let mut lsns: Vec<_> = forks.values().copied().collect();
            lsns.sort_unstable();
            let forks: Vec<_> = forks.keys().copied().zip(lsns).collect();
            let text: String = forks.iter().map(|(t, l)| format!("{t}\t{}\tno reason\n", Lsn(*l))).collect();
            let history = TimelineHistory::parse(Timeline(1000), &text).expect("parsed");
            for (timeline, lsn) in forks {
                prop_assert_eq!(history.fork_point(Timeline(timeline)), Some(Lsn(lsn)));
            }
        }
    }
}
