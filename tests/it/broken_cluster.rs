//! The cluster on paper with tools that are broken, each in a directory of its own, so that several faults can be looked
//! at while one server runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::agent::{Agent, NOT_RUNNING, SUCCESS};
use crate::paper_cluster::first_of_two_nodes;
use crate::server::{Server, bindir, write_program};

/// The timeout of the actions here.
pub const TIMEOUT: Duration = Duration::from_secs(4);
/// What a loaded machine may add to it.
pub const LOAD: Duration = Duration::from_secs(10);
/// Answers of an action that has neither panicked nor been killed.
pub const ANSWERS: [i32; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

/// A node state with every attribute of the resource, none of them a value that there is.
fn absurd_state() -> String {
    let pair = |(name, value): (&str, &str)| {
        format!("<nvpair id=\"{name}\" name=\"{name}\" value=\"{value}\"/>")
    };
    let pairs = [
        ("pgsql-status", "x"),
        ("master-pgsql", "abc"),
        ("pgsql-xlog-loc", "zz"),
        ("pgsql-wal-position", "zz:1/GG"),
        ("pgsql-master-baseline", "99999999999999999999999999"),
        ("pgsql-receiver-status", "1"),
    ];
    let pairs: String = pairs.into_iter().map(pair).collect();
    format!(
        "<node_state uname=\"pm01\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\">\
         <transient_attributes><instance_attributes>{pairs}</instance_attributes></transient_attributes></node_state>"
    )
}

const HISTORY: &str = "<node_state uname=\"pm02\"><lrm><lrm_resources><lrm_resource id=\"pgsql\">\
    <lrm_rsc_op operation=\"monitor\" call-id=\"zz\" rc-code=\"8888888888888888\" op-status=\"?\"/><lrm_rsc_op/>\
    </lrm_resource></lrm_resources></lrm></node_state>";

/// A paper cluster whose tools can be broken.
pub struct Paper {
    pub server: Server,
    pub agent: Agent,
}

impl Paper {
    pub fn new() -> Self {
        let server = Server::new();
        let agent = first_of_two_nodes(&server).timeout(TIMEOUT);
        Self { server, agent }
    }

    pub fn standby() -> Self {
        let paper = Self::new();
        paper.agent.clone().timeout(Duration::from_secs(30)).run("start").exits(SUCCESS);
        paper
    }

    pub fn primary() -> Self {
        let paper = Self::standby();
        paper.agent.clone().timeout(Duration::from_secs(30)).run("promote").exits(SUCCESS);
        paper
    }

    /// Returns the agent with one of the cluster's tools replaced; no script: with it missing.
    pub fn with(&self, tool: &str, script: &str) -> Agent {
        self.with_all(&[tool], script)
    }

    pub fn with_all(&self, tools: &[&str], script: &str) -> Agent {
        let place = tempfile::tempdir_in(self.server.path("")).expect("a directory").keep();
        for name in ["cibadmin", "attrd_updater", "crm_attribute", "crm_node"] {
            if !tools.contains(&name) {
                symlink(self.server.path("tools").join(name), place.join(name)).expect("a link");
            } else if !script.is_empty() {
                program(&place.join(name), &self.filled(script));
            }
        }
        self.agent.clone().env("HA_SBIN_DIR", place)
    }

    /// Puts the values in: what hangs names the data directory, so that the test sees it.
    fn filled(&self, script: &str) -> String {
        let hang = format!("exec tail -f /dev/null {}", self.server.data().join("none").display());
        let cib = self.server.path("tools/cib.xml");
        script
            .replace("$HANG", &hang)
            .replace("$CIB", &cib.to_string_lossy())
            .replace("$STATE", &absurd_state())
            .replace("$HISTORY", HISTORY)
    }

    /// Expects that none of the programs that hung is left.
    #[track_caller]
    pub fn assert_nothing_hangs(&self) {
        let left = |title: &str| title.contains("tail -f");
        let left: Vec<_> = self.server.processes().into_iter().filter(|p| left(&p.title)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// Stops the server, and expects it to be gone.
    #[track_caller]
    pub fn assert_stops(&self, agent: &Agent, what: &str) {
        let stop = agent.clone().param("stop_escalate_in_slave", "2");
        stop.run("stop").exits(SUCCESS).within(TIMEOUT + LOAD);
        let left = self.server.processes();
        assert!(left.is_empty(), "{what}: {left:?}");
        agent.run("monitor").exits(NOT_RUNNING);
    }
}

fn program(path: &Path, script: &str) {
    write_program(path, &format!("#!/bin/sh\n{script}\n"));
}

/// Returns a directory of PostgreSQL's programs in which this one is another.
pub fn programs(paper: &Paper, name: &str, script: &str) -> PathBuf {
    let place = tempfile::tempdir_in(paper.server.path("")).expect("a directory").keep();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("a mode");
    for entry in
        fs::read_dir(bindir()).expect("the programs").map(|entry| entry.expect("a program"))
    {
        if entry.file_name() != name {
            symlink(entry.path(), place.join(entry.file_name())).expect("a link");
        } else if !script.is_empty() {
            program(&place.join(name), &paper.filled(script));
        }
    }
    place
}

/// Looks at several faults at the same time, for most of the time is spent waiting.
pub fn for_each_of<T: Copy + Sync>(faults: &[T], look: impl Fn(T) + Sync) {
    for some in faults.chunks(16) {
        thread::scope(|scope| {
            some.iter().for_each(|fault| drop(scope.spawn(|| look(*fault))));
        });
    }
}
