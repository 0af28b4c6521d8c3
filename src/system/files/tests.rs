//! Tests of `files`.

use super::*;
use std::os::unix::fs::symlink;

fn nobody() -> Option<User> {
    acting_as_root().then(|| User::lookup("nobody").expect("lookup").expect("exists"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").mode() & 0o7777
}

#[test]
fn a_file_is_replaced_with_its_attributes() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("file");
    assert_eq!(read(&path, 10).expect("read"), None);
    replace(&path, "one", Attributes::PRIVATE).expect("write");
    replace(&path, "two", Attributes { mode: 0o640, owner: None }).expect("write");
    assert_eq!(read(&path, 3).expect("read").as_deref(), Some("two"));
    assert_eq!(mode(&path), 0o640);
    assert!(matches!(read(&path, 2), Err(SystemError::TooLarge { .. })));
    assert_eq!(fs::read_dir(directory.path()).expect("directory").count(), 1);
    overwrite(&path, "x").expect("write");
    assert_eq!(read(&path, 3).expect("read").as_deref(), Some("x"));
    remove(&path).expect("remove");
    remove(&path).expect("remove again");
}

#[test]
fn a_fifo_does_not_stop_the_reader() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("fifo");
    assert!(read(&path, 10).is_err());
}

#[test]
fn a_planted_link_leads_nowhere() {
    let Some(nobody) = nobody() else { return };
    let secret = tempfile::NamedTempFile::new().expect("file");
    fs::write(secret.path(), "root's").expect("write");
    let directory = tempfile::tempdir().expect("directory");
    std::os::unix::fs::chown(directory.path(), Some(nobody.uid), None).expect("chown");
    let path = directory.path().join("rep_mode.conf");
    symlink(secret.path(), &path).expect("link");

    assert!(as_user(&nobody, || read(&path, 100)).expect("root").is_err());
    assert!(as_user(&nobody, || overwrite(&path, "evil")).expect("root").is_err());
    assert!(create_file(&path, 0o600, &nobody).is_err());
    as_user(&nobody, || replace(&path, "ours", Attributes::PRIVATE)).expect("root").expect("ok");
    assert!(fs::symlink_metadata(&path).expect("metadata").is_file());
    assert_eq!(fs::read_to_string(secret.path()).expect("read"), "root's");

    let target = directory.path().join("dir");
    let roots = tempfile::tempdir().expect("directory");
    symlink(roots.path(), &target).expect("link");
    assert!(create_directory(&target.join("made"), 0o700, &nobody).is_err());
    assert_eq!(fs::read_dir(roots.path()).expect("directory").count(), 0);
    let dangling = directory.path().join("log");
    symlink(roots.path().join("created"), &dangling).expect("link");
    assert!(create_file(&dangling, 0o600, &nobody).is_err());
    assert!(!roots.path().join("created").exists());
}

#[test]
fn root_creates_for_the_user_only_where_it_has_control() {
    let Some(nobody) = nobody() else { return };
    assert!(!only_root_controls(Path::new("/tmp")));
    assert!(!only_root_controls(Path::new("tmp")));
    let roots = tempfile::tempdir_in("/root").expect("directory");
    assert!(only_root_controls(roots.path()));
    // The user must be able to reach what is made for him.
    let run = tempfile::tempdir_in("/run").expect("directory");
    fs::set_permissions(run.path(), Permissions::from_mode(0o755)).expect("chmod");
    let socket = run.path().join("a/socket");
    create_directory(&socket, 0o2775, &nobody).expect("created");
    assert_eq!(mode(&socket), 0o2775);
    assert_eq!(fs::metadata(&socket).expect("metadata").uid(), nobody.uid);
    let log = run.path().join("log");
    create_file(&log, 0o600, &nobody).expect("created");
    create_file(&log, 0o600, &nobody).expect("still there");
    assert_eq!(fs::metadata(&log).expect("metadata").uid(), nobody.uid);
    fs::set_permissions(run.path(), Permissions::from_mode(0o777)).expect("chmod");
    std::os::unix::fs::chown(&log, Some(0), None).expect("chown");
    assert!(create_file(&log, 0o600, &nobody).is_err());
}
