//! A host: new namespaces, a root made of an overlay, and a first process that lives as long as the test does.
//! What is started in the host afterwards does not belong here.

use crate::{sys, syslog};
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::ExitCode;

/// Where everything about the host stands, as the library tells it on the command line.
struct Plan<'a> {
    hostname: &'a str,
    netns: &'a str,
    lower: &'a str,
    disk: &'a str,
    /// Directories of the machine that the host sees too, as `source=target`.
    shares: &'a [String],
}

/// Boots the host and stays until its first process has ended.
pub fn boot(arguments: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let [hostname, netns, lower, disk, shares @ ..] = arguments else {
        return Err("boot needs NAME NETNS LOWER DISK".into());
    };
    let plan = Plan { hostname, netns, lower, disk, shares };
    sys::setsid();
    sys::setns(&fs::File::open(plan.netns)?, sys::CLONE_NEWNET)?;
    sys::unshare(sys::CLONE_NEWNS | sys::CLONE_NEWUTS | sys::CLONE_NEWIPC | sys::CLONE_NEWPID)?;
    let first_process = sys::fork()?;
    if first_process == 0 {
        return first_process_of_host(&plan);
    }
    println!("pid {first_process}");
    close_standard_output()?;
    let code = sys::wait_for(first_process)?;
    Ok(ExitCode::from(u8::try_from(code)?))
}

/// Process 1: builds the root, says `ready`, and lives until the test's end of our standard input closes.
fn first_process_of_host(plan: &Plan) -> Result<ExitCode, Box<dyn Error>> {
    sys::die_with_parent();
    sys::reap_automatically();
    sys::clear_umask();
    let root = build_root(plan)?;
    sys::pivot_root(&root)?;
    sys::set_hostname(plan.hostname)?;
    sys::usual_umask();
    syslog::serve()?;
    println!("ready");
    close_standard_output()?;
    let mut nothing = [0_u8; 16];
    while std::io::stdin().read(&mut nothing)? > 0 {}
    Ok(ExitCode::SUCCESS)
}

fn build_root(plan: &Plan) -> Result<String, Box<dyn Error>> {
    let root = format!("{}/root", plan.disk);
    let at = |path: &str| format!("{root}/{path}");
    sys::mount("none", "/", "none", sys::MS_REC | sys::MS_PRIVATE, "")?;
    let layers = format!("lowerdir={0},upperdir={1}/upper,workdir={1}/work", plan.lower, plan.disk);
    sys::mount("overlay", &root, "overlay", 0, &layers)
        .map_err(|error| format!("overlay with {layers}: {error}"))?;
    for path in ["proc", "sys", "dev", "run", "tmp"] {
        fs::create_dir_all(at(path))?;
    }
    sys::mount("proc", &at("proc"), "proc", 0, "")?;
    sys::mount("sysfs", &at("sys"), "sysfs", 0, "")?;
    sys::mount("tmpfs", &at("run"), "tmpfs", sys::MS_NOSUID, "mode=755")?;
    sys::mount("tmpfs", &at("tmp"), "tmpfs", sys::MS_NOSUID, "mode=1777")?;
    build_dev(&at("dev"))?;
    for share in plan.shares {
        let (source, target) = share.split_once('=').ok_or("a share is SOURCE=TARGET")?;
        let target = at(target);
        fs::create_dir_all(&target)?;
        sys::mount(source, &target, "none", sys::MS_BIND, "")
            .map_err(|error| format!("share {share}: {error}"))?;
    }
    Ok(root)
}

/// A `/dev` of its own: `/dev/log` and `/dev/shm` of the machine are none of the host's business.
fn build_dev(dev: &str) -> Result<(), Box<dyn Error>> {
    sys::mount("tmpfs", dev, "tmpfs", sys::MS_NOSUID, "mode=755")?;
    for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        sys::character_device(&format!("{dev}/{name}"), 1, minor)?;
    }
    sys::character_device(&format!("{dev}/tty"), 5, 0)?;
    for directory in ["shm", "pts"] {
        fs::create_dir(format!("{dev}/{directory}"))?;
    }
    sys::mount("tmpfs", &format!("{dev}/shm"), "tmpfs", sys::MS_NOSUID, "mode=1777")?;
    sys::mount("devpts", &format!("{dev}/pts"), "devpts", 0, "newinstance,ptmxmode=0666,mode=620")?;
    fs::set_permissions(format!("{dev}/shm"), fs::Permissions::from_mode(0o1777))?;
    for (target, name) in [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ] {
        symlink(target, format!("{dev}/{name}"))?;
    }
    Ok(())
}

/// Lets the reader at the other end see the end of what we have to say.
fn close_standard_output() -> Result<(), Box<dyn Error>> {
    use std::os::fd::AsRawFd;
    std::io::stdout().flush()?;
    let null = fs::OpenOptions::new().write(true).open("/dev/null")?;
    sys::duplicate_onto(null.as_raw_fd(), 1)?;
    Ok(())
}
