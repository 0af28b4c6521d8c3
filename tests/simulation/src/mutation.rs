//! Rules broken on purpose: what the agent sees, says or does is bent at the edge of the decisions.
//!
//! A simulation that does not notice them would not notice a mistake in the rules either.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::{Cluster, ClusterRole, Membership};
use pgsql_ha::model::instance::Answer;
use pgsql_ha::model::observation::{ClusterView, Observation, Taken};
use pgsql_ha::model::policy::SyncAvailability;
use pgsql_ha::model::settings::Settings;
use pgsql_ha::model::status::{DataStatus, InstanceStatus};
use pgsql_ha::model::step::Step;
use pgsql_ha::model::verdict::{Outcome, Verdict};
use pgsql_ha::model::wal::{Lsn, Timeline};

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
    /// The lock goes as soon as the node streams.
    UnlockAtOnce,
    /// A promotion does not ask how far the others are.
    FetchNothing,
    /// One voter is enough, whatever the record says.
    QuorumUnproven,
    /// A primary alone acknowledges, whatever the operator asked for.
    StrictIsAvailable,
    /// Everybody is fit to be promoted.
    EverybodyFit,
    /// An election takes no notice of the timelines and positions of others.
    ElectBlindly,
    /// A primary goes on although another was promoted.
    UsurperStays,
    /// A stop is over as soon as it has begun.
    StopLies,
    /// A promotion is over as soon as it has begun.
    PromoteLies,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 20] = [
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
        Self::UnlockAtOnce,
        Self::FetchNothing,
        Self::QuorumUnproven,
        Self::StrictIsAvailable,
        Self::EverybodyFit,
        Self::ElectBlindly,
        Self::UsurperStays,
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
            Self::UnlockAtOnce => "unlock-at-once",
            Self::FetchNothing => "fetch-nothing",
            Self::QuorumUnproven => "quorum-unproven",
            Self::StrictIsAvailable => "strict-is-available",
            Self::EverybodyFit => "everybody-fit",
            Self::ElectBlindly => "elect-blindly",
            Self::UsurperStays => "usurper-stays",
            Self::StopLies => "stop-lies",
            Self::PromoteLies => "promote-lies",
        }
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
            Self::UnlockAtOnce => "the lock goes once a later timeline is streamed",
            Self::FetchNothing => "a promotion fetches what others have beyond it",
            Self::QuorumUnproven => "a voter is promoted once enough voters are seen",
            Self::StrictIsAvailable => "strict: commits wait rather than be alone",
            Self::EverybodyFit => "only fit data is promoted",
            Self::ElectBlindly => "an election compares timelines and positions",
            Self::UsurperStays => "a primary beside the right one gives way",
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

/// Bends what the operator asked for.
pub fn settings(mutation: Option<Mutation>, asked: &Settings) -> Cow<'_, Settings> {
    match mutation {
        Some(Mutation::StrictIsAvailable) => {
            let mut settings = asked.clone();
            settings.policy.sync_availability = SyncAvailability::Available;
            Cow::Owned(settings)
        }
        Some(_) | None => Cow::Borrowed(asked),
    }
}

/// Bends what is seen.
pub fn distort(mutation: Mutation, seen: &mut Observation, action: Action) {
    match mutation {
        Mutation::QuorumAlways => with_cluster(seen, |cluster| cluster.quorum = true),
        Mutation::LostIsDown => with_cluster(seen, |cluster| {
            let lost = cluster.nodes.iter_mut().filter(|n| n.membership == Membership::Lost);
            lost.for_each(|node| node.membership = Membership::Down);
        }),
        Mutation::ObeyAtOnce | Mutation::CaughtUpAtOnce | Mutation::StreamingIsSync => {
            distort_report(mutation, seen);
        }
        Mutation::LockIgnored => seen.files.lock = None,
        Mutation::UnlockAtOnce => {
            if let Some(lock) = &mut seen.files.lock {
                lock.timeline = lock.timeline.map(|_| Timeline(0));
            }
        }
        Mutation::FetchNothing if action == Action::Promote => {
            seen.time.elapsed += Duration::from_secs(2);
            with_others(seen, |node| node.wal_position = None);
        }
        Mutation::ElectBlindly => {
            seen.time.elapsed += Duration::from_secs(2);
            with_others(seen, |node| {
                node.xlog_location = Some(Lsn(0));
                node.wal_position = None;
            });
        }
        Mutation::QuorumUnproven if is_standby(seen) => with_cluster(seen, |cluster| {
            let records = cluster.nodes.iter_mut().filter_map(|node| node.sync_quorum.as_mut());
            records.filter(|record| record.count > 0).for_each(|record| record.count = 99);
        }),
        Mutation::EverybodyFit if is_standby(seen) => {
            with_me(seen, |node| node.data_status = Some(DataStatus::Latest));
        }
        Mutation::UsurperStays if action == Action::Monitor => {
            with_me(seen, |node| node.data_status = Some(DataStatus::Latest));
            with_others(seen, |node| {
                node.status = node.status.take().filter(|s| *s != InstanceStatus::Primary);
                if node.role == ClusterRole::Promoted {
                    node.role = ClusterRole::Unpromoted;
                }
            });
        }
        Mutation::QuorumRemembered
        | Mutation::RevokeNobody
        | Mutation::ClaimNothing
        | Mutation::RelaxUnrecorded
        | Mutation::PromiseUnrecorded
        | Mutation::FetchNothing
        | Mutation::QuorumUnproven
        | Mutation::StrictIsAvailable
        | Mutation::EverybodyFit
        | Mutation::UsurperStays
        | Mutation::StopLies
        | Mutation::PromoteLies => {}
    }
}

fn distort_report(mutation: Mutation, seen: &mut Observation) {
    let Answer::Primary(report) = &mut seen.instance.answer else { return };
    if mutation == Mutation::ObeyAtOnce {
        report.commits_obey = true;
    }
    for row in &mut report.standbys {
        if mutation == Mutation::CaughtUpAtOnce {
            row.flush_lsn = Some(report.wal_end);
        }
        if mutation == Mutation::StreamingIsSync && row.state.as_deref() == Some("streaming") {
            row.sync_state = Some("sync".to_owned());
        }
    }
}

fn with_cluster(seen: &mut Observation, bend: impl FnOnce(&mut Cluster)) {
    match &mut seen.cluster {
        ClusterView::Seen(cluster) => bend(cluster),
        ClusterView::NotAsked | ClusterView::Unavailable(_) => {}
    }
}

fn with_others(
    seen: &mut Observation,
    bend: impl FnMut(&mut pgsql_ha::model::cluster::ClusterNode),
) {
    let local = seen.local.clone();
    with_cluster(seen, |cluster| {
        cluster.nodes.iter_mut().filter(|node| node.name != local).for_each(bend);
    });
}

fn with_me(seen: &mut Observation, bend: impl FnMut(&mut pgsql_ha::model::cluster::ClusterNode)) {
    let local = seen.local.clone();
    with_cluster(seen, |cluster| {
        cluster.nodes.iter_mut().filter(|node| node.name == local).for_each(bend);
    });
}

const fn is_standby(seen: &Observation) -> bool {
    matches!(seen.instance.answer, Answer::Standby(_))
}

/// Bends what was decided.
pub fn replace(
    mutation: Option<Mutation>,
    seen: &Observation,
    action: Action,
    verdict: Verdict,
) -> Verdict {
    let tried = !seen.taken.0.is_empty();
    match (mutation, action, &verdict) {
        (Some(Mutation::StopLies), Action::Stop, Verdict::Wait(_))
        | (Some(Mutation::PromoteLies), Action::Promote, Verdict::Wait(_))
            if tried =>
        {
            Verdict::Done(Outcome::Success)
        }
        _ => verdict,
    }
}

/// Tells whether a step is reported as done and is not.
pub fn skips(mutation: Option<Mutation>, action: Action, taken: &Taken, step: &Step) -> bool {
    let compared = || taken.0.iter().any(|a| matches!(a.step, Step::NoteSyncBaseline(..)));
    match (mutation, step) {
        (Some(Mutation::RevokeNobody), Step::SetDataStatus(_, DataStatus::Disconnected)) => {
            action == Action::Promote
        }
        (Some(Mutation::ClaimNothing), Step::SetDataStatus(_, DataStatus::Latest)) => true,
        (Some(Mutation::RelaxUnrecorded), Step::SetDataStatus(_, status)) => {
            action != Action::Promote && *status != DataStatus::StreamingSync
        }
        (Some(Mutation::PromiseUnrecorded), Step::SetSyncQuorum(_)) => !compared(),
        _ => false,
    }
}
