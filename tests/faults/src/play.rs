//! Plays one case on one healthy cluster: writers and probe, the fault, the service's return, the repair, the hosts'
//! return, the count. What befalls the cluster is the case's; what the numbers mean is `row`'s.

use std::time::{Duration, Instant, SystemTime};

use testbed::{LedgerPlan, PrimariesProbe};

use crate::case::{Case, Expect, Fences, Heal, Setup};
use crate::comeback::bring_back;
use crate::error::Error;
use crate::measure::{Notes, measure};
use crate::row::{Hand, Measured, Permits, judge};
use crate::site::{CLIENT_ADDRESS, Roles, SOON, Site, until};
use crate::stage::Stage;

/// What the client sends to an address that moves is lost; the sooner it tries again, the finer the outage is known.
const CONNECT_LIMIT: Duration = Duration::from_millis(150);
/// Rows after which the cluster serves its clients.
const ENOUGH_ROWS: usize = 30;
/// More than any failover takes, even with slow fencing on a busy machine.
const SERVICE: Duration = Duration::from_secs(300);

/// Longer than the interval of every monitor.
pub const A_MONITOR_LATER: Duration = Duration::from_secs(12);

/// What came of a case.
pub struct Played {
    /// What was measured and what is wrong with it, or why the case did not come to its end.
    pub result: Result<(Measured, Vec<String>), Error>,
    /// What the writers and the probe noted, for the logs.
    pub notes: Notes,
}

/// Plays the case. An error is one of the testbed before anything has befallen the cluster.
pub fn play(site: &Site, roles: Roles, case: &Case) -> Result<Played, Error> {
    let primary = site.cluster.host(&roles.primary);
    let fenced_before = site.cluster.fenced().len();
    let probe = PrimariesProbe::start(&site.cluster)?;
    let outside = LedgerPlan::from_client(&site.cluster, CLIENT_ADDRESS)
        .connect_limit(CONNECT_LIMIT)
        .start()?;
    let inside = LedgerPlan::inside(&primary).connect_limit(CONNECT_LIMIT).start()?;
    until("acknowledged rows before the fault", SOON, || {
        (outside.acknowledged() > ENOUGH_ROWS && inside.acknowledged() > 0).then_some(())
    })?;
    let mut stage = Stage {
        site,
        roles,
        ledger: &outside,
        struck: SystemTime::now(),
        postmaster: primary.postmaster_began(),
        complaints: Vec::new(),
        children: Vec::new(),
    };
    let hands = steps(&mut stage, case);
    let complaints = std::mem::take(&mut stage.complaints);
    let struck = stage.struck;
    drop(stage);
    let notes =
        Notes { struck, outside: outside.stop(), inside: inside.stop(), primaries: probe.stop() };
    let result = hands.and_then(|hands| {
        let measured = measure(site, &notes, fenced_before)?;
        let measured = Measured { hands, complaints, ..measured };
        let wrong = judge(&measured, permits(site, case));
        Ok((measured, wrong))
    });
    Ok(Played { result: result.map_err(|error| with_complaint(&error, &notes)), notes })
}

fn permits(site: &Site, case: &Case) -> Permits {
    Permits {
        mode: site.kind.mode,
        expect: case.expect,
        fencing: case.fences == Fences::Maybe,
        rewinds: site.kind.setup == Setup::Rewind,
    }
}

/// The last complaint of the client says most about a service that does not come back.
fn with_complaint(error: &Error, notes: &Notes) -> Error {
    Error::said(match notes.outside.complaints.last() {
        Some((_, last)) => format!("{error}; the client heard last: {last}"),
        None => error.to_string(),
    })
}

fn steps(stage: &mut Stage, case: &Case) -> Result<Vec<Hand>, Error> {
    stage.struck = SystemTime::now();
    (case.strike)(stage)?;
    let needed = || case.heal == Heal::WhenNeeded && stage.new_primary(SOON).is_err();
    let first = case.heal.is_first(stage.site.kind.mode) || needed();
    if first {
        heal(stage, case)?;
    }
    match case.expect {
        Expect::FailsOver | Expect::Moves => drop(stage.new_primary(SERVICE)?),
        Expect::Stays | Expect::MayMove | Expect::Either => {
            // What goes wrong here goes wrong when somebody looks.
            let moment = Instant::now();
            until("a monitor later", SOON, || (moment.elapsed() > A_MONITOR_LATER).then_some(()))?;
        }
    }
    stage.rows(ENOUGH_ROWS, SERVICE)?;
    if !first {
        heal(stage, case)?;
    }
    let hands = bring_back(stage)?;
    stage.rows(ENOUGH_ROWS, SOON)?;
    if case.expect == Expect::Stays && stage.primary().postmaster_began() != stage.postmaster {
        stage.complain("the primary's server was restarted or stopped for nothing");
    }
    if let Some(check) = case.check {
        check(stage)?;
    }
    Ok(hands)
}

/// Repairs the case's own damage, the links, and the power.
fn heal(stage: &mut Stage, case: &Case) -> Result<(), Error> {
    if let Some(repair) = case.repair {
        repair(stage)?;
    }
    let cluster = stage.cluster();
    cluster.heal_network()?;
    // A slow power switch may still be about to act on a request of before.
    until("every host is on and in the cluster", SOON, || {
        cluster.power_on().ok()?;
        let state = cluster.state().ok()?;
        (state.quorum && state.online().len() == cluster.hosts().len()).then_some(())
    })
}
