//! What the cluster records of a quorum commit (`sync_method=any`): of whom, and how many, commits
//! wait for. What follows from it is `decide::rules::quorum`'s business.

use std::fmt;
use std::str::FromStr;

use super::wal::Timeline;

/// Value of `<rsc>-sync-quorum` on the primary's node (permanent attribute): every acknowledged
/// commit of this timeline is on at least `count` of the voters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncQuorum {
    /// The primary's timeline: each promotion begins a new one, which makes older records void.
    pub timeline: Timeline,
    /// How many voters have each commit; 0: nothing is promised, so that no voter may be promoted.
    pub count: usize,
    /// Application names.
    pub voters: Vec<String>,
}

/// What could not be read as a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSyncQuorum;

impl fmt::Display for SyncQuorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timeline={} any={} of={}", self.timeline, self.count, self.voters.join(","))
    }
}

impl FromStr for SyncQuorum {
    type Err = BadSyncQuorum;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split(' ');
        let mut value = |key: &str| {
            let word = words.next().ok_or(BadSyncQuorum)?;
            word.strip_prefix(key).and_then(|word| word.strip_prefix('=')).ok_or(BadSyncQuorum)
        };
        let timeline = value("timeline")?.parse().map_err(|_| BadSyncQuorum)?;
        let count = value("any")?.parse().map_err(|_| BadSyncQuorum)?;
        let names = value("of")?.split(',').filter(|name| !name.is_empty());
        let voters = names.map(str::to_owned).collect();
        match words.next() {
            Some(_) => Err(BadSyncQuorum),
            None => Ok(Self { timeline: Timeline(timeline), count, voters }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_nothing_else_is_one() {
        for voters in [vec![], vec!["pm02"], vec!["pm02", "node-3.example"]] {
            let voters = voters.into_iter().map(str::to_owned).collect();
            let record = SyncQuorum { timeline: Timeline(7), count: 1, voters };
            assert_eq!(record.to_string().parse(), Ok(record));
        }
        for text in [
            "",
            "1",
            "timeline=x any=1 of=a",
            "timeline=1 any=-1 of=a",
            "timeline=1 any=1",
            "timeline=1 any=1 of=a b",
            "any=1 timeline=1 of=a",
        ] {
            assert_eq!(text.parse::<SyncQuorum>(), Err(BadSyncQuorum), "{text}");
        }
    }
}
