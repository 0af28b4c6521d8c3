//! The agent on a host: its engine, one step at a time, with the world moving between any two of them.

use std::borrow::Cow;
use std::time::Duration;

use pgsql_ha::decide::decide;
use pgsql_ha::engine::{Engine, Next, Request};
use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::Cluster;
use pgsql_ha::model::notification::Notification;
use pgsql_ha::model::settings::Settings;
use pgsql_ha::model::step::Step;
use pgsql_ha::model::verdict::{Outcome, Reason, Verdict};

use crate::invariants;
use crate::mutation::Mutation;
use crate::observe::observe;
use crate::shell::Script;
use crate::world::{HostId, TICK_MS, Tick, World};
use crate::{execute, inject, pacemaker, shell};

/// An action that Pacemaker asked for.
#[derive(Debug, Clone)]
pub struct Order {
    pub action: Action,
    pub notification: Notification,
    pub probe: bool,
    /// Whether Pacemaker takes the instance for a standby.
    pub of_standby: bool,
    pub timeout: Tick,
    /// The parameters, as the coordinator has them.
    pub version: usize,
}

/// An action under way.
pub struct Running {
    pub order: Order,
    pub engine: Engine,
    pub began: Tick,
    /// What was read of the cluster last.
    pub read: Option<Result<Cluster, String>>,
    /// The process waits for something, or is not given the processor, until then.
    pub blocked_until: Tick,
    /// A step that was decided and not yet taken.
    pub decided: Option<Step>,
    /// Until when a server that does not answer is waited for.
    pub asked_until: Option<Tick>,
    /// Since when it has waited for the primary's history.
    pub asks_since: Option<Tick>,
    /// Until when `pg_rewind` runs.
    pub rewinds_until: Option<Tick>,
    /// What the shell agent does, if it is that.
    pub script: Option<Script>,
}

impl Running {
    /// How long it has run.
    pub const fn elapsed(&self, now: Tick) -> Duration {
        Duration::from_millis((now - self.began) * TICK_MS)
    }

    /// Ticks until the deadline: the timeout less a margin.
    pub fn remaining(&self, now: Tick) -> Tick {
        self.engine.time(self.elapsed(now)).remaining.as_millis() as Tick / TICK_MS
    }
}

/// Gives the agent of a host some of the processor.
pub fn act(world: &mut World, id: HostId) {
    if !world.hosts[id].on {
        return;
    }
    begin(world, id);
    for _ in 0..world.chance.u8(1..6) {
        let Some(running) = world.hosts[id].agent.take() else { return };
        if world.now < running.blocked_until {
            world.hosts[id].agent = Some(running);
            return;
        }
        if world.now >= running.began + running.order.timeout {
            return end(world, id, running, None);
        }
        match advance(world, id, running) {
            Progress::Goes(running) => world.hosts[id].agent = Some(*running),
            Progress::Waits(running) => {
                world.hosts[id].agent = Some(*running);
                return;
            }
            Progress::Over => return,
        }
    }
}

enum Progress {
    Goes(Box<Running>),
    Waits(Box<Running>),
    Over,
}

fn begin(world: &mut World, id: HostId) {
    if world.hosts[id].agent.is_some() {
        return;
    }
    let Some(order) = world.hosts[id].orders.pop_front() else { return };
    world.actions += 1;
    let request = Request {
        action: order.action,
        notification: order.notification.clone(),
        probe: order.probe,
        of_standby: order.of_standby,
        timeout: Duration::from_millis(order.timeout * TICK_MS),
    };
    let engine = Engine::new(request, &world.versions[order.version]);
    world.trace(|| {
        let event = order.notification.event;
        format!(
            "{} {} {}",
            world.hosts[id].name,
            order.action.name(),
            event.map_or_else(String::new, |e| format!("{e:?}"))
        )
    });
    if order.action == Action::Promote {
        world.hosts[id].had_lock = world.hosts[id].disk.lock.is_some();
    }
    let script = world.hosts[id].shell.then(|| shell::script(world, id, &order));
    world.hosts[id].agent = Some(Running {
        order,
        engine,
        began: world.now,
        read: None,
        blocked_until: 0,
        decided: None,
        asked_until: None,
        asks_since: None,
        rewinds_until: None,
        script,
    });
}

fn advance(world: &mut World, id: HostId, mut running: Running) -> Progress {
    if running.script.is_some() {
        return match shell::advance(world, id, &mut running) {
            Some(outcome) => {
                end(world, id, running, Some(outcome));
                Progress::Over
            }
            None => Progress::Goes(Box::new(running)),
        };
    }
    if let Some(step) = running.decided.take() {
        take(world, id, &mut running, step);
        return Progress::Goes(Box::new(running));
    }
    let elapsed = running.elapsed(world.now);
    let over = running.engine.out_of_time(&settings(world, id, &running), elapsed);
    if let Some(outcome) = over {
        end(world, id, running, Some(outcome));
        return Progress::Over;
    }
    let Some(mut seen) = observe(world, id, &mut running) else {
        return Progress::Waits(Box::new(running));
    };
    if let Some(mutation) = world.options.mutation {
        inject::distort(mutation, &mut seen, running.order.action);
    }
    let settings = settings(world, id, &running);
    let verdict = decide(running.order.action, &settings, &seen);
    let verdict = inject::replace(world.options.mutation, &seen, running.order.action, verdict);
    if let Verdict::Wait(Reason::HistoryOf(_) | Reason::CheckpointOf(_)) = verdict {
        running.asks_since.get_or_insert(world.now);
    }
    match running.engine.follow(&settings, seen, verdict) {
        Next::End(outcome) => {
            end(world, id, running, Some(outcome));
            Progress::Over
        }
        Next::Take(step) => {
            // Between a decision and its deed anything may happen.
            running.blocked_until = match world.chance.u8(..40) {
                0 => world.now + world.chance.u64(1..25),
                1..=8 => world.now + 1,
                _ => 0,
            };
            running.decided = Some(step);
            Progress::Goes(Box::new(running))
        }
        Next::Wait(_) => {
            running.blocked_until = world.now + 1;
            Progress::Waits(Box::new(running))
        }
    }
}

/// The parameters with which the action was called, as the mutation has them.
fn settings<'a>(world: &'a World, id: HostId, running: &Running) -> Cow<'a, Settings> {
    let asked = &world.versions[running.order.version];
    inject::settings(world.options.mutation, &world.hosts[id].name, asked)
}

fn take(world: &mut World, id: HostId, running: &mut Running, step: Step) {
    if step.changes_record()
        && world.options.mutation == Some(Mutation::QuorumRemembered)
        && let Some(read) = running.read.clone()
    {
        running.engine.hear_cluster(read);
    }
    let skipped =
        inject::skips(world.options.mutation, running.order.action, running.engine.taken(), &step);
    let error = match skipped {
        true => None,
        false => execute::execute(world, id, running, &step).err(),
    };
    if error.is_none() && running.rewinds_until.is_some() {
        running.decided = Some(step);
        return;
    }
    world.trace(|| {
        let error = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        format!("  {} {} {step:?}{error}", world.hosts[id].name, running.order.action.name())
    });
    let ended = running.elapsed(world.now.max(running.blocked_until));
    running.engine.ended(step, ended, error);
}

/// Ends an action; without an outcome it was killed.
fn end(world: &mut World, id: HostId, running: Running, outcome: Option<Outcome>) {
    world.trace(|| {
        let told = outcome.as_ref().map_or("killed".to_owned(), |outcome| format!("{outcome:?}"));
        format!("{} {} ends: {told}", world.hosts[id].name, running.order.action.name())
    });
    invariants::at_end(world, id, &running, outcome.as_ref());
    pacemaker::record(world, id, &running.order, outcome.as_ref());
}

/// Kills the agent's process wherever it is.
pub fn kill(world: &mut World, id: HostId) {
    if let Some(running) = world.hosts[id].agent.take() {
        end(world, id, running, None);
    }
}
