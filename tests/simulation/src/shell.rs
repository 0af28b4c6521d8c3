//! The shell agent, on hosts that have not changed over yet: `ocf:heartbeat:pgsql` of resource-agents 4.12, one command
//! after the other as the script has them.
//!
//! What it promises itself is not checked; what this agent promises beside it is.

use std::collections::VecDeque;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::{ClusterRole, Membership};
use pgsql_ha::model::instance::{Lock, StandbyRow};
use pgsql_ha::model::notification::{NotificationType, NotifiedOperation};
use pgsql_ha::model::rejoin::Resync;
use pgsql_ha::model::settings::{ReplicationMode, Settings};
use pgsql_ha::model::status::{DataStatus, InstanceStatus, PromotionScore};
use pgsql_ha::model::step::{ShutdownMode, Step};
use pgsql_ha::model::sync_names::SyncNames;
use pgsql_ha::model::verdict::{Failure, Outcome};
use pgsql_ha::model::wal::Lsn;

use crate::agent::{Order, Running};
use crate::cib;
use crate::execute;
use crate::invariants::serves;
use crate::postgres::Phase;
use crate::replication;
use crate::settings::SLOTS;
use crate::wal::lsn;
use crate::world::{HostId, Tick, World};

/// `xlog_check_count`.
const CHECKS: u32 = 3;

/// How often some commands are tried.
const TRIES: u32 = 5;

/// How long a fast shutdown is waited for: `stop_escalate`, which is longer than the timeout less ten seconds.
const STOP_ESCALATE: Tick = 500;

/// What was seen of all WAL locations, and how often in a row (`XLOG_NOTE_FILE`).
pub type Note = (Vec<(HostId, Lsn)>, u32);

/// What is left of an action.
#[derive(Debug, Clone, Default)]
pub struct Script {
    lines: VecDeque<Line>,
    /// `RE_CONTROL_SLAVE`: the names were changed, so that it looks at the standbys once more.
    again: bool,
}

/// A command of the script.
#[derive(Debug, Clone)]
enum Line {
    /// Is retried until it succeeds (`exec_with_retry 0`).
    Take(Step),
    /// Is tried so many times (`exec_with_retry 5`).
    Try(Step, u32),
    /// `change_pgsql_status`.
    Status(HostId, InstanceStatus),
    /// `change_data_status`.
    Data(HostId, DataStatus),
    /// `change_master_score`.
    Score(HostId, PromotionScore),
    /// `set_sync_mode`.
    SyncMode(HostId),
    /// `set_async_mode`.
    AsyncMode(HostId),
    /// `show_xlog_location`.
    ShowLocation,
    /// `delete_xlog_location`, tried so many times.
    DeleteLocation(u32),
    /// `show_master_baseline`.
    ShowBaseline,
    /// Removes `XLOG_NOTE_FILE`.
    ForgetNote,
    /// Ends the start if there is a lock.
    RefuseLocked,
    /// `touch`es the lock.
    TouchLock,
    /// Removes it if no standby is left.
    Unlock,
    UntilItAnswers,
    UntilItIsGone,
    UntilItIsPromoted,
    /// `pgsql_monitor`.
    Look,
    /// `pgsql_promote`.
    Promote,
    /// `pgsql_replication_monitor` of a standby.
    StandAside,
    /// The end of `have_master_right`.
    MasterRight,
    /// `pgsql_pre_promote`.
    CompareBaselines(HostId),
    /// `control_slave_status`; a monitor does it once more when it has changed the names.
    ControlStandbys,
    ControlAgain,
    ControlLast,
    /// `create_replication_slots`.
    MakeSlot(HostId),
    End(Outcome),
}

/// What comes after a command.
enum Next {
    Line,
    /// The same again, after so many ticks.
    Again(Tick),
    End(Outcome),
}

/// Returns what an action does.
pub fn script(world: &World, id: HostId, order: &Order) -> Script {
    let settings = &world.versions[order.version];
    let lines = match order.action {
        Action::Start => start(world, id),
        Action::Promote => vec![Line::Promote],
        Action::Demote => demote(world, id),
        Action::Stop => stop(world, id),
        Action::Monitor | Action::Status => vec![Line::Look],
        Action::Notify => notify(world, id, order, settings),
    };
    Script { lines: lines.into(), again: false }
}

/// Takes the next command. Returns how the action ended, if it has.
pub fn advance(world: &mut World, id: HostId, running: &mut Running) -> Option<Outcome> {
    let line = running.script.as_mut()?.lines.pop_front()?;
    match perform(world, id, running, &line) {
        Next::End(outcome) => Some(outcome),
        Next::Line => {
            running.blocked_until = running.blocked_until.max(world.now + world.chance.u64(0..3));
            None
        }
        Next::Again(after) => {
            running.blocked_until = running.blocked_until.max(world.now + after);
            running.script.as_mut()?.lines.push_front(line);
            None
        }
    }
}

/// Notes that the primary is the shell agent's now: what was acknowledged before is there, and whom it gives a right from
/// now on, by what a connection showed that may be broken long since, is its own business.
pub fn takes_over(world: &mut World) {
    world.ledger.rows.iter_mut().for_each(|row| row.promised = false);
}

/// How long a primary has to be in touch before the others have heard that it has taken their scores.
const SCORES: Tick = 25;

/// Counts how long the last primary serves in touch with most hosts.
pub fn reign(world: &mut World) {
    let Some((last, ..)) = world.last_promotion else { return };
    let group = world.group_of(last);
    let joined = world.joined();
    let in_touch = group.is_some_and(|group| group.members.len() * 2 > joined);
    world.last_reign.0 += u64::from(in_touch && serves(world, last));
}

/// Tells whether what this agent keeps has to hold when a server is promoted. The shell agent looks at no record, and has
/// only its own scores: it is kept from promoting by this agent's record when it stands for election, and by this agent's
/// promotion, which takes the scores of all others. It is the shell agent's business where that record is not read by
/// all, as of two hosts that have not seen each other, and what follows on its own promotion: it counts a standby that was
/// ahead of it, and only visits it, for as long as that one does not notice; with a lock it is noticed.
pub fn is_kept(world: &World, id: HostId) -> bool {
    let (reigned, by_shell) = world.last_reign;
    let joined = world.joined();
    let group = world.group_of(id);
    let members = group.map_or(0, |group| group.members.len());
    let all_read_it = members * 2 > joined && joined > 2;
    // Its own copy says that it has no right: it is promoted for a score that was left.
    let unfit = match &world.hosts[id].cib.nodes[id].data_status {
        Some(DataStatus::Disconnected | DataStatus::StreamingPotential | DataStatus::Other(_)) => {
            true
        }
        Some(
            DataStatus::Latest
            | DataStatus::StreamingSync
            | DataStatus::StreamingAsync
            | DataStatus::StreamingQuorum
            | DataStatus::StreamingBehind,
        )
        | None => false,
    };
    let kept = !by_shell && (all_read_it || unfit) && reigned >= SCORES;
    let host = &world.hosts[id];
    // It has WAL from beyond where the last primary began.
    let ahead = world.last_promotion.is_some_and(|(.., place)| host.disk.wal.len() > place);
    let unnoticed = by_shell && !host.had_lock && ahead;
    !world.record_in_doubt && if host.shell { kept } else { !unnoticed }
}

/// Tells whether a promotion counts: one by the shell agent that goes on although its partition has lost the others, with
/// a record that they do not read, does not.
pub fn counts(world: &World, id: HostId) -> bool {
    let group = world.group_of(id);
    let together = |other: HostId| group.is_some_and(|group| group.members.contains(&other));
    let apart = |other: &HostId| world.hosts[*other].on && !together(*other);
    let joined = world.joined();
    let most = group.is_some_and(|group| group.members.len() * 2 > joined);
    !world.hosts[id].shell || most || world.ids().filter(apart).count() == 0
}

fn start(world: &World, id: HostId) -> Vec<Line> {
    vec![
        Line::Status(id, InstanceStatus::Stopped),
        Line::Take(Step::SetBaseline(None)),
        Line::Take(never(world, id)),
        Line::ForgetNote,
        Line::Take(Step::WriteStandbySettings),
        Line::DeleteLocation(TRIES),
        Line::Take(Step::WriteSyncNames(SyncNames::nobody())),
        Line::RefuseLocked,
        Line::Take(Step::Launch),
        Line::UntilItAnswers,
        Line::Status(id, InstanceStatus::Alone),
        Line::End(Outcome::Success),
    ]
}

fn promotion(world: &World, id: HostId, settings: &Settings) -> Vec<Line> {
    let mut lines = vec![Line::ForgetNote];
    for peer in peers(world, id, settings) {
        lines.push(Line::Data(peer, DataStatus::Disconnected));
        lines.push(Line::Score(peer, PromotionScore::Never));
    }
    lines.extend([
        Line::TouchLock,
        Line::ShowBaseline,
        Line::Take(Step::PromoteServer),
        Line::UntilItIsPromoted,
    ]);
    if settings.uses_slots() {
        lines.extend(peers(world, id, settings).map(Line::MakeSlot));
    }
    lines.extend([
        Line::Data(id, DataStatus::Latest),
        Line::Take(Step::SetScore(world.hosts[id].name.clone(), PromotionScore::PROMOTE_ME)),
        Line::Status(id, InstanceStatus::Primary),
        Line::End(Outcome::Success),
    ]);
    lines
}

fn demote(world: &World, id: HostId) -> Vec<Line> {
    let mut lines = vec![Line::Take(never(world, id)), Line::Take(Step::SetBaseline(None))];
    if world.hosts[id].server.runs() {
        lines.push(Line::Take(Step::Shutdown(ShutdownMode::Fast)));
        lines.extend([Line::UntilItIsGone, Line::Unlock]);
    }
    lines.extend([Line::Status(id, InstanceStatus::Stopped), Line::End(Outcome::Success)]);
    lines
}

fn stop(world: &World, id: HostId) -> Vec<Line> {
    let mut lines = vec![Line::Try(never(world, id), TRIES), Line::DeleteLocation(TRIES)];
    let runs = world.hosts[id].server.runs();
    if runs {
        lines.push(Line::Take(Step::Shutdown(ShutdownMode::Fast)));
        lines.push(Line::UntilItIsGone);
    }
    lines.push(Line::Status(id, InstanceStatus::Stopped));
    if runs {
        lines.push(Line::Take(Step::WriteSyncNames(SyncNames::nobody())));
        lines.push(Line::Try(Step::SetBaseline(None), TRIES));
    }
    lines.push(Line::End(Outcome::Success));
    lines
}

fn notify(world: &World, id: HostId, order: &Order, settings: &Settings) -> Vec<Line> {
    use NotificationType::{Post, Pre};
    use NotifiedOperation::{Demote, Promote, Start, Stop};
    let lists = &order.notification;
    let promoted = lists.promote.first().and_then(|name| world.id(name));
    let demoted = lists.demote.first().and_then(|name| world.id(name));
    let primary = lists.promoted.first().and_then(|name| world.id(name));
    let sync = settings.rep_mode == ReplicationMode::Sync;
    let mut lines = match (lists.event, promoted) {
        (Some((Pre, Promote)), Some(other)) if sync && settings.node_list.len() >= 3 => {
            if other == id { Vec::new() } else { vec![Line::CompareBaselines(other)] }
        }
        (Some((Post, Promote)), Some(other)) if other != id => {
            vec![Line::DeleteLocation(TRIES), Line::Take(Step::SetBaseline(None))]
        }
        (Some((Post, Promote)), _) => vec![Line::DeleteLocation(TRIES)],
        (Some((Post, Demote)), _) if demoted != Some(id) && primary != Some(id) => {
            vec![Line::ShowBaseline, Line::Status(id, InstanceStatus::Alone)]
        }
        (Some((Post, Start | Stop)), _) if primary == Some(id) => vec![Line::ControlStandbys],
        (Some((Pre | Post, Start | Stop | Promote | Demote)) | None, _) => Vec::new(),
    };
    lines.push(Line::End(Outcome::Success));
    lines
}

fn perform(world: &mut World, id: HostId, running: &mut Running, line: &Line) -> Next {
    let me = world.hosts[id].name.clone();
    match line {
        Line::Take(step) => take(world, id, running, step),
        Line::Status(of, status) => set_status(world, id, running, *of, status),
        Line::Data(of, status) => set_data(world, id, running, *of, status),
        Line::Score(of, score) => set_score(world, id, running, *of, *score),
        Line::SyncMode(peer) => set_mode(world, id, running, *peer, true),
        Line::AsyncMode(peer) => set_mode(world, id, running, *peer, false),
        Line::Try(step, left) => match take(world, id, running, step) {
            Next::Again(after) if *left > 1 => {
                try_again(world, running, after, Line::Try(step.clone(), left - 1))
            }
            Next::Again(_) | Next::Line | Next::End(_) => Next::Line,
        },
        Line::ShowLocation => match location(world, id) {
            None => failed(),
            Some(_) if is_troubled(world, id) => Next::Again(10),
            Some(found) => {
                cib::say_location(world, id, Some(found));
                Next::Line
            }
        },
        Line::DeleteLocation(left) if is_troubled(world, id) => match left {
            0 | 1 => Next::Line,
            left => try_again(world, running, 10, Line::DeleteLocation(left - 1)),
        },
        Line::DeleteLocation(_) => {
            cib::say_location(world, id, None);
            Next::Line
        }
        Line::ShowBaseline => match location(world, id) {
            Some(found) => take(world, id, running, &Step::SetBaseline(Some(found))),
            None => Next::Line,
        },
        Line::ForgetNote => {
            world.hosts[id].disk.note = None;
            Next::Line
        }
        Line::RefuseLocked if world.hosts[id].disk.lock.is_some() => {
            Next::End(locked(running, world))
        }
        Line::RefuseLocked => Next::Line,
        Line::TouchLock => {
            world.hosts[id].disk.lock.get_or_insert(Lock { timeline: None });
            Next::Line
        }
        Line::Unlock => {
            if running.order.notification.unpromoted.is_empty() {
                world.hosts[id].disk.lock = None;
            }
            Next::Line
        }
        Line::UntilItAnswers if !world.hosts[id].server.runs() => failed(),
        Line::UntilItAnswers => until(world.hosts[id].server.accepts()),
        Line::UntilItIsGone => {
            if world.now >= running.began + STOP_ESCALATE {
                world.hosts[id].server.shutdown = Some(ShutdownMode::Immediate);
            }
            until(!world.hosts[id].server.runs())
        }
        Line::UntilItIsPromoted => until(psql(world, id) == Some(Phase::Primary)),
        Line::Look => look(world, id, running),
        Line::Promote => match psql(world, id) {
            None => Next::Again(10),
            Some(Phase::Primary) => Next::End(Outcome::Success),
            Some(Phase::Standby | Phase::Promoting { .. }) => {
                let settings = world.versions[running.order.version].clone();
                go_on_with(running, promotion(world, id, &settings))
            }
            Some(
                Phase::Absent
                | Phase::Orphans { .. }
                | Phase::Starting { .. }
                | Phase::Stopping { .. },
            ) => failed(),
        },
        Line::StandAside => stand_aside(world, id, running),
        Line::MasterRight => master_right(world, id, running),
        Line::CompareBaselines(other) => {
            let baseline = |of: HostId| world.hosts[id].cib.nodes[of].baseline;
            if baseline(*other).is_some_and(|theirs| baseline(id) > Some(theirs)) {
                world.trace(|| format!("{me} bans itself"));
                world.hosts[id].known.banned = true;
            }
            Next::Line
        }
        Line::ControlStandbys | Line::ControlLast => {
            let repeats = matches!(line, Line::ControlStandbys);
            control(world, id, running, repeats && running.order.action == Action::Monitor)
        }
        Line::ControlAgain if running.script.as_ref().is_some_and(|script| script.again) => {
            running.blocked_until = world.now + 20;
            go_on_with(running, vec![Line::ControlLast])
        }
        Line::ControlAgain => Next::Line,
        Line::MakeSlot(_) if !world.hosts[id].server.accepts() => Next::Again(10),
        Line::MakeSlot(peer) => {
            let slot = format!("{SLOTS}_{}", world.hosts[*peer].name);
            world.hosts[id].disk.slots.insert(slot);
            Next::Line
        }
        Line::End(outcome) => Next::End(outcome.clone()),
    }
}

fn failed() -> Next {
    Next::End(Outcome::Failed(Failure::NotAStandby))
}

fn locked(running: &Running, world: &World) -> Outcome {
    let lock = world.versions[running.order.version].lock_file();
    let resync = Resync::Copy;
    Outcome::Failed(Failure::Locked { lock, data_status: None, primary: None, resync })
}

fn go_on_with(running: &mut Running, lines: Vec<Line>) -> Next {
    if let Some(script) = &mut running.script {
        for line in lines.into_iter().rev() {
            script.lines.push_front(line);
        }
    }
    Next::Line
}

fn take(world: &mut World, id: HostId, running: &mut Running, step: &Step) -> Next {
    let done = execute::execute(world, id, running, step);
    world.trace(|| {
        let error = done.as_ref().err().map_or_else(String::new, |error| format!(": {error}"));
        let action = running.order.action.name();
        format!("  {} {action} (shell) {step:?}{error}", world.hosts[id].name)
    });
    match done {
        Ok(()) => Next::Line,
        Err(_) => Next::Again(10),
    }
}

/// Tells whether a node is there, in this host's copy.
fn is_online(world: &World, id: HostId, of: HostId) -> bool {
    world.hosts[id].cib.nodes[of].membership == Membership::Member
}

fn set_status(
    world: &mut World,
    id: HostId,
    running: &mut Running,
    of: HostId,
    status: &InstanceStatus,
) -> Next {
    let had = &world.hosts[id].cib.nodes[of].status;
    let stopped = matches!(had, Some(InstanceStatus::Stopped | InstanceStatus::Unknown));
    if !is_online(world, id, of) || had.as_ref() == Some(status) || stopped && of != id {
        return Next::Line;
    }
    let name = world.hosts[of].name.clone();
    take(world, id, running, &Step::SetStatus(name, status.clone()))
}

/// It reads what it has written, until that is so.
fn set_data(
    world: &mut World,
    id: HostId,
    running: &mut Running,
    of: HostId,
    status: &DataStatus,
) -> Next {
    if world.hosts[id].cib.nodes[of].data_status.as_ref() == Some(status) {
        return Next::Line;
    }
    let name = world.hosts[of].name.clone();
    match take(world, id, running, &Step::SetDataStatus(name, status.clone())) {
        Next::Line => Next::Again(1),
        again @ (Next::Again(_) | Next::End(_)) => again,
    }
}

fn set_score(
    world: &mut World,
    id: HostId,
    running: &mut Running,
    of: HostId,
    score: PromotionScore,
) -> Next {
    let had = world.hosts[id].cib.nodes[of].score;
    if !is_online(world, id, of) || had.is_none_or(|had| had == score) {
        return Next::Line;
    }
    let name = world.hosts[of].name.clone();
    take(world, id, running, &Step::SetScore(name, score))
}

fn set_mode(
    world: &mut World,
    id: HostId,
    running: &mut Running,
    peer: HostId,
    sync: bool,
) -> Next {
    let names = world.hosts[id].disk.names.clone().unwrap_or_default();
    let name = world.hosts[peer].name.as_str().to_owned();
    let wanted = match sync {
        true if names.is_nobody() => SyncNames::one_of([name]),
        false if names.contains(&name) => SyncNames::nobody(),
        true | false => return Next::Line,
    };
    if let Some(script) = running.script.as_mut().filter(|_| sync) {
        script.again = true;
    }
    let lines = vec![Line::Take(Step::WriteSyncNames(wanted)), Line::Take(Step::Reload)];
    go_on_with(running, lines)
}

/// Puts a command back that has been tried once more.
fn try_again(world: &World, running: &mut Running, after: Tick, line: Line) -> Next {
    running.blocked_until = running.blocked_until.max(world.now + after);
    go_on_with(running, vec![line])
}

/// Tells whether the attribute daemon does not take a write just now.
fn is_troubled(world: &mut World, id: HostId) -> bool {
    world.now < world.hosts[id].slow_until && world.chance.u8(..3) != 0
}

const fn until(so: bool) -> Next {
    if so { Next::Line } else { Next::Again(10) }
}

/// Asks the server; `None`: `psql` does not come back.
fn psql(world: &World, id: HostId) -> Option<Phase> {
    let host = &world.hosts[id];
    let hangs =
        host.server.runs() && (host.server.hung || host.disk.locked && host.server.accepts());
    (!hangs).then_some(host.server.phase)
}

fn look(world: &mut World, id: HostId, running: &mut Running) -> Next {
    let me = world.hosts[id].name.clone();
    let probe = |score| running.order.probe.then_some(Line::Take(Step::SetScore(me, score)));
    match psql(world, id) {
        None => Next::Again(10),
        Some(Phase::Absent | Phase::Orphans { .. }) => Next::End(Outcome::NotRunning),
        Some(Phase::Starting { .. } | Phase::Stopping { .. }) => failed(),
        Some(Phase::Primary) => {
            let mut lines: Vec<Line> = probe(PromotionScore::PROMOTE_ME).into_iter().collect();
            lines.extend([
                Line::Data(id, DataStatus::Latest),
                Line::Status(id, InstanceStatus::Primary),
                Line::ControlStandbys,
                Line::End(Outcome::RunningPromoted),
            ]);
            go_on_with(running, lines)
        }
        Some(Phase::Standby | Phase::Promoting { .. }) => {
            let mut lines: Vec<Line> = probe(PromotionScore::Never).into_iter().collect();
            lines.extend([Line::StandAside, Line::End(Outcome::Success)]);
            go_on_with(running, lines)
        }
    }
}

fn stand_aside(world: &World, id: HostId, running: &mut Running) -> Next {
    let nodes = &world.hosts[id].cib.nodes;
    let alone = Line::Status(id, InstanceStatus::Alone);
    let recorded = nodes[id].data_status.clone();
    if nodes.iter().any(|node| node.role == ClusterRole::Promoted) {
        let out = recorded == Some(DataStatus::Disconnected);
        return go_on_with(running, if out { vec![alone] } else { Vec::new() });
    }
    let sync = world.versions[running.order.version].rep_mode == ReplicationMode::Sync;
    let fit = match recorded {
        None | Some(DataStatus::StreamingSync | DataStatus::Latest) => true,
        Some(DataStatus::StreamingAsync) => !sync,
        Some(
            DataStatus::StreamingQuorum
            | DataStatus::StreamingBehind
            | DataStatus::StreamingPotential
            | DataStatus::Other(_)
            | DataStatus::Disconnected,
        ) => false,
    };
    match fit {
        true => go_on_with(running, vec![alone, Line::ShowLocation, Line::MasterRight]),
        false => go_on_with(running, vec![alone]),
    }
}

/// Who has seen the same locations often enough, and has the furthest, asks to be promoted.
fn master_right(world: &mut World, id: HostId, running: &mut Running) -> Next {
    let settings = &world.versions[running.order.version];
    let listed = settings.node_list.iter().filter_map(|name| world.id(name));
    let said = |of: HostId| Some((of, world.hosts[id].cib.nodes[of].xlog_location?));
    let seen: Vec<(HostId, Lsn)> = listed.filter_map(said).collect();
    let mine = seen.iter().find(|(of, _)| *of == id).map(|(_, location)| *location);
    let furthest = seen.iter().map(|(_, location)| *location).max();
    let checks = match world.hosts[id].disk.note.take() {
        Some((noted, checks)) if noted == seen => checks + 1,
        Some(_) | None => 0,
    };
    if checks < CHECKS {
        world.hosts[id].disk.note = Some((seen, checks));
        return Next::Line;
    }
    if furthest == mine {
        let me = world.hosts[id].name.clone();
        let asks = Step::SetScore(me, PromotionScore::PROMOTE_ME);
        return go_on_with(running, vec![Line::Try(asks, TRIES)]);
    }
    world.hosts[id].disk.note = Some((seen, 0));
    go_on_with(running, vec![Line::Data(id, DataStatus::Disconnected)])
}

fn control(world: &mut World, id: HostId, running: &mut Running, repeats: bool) -> Next {
    match psql(world, id) {
        None => return Next::Again(10),
        Some(Phase::Primary) => {}
        Some(
            Phase::Absent
            | Phase::Orphans { .. }
            | Phase::Starting { .. }
            | Phase::Standby
            | Phase::Promoting { .. }
            | Phase::Stopping { .. },
        ) => return failed(),
    }
    let settings = &world.versions[running.order.version];
    let sync = settings.rep_mode == ReplicationMode::Sync;
    let two = settings.node_list.len() <= 2;
    let rows = replication::rows(world, id);
    let mut lines = Vec::new();
    for peer in peers(world, id, settings) {
        let name = world.hosts[peer].name.as_str();
        let row = rows.iter().find(|row| row.application_name == name);
        lines.extend(of_standby(peer, row, sync, two));
    }
    lines.extend(repeats.then_some(Line::ControlAgain));
    go_on_with(running, lines)
}

/// What a row of `pg_stat_replication`, or none, means for a standby.
fn of_standby(peer: HostId, row: Option<&StandbyRow>, sync: bool, two: bool) -> Vec<Line> {
    let word = |text: &Option<String>| text.as_deref().unwrap_or_default().to_uppercase();
    let shown = row.map(|row| format!("{}|{}", word(&row.state), word(&row.sync_state)));
    let never = Line::Score(peer, PromotionScore::Never);
    let can = Line::Score(peer, PromotionScore::CAN_PROMOTE);
    let data = |status| Line::Data(peer, status);
    let status = |status| Line::Status(peer, status);
    match shown.as_deref() {
        Some("STREAMING|SYNC") => {
            vec![data(DataStatus::StreamingSync), can, status(InstanceStatus::Sync)]
        }
        Some("STREAMING|ASYNC") => {
            let mut lines = vec![data(DataStatus::StreamingAsync)];
            match (sync, two) {
                (true, _) => lines.extend([never, Line::SyncMode(peer)]),
                (false, true) => lines.push(can),
                (false, false) => lines.push(never),
            }
            lines.push(status(InstanceStatus::Async));
            lines
        }
        Some("STREAMING|POTENTIAL") => {
            vec![data(DataStatus::StreamingPotential), never, status(InstanceStatus::Potential)]
        }
        other => {
            let what = other.map_or(DataStatus::Disconnected, |w| DataStatus::Other(w.to_owned()));
            let mut lines = vec![data(what), never];
            lines.extend(sync.then_some(Line::AsyncMode(peer)));
            lines.extend(other.map(|_| status(InstanceStatus::Connected)));
            lines
        }
    }
}

fn never(world: &World, id: HostId) -> Step {
    Step::SetScore(world.hosts[id].name.clone(), PromotionScore::Never)
}

/// `get_my_location`: the end of what was received or replayed; nothing if nobody answers.
fn location(world: &World, id: HostId) -> Option<Lsn> {
    let (server, disk) = (&world.hosts[id].server, &world.hosts[id].disk);
    match psql(world, id)? {
        Phase::Standby | Phase::Promoting { .. } => {
            let received = if server.asked_for_more { disk.wal.flushed() } else { 0 };
            Some(lsn(received.max(server.replayed)))
        }
        Phase::Absent
        | Phase::Orphans { .. }
        | Phase::Starting { .. }
        | Phase::Primary
        | Phase::Stopping { .. } => None,
    }
}

fn peers<'a>(
    world: &'a World,
    id: HostId,
    settings: &'a Settings,
) -> impl Iterator<Item = HostId> + 'a {
    settings.node_list.iter().filter_map(|name| world.id(name)).filter(move |peer| *peer != id)
}
