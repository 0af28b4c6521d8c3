//! What may never happen, whatever befalls the cluster (design, section 5), and what must come about.

use std::fmt;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::Cluster;
use pgsql_ha::model::invariant::Invariant;
use pgsql_ha::model::settings::ReplicationMode;
use pgsql_ha::model::status::DataStatus;
use pgsql_ha::model::step::Step;
use pgsql_ha::model::verdict::{Failure, Outcome};

use crate::agent::Running;
use crate::clients::Row;
use crate::hands;
use crate::postgres::Phase;
use crate::scope::Part;
use crate::shell;
use crate::starts;
use crate::wal::lsn;
use crate::world::{HostId, Tick, World};

/// A rule that no run may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// At no time do two instances accept writes.
    OnePrimary,
    /// With `rep_mode=sync`, what a client was told is committed is in every later primary.
    NothingAcknowledgedIsLost,
    /// With `rep_mode=sync`, whoever the cluster has on record as fit has every acknowledged row.
    TheFitHaveEverything,
    /// With `sync_availability=strict`, what a client was told is committed is on a second host.
    NothingIsAcknowledgedAlone,
    /// A promotion has tried to fetch what a reachable peer says that it has beyond it.
    NothingReachableIsLeft,
    /// Whoever is promoted is in `node_list`.
    NobodyElseIsPromoted,
    /// Whoever is promoted is part of the history of the last primary.
    NothingStaleIsPromoted,
    /// Nobody streams from a server whose history it is not part of.
    NothingDivergedStreams,
    /// Nothing that was flushed is ever overwritten.
    NothingIsOverwritten,
    /// A lock is removed only by data that has not diverged, and passed only by data that has not or that asks
    /// for nothing.
    TheLockHolds,
    /// Data that `pg_rewind` has left half done are not started.
    HalfRewoundRests,
    /// No start waits for long before it launches, nor fails because nobody could be asked.
    NoStartHoldsTheCluster,
    /// The last primary is not taken for another's rival.
    TheRightOneStays,
    /// No step is decided that the agent's own invariants forbid.
    NothingForbiddenIsDecided,
    /// Every action ends in its time.
    ActionsEnd,
    /// An action that reports success has reached what it promises.
    SuccessIsTrue,
    /// Once everything is mended there is one primary that serves, and all others stream from it.
    EndsHealthy,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnePrimary => "one primary",
            Self::NothingAcknowledgedIsLost => "nothing acknowledged is lost",
            Self::TheFitHaveEverything => "the fit have everything",
            Self::NothingIsAcknowledgedAlone => "nothing is acknowledged alone",
            Self::NothingReachableIsLeft => "nothing reachable is left",
            Self::NobodyElseIsPromoted => "nobody outside node_list is promoted",
            Self::NothingStaleIsPromoted => "nothing stale is promoted",
            Self::NothingDivergedStreams => "nothing diverged streams",
            Self::NothingIsOverwritten => "nothing is overwritten",
            Self::TheLockHolds => "the lock holds",
            Self::HalfRewoundRests => "half rewound data rest",
            Self::NoStartHoldsTheCluster => "no start holds the cluster",
            Self::TheRightOneStays => "the right one stays",
            Self::NothingForbiddenIsDecided => "nothing forbidden is decided",
            Self::ActionsEnd => "actions end",
            Self::SuccessIsTrue => "success is true",
            Self::EndsHealthy => "ends healthy",
        })
    }
}

/// A broken rule.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// When, in tenths of a second.
    pub at: Tick,
    /// What was seen.
    pub evidence: String,
}

/// Notes a broken rule; the first one of a run counts.
pub fn broken(world: &mut World, rule: Rule, evidence: String) {
    world.trace(|| format!("** {rule}: {evidence}"));
    let at = world.now;
    world.violation.get_or_insert(Violation { rule, at, evidence });
}

pub fn serves(world: &World, id: HostId) -> bool {
    world.hosts[id].on && world.hosts[id].server.phase == Phase::Primary
}

/// Tells whether the server of a host runs with `rep_mode=sync`, and is to go on with it.
pub fn is_sync(world: &World, id: HostId) -> bool {
    let host = &world.hosts[id];
    [host.known.version, host.version]
        .into_iter()
        .all(|version| world.versions[version].rep_mode == ReplicationMode::Sync)
}

/// Tells whether there is no fencing, and no quorum that would keep two partitions from acting: both may then have a
/// primary, and what one of them acknowledged alone is lost when they meet.
pub fn is_loose(world: &World) -> bool {
    let joined = world.joined();
    world.options.scope.has(Part::Unfenced) && (joined <= 2 || world.options.ignore_quorum)
}

/// Tells whether a row that was acknowledged just now is promised: without fencing only what every standby could see,
/// for a quorum's voters may be fed by an old primary, and a lone host by nobody.
pub fn is_promised(world: &World, row: &Row) -> bool {
    let any = world.versions[world.hosts[row.by].version].is_quorum_commit();
    let divided = || {
        let writes = |phase| matches!(phase, Phase::Primary | Phase::Promoting { .. });
        world.ids().any(|id| id != row.by && writes(world.hosts[id].server.phase))
            || world.links.any_closed()
            || world.groups.iter().any(|group| !group.members.contains(&row.by))
    };
    let careless = is_loose(world) || any && world.options.scope.has(Part::Unfenced);
    is_sync(world, row.by)
        && world.hosts[row.by].vouched
        && (!careless || is_elsewhere(world, row) && !divided())
}

/// Tells whether a row is on the disk of another host.
pub fn is_elsewhere(world: &World, row: &Row) -> bool {
    let flushed = |id: HostId| row.place < world.hosts[id].disk.wal.flushed();
    world.ids().any(|id| id != row.by && has(world, id, row) && flushed(id))
}

fn has(world: &World, id: HostId, row: &Row) -> bool {
    world.hosts[id].disk.wal.holds(row.place, row.id)
}

/// Checked after every tick.
pub fn always(world: &mut World) {
    let rightful = |id: &HostId| serves(world, *id) && !world.hosts[*id].rogue;
    let primaries: Vec<HostId> = world.ids().filter(rightful).collect();
    if primaries.len() > 1 && !world.options.scope.has(Part::Unfenced) {
        let names: Vec<_> = primaries.iter().map(|id| world.hosts[*id].name.as_str()).collect();
        let evidence = format!("{} accept writes", names.join(" and "));
        broken(world, Rule::OnePrimary, evidence);
    }
    for id in world.ids() {
        let flushed = world.hosts[id].disk.wal.flushed();
        if flushed < world.hosts[id].flushed_before {
            let evidence = format!("the log of {} became shorter", world.hosts[id].name);
            broken(world, Rule::NothingIsOverwritten, evidence);
        }
        world.hosts[id].flushed_before = flushed;
    }
    let unfenced = world.options.scope.has(Part::Unfenced);
    let quiet = world.now < world.hands.quiet_until || world.record_in_doubt;
    if !is_loose(world) && !unfenced && !quiet {
        the_fit_have_everything(world);
    }
}

fn the_fit_have_everything(world: &mut World) {
    let Some(row) = world.ledger.rows.iter().rev().find(|row| row.promised).copied() else {
        return;
    };
    let mut faults = Vec::new();
    let joined = world.joined();
    // Where quorum is ignored, a majority is as good as any other partition: it may know less than a smaller one.
    if world.options.ignore_quorum && joined > 2 {
        return;
    }
    for group in &world.groups {
        let cib = &world.hosts[group.coordinator].cib;
        if !(cib.quorum && world.hosts[group.coordinator].quorum) {
            continue;
        }
        for id in &group.members {
            let recorded = &cib.nodes[*id].data_status;
            let fit = match recorded {
                // The shell agent puts its own on record wherever it is.
                Some(DataStatus::Latest) => !world.hosts[*id].shell,
                // Of two hosts it does not wait for the last primary to be seen.
                Some(DataStatus::StreamingSync) => !world.hosts[*id].shell || joined > 2,
                Some(DataStatus::StreamingQuorum) => lacks_a_quorum(world, cib, *id, &row),
                Some(_) | None => false,
            };
            if fit && !has(world, *id, &row) {
                faults.push(format!(
                    "{} is on record as {recorded:?} and lacks row {}, which {} acknowledged",
                    world.hosts[*id].name, row.id, world.hosts[row.by].name
                ));
            }
        }
    }
    if let Some(evidence) = faults.pop() {
        broken(world, Rule::TheFitHaveEverything, evidence);
    }
}

/// Tells whether so many voters lack a row that this one could be promoted although nobody whom it sees has it.
fn lacks_a_quorum(world: &World, cib: &Cluster, id: HostId, row: &Row) -> bool {
    let timeline = world.hosts[id].disk.wal.timeline();
    let records = cib.nodes.iter().filter_map(|node| node.sync_quorum.as_ref());
    let mut records = records.filter(|record| record.timeline.0 == timeline && record.count > 0);
    let votes =
        |voters: &[String], id: HostId| voters.contains(&world.hosts[id].name.application_name());
    records.any(|record| {
        let has_it = |other: &HostId| votes(&record.voters, *other) && has(world, *other, row);
        votes(&record.voters, id) && world.ids().filter(has_it).count() < record.count
    })
}

/// Checked when clients are told that their rows are committed.
pub fn at_acknowledgement(world: &mut World, rows: &[Row]) {
    let Some(row) = rows.last().copied() else { return };
    let by = &world.hosts[row.by];
    let strict =
        [by.known.version, by.version].into_iter().all(|at| world.versions[at].is_strict());
    // Without fencing an old primary may still feed standbys that have said where their WAL ends.
    let strict = strict && by.vouched && !world.options.scope.has(Part::Unfenced);
    if strict && !is_elsewhere(world, &row) {
        let evidence = format!("{} alone has row {}", world.hosts[row.by].name, row.id);
        broken(world, Rule::NothingIsAcknowledgedAlone, evidence);
    }
}

/// Checked when a server is told to promote.
pub fn before_promotion(world: &mut World, id: HostId, running: &Running) {
    stale(world, id);
    if !world.versions[running.order.version].node_list.contains(&world.hosts[id].name) {
        let evidence = format!("{} is promoted", world.hosts[id].name);
        broken(world, Rule::NobodyElseIsPromoted, evidence);
    }
    let fetched = running.engine.taken().0.iter().any(|a| matches!(a.step, Step::FollowPeer(..)));
    if fetched || running.script.is_some() {
        return;
    }
    let ahead = world.ids().find(|other| *other != id && has_said_more(world, id, *other, running));
    if let Some(other) = ahead {
        let (name, other) = (&world.hosts[id].name, &world.hosts[other].name);
        let evidence = format!("{name} is promoted without the WAL that {other} says it has");
        broken(world, Rule::NothingReachableIsLeft, evidence);
    }
}

/// Tells whether a peer that can be reached, and was on record as streaming until this promotion, had
/// published before it that its WAL goes further on the same timeline.
fn has_said_more(world: &World, id: HostId, other: HostId, running: &Running) -> bool {
    let (own, peer) = (&world.hosts[id], &world.hosts[other]);
    let revoked = Step::SetDataStatus(peer.name.clone(), DataStatus::Disconnected);
    let reachable = peer.on && peer.server.accepts() && world.links.both_ways(id, other);
    let said = peer.position.filter(|(_, since)| since + 10 <= running.began);
    let more = said.is_some_and(|(said, _)| {
        said.position.timeline.0 == own.disk.wal.timeline()
            && said.position.lsn > lsn(own.disk.wal.flushed())
    });
    reachable && more && running.engine.taken().done(&revoked) && peer.known.active
}

fn stale(world: &mut World, id: HostId) {
    if is_loose(world) || !shell::is_kept(world, id) {
        return;
    }
    if let Some((last, ..)) = world.last_promotion
        && !knows_last_promotion(world, id)
    {
        let (name, last) = (&world.hosts[id].name, &world.hosts[last].name);
        let evidence = format!("{name} knows nothing of the promotion of {last}");
        broken(world, Rule::NothingStaleIsPromoted, evidence);
    }
}

fn knows_last_promotion(world: &World, id: HostId) -> bool {
    let wal = &world.hosts[id].disk.wal;
    world.last_promotion.is_none_or(|(_, record, place)| wal.holds(place, record))
}

/// Checked when a server has become a primary; `record` is the first one of its reign.
pub fn at_promotion(world: &mut World, id: HostId, record: u32, place: usize) {
    stale(world, id);
    if shell::is_kept(world, id) {
        lacks_nothing(world, id);
    }
    world.record_in_doubt |= world.hosts[id].shell && !knows_last_promotion(world, id);
    // Whoever follows it is told that the lock is given back.
    world.hosts.iter_mut().for_each(|host| host.disk.locked = false);
    world.trace(|| format!("{} is primary from record {record} at {place}", world.hosts[id].name));
}

pub fn lacks_nothing(world: &mut World, id: HostId) {
    let promised = world.ledger.rows.iter().filter(|row| row.promised);
    let lost: Vec<&Row> = promised.filter(|row| !has(world, id, row)).collect();
    if let Some(row) = lost.first() {
        let (by, name) = (&world.hosts[row.by].name, &world.hosts[id].name);
        let evidence = format!("{name} lacks {} rows, the first is {} by {by}", lost.len(), row.id);
        broken(world, Rule::NothingAcknowledgedIsLost, evidence);
    }
}

/// Checked when an action ends.
pub fn at_end(world: &mut World, id: HostId, running: &Running, outcome: Option<&Outcome>) {
    if running.script.is_some() {
        return;
    }
    if let Some(Outcome::Failed(Failure::Broken(invariant))) = outcome {
        forbidden(world, id, *invariant);
    }
    world.hosts[id].vouched |= outcome == Some(&Outcome::RunningPromoted);
    if outcome.is_none() && world.now >= running.began + running.order.timeout {
        let evidence = format!("{} took its whole timeout", running.order.action.name());
        broken(world, Rule::ActionsEnd, evidence);
    }
    if world.options.scope.has(Part::Unasked) {
        starts::prompt(world, id, running, outcome);
    }
    if let Some(Outcome::Failed(Failure::SupersededPrimary { .. })) = outcome
        && world.last_promotion.is_some_and(|(last, ..)| last == id)
        && !world.hosts[id].rogue
        && !world.options.scope.has(Part::Unfenced)
    {
        let evidence = format!("{} is deposed, {outcome:?}", world.hosts[id].name);
        broken(world, Rule::TheRightOneStays, evidence);
    }
    if outcome == Some(&Outcome::RunningPromoted) && !running.order.probe {
        hands::adopted(world, id);
    }
    if outcome != Some(&Outcome::Success) {
        return;
    }
    let server = &world.hosts[id].server;
    let phase = server.phase;
    let kept = match running.order.action {
        Action::Start => server.runs() && phase != Phase::Primary,
        Action::Stop => phase == Phase::Absent,
        Action::Promote => phase == Phase::Primary && on_record(world, id, running.began),
        Action::Demote => !matches!(phase, Phase::Primary | Phase::Promoting { .. }),
        Action::Monitor | Action::Notify | Action::Status => true,
    };
    if !kept {
        let name = running.order.action.name();
        let evidence = format!("{name} on {} reports success in {phase:?}", world.hosts[id].name);
        broken(world, Rule::SuccessIsTrue, evidence);
    }
}

/// Checked when the agent notices that it has decided what may not be.
pub fn forbidden(world: &mut World, id: HostId, invariant: Invariant) {
    let evidence = format!("{} would have made {invariant}", world.hosts[id].name);
    broken(world, Rule::NothingForbiddenIsDecided, evidence);
}

/// Tells whether a promoted node is on record as the latest, unless its partition is younger than the action.
fn on_record(world: &World, id: HostId, began: Tick) -> bool {
    let group = world.group_of(id);
    group.is_none_or(|group| {
        let recorded = &world.hosts[group.coordinator].cib.nodes[id].data_status;
        group.settled_at > began || *recorded == Some(DataStatus::Latest)
    })
}
