//! What took part in a run, in its own words.

use std::fmt;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::site::BINDIR;

/// What took part.
#[derive(Debug, Clone, Serialize)]
pub struct Parts {
    /// The agent.
    pub agent: String,
    /// Debian.
    pub debian: String,
    /// Pacemaker.
    pub pacemaker: String,
    /// Corosync.
    pub corosync: String,
    /// crmsh.
    pub crmsh: String,
    /// PostgreSQL.
    pub postgresql: String,
}

impl Parts {
    /// Asks each.
    pub fn ask(agent: &Path) -> Self {
        let debian = std::fs::read_to_string("/etc/debian_version").unwrap_or_default();
        Self {
            agent: number(&agent.display().to_string(), "--version"),
            debian: debian.trim().to_owned(),
            pacemaker: number("pacemakerd", "--version"),
            corosync: number("corosync", "-v"),
            crmsh: number("crm", "--version"),
            postgresql: number(&format!("{BINDIR}/postgres"), "--version"),
        }
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agent, debian, pacemaker, corosync, crmsh, postgresql } = self;
        write!(
            formatter,
            "pgsql-ha {agent}, PostgreSQL {postgresql}, Pacemaker {pacemaker}, Corosync {corosync}, crmsh {crmsh}, \
             Debian {debian}"
        )
    }
}

/// The first number with a dot that the program prints.
fn number(program: &str, option: &str) -> String {
    let output = Command::new(program).arg(option).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    first_number(&text.unwrap_or_default())
}

fn first_number(text: &str) -> String {
    let words = text.split([' ', '\'', '(', ')', '\n']);
    let mut numbers =
        words.filter(|word| word.starts_with(|m: char| m.is_ascii_digit()) && word.contains('.'));
    numbers.next().unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        assert_eq!(first_number("postgres (PostgreSQL) 15.18 (Debian 15.18-0)"), "15.18");
        assert_eq!(first_number("Corosync Cluster Engine, version '3.1.7'"), "3.1.7");
        assert_eq!(first_number("nothing"), "?");
    }
}
