//! Users of this machine, and acting as one of them.

use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use nix::libc;
use nix::unistd::{Gid, Uid, geteuid, getgrouplist, getuid};

use super::SystemError;

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// Numbers of all groups, the primary one included.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: PathBuf,
}

impl User {
    /// Looks a user up by name; `None`: there is no such user.
    ///
    /// # Errors
    /// The user database cannot be read.
    pub fn lookup(name: &str) -> Result<Option<Self>, SystemError> {
        let failed = |source: io::Error| SystemError::Lookup { name: name.to_owned(), source };
        let Some(entry) = nix::unistd::User::from_name(name).map_err(|e| failed(e.into()))? else {
            return Ok(None);
        };
        let c_name = CString::new(name).map_err(|e| failed(e.into()))?;
        let groups = getgrouplist(&c_name, entry.gid).map_err(|e| failed(e.into()))?;
        Ok(Some(Self {
            name: entry.name,
            uid: entry.uid.as_raw(),
            gid: entry.gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            home: entry.dir,
        }))
    }

    /// Returns the name of the user with this number, or the number where nobody has it.
    #[must_use]
    pub fn name_of(uid: u32) -> String {
        let user = nix::unistd::User::from_uid(Uid::from_raw(uid)).ok().flatten();
        user.map_or_else(|| uid.to_string(), |user| user.name)
    }

    /// Tells whether this process already runs as this user.
    #[must_use]
    pub fn is_me(&self) -> bool {
        geteuid().as_raw() == self.uid
    }
}

/// Tells whether this process runs as root and acts as root.
#[must_use]
pub fn acting_as_root() -> bool {
    geteuid().is_root()
}

/// Tells whether this process acts as somebody else than it is, inside of [`as_user`].
pub(super) fn borrowed() -> bool {
    geteuid() != getuid()
}

/// Does `work` with the effective user, group and groups of `user`; nothing changes when this
/// process already runs as that user.
///
/// What root reads or writes below a directory of that user has to happen in here: a link planted
/// there then leads no further than its owner could go himself. The kernel keeps identities per
/// thread, and the raw calls below, unlike `seteuid(3)`, leave the other threads alone. Do not
/// start programs in here, [`super::command::Command`] refuses it.
///
/// # Errors
/// This process is neither root nor that user.
pub fn as_user<T>(user: &User, work: impl FnOnce() -> T) -> Result<T, SystemError> {
    if user.is_me() {
        return Ok(work());
    }
    let guard = Guard::enter(user)
        .map_err(|source| SystemError::Identity { name: user.name.clone(), source })?;
    let result = work();
    drop(guard);
    Ok(result)
}

/// Gives the former identity back when it is dropped, by a panic as well.
struct Guard {
    uid: Uid,
    gid: Gid,
    groups: Vec<u32>,
}

impl Guard {
    fn enter(user: &User) -> io::Result<Self> {
        let groups = nix::unistd::getgroups()?.into_iter().map(Gid::as_raw).collect();
        let guard = Self { uid: geteuid(), gid: nix::unistd::getegid(), groups };
        set_groups(&user.groups)?;
        set_effective_gid(user.gid)?;
        set_effective_uid(user.uid)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let restored = set_effective_uid(self.uid.as_raw())
            .and_then(|()| set_effective_gid(self.gid.as_raw()))
            .and_then(|()| set_groups(&self.groups));
        if restored.is_err() {
            // Going on with somebody else's rights could do anything; nothing is half done here.
            std::process::abort();
        }
    }
}

const KEEP: libc::c_long = -1;

fn checked(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[expect(unsafe_code, reason = "nix has only the calls that change every thread")]
fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the pointer and the length describe a live slice of gid_t, which is only read.
    checked(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })
}

#[expect(unsafe_code, reason = "nix has only the calls that change every thread")]
fn set_effective_gid(gid: u32) -> io::Result<()> {
    // SAFETY: the call takes three numbers and no pointer.
    checked(unsafe { libc::syscall(libc::SYS_setresgid, KEEP, libc::c_long::from(gid), KEEP) })
}

#[expect(unsafe_code, reason = "nix has only the calls that change every thread")]
fn set_effective_uid(uid: u32) -> io::Result<()> {
    // SAFETY: the call takes three numbers and no pointer.
    checked(unsafe { libc::syscall(libc::SYS_setresuid, KEEP, libc::c_long::from(uid), KEEP) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_none() {
        assert_eq!(User::lookup("no-such-user-here").expect("lookup"), None);
        let root = User::lookup("root").expect("lookup").expect("root exists");
        assert_eq!((root.uid, root.gid), (0, 0));
    }

    #[test]
    fn the_identity_changes_and_comes_back_even_after_a_panic() {
        let nobody = User::lookup("nobody").expect("lookup").expect("nobody exists");
        if !acting_as_root() {
            assert!(as_user(&nobody, || ()).is_err());
            return;
        }
        let inside =
            as_user(&nobody, || (geteuid().as_raw(), std::fs::read("/etc/shadow").is_ok()));
        assert_eq!(inside.expect("root may"), (nobody.uid, false));
        assert!(acting_as_root());
        let panicked = std::panic::catch_unwind(|| as_user(&nobody, || panic!("on purpose")));
        assert!(panicked.is_err());
        assert!(acting_as_root());
        let other = std::thread::spawn(|| {
            crate::system::pause::pause(std::time::Duration::from_millis(5));
            geteuid().is_root()
        });
        let here = as_user(&nobody, || other.join().expect("thread"));
        assert!(here.expect("root may"), "other threads keep their identity");
    }
}
