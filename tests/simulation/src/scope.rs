//! What a run has beyond the ordinary: parts of the world that can be turned on one by one.
//!
//! A part that today's agent does not pass is left out of what a seed draws; `--world` asks for it by name.

use std::fmt;
use std::str::FromStr;

/// A part of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A host of the cluster that is not in `node_list`, with an old copy and no record.
    Outsider,
    /// `<node>` entries of hosts that Corosync does not know.
    Forgotten,
    /// `node_list` changes on a live resource; hosts join, and leave for good.
    Nodes,
    /// Two hosts: faults begin before the first promotion.
    Early,
    /// Data are compared with the primary's when an old one returns, and rewound where that is asked for.
    Proof,
    /// Servers that take no new connections from other hosts for a while.
    Unasked,
    /// An archive that all hosts share.
    Archive,
    /// The operator's hands: maintenance mode, servers started and stopped by hand.
    Hands,
    /// The record is restored from an older copy, or deleted, under a primary that runs.
    Records,
    /// Promotion by hand, in maintenance mode.
    Promotion,
    /// `stonith-enabled=false`.
    Unfenced,
    /// `rep_mode`, `sync_method`, `sync_standbys` and `sync_availability` change on a live resource.
    Live,
    /// A PostgreSQL before 13, which takes a new `primary_conninfo` only by a restart.
    Old,
    /// `restart_on_promote`: a promotion by restart keeps the timeline.
    Restart,
    /// Sessions that lock the catalog, so that nobody can log in, on the standbys either.
    Locked,
    /// Hosts that run the shell agent, and change over, there and back, at any time.
    Shell,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Outsider,
        Self::Forgotten,
        Self::Nodes,
        Self::Early,
        Self::Proof,
        Self::Unasked,
        Self::Archive,
        Self::Hands,
        Self::Records,
        Self::Promotion,
        Self::Unfenced,
        Self::Live,
        Self::Old,
        Self::Restart,
        Self::Locked,
        Self::Shell,
    ];

    /// Those that a seed may draw.
    const DRAWN: [Self; 11] = [
        Self::Forgotten,
        Self::Proof,
        Self::Unasked,
        Self::Archive,
        Self::Live,
        Self::Old,
        Self::Early,
        Self::Outsider,
        Self::Nodes,
        Self::Hands,
        Self::Records,
    ];

    /// Those that go with the shell agent.
    const BESIDE: [Self; 3] = [Self::Forgotten, Self::Unasked, Self::Early];

    /// Returns its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outsider => "outsider",
            Self::Forgotten => "forgotten",
            Self::Nodes => "nodes",
            Self::Early => "early",
            Self::Proof => "proof",
            Self::Unasked => "unasked",
            Self::Archive => "archive",
            Self::Hands => "hands",
            Self::Records => "records",
            Self::Promotion => "promotion",
            Self::Unfenced => "unfenced",
            Self::Live => "live",
            Self::Old => "old",
            Self::Restart => "restart",
            Self::Locked => "locked",
            Self::Shell => "shell",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The parts that a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope(u32);

impl Scope {
    /// Tells whether a part is there.
    #[must_use]
    pub const fn has(self, part: Part) -> bool {
        self.0 & part.bit() != 0
    }

    /// The shell agent beside this one.
    pub const BESIDE: Self = Self(Part::Shell.bit() | Part::Proof.bit());

    /// Adds a part, and what it makes no sense without.
    #[must_use]
    pub const fn with(self, part: Part) -> Self {
        let needed = match part {
            Part::Unasked
            | Part::Archive
            | Part::Hands
            | Part::Records
            | Part::Promotion
            | Part::Shell => Part::Proof.bit(),
            Part::Outsider
            | Part::Forgotten
            | Part::Nodes
            | Part::Early
            | Part::Proof
            | Part::Unfenced
            | Part::Live
            | Part::Old
            | Part::Locked
            | Part::Restart => 0,
        };
        Self(self.0 | part.bit() | needed)
    }

    /// Lets chance decide which of the parts that a seed may draw are there. Who has the shell agent beside changes nothing
    /// else meanwhile.
    #[must_use]
    pub fn drawn(chance: &mut fastrand::Rng) -> Self {
        let drawn = Self::some_of(&Part::DRAWN, chance);
        if chance.u8(..8) != 0 {
            return drawn;
        }
        let beside = Part::BESIDE.into_iter().filter(|part| drawn.has(*part));
        beside.fold(Self::BESIDE, Self::with)
    }

    /// Lets chance decide about all parts.
    #[must_use]
    pub fn any(chance: &mut fastrand::Rng) -> Self {
        Self::some_of(&Part::ALL, chance)
    }

    fn some_of(parts: &[Part], chance: &mut fastrand::Rng) -> Self {
        let drawn = parts.iter().filter(|_| chance.u8(..4) == 0);
        drawn.fold(Self::default(), |scope, part| scope.with(*part))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = Part::ALL.into_iter().filter(|part| self.has(*part)).collect();
        match parts.is_empty() {
            true => f.write_str("plain"),
            false => f.write_str(&parts.into_iter().map(Part::name).collect::<Vec<_>>().join(",")),
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "plain" {
            return Ok(Self::default());
        }
        text.split(',').try_fold(Self::default(), |scope, name| {
            let found = Part::ALL.into_iter().find(|part| part.name() == name);
            let known = || Part::ALL.map(Part::name).join(", ");
            let part =
                found.ok_or_else(|| format!("no such part: {name}; there are {}", known()))?;
            Ok(scope.with(part))
        })
    }
}
