//! The WAL directory: names of segments, and timeline history files.
//!
//! What is in the segments is the server's business.

use std::path::PathBuf;

use crate::model::settings::Settings;
use crate::model::timeline_history::TimelineHistory;
use crate::model::wal::{Lsn, Timeline, WalPosition};
use crate::system::files;
use crate::system::identity::{User, as_user};

use super::version::Version;

/// More than the history of thousands of promotions.
const HISTORY_BYTES_MAX: u64 = 1 << 20;

/// Returns the newest timeline that a WAL segment of this instance belongs to.
///
/// A standby learns of a timeline when it receives or restores a segment of it. `pg_control` and
/// its SQL functions tell so only after the next restartpoint, and the WAL receiver only while it
/// is connected. History files are not counted: a standby fetches those of timelines that it
/// cannot follow, too.
#[must_use]
pub fn newest_timeline(settings: &Settings, user: &User, version: Version) -> Option<Timeline> {
    let entries = as_user(user, || std::fs::read_dir(directory(settings, version))).ok()?.ok()?;
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| timeline_of(entry.file_name().to_str()?))
        .max()
}

/// Returns the name of the last segment of a timeline, which may lie ahead of what is written.
pub(super) fn last_segment(
    settings: &Settings,
    user: &User,
    version: Version,
    timeline: Timeline,
) -> Option<String> {
    let entries = as_user(user, || std::fs::read_dir(directory(settings, version))).ok()?.ok()?;
    let names =
        entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| timeline_of(name) == Some(timeline)).max()
}

/// Returns where a timeline of this instance left the one before; `None`: it is the first one, or its
/// history cannot be read.
#[must_use]
pub fn beginning_of(
    settings: &Settings,
    user: &User,
    version: Version,
    timeline: Timeline,
) -> Option<Lsn> {
    history(settings, user, version, timeline)?.beginning()
}

/// Reads the history of a timeline; `None`: its file is missing or cannot be read. The first timeline has
/// none.
#[must_use]
pub fn history(
    settings: &Settings,
    user: &User,
    version: Version,
    timeline: Timeline,
) -> Option<TimelineHistory> {
    if timeline == Timeline(1) {
        return Some(TimelineHistory::first(timeline));
    }
    let path = directory(settings, version).join(format!("{:08X}.history", timeline.0));
    let text = as_user(user, || files::read(&path, HISTORY_BYTES_MAX)).ok()?.ok()??;
    TimelineHistory::parse(timeline, &text).ok()
}

/// Returns where the first of all later timelines that this instance was told of left this one, which is a
/// suspicion and no more: a standby fetches history files also from the archive, where others may put
/// theirs, and of timelines that it cannot follow.
#[must_use]
pub fn left_at(
    settings: &Settings,
    user: &User,
    version: Version,
    timeline: Timeline,
) -> Option<WalPosition> {
    let entries = as_user(user, || std::fs::read_dir(directory(settings, version))).ok()?.ok()?;
    let told = entries.filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name();
        let told = name.to_str()?.strip_suffix(".history")?;
        u32::from_str_radix(told, 16).ok().map(Timeline).filter(|told| *told > timeline)
    });
    let forks = told.filter_map(|told| {
        let lsn = history(settings, user, version, told)?.fork_point(timeline)?;
        Some(WalPosition { timeline: told, lsn })
    });
    forks.min_by_key(|fork| fork.lsn)
}

/// Returns where the segments lie.
pub(super) fn directory(settings: &Settings, version: Version) -> PathBuf {
    settings.pgdata.join(if version.says_xlog() { "pg_xlog" } else { "pg_wal" })
}

/// Reads the timeline out of a segment's name (`XLogFileName` in `xlog_internal.h`).
fn timeline_of(name: &str) -> Option<Timeline> {
    let segment = name.len() == 24 && name.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F'));
    if !segment {
        return None;
    }
    u32::from_str_radix(&name[..8], 16).ok().map(Timeline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segments_tell_a_timeline() {
        for (name, timeline) in [
            ("00000002000000000000000A", Some(2)),
            ("0000000B00000001000000FF", Some(11)),
            ("00000003.history", None),
            ("00000003000000000000000A.partial", None),
            ("000000030000000000000028.00000028.backup", None),
            ("archive_status", None),
            ("xlogtemp.1234", None),
        ] {
            assert_eq!(timeline_of(name), timeline.map(Timeline), "{name}");
        }
    }
}
