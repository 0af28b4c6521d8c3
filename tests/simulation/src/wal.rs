//! The write-ahead log as a list of records, and PostgreSQL's rules for following another's.
//!
//! A record has an identity that no other record ever has, and is copied with everything before it. So
//! two logs that agree on the record at a place agree on all before it, and divergence is seen at once.

use pgsql_ha::model::timeline_history::TimelineHistory;
use pgsql_ha::model::wal::{Lsn, Timeline, WalPosition};

use crate::branch::{Ancestor, Branch};

/// What a log begins at, and how many bytes a record takes.
const ORIGIN: u64 = 0x0300_0000;
const RECORD_BYTES: u64 = 0x100;

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub id: u32,
    /// The record before it.
    prev: u32,
    pub timeline: u32,
}

/// What comes of a standby's attempt to stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    Streams,
    /// It is sent what both have in common, from the start of the segment up to this place, and gives up.
    Visits(usize),
    /// It asks for a later timeline from beyond the point where that left its own: it is sent what it cannot replay, and
    /// asks again.
    Pretends(u32),
    Refused,
}

/// The log on one disk.
#[derive(Debug, Clone)]
pub struct Wal {
    records: Vec<Record>,
    /// How many of them survive a loss of power.
    flushed: usize,
    branch: Branch,
    /// The newest timeline of which it has a history file, be it one that it cannot follow.
    heard_of: Branch,
    /// The highest number that it may not take for a new timeline.
    taken: u32,
}

impl Wal {
    /// A new cluster's log: every copy begins with the same record.
    pub fn new() -> Self {
        let records = vec![Record { id: 0, prev: 0, timeline: 1 }];
        let (branch, heard_of) = (Branch::first(), Branch::first());
        Self { records, flushed: 1, branch, heard_of, taken: 1 }
    }

    pub const fn timeline(&self) -> u32 {
        self.branch.timeline
    }

    pub const fn branch(&self) -> &Branch {
        &self.branch
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
        let prev = self.records.last().map_or(0, |record| record.id);
        self.records.push(Record { id, prev, timeline: self.branch.timeline });
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
    pub fn branch_off(&mut self, id: u32) -> usize {
        self.lose_unflushed();
        let own = self.branch.timeline;
        self.branch.ancestors.push(Ancestor { timeline: own, end: self.records.len() });
        self.branch.timeline = own.max(self.heard_of.timeline).max(self.taken) + 1;
        self.heard_of.clone_from(&self.branch);
        let place = self.append(id);
        self.flush();
        place
    }

    /// Returns where the present timeline left the one before.
    pub fn beginning(&self) -> Option<usize> {
        self.branch.beginning()
    }

    /// Tells whether PostgreSQL lets a standby with this log stream from `upstream`. Only numbers of timelines and positions are compared, as PostgreSQL does
    /// (`WalReceiverMain`, `rescanLatestTimeLine`, `StartReplication`).
    pub fn follow(&mut self, upstream: &Self) -> Follow {
        if upstream.timeline() < self.timeline() {
            // "highest timeline of the primary is behind recovery timeline"
            return Follow::Refused;
        }
        // The history files are fetched before anything is streamed.
        self.hear_of(&upstream.branch);
        if upstream.timeline() == self.timeline() {
            return Follow::Streams;
        }
        match upstream.branch.left(self.timeline()) {
            // "new timeline is not a child of database system timeline"
            None => Follow::Refused,
            // "new timeline forked off current database system timeline before current recovery point"
            Some(left) if self.records.len() > left => Follow::Visits(left),
            Some(_) => Follow::Streams,
        }
    }

    /// The same for a standby whose target timeline is known beforehand: it asks for the timeline that the target's
    /// history shows at the end of its own WAL (`WaitForWALToBecomeAvailable` in xlogrecovery.c).
    pub fn follow_as(&mut self, target: Option<&Branch>, upstream: &Self) -> Follow {
        let end = self.len();
        let Some(asked) = target.map(|target| target.at(end)).filter(|at| *at > self.timeline())
        else {
            return self.follow(upstream);
        };
        if target.and_then(|target| target.left(self.timeline())) == Some(end) {
            return self.follow(upstream);
        }
        self.hear_of(&upstream.branch);
        let known = upstream.timeline() == asked || upstream.branch.left(asked).is_some();
        if known && upstream.flushed >= end { Follow::Pretends(asked) } else { Follow::Refused }
    }

    /// Takes note of a history file.
    pub fn hear_of(&mut self, branch: &Branch) {
        if branch.timeline > self.heard_of.timeline {
            self.heard_of.clone_from(branch);
        }
    }

    /// Takes note that all timelines up to this number exist somewhere.
    pub fn take_number(&mut self, newest: u32) {
        self.taken = self.taken.max(newest);
    }

    /// Returns the timeline of the record at a place.
    pub fn timeline_at(&self, place: usize) -> u32 {
        self.records.get(place).map_or(self.timeline(), |record| record.timeline)
    }

    /// Returns how many records there are up to the end of a timeline.
    pub fn end_on(&self, timeline: u32) -> usize {
        self.records.partition_point(|record| record.timeline <= timeline)
    }

    /// Returns the history of a timeline of this log.
    pub fn history(&self, timeline: u32) -> TimelineHistory {
        self.branch.up_to(timeline).history()
    }

    /// Returns where the newest timeline that it has heard of left its own.
    pub fn left_at(&self) -> Option<WalPosition> {
        let fork = self.heard_of.left(self.timeline())?;
        Some(WalPosition { timeline: Timeline(self.heard_of.timeline), lsn: lsn(fork) })
    }

    /// The same for a standby that stays on its own timeline: of another it is sent what both have in common.
    pub fn visit(&mut self, upstream: &Self) -> Follow {
        let left = upstream.branch.left(self.timeline());
        match (self.follow(upstream), left) {
            (Follow::Streams, Some(left)) => Follow::Visits(left),
            (follow, _) => follow,
        }
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
        self.take(upstream.records[place], &upstream.branch);
        true
    }

    fn take(&mut self, record: Record, branch: &Branch) {
        if record.timeline != self.timeline() {
            self.branch = branch.up_to(record.timeline);
        }
        self.records.push(record);
    }

    /// Replays records of a branch, up to the first that does not follow what is there.
    pub fn replay(&mut self, records: &[Record], branch: &Branch) {
        for record in records {
            if self.records.last().is_none_or(|last| last.id != record.prev) {
                return;
            }
            self.take(*record, branch);
        }
    }

    /// Goes on without what is beyond this place: it stays on disk, and is never read.
    pub fn leave(&mut self, place: usize) {
        self.records.truncate(place);
        self.flushed = self.flushed.min(place);
        let timeline = self.records.last().map_or(1, |record| record.timeline);
        self.branch = self.branch.up_to(timeline);
    }

    /// Returns a segment, once it is complete and on disk.
    pub fn segment(&self, number: usize, size: usize) -> Option<Vec<Record>> {
        let end = (number + 1) * size;
        (end <= self.flushed).then(|| self.records[number * size..end].to_vec())
    }
}

/// Returns the position after this many records.
pub fn lsn(records: usize) -> Lsn {
    Lsn(ORIGIN + records as u64 * RECORD_BYTES)
}
