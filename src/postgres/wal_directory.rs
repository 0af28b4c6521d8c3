//! The WAL directory, read by its file names.
//!
//! Only names are looked at: what is in the files is the server's business.

use crate::model::settings::Settings;
use crate::model::wal::Timeline;
use crate::system::identity::{User, as_user};

use super::version::Version;

/// Returns the newest timeline that a WAL segment of this instance belongs to.
///
/// A standby learns of a timeline when it receives or restores a segment of it. `pg_control` and
/// its SQL functions tell so only after the next restartpoint, and the WAL receiver only while it
/// is connected. History files are not counted: a standby fetches those of timelines that it
/// cannot follow, too.
#[must_use]
pub fn newest_timeline(settings: &Settings, user: &User, version: Version) -> Option<Timeline> {
    let name = if version.says_xlog() { "pg_xlog" } else { "pg_wal" };
    let entries = as_user(user, || std::fs::read_dir(settings.pgdata.join(name))).ok()?.ok()?;
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| timeline_of(entry.file_name().to_str()?))
        .max()
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
