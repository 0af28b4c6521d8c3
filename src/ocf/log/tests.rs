//! Tests of the log.

use std::fs;

use ::log::{Level, Log as _, Metadata};

use super::{EXIT_REASON, Log, tag};
use crate::ocf::environment::Environment;

/// A log whose files are in a directory of their own.
struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_string_lossy().into_owned()
    }

    fn log(&self, files: &[(&str, &str)], more: &[(&str, &str)]) -> Log {
        let files = files.iter().map(|(name, file)| ((*name).to_owned(), self.path(file)));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = Environment::from_pairs(files.chain(more));
        Log::with(&environment, "pgsql", None)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

const FIXED: [(&str, &str); 2] = [("HA_DATEFMT", "DATE "), ("HA_LOGTAG", "pgsql(pgsql)[1]")];

#[test]
fn a_line_stands_in_the_log_file_as_ocf_log_writes_it() {
    let desk = Desk::new();
    let log = desk.log(&[("HA_LOGFILE", "log")], &FIXED);
    log.write(Level::Info, "Changing pgsql-status on pm02 : HS:alone->HS:sync.", false);
    log.write(Level::Warn, "two\nlines", false);
    log.write(Level::Error, "seen on standard error", true);
    let expected = "\
        DATE  pgsql(pgsql)[1]:    INFO: Changing pgsql-status on pm02 : HS:alone->HS:sync.\n\
        DATE  pgsql(pgsql)[1]:    WARNING: two lines\n\
        DATE  pgsql(pgsql)[1]:    ERROR: seen on standard error\n";
    assert_eq!(desk.read("log"), expected);
    assert!(!log.standard_error);
}

#[test]
fn debug_lines_stand_in_the_debug_log_only() {
    let desk = Desk::new();
    let files = [("HA_LOGFILE", "log"), ("HA_DEBUGLOG", "debug")];
    let log = desk.log(&files, &FIXED);
    log.write(Level::Info, "a", false);
    log.write(Level::Debug, "b", false);
    assert_eq!(desk.read("log"), "DATE  pgsql(pgsql)[1]:    INFO: a\n");
    let debug = "pgsql(pgsql)[1]:\tDATE INFO: a\npgsql(pgsql)[1]:\tDATE DEBUG: b\n";
    assert_eq!(desk.read("debug"), debug);
}

#[test]
fn one_file_for_both_has_no_line_twice() {
    let desk = Desk::new();
    let log = desk.log(&[("HA_LOGFILE", "log"), ("HA_DEBUGLOG", "log")], &FIXED);
    log.write(Level::Info, "a", false);
    log.write(Level::Debug, "b", false);
    let expected = "DATE  pgsql(pgsql)[1]:    INFO: a\npgsql(pgsql)[1]:\tDATE DEBUG: b\n";
    assert_eq!(desk.read("log"), expected);
}

#[test]
fn standard_error_is_the_last_resort() {
    let desk = Desk::new();
    assert!(desk.log(&[], &[]).standard_error);
    assert!(desk.log(&[], &[("HA_LOGFACILITY", "none")]).standard_error);
    assert!(desk.log(&[], &[("HA_LOGFILE", "relative")]).standard_error);
    assert!(!desk.log(&[], &[("HA_LOGFILE", "/dev/null")]).standard_error);
    assert!(!desk.log(&[], &[("HA_LOGFACILITY", "daemon")]).standard_error);
}

#[test]
fn the_tag_names_agent_resource_and_process() {
    let pid = std::process::id();
    for (pairs, expected) in [
        (vec![("OCF_RESOURCE_INSTANCE", "pgsql")], format!("pgsql-ha(pgsql)[{pid}]")),
        (vec![], format!("pgsql-ha[{pid}]")),
        (vec![("HA_LOGTAG", "mine")], "mine".to_owned()),
    ] {
        assert_eq!(tag(&Environment::from_pairs(pairs), "pgsql-ha"), expected);
    }
}

#[test]
fn other_crates_speak_only_when_something_is_wrong() {
    let desk = Desk::new();
    for (debug, target, level, enabled) in [
        ("1", "pgsql_ha::agent", Level::Debug, true),
        ("0", "pgsql_ha::agent", Level::Debug, false),
        ("0", "pgsql_ha", Level::Info, true),
        ("0", EXIT_REASON, Level::Error, true),
        ("1", "tokio_postgres::connection", Level::Info, false),
        ("1", "pgsql_hammer", Level::Info, false),
        ("0", "tokio_postgres::connection", Level::Warn, true),
    ] {
        let log = desk.log(&[], &[("HA_debug", debug)]);
        let metadata = Metadata::builder().target(target).level(level).build();
        assert_eq!(log.enabled(&metadata), enabled, "{debug} {target} {level}");
    }
}
