//! What a returning node has to know: its own data, and the history of the primary.
//!
//! Read only when a start asks for it. Nothing is compared here.

use std::time::{Duration, Instant};

use crate::model::node::NodeName;
use crate::model::rejoin::{Evidence, OwnData, PrimaryData};
use crate::model::settings::Rejoin;
use crate::postgres::standby::Standby;
use crate::postgres::{backup_label, control_data, remote, wal_directory, wal_end};
use crate::world::World;

/// How soon a primary that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Reads both sides, and again when a decision finds that it is not enough.
#[derive(Debug, Default)]
pub struct Inquiry {
    primary: Option<NodeName>,
    not_enough: bool,
    asked: Option<Instant>,
    evidence: Option<Evidence>,
}

impl Inquiry {
    /// Remembers that a decision waits for more than is known of this primary.
    pub fn want(&mut self, primary: &NodeName) {
        if self.primary.as_ref() != Some(primary) {
            *self = Self { primary: Some(primary.clone()), ..Self::default() };
        }
        self.not_enough = true;
    }

    /// Forgets what was read: a step has changed it.
    pub fn forget(&mut self) {
        self.evidence = None;
    }

    /// Tells whether the next look asks the primary once more.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.not_enough && self.asked.is_some_and(|asked| asked.elapsed() >= ASK_AGAIN)
    }

    /// Returns what is known, after asking what is due.
    pub fn look(&mut self, world: &World) -> Option<Evidence> {
        let primary = self.primary.as_ref()?;
        if self.evidence.is_none() || self.is_due() {
            let theirs = ask(world, primary);
            let own = own_data(world, theirs.as_ref().ok());
            self.evidence = Some(Evidence { own, primary: theirs });
            self.asked = Some(Instant::now());
            self.not_enough = false;
        }
        self.evidence.clone()
    }
}

fn own_data(world: &World, primary: Option<&PrimaryData>) -> Result<OwnData, String> {
    let (settings, user) = (&world.settings, &world.user);
    // Without the lock the server is to start even if all that takes too long.
    let deadline = world.clock.within(world.clock.remaining() / 2);
    let version = world.version.ok_or("there is no data directory")?;
    let control = control_data::read(settings, user, deadline).map_err(|e| e.to_string())?;
    let timeline = control.newest_timeline();
    let history = wal_directory::history(settings, user, version, timeline);
    // Beside a primary on the same timeline, or of another cluster, it would prove nothing.
    let matters = primary.is_some_and(|primary| {
        primary.system_identifier == control.system_identifier
            && primary.history.fork_point(timeline).is_some()
    });
    let wal_end = matters.then(|| {
        wal_end::find(settings, user, version, &control, history.as_ref(), deadline)
            .map_err(|error| error.to_string())
    });
    Ok(OwnData {
        wal_end,
        history,
        newest_segment: wal_directory::newest_timeline(settings, user, version),
        is_copy: backup_label::is_there(settings, user).map_err(|e| e.to_string())?,
        control,
    })
}

/// Asks the primary at its address, and at its node if that does not answer: the address may be a
/// moment later than the promotion.
fn ask(world: &World, primary: &NodeName) -> Result<PrimaryData, String> {
    let version = world.version.ok_or("there is no data directory")?;
    let deadline = world.clock.deadline;
    let at = |address| Standby { primary: Some(address), ..world.standby(version, None) };
    let mut errors = Vec::new();
    for address in [world.settings.master_ip.as_str(), primary.as_str()] {
        match remote::history(&at(address), deadline) {
            Ok((system_identifier, history)) => {
                let source = (world.settings.rejoin == Rejoin::Rewind).then(|| {
                    remote::rewind_source(&at(address), deadline).map_err(|e| e.to_string())
                });
                let address = address.to_owned();
                return Ok(PrimaryData { address, system_identifier, history, source });
            }
            Err(error) => errors.push(error.to_string()),
        }
    }
    Err(errors.join("; "))
}
