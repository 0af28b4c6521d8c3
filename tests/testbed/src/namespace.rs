//! Does something in a network namespace, in a thread of its own, since a thread cannot leave what it has entered
//! without remembering where it came from. What is done there is the caller's business.

use crate::error::{Doing, Error};
use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::path::Path;
use std::thread;

/// Moves this thread into the namespace, for good.
pub(crate) fn enter(netns: &Path) -> Result<(), Error> {
    let file = File::open(netns).doing(|| format!("open {}", netns.display()))?;
    setns(file, CloneFlags::CLONE_NEWNET).doing(|| format!("enter {}", netns.display()))
}

/// Does something there and comes back with the result.
pub(crate) fn inside<T: Send>(netns: &Path, act: impl FnOnce() -> T + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let done = scope.spawn(|| enter(netns).map(|()| act())).join();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
