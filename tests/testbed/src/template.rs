//! Data directories kept in memory for the life of this process, since initdb is the slowest step of a test.
//! What a data directory contains is `postgres`'s business.

use crate::command;
use crate::error::{Doing, Error};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// A directory as a tar archive in memory.
pub(crate) type Template = Arc<File>;

/// The template of that key; made if it is not there yet.
pub(crate) fn get_or_make(
    key: &str,
    make: impl FnOnce() -> Result<File, Error>,
) -> Result<Template, Error> {
    static TEMPLATES: OnceLock<Mutex<HashMap<String, Template>>> = OnceLock::new();
    // Held while one is made, so that parallel tests make it once.
    let mut templates =
        TEMPLATES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(template) = templates.get(key) {
        return Ok(Arc::clone(template));
    }
    let template = Arc::new(make()?);
    templates.insert(key.to_owned(), Arc::clone(&template));
    Ok(template)
}

/// Packs a directory, owners and modes included.
pub(crate) fn pack(directory: &Path) -> Result<File, Error> {
    let file = memfd_create(c"template", MFdFlags::MFD_CLOEXEC)
        .map(File::from)
        .doing(|| "allocate a file in memory".into())?;
    let output = file.try_clone().doing(|| "duplicate a descriptor".into())?;
    tar(Command::new("tar")
        .args(["--numeric-owner", "-cf", "-", "."])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(output))?;
    Ok(file)
}

/// Unpacks a template into a directory that exists.
pub(crate) fn unpack(template: &Template, directory: &Path) -> Result<(), Error> {
    // Opened anew, because a duplicate would share the position with the other hosts' copies.
    let input = File::open(format!("/proc/self/fd/{}", template.as_raw_fd()))
        .doing(|| "open a template".into())?;
    tar(Command::new("tar")
        .args(["--numeric-owner", "-xpf", "-"])
        .current_dir(directory)
        .stdin(input)
        .stdout(Stdio::null()))
}

fn tar(command: &mut Command) -> Result<(), Error> {
    let mut child = command.spawn().doing(|| "start tar".into())?;
    let shown = || "tar of a data directory".to_owned();
    match command::wait(&mut child, LIMIT)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            Err(Error::Command { command: shown(), code: status.code(), output: String::new() })
        }
        None => Err(Error::Deadline { command: shown(), limit: LIMIT }),
    }
}
