//! The WAL that only this node has, kept in a folder before `pg_rewind` destroys it.
//!
//! Copies, not links: the server and `pg_rewind` write segments in place. A folder has its final name only
//! when all of it is on disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::statvfs::statvfs;

use super::version::Version;
use super::{PostgresError, wal_directory};
use crate::model::rejoin::LostWal;
use crate::model::settings::Settings;
use crate::system::SystemError;
use crate::system::files::create_directory;
use crate::system::identity::{User, as_user};

/// What a folder is called until it is complete.
const UNFINISHED: &str = "unfinished";
/// What begins the name of one that is: the second in which it was made follows.
const PREFIX: &str = "wal-";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Keeps the segments from the fork to the end, and says where and how to look at them.
///
/// # Errors
/// They would be more than `rewind_keep_size` allows, together with what is kept already; there is no space,
/// or no time. Nothing is lost by it: `pg_rewind` does not run then.
pub fn keep(
    settings: &Settings,
    user: &User,
    version: Version,
    lost: &LostWal,
    deadline: Instant,
) -> Result<(), PostgresError> {
    let (wal, place) = (wal_directory::directory(settings, version), settings.kept_wal());
    let limit = settings.policy.rewind_keep_size;
    create_directory(&place, 0o700, user)?;
    let kept = as_user(user, || {
        // What is half there is in nobody's way.
        write(&place, &wal, lost, limit, deadline)
            .inspect_err(|_| drop(remove_all(&place.join(UNFINISHED))))
    })?;
    let (parameter, path, why, remedy) =
        match kept.map_err(|error| SystemError::file("keep WAL in", &place, error))? {
            Kept::In(folder, segments) => {
                tell(settings, lost, &folder, &segments);
                return Ok(());
            }
            Kept::TooMuch(bytes) => (
                "rewind_keep_size",
                format!("{}MB", megabytes(limit)).into(),
                format!("{} MB of WAL to keep for pg_rewind", megabytes(bytes)),
                format!("raise it, or empty {}", place.display()),
            ),
            Kept::NoRoom(bytes, free) => (
                "tmpdir",
                settings.tmpdir.clone(),
                format!("{} MB free, {} needed by pg_rewind", megabytes(free), megabytes(bytes)),
                "make room".to_owned(),
            ),
        };
    Err(PostgresError::Unusable { parameter, path, why, remedy })
}

/// What came of it.
enum Kept {
    /// These segments are in this folder.
    In(PathBuf, Vec<String>),
    /// All together would be so many bytes.
    TooMuch(u64),
    /// So many bytes are needed, and so many are free.
    NoRoom(u64, u64),
}

fn write(
    place: &Path,
    wal: &Path,
    lost: &LostWal,
    limit: u64,
    deadline: Instant,
) -> io::Result<Kept> {
    let unfinished = place.join(UNFINISHED);
    // An earlier start was cut off; the original is still there.
    remove_all(&unfinished)?;
    let segments = segments(wal, lost)?;
    // A start that was refused later, and is tried again, needs no second copy.
    if let Some(folder) = kept_before(place, wal, &segments)? {
        return Ok(Kept::In(folder, segments));
    }
    let size = |path: &Path| fs::metadata(path).map(|file| file.len());
    let bytes = segments.iter().map(|name| size(&wal.join(name))).sum::<io::Result<u64>>()?;
    let all = bytes.saturating_add(held(place)?);
    if all > limit {
        return Ok(Kept::TooMuch(all));
    }
    let space = statvfs(place)?;
    let free = space.blocks_available().saturating_mul(space.fragment_size());
    // Recovery and pg_rewind, which follow, must not be the ones that find the disk full.
    let needed = bytes.saturating_mul(2);
    if needed > free {
        return Ok(Kept::NoRoom(needed, free));
    }
    fs::DirBuilder::new().mode(0o700).create(&unfinished)?;
    for name in &segments {
        if Instant::now() >= deadline {
            return Err(io::Error::other("no time left: give start a longer timeout"));
        }
        copy(&wal.join(name), &unfinished.join(name))?;
    }
    File::open(&unfinished)?.sync_all()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let complete = free_name(place, now.as_secs());
    fs::rename(&unfinished, &complete)?;
    File::open(place)?.sync_all()?;
    Ok(Kept::In(complete, segments))
}

/// Returns the first name from this second on that nothing has: a start that failed may be tried again within it.
fn free_name(place: &Path, second: u64) -> PathBuf {
    let mut names = (second..).map(|second| place.join(format!("{PREFIX}{second}")));
    names.find(|name| !name.exists()).unwrap_or_else(|| place.join(PREFIX))
}

fn tell(settings: &Settings, lost: &LostWal, folder: &Path, segments: &[String]) {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        log::warn!("Nothing is left in pg_wal of the WAL that only this node has.");
        return;
    };
    let begins =
        if *first == lost.first_segment() { format!(" -s {}", lost.from) } else { String::new() };
    let dump = settings.pgctl.with_file_name("pg_waldump");
    let folder = folder.display();
    let days = match settings.policy.rewind_keep_days {
        0 => "until somebody removes it".to_owned(),
        days => format!("for {days} days (rewind_keep_days)"),
    };
    log::warn!(
        "The WAL that only this node has, from {} to {} on timeline {}, is kept in {folder} {days}. To see what was \
         in it: {} -p {folder}{begins} {first} {last}",
        lost.from,
        lost.to,
        lost.timeline,
        dump.display()
    );
}

/// Returns the names of the segments that are there, oldest first. Segments beyond the end were made in advance and hold something older.
fn segments(wal: &Path, lost: &LostWal) -> io::Result<Vec<String>> {
    let (first, last) = (lost.first_segment(), lost.last_segment());
    let mut found = Vec::new();
    for entry in fs::read_dir(wal)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if name.len() == first.len() && (first.as_str()..=last.as_str()).contains(&name.as_str()) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// Finds a folder that holds all of this already, byte for byte.
fn kept_before(place: &Path, wal: &Path, segments: &[String]) -> io::Result<Option<PathBuf>> {
    for folder in fs::read_dir(place)? {
        let folder = folder?.path();
        let same = |name: &String| {
            let read = |directory: &Path| fs::read(directory.join(name)).ok();
            read(&folder).is_some_and(|kept| Some(kept) == read(wal))
        };
        if !segments.is_empty() && segments.iter().all(same) {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut File::open(from)?, &mut target)?;
    target.sync_all()
}

/// Returns how many bytes the folders hold already.
fn held(place: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for folder in fs::read_dir(place)? {
        let folder = folder?.path();
        if folder.is_dir() {
            for file in fs::read_dir(folder)? {
                bytes += file?.metadata()?.len();
            }
        }
    }
    Ok(bytes)
}

const fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Returns the folders that have been kept for as long as the operator wanted.
#[must_use]
pub fn expired(settings: &Settings, user: &User) -> Vec<PathBuf> {
    let days = settings.policy.rewind_keep_days;
    let Some(before) = SystemTime::now().checked_sub(DAY.saturating_mul(days)) else {
        return Vec::new();
    };
    let is_old = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let made = name.and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        let made = made.and_then(|made| UNIX_EPOCH.checked_add(Duration::from_secs(made)));
        made.is_some_and(|made| made < before)
    };
    let place = settings.kept_wal();
    match as_user(user, || fs::read_dir(&place)) {
        Ok(Ok(folders)) if days > 0 => {
            folders.filter_map(|folder| Some(folder.ok()?.path())).filter(is_old).collect()
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// Removes a folder.
///
/// # Errors
/// It cannot be removed.
pub fn remove(user: &User, folder: &Path) -> Result<(), PostgresError> {
    let removed = as_user(user, || remove_all(folder))?;
    removed.map_err(|error| SystemError::file("remove", folder, error))?;
    log::info!("Removed {}: it is older than rewind_keep_days.", folder.display());
    Ok(())
}
