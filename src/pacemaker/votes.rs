//! What Corosync says of votes: whether this partition has quorum, and what that means.

use std::time::Instant;

use super::{PacemakerError, Tools};
use crate::model::cluster::QuorumRule;
use crate::system::command::{Command, CommandError};

/// Votes as Corosync counts them at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Votes {
    /// Whether this partition has quorum.
    pub quorate: bool,
    /// What that means.
    pub rule: QuorumRule,
}

impl Tools {
    /// Asks Corosync for its votes (`corosync-quorumtool -s`). `nodes` is how many nodes `node_list` names:
    /// an operator may have told Corosync to expect fewer votes, which the absent have not agreed to.
    ///
    /// # Errors
    /// The tool could not be run, did not end by the deadline, or said nothing of votes.
    pub fn votes(&self, nodes: usize, deadline: Instant) -> Result<Votes, PacemakerError> {
        let command = Command::new(self.path("corosync-quorumtool")).arg("-s");
        let text = match command.deadline(deadline).run() {
            Ok(output) => output.stdout,
            // Its exit code says whether there is quorum, and has changed sides between releases.
            Err(CommandError::Failed { stdout, .. }) if !stdout.is_empty() => stdout,
            Err(error) => return Err(error.into()),
        };
        parse(&text, nodes).ok_or(PacemakerError::NoVotes)
    }
}

/// Reads what `show_status` in corosync-quorumtool.c prints.
fn parse(text: &str, nodes: usize) -> Option<Votes> {
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(label, _)| label.trim() == name).map(|(_, value)| value.trim())
    };
    let expected: usize = field("Expected votes")?.parse().ok()?;
    let total: usize = field("Total votes")?.parse().ok()?;
    let flags: Vec<_> = field("Flags")?.split_whitespace().collect();
    let has = |names: &[&str]| flags.iter().any(|flag| names.contains(flag));
    let rule = if has(&["2Node"]) {
        QuorumRule::TwoNodes
    } else if has(&["Qdevice"]) {
        QuorumRule::Device
    } else if has(&["LastManStanding", "AllowDownscale"])
        || total * 2 <= expected
        || expected < nodes
    {
        QuorumRule::Less
    } else {
        QuorumRule::Majority
    };
    Some(Votes { quorate: has(&["Quorate"]), rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(expected: u32, total: u32, flags: &str) -> Option<Votes> {
        let text = format!(
            "Quorum information\n------------------\nQuorum provider:  corosync_votequorum\n\
             Nodes:            1\nRing ID:          1.9\nQuorate:          Yes\n\n\
             Votequorum information\n----------------------\nExpected votes:   {expected}\n\
             Highest expected: {expected}\nTotal votes:      {total}\nQuorum:           2 Activity blocked\n\
             Flags:            {flags}\n"
        );
        parse(&text, 3)
    }

    #[test]
    fn only_more_than_half_of_the_votes_of_nodes_is_a_majority() {
        use QuorumRule::{Device, Less, Majority, TwoNodes};
        let table = [
            (3, 2, "Quorate", true, Majority),
            (3, 3, "Quorate WaitForAll", true, Majority),
            (5, 3, "Quorate", true, Majority),
            (3, 1, "", false, Less),
            (2, 1, "2Node Quorate WaitForAll", true, TwoNodes),
            (2, 2, "2Node Quorate", true, TwoNodes),
            (4, 2, "Quorate AutoTieBreaker", true, Less),
            (4, 3, "Quorate AutoTieBreaker", true, Majority),
            (3, 3, "Quorate Qdevice", true, Device),
            (5, 3, "Quorate LastManStanding", true, Less),
            (5, 3, "Quorate AllowDownscale", true, Less),
            // Somebody has told Corosync to expect a single vote.
            (1, 1, "Quorate", true, Less),
        ];
        for (expected, total, flags, quorate, rule) in table {
            let votes = said(expected, total, flags);
            assert_eq!(votes, Some(Votes { quorate, rule }), "{total} of {expected}, {flags}");
        }
    }

    #[test]
    fn what_says_nothing_of_votes_is_no_answer() {
        for text in ["", "nonsense", "Expected votes: x\nTotal votes: 1\nFlags: Quorate\n"] {
            assert_eq!(parse(text, 2), None, "{text}");
        }
    }
}
