//! Opens log files, which root writes, so that nobody can make it write elsewhere.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// Mode of a log file that has to be created.
const MODE: u32 = 0o640;
/// The bit with which everybody may write to a file.
const WRITABLE_BY_ALL: u32 = 0o002;

/// Opens a log file for appending; a missing one is created.
///
/// # Errors
/// What the system says, and everything but a plain file with one name that only its owner and
/// group may write: a link, a pipe or a device could lead, or block, anywhere.
pub fn open(path: &Path) -> io::Result<File> {
    if !path.is_absolute() {
        return Err(io::Error::other("not an absolute path"));
    }
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(MODE)
        .custom_flags(flags.bits())
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() != 1 || found.mode() & WRITABLE_BY_ALL != 0 {
        return Err(io::Error::other("not a plain file that only its owner and group may write"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_plain_file_is_opened_and_a_missing_one_created() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        assert!(open(&path).is_ok());
        assert!(open(&path).is_ok());
        let mode = fs::metadata(&path).expect("created").permissions().mode();
        assert_eq!(mode & 0o137, 0);
    }

    #[test]
    fn whatever_could_lead_elsewhere_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name| directory.path().join(name);
        fs::write(at("target"), "").expect("written");
        symlink(at("target"), at("link")).expect("linked");
        fs::write(at("original"), "").expect("written");
        fs::hard_link(at("original"), at("second")).expect("linked");
        fs::write(at("open"), "").expect("written");
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o666)).expect("changed");
        let fifo = at("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("made");
        for path in [at("link"), at("second"), at("open"), fifo, at("no/such"), "log".into()] {
            assert!(open(&path).is_err(), "{}", path.display());
        }
        assert!(open(Path::new("/dev/null")).is_err());
        assert!(open(directory.path()).is_err());
    }
}
