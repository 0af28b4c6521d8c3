//! The hosts' way back: waits until every host streams, and does what an operator would for those that do not. What had
//! to be done is noted with how the host's data stood, for that decides whether it should have been necessary.

use std::time::{Duration, Instant};

use testbed::{Data, State, standing};

use crate::error::Error;
use crate::row::Hand;
use crate::site::{LOCK, SOON, status, until};
use crate::stage::{Stage, refusal};

/// Longer than a standby needs to find its primary on a busy machine.
const PATIENCE: Duration = Duration::from_secs(75);

/// Waits until every host streams; yields what had to be done by hand.
pub fn bring_back(stage: &Stage) -> Result<Vec<Hand>, Error> {
    let mut hands = Vec::new();
    // Each host needs one hand at most, and clearing a failure up may be one more.
    for _ in 0..4 {
        let Some(stuck) = first_stuck(stage)? else { return Ok(hands) };
        let again = hands.iter().any(|hand: &Hand| hand.host == stuck.host);
        hands.push(lend_a_hand(stage, &stuck, again)?);
    }
    Err(Error::said(format!("not healthy again in spite of {hands:?}")))
}

/// A host that does not return by itself.
struct Stuck {
    host: String,
    primary: String,
    reason: Option<String>,
}

/// Waits until all is well, or a start was refused and nothing else is under way.
fn first_stuck(stage: &Stage) -> Result<Option<Stuck>, Error> {
    let began = Instant::now();
    until("either health or a stuck host", PATIENCE * 2, || {
        if stage.site.roles().is_some() {
            return Some(None);
        }
        let state = stage.cluster().state().ok()?;
        let [primary] = state.promoted()[..] else { return None };
        let others: Vec<_> = state.nodes.iter().filter(|node| node.name != primary).collect();
        let refused = others.iter().find_map(|node| Some((node, refusal(&state, &node.name)?)));
        let stuck = |host: &str, reason| {
            let (host, primary) = (host.to_owned(), primary.to_owned());
            Some(Some(Stuck { host, primary, reason }))
        };
        let pending = state.resources.iter().any(|resource| resource.pending.is_some());
        if let Some((node, reason)) = refused {
            return if pending { None } else { stuck(&node.name, Some(reason)) };
        }
        let idle = others.iter().find(|node| {
            !status(&state, &node.name).starts_with("HS:") || is_alone(&state, &node.name)
        });
        match idle {
            Some(node) if began.elapsed() > PATIENCE => stuck(&node.name, None),
            Some(_) | None => None,
        }
    })
}

fn is_alone(state: &State, node: &str) -> bool {
    matches!(status(state, node), "HS:alone" | "HS:connected")
}

/// The cheapest that an operator would try: another start where the data is sound, a copy otherwise.
fn lend_a_hand(stage: &Stage, stuck: &Stuck, again: bool) -> Result<Hand, Error> {
    let host = stage.cluster().host(&stuck.host);
    let primary = stage.cluster().host(&stuck.primary);
    let runs = host.postmaster().is_some();
    if runs {
        stage.set_standby(&stuck.host, true)?;
        stage.stopped(&stuck.host)?;
    }
    let (data, proof) = standing(&host, &primary);
    let act = match &stuck.reason {
        Some(reason) if data == Data::Prefix && !again => {
            host.run_ok(&["rm", "-f", LOCK])?;
            if reason.contains("PGSQL.lock") { "removed lock" } else { "cleanup" }
        }
        Some(_) | None => {
            host.copy_from(&primary)?;
            host.run_ok(&["rm", "-f", LOCK])?;
            "copy"
        }
    };
    if runs {
        stage.set_standby(&stuck.host, false)?;
    }
    // Pacemaker now and then loses a start that follows the removal of a failure at once.
    for _ in 0..3 {
        stage.clean_up(&stuck.host)?;
        if until("the host that was helped runs", SOON / 6, || host.postmaster()).is_ok() {
            break;
        }
    }
    let reason = stuck.reason.clone().unwrap_or_else(|| "it did not stream".into());
    Ok(Hand { host: stuck.host.clone(), act: act.into(), data, proof, reason })
}
