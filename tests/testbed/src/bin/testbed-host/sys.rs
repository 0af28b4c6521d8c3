//! The system calls that the guest program needs, as safe functions. No policy here: what is called when is in
//! `boot` and `enter`. Declared by hand because the program is built from the standard library alone.

#![expect(unsafe_code, reason = "this module is where the system calls are made safe")]

use std::ffi::{CString, c_char, c_int, c_long, c_ulong, c_void};
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub const CLONE_NEWNS: c_int = 0x0002_0000;
pub const CLONE_NEWUTS: c_int = 0x0400_0000;
pub const CLONE_NEWIPC: c_int = 0x0800_0000;
pub const CLONE_NEWPID: c_int = 0x2000_0000;
pub const CLONE_NEWNET: c_int = 0x4000_0000;

pub const MS_NOSUID: c_ulong = 2;
pub const MS_BIND: c_ulong = 4096;
pub const MS_REC: c_ulong = 16384;
pub const MS_PRIVATE: c_ulong = 1 << 18;

const PR_SET_PDEATHSIG: c_int = 1;
const SIGKILL: c_int = 9;
const SIGCHLD: c_int = 17;
const SIG_IGN: usize = 1;
const MNT_DETACH: c_int = 2;
const S_IFCHR: u32 = 0o020_000;
const SYS_PIDFD_OPEN: c_long = 434;
#[cfg(target_arch = "x86_64")]
const SYS_PIVOT_ROOT: c_long = 155;
#[cfg(not(target_arch = "x86_64"))]
const SYS_PIVOT_ROOT: c_long = 41;

mod c {
    use super::{c_char, c_int, c_long, c_ulong, c_void};
    unsafe extern "C" {
        pub safe fn unshare(flags: c_int) -> c_int;
        pub safe fn setns(fd: c_int, kind: c_int) -> c_int;
        pub safe fn fork() -> c_int;
        pub safe fn setsid() -> c_int;
        pub safe fn dup2(from: c_int, to: c_int) -> c_int;
        pub fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
        pub fn mount(
            source: *const c_char,
            target: *const c_char,
            kind: *const c_char,
            flags: c_ulong,
            data: *const c_void,
        ) -> c_int;
        pub fn umount2(target: *const c_char, flags: c_int) -> c_int;
        pub fn sethostname(name: *const c_char, length: usize) -> c_int;
        pub fn mknod(path: *const c_char, mode: u32, device: u64) -> c_int;
        pub safe fn umask(mask: u32) -> u32;
        pub safe fn signal(signal: c_int, handler: usize) -> usize;
        pub safe fn prctl(option: c_int, argument: c_ulong) -> c_int;
        pub fn syscall(number: c_long, ...) -> c_long;
    }
}

fn check(answer: c_int) -> Result<c_int> {
    if answer < 0 { Err(Error::last_os_error()) } else { Ok(answer) }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(Error::from)
}

/// Leaves the given namespaces for new ones.
pub fn unshare(flags: c_int) -> Result<()> {
    check(c::unshare(flags)).map(drop)
}

/// Enters the namespaces that the file or process descriptor stands for.
pub fn setns(descriptor: &impl AsRawFd, flags: c_int) -> Result<()> {
    check(c::setns(descriptor.as_raw_fd(), flags)).map(drop)
}

/// Forks; 0 in the child. The program has one thread wherever this is called.
pub fn fork() -> Result<c_int> {
    check(c::fork())
}

/// Leaves the terminal's session, so that a Ctrl-C meant for the test does not reach us.
pub fn setsid() {
    c::setsid();
}

/// Waits for a child; yields its exit code, or 128 + signal.
pub fn wait_for(pid: c_int) -> Result<c_int> {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    check(unsafe { c::waitpid(pid, &raw mut status, 0) })?;
    let signal = status & 0x7f;
    Ok(if signal == 0 { (status >> 8) & 0xff } else { 128 + signal })
}

/// Mounts a file system, or binds a directory.
pub fn mount(source: &str, target: &str, kind: &str, flags: c_ulong, data: &str) -> Result<()> {
    let (source, target, kind, data) =
        (c_string(source)?, c_string(target)?, c_string(kind)?, c_string(data)?);
    // SAFETY: all four strings live until the call returns.
    check(unsafe {
        c::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast())
    })
    .map(drop)
}

/// Makes `new_root` the root and forgets the old one.
pub fn pivot_root(new_root: &str) -> Result<()> {
    std::env::set_current_dir(new_root)?;
    let here = c_string(".")?;
    // SAFETY: the string lives until the call returns; "." twice stacks the old root under the new one, see pivot_root(2).
    if unsafe { c::syscall(SYS_PIVOT_ROOT, here.as_ptr(), here.as_ptr()) } < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: as above.
    check(unsafe { c::umount2(here.as_ptr(), MNT_DETACH) })?;
    std::env::set_current_dir("/")
}

/// Names this host.
pub fn set_hostname(name: &str) -> Result<()> {
    let text = c_string(name)?;
    // SAFETY: the length is that of the string.
    check(unsafe { c::sethostname(text.as_ptr(), name.len()) }).map(drop)
}

/// Makes a character device that everyone may use.
pub fn character_device(path: &str, major: u64, minor: u64) -> Result<()> {
    let path = c_string(path)?;
    // SAFETY: the string lives until the call returns.
    check(unsafe { c::mknod(path.as_ptr(), S_IFCHR | 0o666, (major << 8) | minor) }).map(drop)
}

/// Makes the modes of new files exactly what is asked for.
pub fn clear_umask() {
    c::umask(0);
}

/// Sets the usual mask again.
pub fn usual_umask() {
    c::umask(0o022);
}

/// Lets the kernel reap every child and every orphan that falls to us.
pub fn reap_automatically() {
    c::signal(SIGCHLD, SIG_IGN);
}

/// Dies with the parent.
pub fn die_with_parent() {
    c::prctl(PR_SET_PDEATHSIG, SIGKILL as c_ulong);
}

/// A descriptor for the process.
pub fn pidfd_open(pid: c_int) -> Result<OwnedFd> {
    // SAFETY: two integers, as pidfd_open(2) takes them.
    let descriptor = unsafe { c::syscall(SYS_PIDFD_OPEN, pid, 0) };
    if descriptor < 0 {
        return Err(Error::last_os_error());
    }
    let descriptor = c_int::try_from(descriptor).map_err(Error::other)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Makes descriptor `to` a copy of `from`.
pub fn duplicate_onto(from: c_int, to: c_int) -> Result<()> {
    check(c::dup2(from, to)).map(drop)
}
