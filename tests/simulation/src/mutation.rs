//! Rules broken on purpose. How that is done is `inject`'s business.
//!
//! A simulation that does not notice them would not notice a mistake in the rules either.

use std::fmt;
use std::str::FromStr;

use pgsql_ha::model::settings::ReplicationMode;
use pgsql_ha::model::sync_names::SyncMethod;

use crate::options::Options;
use crate::scope::{Part, Scope};

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Every partition believes that it has quorum.
    QuorumAlways,
    /// That there is quorum is not asked again after the record was changed.
    QuorumRemembered,
    /// A lost node passes for a fenced one.
    LostIsDown,
    /// Commits are taken to wait at once.
    ObeyAtOnce,
    /// A standby is taken to have all earlier WAL.
    CaughtUpAtOnce,
    /// A standby that streams is taken for synchronous.
    StreamingIsSync,
    /// A promotion does not revoke the rights of the others.
    RevokeNobody,
    /// A promotion does not record that it has the latest data.
    ClaimNothing,
    /// Commits stop waiting before the cluster has recorded why they may.
    RelaxUnrecorded,
    /// Names hold less before the quorum's record promises less.
    PromiseUnrecorded,
    /// A start takes no notice of the lock.
    LockIgnored,
    /// A standby that has been away counts as one that never left.
    FollowedAlways,
    /// The lock goes whatever the comparison of the data says.
    UnlockAtOnce,
    /// A promotion does not ask how far the others are.
    FetchNothing,
    /// One voter is enough, whatever the record says.
    QuorumUnproven,
    /// A primary alone acknowledges, whatever the operator asked for.
    StrictIsAvailable,
    /// A strict primary waits for standbys of which it is not known whether they can follow it.
    GateOpen,
    /// Everybody is fit to be promoted.
    EverybodyFit,
    /// An election takes no notice of the timelines and positions of others.
    ElectBlindly,
    /// A primary goes on although another was promoted.
    UsurperStays,
    /// The end of WAL is not compared with the fork.
    ForkIgnored,
    /// Data that `pg_rewind` has left half done look like any other.
    MarkerIgnored,
    /// A node without a record is fit, whatever the others have.
    PresumeRights,
    /// A node goes by its record although `node_list` does not name it.
    ListIgnored,
    /// Every quorum is taken for a majority.
    MajorityAlways,
    /// Data that nobody has compared recover to the latest timeline.
    UnprovenGoesOn,
    /// A start waits for the primary's history as long as it may.
    AsksForEver,
    /// A record deposes, whatever speaks against it.
    MarkBelieved,
    /// Whoever cannot be asked has everything, and nobody else has a right.
    DeafAreFit,
    /// Whoever runs as a primary was never stopped.
    NeverStopped,
    /// A promotion leaves the others their scores.
    ScoresStay,
    /// A candidate that does not say its timeline counts for nothing.
    UntoldIsNobody,
    /// A primary by hand is stopped without a lock.
    NoLockLeft,
    /// A stop is over as soon as it has begun.
    StopLies,
    /// A promotion is over as soon as it has begun.
    PromoteLies,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 35] = [
        Self::QuorumAlways,
        Self::QuorumRemembered,
        Self::LostIsDown,
        Self::ObeyAtOnce,
        Self::CaughtUpAtOnce,
        Self::StreamingIsSync,
        Self::RevokeNobody,
        Self::ClaimNothing,
        Self::RelaxUnrecorded,
        Self::PromiseUnrecorded,
        Self::LockIgnored,
        Self::FollowedAlways,
        Self::UnlockAtOnce,
        Self::FetchNothing,
        Self::QuorumUnproven,
        Self::StrictIsAvailable,
        Self::GateOpen,
        Self::EverybodyFit,
        Self::ElectBlindly,
        Self::UsurperStays,
        Self::ForkIgnored,
        Self::MarkerIgnored,
        Self::PresumeRights,
        Self::ListIgnored,
        Self::MajorityAlways,
        Self::UnprovenGoesOn,
        Self::AsksForEver,
        Self::MarkBelieved,
        Self::DeafAreFit,
        Self::NeverStopped,
        Self::ScoresStay,
        Self::UntoldIsNobody,
        Self::NoLockLeft,
        Self::StopLies,
        Self::PromoteLies,
    ];

    /// Returns its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuorumAlways => "quorum-always",
            Self::QuorumRemembered => "quorum-remembered",
            Self::LostIsDown => "lost-is-down",
            Self::ObeyAtOnce => "obey-at-once",
            Self::CaughtUpAtOnce => "caught-up-at-once",
            Self::StreamingIsSync => "streaming-is-sync",
            Self::RevokeNobody => "revoke-nobody",
            Self::ClaimNothing => "claim-nothing",
            Self::RelaxUnrecorded => "relax-unrecorded",
            Self::PromiseUnrecorded => "promise-unrecorded",
            Self::LockIgnored => "lock-ignored",
            Self::FollowedAlways => "followed-always",
            Self::UnlockAtOnce => "unlock-at-once",
            Self::FetchNothing => "fetch-nothing",
            Self::QuorumUnproven => "quorum-unproven",
            Self::StrictIsAvailable => "strict-is-available",
            Self::GateOpen => "gate-open",
            Self::EverybodyFit => "everybody-fit",
            Self::ElectBlindly => "elect-blindly",
            Self::UsurperStays => "usurper-stays",
            Self::ForkIgnored => "fork-ignored",
            Self::MarkerIgnored => "marker-ignored",
            Self::PresumeRights => "presume-rights",
            Self::ListIgnored => "list-ignored",
            Self::MajorityAlways => "majority-always",
            Self::UnprovenGoesOn => "unproven-goes-on",
            Self::AsksForEver => "asks-for-ever",
            Self::MarkBelieved => "mark-believed",
            Self::DeafAreFit => "deaf-are-fit",
            Self::NeverStopped => "never-stopped",
            Self::ScoresStay => "scores-stay",
            Self::UntoldIsNobody => "untold-is-nobody",
            Self::NoLockLeft => "no-lock-left",
            Self::StopLies => "stop-lies",
            Self::PromoteLies => "promote-lies",
        }
    }

    /// Returns options with which the rule matters.
    #[must_use]
    pub const fn applied(self, options: Options) -> Options {
        let mut options = Options { mutation: Some(self), ..options };
        if matches!(self, Self::QuorumUnproven | Self::PromiseUnrecorded) {
            (options.mode, options.sync_method) = (ReplicationMode::Sync, SyncMethod::Any);
        }
        if matches!(self, Self::StrictIsAvailable | Self::GateOpen) {
            (options.mode, options.strict) = (ReplicationMode::Sync, true);
        }
        if matches!(self, Self::ForkIgnored | Self::MarkerIgnored) {
            options.scope = options.scope.with(Part::Proof);
        }
        if matches!(self, Self::PresumeRights | Self::ListIgnored) {
            options.scope = options.scope.with(Part::Nodes);
        }
        if matches!(self, Self::UnprovenGoesOn) {
            options.scope = options.scope.with(Part::Archive);
        }
        if matches!(self, Self::AsksForEver) {
            options.scope = options.scope.with(Part::Unasked);
        }
        if matches!(self, Self::MarkBelieved) {
            options.scope = options.scope.with(Part::Records);
        }
        if matches!(self, Self::DeafAreFit) {
            options.scope = options.scope.with(Part::Locked);
        }
        if matches!(self, Self::NeverStopped) {
            options.scope = options.scope.with(Part::Hands);
        }
        if matches!(self, Self::ScoresStay | Self::UntoldIsNobody) {
            options.scope = Scope::BESIDE;
        }
        if matches!(self, Self::NoLockLeft) {
            options.scope = options.scope.with(Part::Nodes).with(Part::Hands);
        }
        if matches!(self, Self::MajorityAlways) {
            (options.mode, options.hosts) = (ReplicationMode::Sync, 2);
            options.ignore_quorum = false;
        }
        options
    }

    /// Returns the rule that it breaks, in words.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::QuorumAlways => "a partition without quorum relaxes nothing",
            Self::QuorumRemembered => "... nor one that has lost it since",
            Self::LostIsDown => "two hosts: a lost node is not a fenced one",
            Self::ObeyAtOnce => "a standby is synchronous once commits are seen to wait",
            Self::CaughtUpAtOnce => "... and once it has all WAL of the time before",
            Self::StreamingIsSync => "who streams is not yet synchronous",
            Self::RevokeNobody => "a promotion first revokes the rights of all others",
            Self::ClaimNothing => "... and records who has the latest data",
            Self::RelaxUnrecorded => "rights are revoked before commits stop waiting",
            Self::PromiseUnrecorded => "... and so are the promises of a quorum",
            Self::LockIgnored => "an old primary with its lock is not promoted unseen",
            Self::FollowedAlways => {
                "... nor is a standby that was away while the primary may have gone on alone"
            }
            Self::UnlockAtOnce => "the lock goes once the data is proven",
            Self::FetchNothing => "a promotion fetches what others have beyond it",
            Self::QuorumUnproven => "a voter is promoted once enough voters are seen",
            Self::StrictIsAvailable => "strict: commits wait rather than be alone",
            Self::GateOpen => "... and count only those who can follow",
            Self::EverybodyFit => "only fit data is promoted",
            Self::ElectBlindly => "an election compares timelines and positions",
            Self::UsurperStays => "a primary beside the right one gives way",
            Self::ForkIgnored => "an old primary's WAL ends at or before the fork",
            Self::MarkerIgnored => "half rewound data are not started",
            Self::PresumeRights => "no record means no right where others have one",
            Self::ListIgnored => "... and whoever leaves node_list keeps none",
            Self::MajorityAlways => "two hosts: quorum means nothing",
            Self::UnprovenGoesOn => "unproven data stay on their own timeline",
            Self::AsksForEver => "a start waits for nobody who does not answer",
            Self::MarkBelieved => "a record that was restored does not depose the last primary",
            Self::DeafAreFit => "a server that cannot be asked may lack what others have",
            Self::NeverStopped => "... but does whoever was stopped, and started by hand",
            Self::ScoresStay => {
                "beside the shell agent: a promotion takes the scores of all others"
            }
            Self::UntoldIsNobody => {
                "... and its last primary comes first, though it does not say its timeline"
            }
            Self::NoLockLeft => "a primary by hand is stopped with a lock",
            Self::StopLies => "a stop ends when the server is gone",
            Self::PromoteLies => "a promotion ends when the server accepts writes",
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mutation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|mutation| mutation.name() == text);
        found.ok_or_else(|| {
            format!("no such mutation; there are {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}
