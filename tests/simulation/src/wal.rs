//! The write-ahead log as a list of records, and PostgreSQL's rules for following another's.
//!
//! A record has an identity that no other record ever has, and is copied with everything before it. So
//! two logs that agree on the record at a place agree on all before it, and divergence is seen at once.

use pgsql_ha::model::timeline_history::TimelineHistory;
use pgsql_ha::model::wal::{Lsn, Timeline};

/// What a log begins at, and how many bytes a record takes.
const ORIGIN: u64 = 0x0300_0000;
const RECORD_BYTES: u64 = 0x100;

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub id: u32,
    pub timeline: u32,
}

/// What comes of a standby's attempt to stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    Streams,
    /// It is sent what both have in common, from the start of the segment up to this place, and gives up.
    Visits(usize),
    Refused,
}

/// A timeline that this log left, and the place where it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ancestor {
    timeline: u32,
    end: usize,
}

/// The log on one disk.
#[derive(Debug, Clone)]
pub struct Wal {
    records: Vec<Record>,
    /// How many of them survive a loss of power.
    flushed: usize,
    timeline: u32,
    ancestors: Vec<Ancestor>,
    /// The newest timeline of which it has a history file, be it one that it cannot follow.
    heard_of: u32,
}

impl Wal {
    /// A new cluster's log: every copy begins with the same record.
    pub fn new() -> Self {
        let records = vec![Record { id: 0, timeline: 1 }];
        Self { records, flushed: 1, timeline: 1, ancestors: Vec::new(), heard_of: 1 }
    }

    pub const fn timeline(&self) -> u32 {
        self.timeline
    }

    pub const fn flushed(&self) -> usize {
        self.flushed
    }

    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Tells whether the record at a place is this one, and so is all before it.
    pub fn holds(&self, place: usize, id: u32) -> bool {
        self.records.get(place).is_some_and(|record| record.id == id)
    }

    /// Adds a record and returns its place.
    pub fn append(&mut self, id: u32) -> usize {
        self.records.push(Record { id, timeline: self.timeline });
        self.records.len() - 1
    }

    pub const fn flush(&mut self) {
        self.flushed = self.records.len();
    }

    /// What a loss of power leaves.
    pub fn lose_unflushed(&mut self) {
        self.records.truncate(self.flushed);
    }

    /// Begins a new timeline with an end-of-recovery record, as a promotion does: the number is the
    /// first that no history file is known of (`findNewestTimeLine` in timeline.c).
    pub fn branch(&mut self, id: u32) -> usize {
        self.lose_unflushed();
        self.ancestors.push(Ancestor { timeline: self.timeline, end: self.records.len() });
        self.timeline = self.timeline.max(self.heard_of) + 1;
        self.heard_of = self.timeline;
        let place = self.append(id);
        self.flush();
        place
    }

    /// Returns where the present timeline left the one before.
    pub fn beginning(&self) -> Option<usize> {
        self.ancestors.last().map(|ancestor| ancestor.end)
    }

    /// Tells whether PostgreSQL lets a standby with this log stream from `upstream`. Only numbers of timelines and positions are compared, as PostgreSQL does
    /// (`WalReceiverMain`, `rescanLatestTimeLine`, `StartReplication`).
    pub fn follow(&mut self, upstream: &Self) -> Follow {
        if upstream.timeline < self.timeline {
            // "highest timeline of the primary is behind recovery timeline"
            return Follow::Refused;
        }
        // The history files are fetched before anything is streamed.
        self.heard_of = self.heard_of.max(upstream.timeline);
        if upstream.timeline == self.timeline {
            return Follow::Streams;
        }
        let left = upstream.ancestors.iter().find(|a| a.timeline == self.timeline);
        match left {
            // "new timeline is not a child of database system timeline"
            None => Follow::Refused,
            // "new timeline forked off current database system timeline before current recovery point"
            Some(left) if self.records.len() > left.end => Follow::Visits(left.end),
            Some(_) => Follow::Streams,
        }
    }

    /// The same for a standby that stays on its own timeline: of another it is sent what both have in common.
    pub fn visit(&mut self, upstream: &Self) -> Follow {
        let left = upstream.ancestors.iter().find(|a| a.timeline == self.timeline);
        match (self.follow(upstream), left) {
            (Follow::Streams, Some(left)) => Follow::Visits(left.end),
            (follow, _) => follow,
        }
    }

    /// Returns the history file of the present timeline.
    pub fn history(&self) -> TimelineHistory {
        let line = |a: &Ancestor| format!("{}\t{}\tx\n", a.timeline, lsn(a.end));
        let text: String = self.ancestors.iter().map(line).collect();
        TimelineHistory::parse(Timeline(self.timeline), &text).expect("ancestors rise")
    }

    /// Tells whether two logs disagree on a record that both have.
    pub fn disagrees(&self, other: &Self) -> bool {
        let common = self.records.len().min(other.records.len());
        common > 0 && self.records[common - 1].id != other.records[common - 1].id
    }

    /// Tells whether all of this log is part of the other one.
    pub fn is_prefix_of(&self, other: &Self) -> bool {
        self.records.len() <= other.records.len() && !self.disagrees(other)
    }

    /// Takes the next record that `upstream` has flushed; tells whether there was one.
    pub fn receive(&mut self, upstream: &Self) -> bool {
        let place = self.records.len();
        if place >= upstream.flushed {
            return false;
        }
        let record = upstream.records[place];
        if record.timeline != self.timeline {
            let before = upstream.ancestors.iter().filter(|a| a.timeline < record.timeline);
            self.ancestors = before.copied().collect();
            self.timeline = record.timeline;
        }
        self.records.push(record);
        true
    }
}

/// Returns the position after this many records.
pub fn lsn(records: usize) -> Lsn {
    Lsn(ORIGIN + records as u64 * RECORD_BYTES)
}
