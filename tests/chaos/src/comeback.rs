//! Waits until the cluster is whole by itself, and does what an operator would where it does not become so: forgets
//! failures that the faults have caused, copies data that has proven to have diverged. What was done is noted.

use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use testbed::{ActionResult, Data, Failure, State, standing};

use crate::error::Error;
use crate::setup::Rejoin;
use crate::site::{LOCK, RESOURCE, Site, until};

/// The cluster has this long for becoming whole. Pacemaker looks again at what it had to leave after a minute
/// (cluster-recheck-interval in the example).
const BOUND: Duration = Duration::from_secs(180);
/// What is whole for this long is not about to fall.
const STAYS: Duration = Duration::from_secs(2);
/// A cluster that has nothing to do for this long, and is not whole, waits for somebody.
const IDLE: Duration = Duration::from_secs(8);

/// What fails within this time after the repair was begun before it.
const AFTERMATH: Duration = Duration::from_secs(20);

/// Something that an operator had to do.
#[derive(Debug, Clone, Serialize)]
pub struct Hand {
    /// Where.
    pub host: String,
    /// What.
    pub act: &'static str,
    /// How the data there stood to the primary's.
    pub data: Option<Data>,
    /// Why: what the cluster said, and how the data stood.
    pub reason: String,
    /// What is wrong with it; nothing where the faults or the data have made it necessary.
    pub wrong: Option<String>,
}

/// Waits until the cluster is whole; yields what had to be done by hand. All was mended at that time.
pub fn bring_back(site: &Site, mended: SystemTime) -> (Vec<Hand>, Result<(), Error>) {
    let mut hands = Vec::new();
    for _ in 0..8 {
        match whole_or_stuck(site) {
            Ok(None) => return (hands, Ok(())),
            Ok(Some(state)) => match lend_a_hand(site, &state, mended, &mut hands) {
                Ok(()) => {}
                Err(error) => return (hands, Err(error)),
            },
            Err(error) => return (hands, Err(error)),
        }
    }
    (hands, Err(Error::said("the cluster is not whole in spite of eight hands")))
}

/// Waits until all is well, or until nothing is under way although not all is well and failures are on record.
fn whole_or_stuck(site: &Site) -> Result<Option<State>, Error> {
    let mut idle_since: Option<Instant> = None;
    let mut whole_since: Option<(String, Instant)> = None;
    let mut missing = String::from("no host answers");
    let waited = until("a whole cluster", BOUND, || {
        let state = site.cluster.state().ok()?;
        match site.is_whole(&state) {
            Ok(primary) => {
                let since = whole_since.take().filter(|(before, _)| *before == primary);
                let since = since.map_or_else(Instant::now, |(_, since)| since);
                whole_since = Some((primary, since));
                return (since.elapsed() > STAYS).then_some(None);
            }
            Err(why) => {
                (missing, whole_since) = (why, None);
            }
        }
        if state.online().len() < site.cluster.hosts().len() {
            // A slow power switch has acted on a request of before; what fails here is tried again.
            let _again = site.cluster.power_on();
        }
        let idle = site.cluster.is_idle(&state);
        let since = *idle_since.get_or_insert_with(Instant::now);
        if !idle {
            idle_since = None;
        }
        (idle && waits_for_somebody(&state) && since.elapsed() > IDLE).then_some(Some(state))
    });
    waited.map_err(|error| Error::said(format!("{error}: {missing}")))
}

/// Nobody is primary, or a node does not run the server, and failures are on record that may be why.
fn waits_for_somebody(state: &State) -> bool {
    let running = state.active(RESOURCE);
    let nobody = state.promoted().is_empty();
    failures(state).any(|failure| nobody || !running.contains(&failure.node.as_str()))
}

fn failures(state: &State) -> impl Iterator<Item = &Failure> {
    state.failures.iter().filter(|failure| failure.operation.starts_with(RESOURCE))
}

/// Nodes that do not run the server and have failures on record are helped; if all run it, all failures are forgotten.
fn lend_a_hand(
    site: &Site,
    state: &State,
    mended: SystemTime,
    hands: &mut Vec<Hand>,
) -> Result<(), Error> {
    let running = state.active(RESOURCE);
    let stuck: Vec<_> =
        failures(state).filter(|failure| !running.contains(&failure.node.as_str())).collect();
    let primary = state.promoted().first().map(|name| site.cluster.host(name));
    if stuck.is_empty() || primary.is_none() {
        for failure in failures(state) {
            hands.push(cleanup(site, failure, None, mended, hands));
        }
        return site.clean_up(None);
    }
    let primary = primary.ok_or_else(|| Error::said("no primary"))?;
    let mut done: Vec<&str> = Vec::new();
    for failure in stuck {
        if done.contains(&failure.node.as_str()) {
            continue;
        }
        done.push(&failure.node);
        let host = site.cluster.host(&failure.node);
        let (data, proof) = standing(&host, &primary);
        let before = hands.iter().any(|hand| hand.host == failure.node && hand.act == "cleanup");
        // Whoever may rewind gets another start first: a fault may have ended the one on record.
        let may_return = data == Data::Prefix || site.setup.rejoin == Rejoin::Rewind;
        if may_return && !before {
            let mut hand = cleanup(site, failure, Some(data), mended, hands);
            hand.reason = format!("{}; {proof}", hand.reason);
            hands.push(hand);
        } else {
            host.copy_from(&primary)?;
            host.run_ok(&["rm", "-f", LOCK])?;
            let wrong = match (data, site.setup.rejoin) {
                (Data::Diverged, Rejoin::Verify) => None,
                (Data::Diverged, Rejoin::Rewind) => Some("it may rewind"),
                (Data::Prefix, _) => Some("its data was a prefix"),
                (Data::Unknown, _) => Some("nobody can tell why"),
            };
            let wrong = wrong.map(|why| format!("{} needed a copy although {why}", failure.node));
            let reason = format!("{}: {}; {proof}", failure.operation, failure.reason);
            let (host, data) = (failure.node.clone(), Some(data));
            hands.push(Hand { host, act: "copy", data, reason, wrong });
        }
        site.clean_up(Some(&failure.node))?;
    }
    Ok(())
}

/// Failures of the time of the faults may be forgotten by hand; one of later is a fault of its own.
fn cleanup(
    site: &Site,
    failure: &Failure,
    data: Option<Data>,
    mended: SystemTime,
    hands: &[Hand],
) -> Hand {
    let later = site.cluster.actions().into_iter().find(|action| {
        let key = format!("{}_{}_", action.resource, action.action);
        action.when > mended + AFTERMATH
            && action.host == failure.node
            && failure.operation.starts_with(&key)
            && !matches!(action.result, ActionResult::Exit(0 | 8))
    });
    let again = hands.iter().any(|hand| hand.host == failure.node);
    let why = match (later, again) {
        (Some(_), _) => Some("it failed when all was mended"),
        (None, true) => Some("it had been cleaned up"),
        (None, false) => None,
    };
    let wrong = why.map(|why| format!("{} needed a cleanup: {why}", failure.node));
    let reason = format!("{} {}: {}", failure.operation, failure.exit_status, failure.reason);
    Hand { host: failure.node.clone(), act: "cleanup", data, reason, wrong }
}
