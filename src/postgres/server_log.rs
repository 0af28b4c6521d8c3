//! The server's own last words, for the exit reason of a start that failed.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::libc;

use crate::model::settings::Settings;
use crate::system::command::{Command, CommandError};
use crate::system::files;
use crate::system::identity::{User, as_user};

/// How much of the end of a log is read.
const BYTES_MAX: u64 = 64 * 1024;

/// Lines of clients and of the WAL receiver, which tell nothing of the server's own end.
const OF_OTHERS: [&str; 5] = [
    "the database system is ",
    "terminating ",
    "could not connect to the primary",
    "could not receive data from WAL stream",
    "could not start WAL streaming",
];

/// How long the server's log files were at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(Vec<(PathBuf, u64)>);

impl Mark {
    /// Remembers the present moment.
    #[must_use]
    pub fn now(settings: &Settings, user: &User) -> Self {
        let length = |path: PathBuf| {
            let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
            (path, length)
        };
        let lengths = || log_files(settings).into_iter().map(length).collect();
        Self(as_user(user, lengths).unwrap_or_default())
    }

    fn offset(&self, path: &Path) -> u64 {
        self.0.iter().find(|(known, _)| known == path).map_or(0, |(_, length)| *length)
    }
}

/// Finds the last FATAL or PANIC line since the mark, with what explains it.
///
/// Nothing is in a log when `logfile` is `/dev/null` and the server died before its own collector
/// ran. Its usual reason is then a mistake in the configuration, which the server tells again when
/// it is asked to only read that.
#[must_use]
pub fn last_fatal(
    settings: &Settings,
    user: &User,
    mark: &Mark,
    deadline: Instant,
) -> Option<String> {
    let logged = as_user(user, || {
        let texts = log_files(settings).into_iter().map(|path| tail(&path, mark.offset(&path)));
        texts.filter_map(Result::ok).find_map(|text| find(&text))
    });
    logged.ok().flatten().or_else(|| check_configuration(settings, user, deadline))
}

/// Returns `logfile`, and the file of the server's own collector (`current_logfiles`, since
/// PostgreSQL 10). To be called as the database user.
fn log_files(settings: &Settings) -> Vec<PathBuf> {
    let collected = files::read(&settings.pgdata.join("current_logfiles"), BYTES_MAX);
    let collected = collected.ok().flatten().unwrap_or_default();
    let collected = collected.lines().find_map(|line| line.strip_prefix("stderr "));
    let absolute = collected.map(|path| settings.pgdata.join(path.trim()));
    std::iter::once(settings.logfile.clone()).chain(absolute).collect()
}

fn tail(path: &Path, offset: u64) -> io::Result<String> {
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // A file that is shorter than before is another one.
    let from = if offset > metadata.len() { 0 } else { offset };
    file.seek(SeekFrom::Start(from.max(metadata.len().saturating_sub(BYTES_MAX))))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs `postgres -C`, which reads the configuration, prints a value and ends.
fn check_configuration(settings: &Settings, user: &User, deadline: Instant) -> Option<String> {
    let config = format!("config_file={}", settings.config.display());
    let command = Command::new(settings.pgctl.with_file_name("postgres"))
        .args(["-C", "data_directory", "-D"])
        .arg(&settings.pgdata)
        .args(["-c", &config])
        .current_dir(&settings.pgdata)
        .as_user(user)
        .deadline(deadline);
    match command.run() {
        Err(CommandError::Failed { stderr, .. }) => find(&stderr).or_else(|| last_line(&stderr)),
        Ok(_) | Err(_) => None,
    }
}

/// Finds the last FATAL or PANIC line, whatever `log_line_prefix` puts before it.
fn find(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let own = |line: &str| OF_OTHERS.iter().all(|others| !line.contains(others));
    let found = lines.iter().enumerate().rev().find_map(|(at, line)| {
        ["FATAL:", "PANIC:"]
            .iter()
            .find_map(|level| after(line, level))
            .map(|said| (at, said))
            .filter(|(_, said)| own(said))
    });
    let Some((at, said)) = found else {
        // A program that does not get as far as a log: a missing library, a bad option.
        return if text.contains("LOG:") { None } else { last_line(text) };
    };
    let mut words = said;
    if words.contains("contains errors") {
        let cause = lines[..at].iter().rev().find_map(|line| after(line, "LOG:"));
        words = cause.map_or(words.clone(), |cause| format!("{words}: {}", remove_level(&cause)));
    }
    let following = lines[at + 1..].iter().take(2);
    let more = following.filter_map(|line| after(line, "DETAIL:").or_else(|| after(line, "HINT:")));
    Some(more.fold(words, |words, more| format!("{words} ({})", remove_level(&more))))
}

/// Returns the line from the level on, with single blanks.
fn after(line: &str, level: &str) -> Option<String> {
    let at = line.find(level)?;
    Some(line[at..].split_whitespace().collect::<Vec<_>>().join(" "))
}

fn remove_level(said: &str) -> &str {
    said.split_once(": ").map_or(said, |(_, rest)| rest)
}

fn last_line(text: &str) -> Option<String> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_last_words_are_found() {
        for (text, expected) in [
            ("", None),
            ("2026-11-20 10:00:00 UTC [1] LOG:  starting\n", None),
            (
                "x [7] LOG:  starting\nx [7] FATAL:  lock file \"postmaster.pid\" already exists\n\
                 x [7] HINT:  Is another postmaster running?\n",
                Some(
                    "FATAL: lock file \"postmaster.pid\" already exists (Is another postmaster running?)",
                ),
            ),
            (
                "LOG:  syntax error in file \"/c\" line 3, near token \"=\"\n\
                 FATAL:  configuration file \"/c\" contains errors\n",
                Some(
                    "FATAL: configuration file \"/c\" contains errors: \
                     syntax error in file \"/c\" line 3, near token \"=\"",
                ),
            ),
            (
                "PANIC:  could not locate a valid checkpoint record\n\
                 [9] app=[x] FATAL:  the database system is starting up\n\
                 FATAL:  could not connect to the primary server: refused\nLOG:  aborting\n",
                Some("PANIC: could not locate a valid checkpoint record"),
            ),
            ("LOG:  a\nFATAL:  the database system is shutting down\n", None),
            (
                "postgres: error while loading shared libraries: libx.so.1\n",
                Some("postgres: error while loading shared libraries: libx.so.1"),
            ),
        ] {
            assert_eq!(find(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_what_came_after_the_mark_is_read() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("log");
        std::fs::write(&path, "FATAL:  old\n").expect("write");
        let offset = std::fs::metadata(&path).expect("metadata").len();
        assert_eq!(tail(&path, offset).expect("read"), "");
        std::fs::write(&path, format!("FATAL:  old\n{}FATAL:  new\n", "x".repeat(100_000)))
            .expect("write");
        let text = tail(&path, offset).expect("read");
        assert_eq!(text.len() as u64, BYTES_MAX);
        assert_eq!(find(&text).as_deref(), Some("FATAL: new"));
        std::fs::write(&path, "short\n").expect("write");
        assert_eq!(tail(&path, offset).expect("read"), "short\n", "the file was rotated");
        assert!(tail(Path::new("/dev/null"), 0).is_err());
    }
}
