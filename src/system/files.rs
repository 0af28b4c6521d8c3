//! Files and directories.
//!
//! Whatever lies where the database user can write is to be touched inside of
//! [`super::identity::as_user`], so that a link which that user plants leads root nowhere. The two
//! functions that act for a user where only root may write, [`create_directory`] and
//! [`create_file`], first make sure that no one but root controls the path.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::libc;

use super::SystemError;
use super::identity::{User, acting_as_root, as_user};

/// Owner and mode of a file to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// Numbers of the user and the group; `None`: those of the writer.
    pub owner: Option<(u32, u32)>,
}

impl Attributes {
    /// A file of the writer, for nobody else.
    pub const PRIVATE: Self = Self { mode: 0o600, owner: None };

    /// Takes the attributes of a file.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub fn of(path: &Path) -> Result<Self, SystemError> {
        let metadata = fs::metadata(path).map_err(|e| SystemError::file("look at", path, e))?;
        let owner = Some((metadata.uid(), metadata.gid()));
        Ok(Self { mode: metadata.mode() & 0o7777, owner })
    }
}

/// Reads a text file of at most `bytes_max`; `None`: there is no such file.
///
/// Only a regular file is read, a FIFO must not stop the agent.
///
/// # Errors
/// The file cannot be read, is no regular file, or is too large.
pub fn read(path: &Path, bytes_max: u64) -> Result<Option<String>, SystemError> {
    let failed = |e| SystemError::file("read", path, e);
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("not a regular file")));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(SystemError::TooLarge { path: path.to_owned() });
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Replaces a file as a whole: a reader, or a crash, finds the old text or the new one.
///
/// A link in the place of the file is replaced, not followed.
///
/// # Errors
/// The directory cannot be written.
pub fn replace(path: &Path, text: &str, attributes: Attributes) -> Result<(), SystemError> {
    let failed = |e| SystemError::file("write", path, e);
    let (directory, temporary) = temporary(path).map_err(failed)?;
    let written = write_new(&temporary, text, attributes)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(&directory)?.sync_all());
    written.map_err(|error| {
        // The file may not be there at all; the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}

fn temporary(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    match (path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (Some(directory), Some(name)) => {
            let temporary = format!(".{name}.{}.tmp", std::process::id());
            Ok((directory.to_owned(), directory.join(temporary)))
        }
        (Some(_) | None, Some(_) | None) => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn write_new(path: &Path, text: &str, attributes: Attributes) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Left by a killed process that had our number.
            fs::remove_file(path)?;
            options.open(path)?
        }
        opened => opened?,
    };
    file.write_all(text.as_bytes())?;
    if let Some((uid, gid)) = attributes.owner {
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (uid, gid) {
            fchown(&file, (now.uid() != uid).then_some(uid), Some(gid))?;
        }
    }
    file.set_permissions(Permissions::from_mode(attributes.mode))?;
    file.sync_all()
}

/// Writes the text into an existing file without replacing it, for a directory that cannot be
/// written.
///
/// # Errors
/// The file cannot be written.
pub fn overwrite(path: &Path, text: &str) -> Result<(), SystemError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        file.sync_all()
    };
    write().map_err(|e| SystemError::file("write", path, e))
}

/// Removes a file, or the link in its place; a file that is not there is removed already.
///
/// # Errors
/// The directory cannot be written.
pub fn remove(path: &Path) -> Result<(), SystemError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SystemError::file("remove", path, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Tells whether a path, resolved by `as_user` before, can be changed by nobody but root: every
/// directory on the way is root's and closed to others.
#[must_use]
pub fn only_root_controls(directory: &Path) -> bool {
    directory.is_absolute()
        && directory.ancestors().all(|ancestor| match fs::symlink_metadata(ancestor) {
            Ok(metadata) => {
                metadata.is_dir() && metadata.uid() == 0 && metadata.mode() & 0o022 == 0
            }
            Err(_) => false,
        })
}

/// Creates a directory of `user` with this mode, and those above it, unless it is there.
///
/// It is made by the user himself, or by root where nobody but root has control. An existing
/// directory is left as it is.
///
/// # Errors
/// The directory cannot be created.
pub fn create_directory(path: &Path, mode: u32, user: &User) -> Result<(), SystemError> {
    match as_user(user, || path.is_dir())? {
        true => return Ok(()),
        false if acting_as_root() && path.is_dir() => return Ok(()),
        false => {}
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_directory(parent, 0o755, user)?;
    }
    let own = as_user(user, || {
        fs::create_dir(path).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
    })?;
    match own {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && acting_as_root() => {
            let path = in_roots_directory(path)?;
            root_creates_directory(&path, mode, user)
                .map_err(|e| SystemError::file("create", &path, e))
        }
        Err(error) => Err(SystemError::file("create", path, error)),
    }
}

/// Creates a directory, or makes an existing one the user's with this mode.
///
/// # Errors
/// It cannot be created, or it is another's and not under root's control.
pub fn own_directory(path: &Path, mode: u32, user: &User) -> Result<(), SystemError> {
    create_directory(path, mode, user)?;
    let failed = |e| SystemError::file("own", path, e);
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.uid() == user.uid {
        if metadata.mode() & 0o7777 == mode {
            return Ok(());
        }
        let mode = Permissions::from_mode(mode);
        return as_user(user, || fs::set_permissions(path, mode))?.map_err(failed);
    }
    let path = in_roots_directory(path)?;
    own_existing(&path, mode, user).map_err(|e| SystemError::file("own", &path, e))
}

/// Resolves the directory that is to hold `path` and makes sure that it is root's.
fn in_roots_directory(path: &Path) -> Result<PathBuf, SystemError> {
    let untrusted = || SystemError::Untrusted { path: path.to_owned() };
    let name = path.file_name().ok_or_else(untrusted)?;
    let parent = path.parent().ok_or_else(untrusted)?;
    let parent = fs::canonicalize(parent).map_err(|e| SystemError::file("resolve", path, e))?;
    if only_root_controls(&parent) { Ok(parent.join(name)) } else { Err(untrusted()) }
}

fn root_creates_directory(path: &Path, mode: u32, user: &User) -> io::Result<()> {
    fs::create_dir(path)?;
    own_existing(path, mode, user)
}

fn own_existing(path: &Path, mode: u32, user: &User) -> io::Result<()> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let directory = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    fchown(&directory, Some(user.uid), Some(user.gid))?;
    directory.set_permissions(Permissions::from_mode(mode))
}

/// Creates an empty file of `user`, unless it is there, and makes sure that he can append to it.
///
/// # Errors
/// The file cannot be created, is no regular file, or the user cannot write it.
pub fn create_file(path: &Path, mode: u32, user: &User) -> Result<(), SystemError> {
    let failed = |e| SystemError::file("write", path, e);
    match as_user(user, || append_to(path, mode))? {
        Ok(()) => Ok(()),
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied
                && acting_as_root()
                && fs::symlink_metadata(path).is_err() =>
        {
            let path = in_roots_directory(path)?;
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
            let create = || {
                let file = options.open(&path)?;
                file.set_permissions(Permissions::from_mode(mode))?;
                fchown(&file, Some(user.uid), Some(user.gid))
            };
            create().map_err(failed)?;
            as_user(user, || append_to(&path, mode))?.map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn append_to(path: &Path, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(mode).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(()) } else { Err(io::Error::other("not a regular file")) }
}

#[cfg(test)]
mod tests;
