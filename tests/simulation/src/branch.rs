//! A timeline and the way that led to it, as a history file tells it.

use pgsql_ha::model::timeline_history::TimelineHistory;
use pgsql_ha::model::wal::Timeline;

use crate::wal::lsn;

/// A timeline that was left, and the place where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ancestor {
    pub timeline: u32,
    pub end: usize,
}

/// A timeline and its ancestors, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pub timeline: u32,
    pub ancestors: Vec<Ancestor>,
}

impl Branch {
    /// The first timeline.
    pub const fn first() -> Self {
        Self { timeline: 1, ancestors: Vec::new() }
    }

    /// Returns the branch of one of its ancestors, or of itself.
    pub fn up_to(&self, timeline: u32) -> Self {
        let before = self.ancestors.iter().filter(|ancestor| ancestor.timeline < timeline);
        Self { timeline, ancestors: before.copied().collect() }
    }

    /// Returns where it left one of its ancestors.
    pub fn left(&self, timeline: u32) -> Option<usize> {
        let found = self.ancestors.iter().find(|ancestor| ancestor.timeline == timeline);
        found.map(|ancestor| ancestor.end)
    }

    /// Returns where it began.
    pub fn beginning(&self) -> Option<usize> {
        self.ancestors.last().map(|ancestor| ancestor.end)
    }

    /// Returns the timeline that a place belongs to (`tliOfPointInHistory` in timeline.c).
    pub fn at(&self, place: usize) -> u32 {
        let found = self.ancestors.iter().find(|ancestor| place < ancestor.end);
        found.map_or(self.timeline, |ancestor| ancestor.timeline)
    }

    /// Returns the timelines and where each began, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (u32, usize)> {
        let begins = self.ancestors.iter().map(|ancestor| ancestor.end);
        let timelines = self.ancestors.iter().map(|ancestor| ancestor.timeline);
        let all: Vec<_> =
            timelines.chain([self.timeline]).zip([0].into_iter().chain(begins)).collect();
        all.into_iter().rev()
    }

    /// Returns it as the agent reads it.
    pub fn history(&self) -> TimelineHistory {
        let line = |ancestor: &Ancestor| format!("{} {} -\n", ancestor.timeline, lsn(ancestor.end));
        let text: String = self.ancestors.iter().map(line).collect();
        let timeline = Timeline(self.timeline);
        TimelineHistory::parse(timeline, &text).unwrap_or(TimelineHistory::first(timeline))
    }
}
