//! Gives an example to its own tool, and asks the tools what they think of the configuration that came of it.

use std::path::Path;

use testbed::{Cluster, Host};

/// Where the examples are.
pub const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crm-examples");

/// Whom an example is written for.
#[derive(Clone, Copy)]
pub enum Tool {
    /// crmsh
    Crm,
    /// pcs
    Pcs,
}

/// What the tools may say, and why it is no fault of the example.
const EXPLAINED: [(&str, &str); 2] = [
    (
        "is smaller than the advised",
        "the timeouts are those that users have; the advice is the stock agent's",
    ),
    (
        "Blind faith: not fencing unseen nodes",
        "PG-REX sets startup-fencing=false: a lone host may start",
    ),
];

impl Tool {
    /// The tool of that file, by the file's name.
    pub fn of(file: &str) -> Self {
        match file {
            name if name.ends_with(".crm") => Self::Crm,
            name if name.ends_with(".pcs.sh") => Self::Pcs,
            other => panic!("no tool is known for {other}"),
        }
    }

    /// Makes the cluster's configuration out of the file, as it is.
    pub fn load(self, cluster: &Cluster, file: &str) {
        let loaded = match self {
            Self::Crm => cluster.configure_crm(&text(file)),
            Self::Pcs => cluster.configure_pcs(&text(file)),
        };
        loaded.unwrap_or_else(|error| panic!("{file} cannot be loaded: {error}"));
    }

    /// Asserts that neither Pacemaker nor the tool objects to the live configuration.
    pub fn verify(self, host: &Host) {
        let own: &[&str] = match self {
            Self::Crm => &["crm", "configure", "verify"],
            Self::Pcs => &["pcs", "cluster", "verify", "--full"],
        };
        for command in [&["crm_verify", "--live-check", "--verbose"], own] {
            let answer = host.run(command).expect("the tool can be asked");
            let said = format!("{}{}", answer.stdout, answer.stderr);
            let unexplained: Vec<_> = said
                .lines()
                .filter(|line| !line.trim().is_empty() && !is_explained(line))
                .collect();
            assert!(
                answer.success() && unexplained.is_empty(),
                "`{}` objects:\n{said}",
                command.join(" ")
            );
        }
    }

    /// Forgets the failures of a resource, so that it may run again where it failed.
    pub fn clean_up(self, host: &Host, resource: &str) {
        let name = match self {
            Self::Crm => "crm",
            Self::Pcs => "pcs",
        };
        host.run_ok(&[name, "resource", "cleanup", resource]).expect("the clean-up is accepted");
    }
}

/// The text of an example.
pub fn text(file: &str) -> String {
    let path = Path::new(EXAMPLES).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_explained(line: &str) -> bool {
    EXPLAINED.iter().any(|(words, _)| line.contains(words))
}
