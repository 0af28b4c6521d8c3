//! Plays one round: clients, faults in threads of their own, the repair, the cluster's way back, the checks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use serde::Serialize;
use testbed::{Host, clock};

use crate::check;
use crate::clients::{Clients, Notes};
use crate::comeback::{Hand, bring_back};
use crate::error::{Error, panic_text};
use crate::mend::mend;
use crate::plan::{Incident, Plan, Whom};
use crate::progress::Progress;
use crate::scene::Scene;
use crate::setup::Setup;
use crate::site::{Site, failures, until};

/// Clients are served again, or served at all, within this time.
const SERVED: Duration = Duration::from_secs(60);
/// How often the line at the bottom of a terminal changes.
const TICK: Duration = Duration::from_millis(100);
/// Rows after which clients are served.
const ENOUGH_ROWS: usize = 20;

/// What came of a round.
#[derive(Debug, Serialize)]
pub struct Round {
    /// Its number.
    pub round: u64,
    /// The cluster.
    pub setup: Setup,
    /// What happened, in the plan's order.
    pub faults: Vec<&'static str>,
    /// The plan, the faults and the repair, with their times.
    pub story: Vec<String>,
    /// Rows that clients were told are committed.
    pub acknowledged: usize,
    /// Those of them that are gone.
    pub lost: usize,
    /// Rows that were read without a promise, and are gone.
    pub unpromised: usize,
    /// The longest time in which no client was told of a commit, in seconds.
    pub outage: f64,
    /// How long the cluster needed to become whole when all was mended, in seconds.
    pub whole_after: f64,
    /// How many hosts fencing switched off.
    pub fenced: usize,
    /// What an operator had to do.
    pub hands: Vec<Hand>,
    /// What is wrong.
    pub wrong: Vec<String>,
    /// How long the round took, in seconds.
    pub took: f64,
}

/// What is going on.
pub struct Stage<'a> {
    site: &'a Site,
    plan: &'a Plan,
    began: Instant,
    story: Mutex<Vec<String>>,
    at_work: Mutex<Vec<&'static str>>,
}

impl Stage<'_> {
    fn say(&self, progress: &Progress, text: &str) {
        let line = format!("{} {:5.1} s  {text}", clock(SystemTime::now()), self.seconds());
        progress.line(&line);
        self.story.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn work(&self, change: impl FnOnce(&mut Vec<&'static str>)) {
        change(&mut self.at_work.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Plays the round; what the clients noted comes with it, for the logs.
pub fn play(site: &Site, plan: &Plan, progress: &Progress) -> (Round, Option<Notes>) {
    let stage = Stage {
        site,
        plan,
        began: Instant::now(),
        story: Mutex::new(plan.to_string().lines().map(str::to_owned).collect()),
        at_work: Mutex::default(),
    };
    let mut round = Round {
        round: plan.round,
        setup: plan.setup,
        faults: plan.incidents.iter().map(|incident| incident.fault.name).collect(),
        story: Vec::new(),
        acknowledged: 0,
        lost: 0,
        unpromised: 0,
        outage: 0.0,
        whole_after: 0.0,
        fenced: 0,
        hands: Vec::new(),
        wrong: Vec::new(),
        took: 0.0,
    };
    let mut notes = None;
    let steps = AssertUnwindSafe(|| steps(&stage, progress, &mut round, &mut notes));
    match catch_unwind(steps) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => round.wrong.push(error.to_string()),
        Err(panic) => round.wrong.push(panic_text(panic.as_ref())),
    }
    for wrong in &round.wrong {
        stage.say(progress, &format!("WRONG: {wrong}"));
    }
    round.took = stage.seconds();
    round.story = stage.story.into_inner().unwrap_or_else(PoisonError::into_inner);
    (round, notes)
}

fn steps(
    stage: &Stage,
    progress: &Progress,
    round: &mut Round,
    notes: &mut Option<Notes>,
) -> Result<(), Error> {
    let site = stage.site;
    let timeline = timeline(site)?;
    let fenced = site.cluster.fenced().len();
    let clients = Clients::start(site)?;
    let began = SystemTime::now();
    served(&clients)?;
    let (hands, back, whole) = living(stage, progress, &clients, || {
        strike(stage, progress, &clients);
        mend_and_wait(stage, progress)
    });
    for hand in &hands {
        stage.say(progress, &format!("hand: {} on {}: {}", hand.act, hand.host, hand.reason));
    }
    round.wrong.extend(hands.iter().filter_map(|hand| hand.wrong.clone()));
    round.hands = hands;
    let back = back.and_then(|()| served(&clients));
    round.whole_after = whole.elapsed().as_secs_f64();
    let noted = notes.insert(clients.stop(began));
    round.acknowledged = noted.acknowledged().len();
    round.outage = noted.longest_outage().as_secs_f64();
    round.fenced = site.cluster.fenced().len() - fenced;
    round.wrong.extend(check::primaries(noted));
    round.wrong.extend(check::timeouts(site, began));
    back?;
    stage.say(progress, "the cluster is whole");
    for failure in site.cluster.state().iter().flat_map(failures) {
        stage.say(progress, &format!("on record: {failure}"));
    }
    let findings = check::data(site, noted, self::timeline(site)? != timeline)?;
    (round.lost, round.unpromised) = (findings.lost.len(), findings.unpromised);
    round.wrong.extend(findings.wrong);
    site.clean_up(None)
}

/// Does the work, and shows meanwhile what is going on.
fn living<T>(stage: &Stage, progress: &Progress, clients: &Clients, work: impl FnOnce() -> T) -> T {
    let (working, end) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                progress.now(&now(stage, clients));
            }
        });
        // Dropped at the end, also of a panic, so that the sign of life ends.
        let _working = working;
        work()
    })
}

/// Lets every incident of the plan happen, each in a thread of its own; returns when all are over.
fn strike(stage: &Stage, progress: &Progress, clients: &Clients) {
    std::thread::scope(|scope| {
        for incident in &stage.plan.incidents {
            scope.spawn(|| befall(stage, progress, clients, incident));
        }
    });
}

/// Repairs everything and waits until the cluster is whole; yields the hands, how that went, and since when it was mended.
fn mend_and_wait(stage: &Stage, progress: &Progress) -> (Vec<Hand>, Result<(), Error>, Instant) {
    stage.say(progress, "the faults are over: everything is mended now");
    let mended = mend(stage.site);
    let (mended_at, whole) = (SystemTime::now(), Instant::now());
    let (hands, back) = match mended {
        Ok(()) => {
            stage.say(progress, "everything is mended");
            bring_back(stage.site, mended_at)
        }
        Err(error) => (Vec::new(), Err(error)),
    };
    (hands, back, whole)
}

fn now(stage: &Stage, clients: &Clients) -> String {
    let at_work = stage.at_work.lock().unwrap_or_else(PoisonError::into_inner).join(", ");
    let (rows, seconds) = (clients.acknowledged(), stage.seconds());
    format!("round {}: {seconds:.0} s, {rows} rows, {at_work}", stage.plan.round)
}

fn served(clients: &Clients) -> Result<(), Error> {
    let before = clients.outside();
    let enough = || (clients.outside() >= before + ENOUGH_ROWS).then_some(());
    until("rows acknowledged through the clients' address", SERVED, enough)
}

/// The timeline of the server that accepts writes: every promotion makes a new one.
fn timeline(site: &Site) -> Result<String, Error> {
    let host = check::primary(site)?;
    let file = host.psql("select pg_walfile_name(pg_current_wal_insert_lsn())")?;
    Ok(file.get(..8).unwrap_or_default().to_owned())
}

/// Waits for the incident's time, lets it happen, and undoes it when it has lasted.
fn befall(stage: &Stage, progress: &Progress, clients: &Clients, incident: &Incident) {
    sleep(incident.at.saturating_sub(stage.began.elapsed()));
    let struck = Instant::now();
    let name = incident.fault.name;
    let host = victim(stage.site, clients, incident.whom);
    let words = match incident.fault.has_victim {
        true => format!("{}: {}", host.name(), incident.fault.words),
        false => incident.fault.words.to_owned(),
    };
    stage.work(|at_work| at_work.push(name));
    stage.say(progress, &format!("↓ {words}"));
    let dice = Rng::with_seed(incident.dice);
    let mut scene = Scene { site: stage.site, host, dice, lasts: incident.lasts };
    match guarded(|| (incident.fault.strike)(&mut scene)) {
        Ok(undo) => {
            sleep(incident.lasts.saturating_sub(struck.elapsed()));
            match guarded(undo) {
                Ok(()) => stage.say(progress, &format!("↑ over: {words}")),
                // It is repaired with everything else.
                Err(error) => stage.say(progress, &format!("↑ not yet repaired: {words}: {error}")),
            }
        }
        Err(error) => stage.say(progress, &format!("– came to nothing: {words}: {error}")),
    }
    stage.work(|at_work| {
        if let Some(place) = at_work.iter().position(|known| *known == name) {
            at_work.remove(place);
        }
    });
}

/// The testbed's words panic when it cannot do them, on a host that another fault has switched off for instance.
fn guarded<T>(act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|panic| Err(Error::said(panic_text(panic.as_ref()))))
}

fn victim(site: &Site, clients: &Clients, whom: Whom) -> Host {
    let mut hosts = site.cluster.hosts();
    let primary = clients.last_primary();
    let is_primary = |host: &Host| Some(host.name()) == primary.as_deref();
    match whom {
        Whom::Primary => {
            let found = hosts.iter().position(is_primary);
            hosts.swap_remove(found.unwrap_or_default())
        }
        Whom::Standby(number) => {
            hosts.retain(|host| !is_primary(host));
            let place = number % hosts.len();
            hosts.swap_remove(place)
        }
        Whom::Host(number) => {
            let place = number % hosts.len();
            hosts.swap_remove(place)
        }
    }
}
