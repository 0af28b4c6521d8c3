//! What an operator should know although no action fails for it.

use std::fmt;

use super::invariant::Invariant;
use super::node::{NodeName, ResourceName};
use super::rejoin::HistoryRelation;
use super::settings::ReplicationMode;
use super::slot::SlotName;
use super::status::DataStatus;
use super::verdict::Failure;

/// What an operator should know although no action fails for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Commits wait for a standby that does not stream.
    CommitsWaitFor {
        /// Its application name.
        standby: String,
        /// Why they may not stop waiting.
        because: WaitsBecause,
    },
    /// There is no primary, and this standby does not ask to be promoted before these nodes are heard.
    ElectionAwaits(Vec<NodeName>),
    /// There is no primary on record, but WAL arrives from one.
    PrimaryUnseen,
    /// There is no primary, and this node was the last one that it knows of; but one of these may have been
    /// promoted while it was away.
    MayBeOvertaken(Vec<NodeName>),
    /// There is no primary, and the last one, which is out of sight, may have acknowledged more than this
    /// standby has; the resource is named for the remedy.
    LastPrimaryUnseen(NodeName, ResourceName),
    /// There has been no primary yet that this node knows of, but these nodes may have been promoted unseen; the
    /// resource is named for the remedy.
    FirstAwaits(Vec<NodeName>, ResourceName),
    /// There is no primary, and this standby's data is not fit to be promoted.
    Unfit(DataStatus),
    /// There is no primary, but there was one, and nothing is recorded of this standby's data.
    Unrecorded,
    /// The record says that this node has followed a later primary, and its data has not been compared with that one's.
    Uncompared,
    /// A step was decided that would break an invariant: nothing was changed.
    Broken(Invariant),
    /// `node_list` does not name this node.
    Unlisted(NodeName),
    /// There is a primary, and this standby does not receive WAL from it.
    NotStreaming(NodeName),
    /// Another source overrides what the agent has set on a standby.
    Overridden(Box<Failure>),
    /// No connection is free, not even for the agent.
    NoConnectionFree,
    /// There is no primary, and this standby, which has all that was acknowledged, does not answer: it is promoted as it is.
    CannotBeAsked(String),
    /// Nobody can log in to this standby, for sessions wait for a lock that it has replayed.
    LockedOut(String),
    /// This standby is to be promoted and does not answer.
    WaitsForAnswer(String),
    /// The server does not show this user, as whom the agent asks, what the standbys are.
    NoMonitorPrivilege(String),
    /// A primary runs here that the agent has not promoted, and the cluster has recorded no later promotion.
    PromotedByHand,
    /// The record says that another was promoted after this primary, which Pacemaker has promoted and never demoted.
    OldRecord,
    /// Nobody can tell how the server ended: `pg_controldata` is missing, or says nothing.
    EndUnknown,
    /// The primary is stopped without another word in its WAL, for these may be promoted out of its sight.
    StopsAtOnce(Vec<NodeName>),
    /// There is no primary yet with which a returning node could compare its data.
    NobodyToAsk,
    /// This node's data could not be compared with the primary's history, or that proved nothing.
    NotCompared(NodeName, Box<HistoryRelation>),
    /// This node's data is proven, and its server is restarted to follow the primary.
    FollowsNow(NodeName),
    /// This node's data is part of the primary's history.
    PartOfHistory(NodeName, HistoryRelation),
    /// This node's data is to be made the primary's.
    Rewinds(NodeName, HistoryRelation, ReplicationMode),
    /// The file system of the WAL is nearly full.
    DiskNearlyFull {
        /// Bytes that are free.
        free: u64,
        /// The slot that keeps most WAL, and how many bytes.
        slot: Option<(String, u64)>,
    },
    /// A slot keeps almost as many bytes as `slot_max_retained` allows.
    SlotKeeps(SlotName, u64),
    /// `synchronous_standby_names` is not what the agent's file says, even after a reload.
    NamesOverridden(String),
}

/// Why commits may not stop waiting for a standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsBecause {
    /// This partition has no quorum.
    NoQuorum,
    /// The standby's node is lost and not known to be fenced: it could be promoted elsewhere.
    NotFenced,
    /// That it must not be promoted could not be recorded in the cluster.
    NotRecorded,
    /// The operator wants them to (`sync_availability=strict`).
    Strict,
}

impl Warning {
    /// Tells whether somebody should look soon; otherwise it is often over by itself.
    #[must_use]
    pub const fn is_severe(&self) -> bool {
        match self {
            Self::NotStreaming(_)
            | Self::ElectionAwaits(_)
            | Self::NobodyToAsk
            | Self::FollowsNow(_)
            | Self::PartOfHistory(..) => false,
            Self::CommitsWaitFor { .. }
            | Self::PrimaryUnseen
            | Self::MayBeOvertaken(_)
            | Self::LastPrimaryUnseen(..)
            | Self::FirstAwaits(..)
            | Self::Unfit(_)
            | Self::Unrecorded
            | Self::Uncompared
            | Self::Broken(_)
            | Self::Unlisted(_)
            | Self::Overridden(_)
            | Self::NoConnectionFree
            | Self::CannotBeAsked(_)
            | Self::LockedOut(_)
            | Self::WaitsForAnswer(_)
            | Self::NoMonitorPrivilege(_)
            | Self::EndUnknown
            | Self::StopsAtOnce(_)
            | Self::NotCompared(..)
            | Self::PromotedByHand
            | Self::OldRecord
            | Self::Rewinds(..)
            | Self::DiskNearlyFull { .. }
            | Self::SlotKeeps(..)
            | Self::NamesOverridden(_) => true,
        }
    }
}

impl fmt::Display for WaitsBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoQuorum => "this partition has no quorum, so that another may promote it",
            Self::NotFenced => {
                "its node is lost and not known to be fenced, so that it may be promoted there; \
                 fence it, or confirm that it is down (stonith_admin --confirm)"
            }
            Self::NotRecorded => "the cluster has not accepted that it must not be promoted",
            Self::Strict => "sync_availability is strict",
        })
    }
}

/// Commits that wait for a standby would hold the grant up.
fn blind(user: &str) -> String {
    format!(
        "the agent asks as {user}, who may not see the state of the standbys: nothing is recorded of them, \
         and whom commits wait for stays as it is. Let pgdba in (pg_hba.conf, or .pgpass), or run: \
         SET synchronous_commit = local; GRANT pg_monitor TO \"{user}\""
    )
}

const LOST_IN_SYNC: &str = "what only this node has: none of it was acknowledged to a client, except to sessions \
                            with synchronous_commit set to local or off";

const END_UNKNOWN: &str = "pg_controldata, which should stand beside pgctl, does not say how the server ended: \
                    its shutdown counts as unclean, so that this node stays stopped and keeps \
                    PGSQL.lock. Install it; until then every demotion ends so";

const PRIMARY_UNSEEN: &str = "the cluster knows of no primary, but WAL arrives from one: this node does not ask to be \
                              promoted until the cluster has found it, or it has gone";

fn cannot_be_asked(error: &str) -> String {
    format!(
        "there is no primary; this standby runs and cannot be asked ({error}), and sessions wait for a lock, \
         perhaps for one on the catalog, which only a promotion releases. All that was acknowledged is on record \
         here: it is promoted unasked"
    )
}

fn waits_for_answer(error: &str) -> String {
    format!(
        "this standby is to be promoted and does not answer ({error}): the promotion waits, for nobody else can \
         tell how far its WAL goes. Look why nobody can log in (the server's log, the titles of its processes)"
    )
}

const NOBODY_TO_ASK: &str = "this node was primary, and there is no other yet to compare its data with: starting as a \
                    standby, the lock stays";

const PROMOTED_BY_HAND: &str = "this server was promoted by hand, and nobody has been promoted since: it becomes the primary \
                    on record, once all others can be recorded as out of date";

const OLD_RECORD: &str = "the record says that another node was promoted after this one; but the cluster has promoted this \
                    node and neither demoted nor fenced it since. An older copy of the cluster's \
                    configuration may have been restored: this node becomes the primary on record again, \
                    once all others can be recorded as out of date";

const fn lost_by(mode: ReplicationMode) -> &'static str {
    match mode {
        ReplicationMode::Sync => LOST_IN_SYNC,
        ReplicationMode::Async | ReplicationMode::None | ReplicationMode::Slave => {
            "what only this node has, also what was acknowledged to clients (rep_mode=async)"
        }
    }
}

fn listed(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}

fn stops_at_once(nodes: &[NodeName]) -> String {
    format!(
        "{} may be promoted where this node does not see it: the server is stopped at once and writes nothing \
         more, so that its data stays part of the next primary's history; the next start recovers it",
        listed(nodes)
    )
}

fn election_awaits(nodes: &[NodeName]) -> String {
    format!(
        "there is no primary; this node waits for {} before it asks to be promoted, for the newest data \
         may be there",
        listed(nodes)
    )
}

fn last_primary_unseen(last: &NodeName, resource: &ResourceName) -> String {
    format!(
        "there is no primary; the last one, {last}, may have acknowledged commits that this node lacks, after \
         this node was away: start {last}. If it is gone for good, take it out of node_list, or remove its record \
         (crm_attribute --lifetime forever --node {last} --name {resource}-data-status --delete); what only {last} \
         had is lost then"
    )
}

fn first_awaits(nodes: &[NodeName], resource: &ResourceName) -> String {
    format!(
        "there is no primary, nor a record of one, and {} may have been promoted where this node did not see it: \
         the first promotion waits for it. Start it; or, if this node has the data that counts, say so: \
         crm_attribute --lifetime forever --node <this node> --name {resource}-data-status --update LATEST",
        listed(nodes)
    )
}

fn broken(invariant: Invariant) -> String {
    format!(
        "the agent would have made {invariant}: that is a fault of the agent, and nothing was changed; please report it with \
         this log"
    )
}

const UNCOMPARED: &str = "there is no primary. The record says that this node has followed the last one, but its lock says that \
                    it was primary before, and it stays on its own timeline until its data has been compared: it is not \
                    promoted";

const UNRECORDED: &str = "there is no primary, and nothing is recorded of this node's data, but of other nodes': it is \
                          not promoted. Start the node that was primary last; this one is recorded once it streams";

fn may_be_overtaken(nodes: &[NodeName]) -> String {
    format!(
        "this node was the last primary that it knows of, but was away since: it waits for {}, which may \
         have been promoted meanwhile. If that cannot be or does not matter, remove PGSQL.lock in tmpdir",
        listed(nodes)
    )
}

fn not_compared(primary: &NodeName, kinship: &HistoryRelation) -> String {
    let remedy = match kinship {
        HistoryRelation::Unasked(_) => format!(
            ". The agent asks with psql as repuser over the replication protocol, at master_ip and at \
             {primary}: check pg_hba.conf, the password and the network"
        ),
        HistoryRelation::Unproven(_)
        | HistoryRelation::Prefix { .. }
        | HistoryRelation::Followed(_)
        | HistoryRelation::OtherSystem(..)
        | HistoryRelation::Foreign(..)
        | HistoryRelation::Diverged { .. } => String::new(),
    };
    format!(
        "this node's data is not compared with {primary}'s history ({kinship}): until then its server stays a \
         standby that must not be promoted{remedy}"
    )
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommitsWaitFor { standby, because } => {
                write!(f, "commits wait for {standby}, which does not stream: {because}")
            }
            Self::ElectionAwaits(nodes) => f.write_str(&election_awaits(nodes)),
            Self::PrimaryUnseen => f.write_str(PRIMARY_UNSEEN),
            Self::Unfit(status) => {
                write!(f, "there is no primary. My data is out-of-date. status={status}")
            }
            Self::LastPrimaryUnseen(last, resource) => {
                f.write_str(&last_primary_unseen(last, resource))
            }
            Self::FirstAwaits(nodes, resource) => f.write_str(&first_awaits(nodes, resource)),
            Self::Unrecorded => f.write_str(UNRECORDED),
            Self::Uncompared => f.write_str(UNCOMPARED),
            Self::Broken(invariant) => f.write_str(&broken(*invariant)),
            Self::Unlisted(node) => write!(
                f,
                "node_list does not name {node}: it is never promoted, and no commit waits for \
                 it. Add it to node_list, or keep the resource off it (location constraint, clone-max)"
            ),
            Self::NotStreaming(primary) => write!(
                f,
                "not streaming from the primary {primary}; if that lasts, the server's log says \
                 why (another history, missing WAL, pg_hba.conf)"
            ),
            Self::NoConnectionFree => f.write_str(
                "no connection is free, so that nothing can be asked; the server is alive. Raise \
                 superuser_reserved_connections or find who holds the connections",
            ),
            Self::CannotBeAsked(error) => f.write_str(&cannot_be_asked(error)),
            Self::LockedOut(error) => write!(
                f,
                "nobody can log in here ({error}): log-ins wait for a lock that was replayed, until the primary gives it \
                 back, or there is another"
            ),
            Self::WaitsForAnswer(error) => f.write_str(&waits_for_answer(error)),
            Self::Overridden(failure) => {
                write!(f, "{failure}. {}", failure.hint().unwrap_or_default())
            }
            Self::StopsAtOnce(nodes) => f.write_str(&stops_at_once(nodes)),
            Self::NoMonitorPrivilege(user) => f.write_str(&blind(user)),
            Self::EndUnknown => f.write_str(END_UNKNOWN),
            Self::MayBeOvertaken(nodes) => f.write_str(&may_be_overtaken(nodes)),
            Self::NobodyToAsk => f.write_str(NOBODY_TO_ASK),
            Self::PromotedByHand => f.write_str(PROMOTED_BY_HAND),
            Self::OldRecord => f.write_str(OLD_RECORD),
            Self::NotCompared(primary, kinship) => f.write_str(&not_compared(primary, kinship)),
            Self::FollowsNow(primary) => write!(
                f,
                "this node's server stayed on its own timeline until its data was proven: it is restarted \
                 now, to follow {primary}"
            ),
            Self::PartOfHistory(primary, kinship) => {
                write!(f, "this node's data is part of {primary}'s history: {kinship}")
            }
            Self::Rewinds(primary, kinship, mode) => {
                let lost = lost_by(*mode);
                write!(
                    f,
                    "this node's data has diverged from {primary}'s: {kinship}. pg_rewind takes {lost}"
                )
            }
            Self::DiskNearlyFull { free, slot: None } => {
                write!(f, "only {} MB are free for WAL", free >> 20)
            }
            Self::DiskNearlyFull { free, slot: Some((slot, bytes)) } => write!(
                f,
                "only {} MB are free for WAL; the replication slot {slot} keeps {} MB: bring its \
                 standby back, or see slot_max_retained",
                free >> 20,
                bytes >> 20
            ),
            Self::SlotKeeps(slot, bytes) => write!(
                f,
                "the replication slot {slot} keeps {} MB of WAL for a standby that is not connected; \
                 beyond slot_max_retained it is dropped",
                bytes >> 20
            ),
            Self::NamesOverridden(value) => write!(
                f,
                "synchronous_standby_names is '{value}' against the agent's file: remove it from \
                 postgresql.auto.conf (ALTER SYSTEM RESET synchronous_standby_names)"
            ),
        }
    }
}
