//! What befalls whom, when, and for how long: a function of the seed and the round alone, so that a round can be played
//! again.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use crate::arguments::Arguments;
use crate::catalogue::{self, Fault};
use crate::setup::Setup;

/// How many rounds a cluster lives.
pub const LIFE: u64 = 6;
/// Within this time faults begin.
const BEGIN_MS: u64 = 10_000;

/// Whom a fault befalls; who that is turns out when it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The host whose server accepts writes.
    Primary,
    /// One of the others, counted round.
    Standby(usize),
    /// That host, whatever it is.
    Host(usize),
}

/// A fault, its victim and its time.
pub struct Incident {
    /// What.
    pub fault: &'static Fault,
    /// Whom.
    pub whom: Whom,
    /// When, after the round's begin.
    pub at: Duration,
    /// For how long.
    pub lasts: Duration,
    /// Decides the rest.
    pub dice: u64,
}

/// A round.
pub struct Plan {
    /// Its number.
    pub round: u64,
    /// The cluster it is played on.
    pub setup: Setup,
    /// What happens.
    pub incidents: Vec<Incident>,
}

/// Numbers for one purpose, whatever else is drawn from the seed.
fn dice(seed: u64, number: u64, purpose: u64) -> Rng {
    let mut dice = Rng::with_seed(seed);
    let mixed = dice.u64(..) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (purpose << 56);
    Rng::with_seed(mixed)
}

/// What the cluster of that round is like.
pub fn setup(seed: u64, round: u64, arguments: &Arguments) -> Setup {
    Setup::draw(&mut dice(seed, round / LIFE, 1), arguments)
}

impl Plan {
    /// Draws the round.
    pub fn draw(seed: u64, round: u64, arguments: &Arguments) -> Self {
        let setup = setup(seed, round, arguments);
        let mut dice = dice(seed, round, 2);
        let count = [1, 2, 2, 3, 3][dice.usize(0..5)];
        let mut incidents: Vec<_> = (0..count).map(|_| incident(&mut dice)).collect();
        incidents.sort_by_key(|incident| incident.at);
        Self { round, setup, incidents }
    }
}

fn incident(dice: &mut Rng) -> Incident {
    let fault = catalogue::draw(dice);
    let whom = match dice.u8(0..20) {
        0..10 => Whom::Primary,
        10..17 => Whom::Standby(dice.usize(0..4)),
        _ => Whom::Host(dice.usize(0..60)),
    };
    let at = Duration::from_millis(dice.u64(0..BEGIN_MS));
    let (least, most) = fault.lasts_s;
    // Some outlast a slow power switch.
    let most = if dice.u8(0..4) == 0 { 2 * most } else { most };
    let lasts = Duration::from_millis(dice.u64(least * 1000..=most * 1000));
    Incident { fault, whom, at, lasts, dice: dice.u64(..) }
}

impl Incident {
    /// In words, on a cluster of so many hosts.
    fn told(&self, hosts: usize) -> String {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        let whom = match self.whom {
            _ if !self.fault.has_victim => String::new(),
            Whom::Primary => " (the primary)".into(),
            Whom::Standby(number) => {
                format!(" (standby {} of {})", number % (hosts - 1) + 1, hosts - 1)
            }
            Whom::Host(number) => format!(" (pm{:02})", number % hosts + 1),
        };
        format!("{at:5.1} s, for {lasts:4.1} s: {}{whom}", self.fault.words)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "round {} on {}", self.round, self.setup)?;
        let hosts = usize::from(self.setup.hosts);
        let mut incidents = self.incidents.iter();
        incidents.try_for_each(|incident| write!(formatter, "\n  {}", incident.told(hosts)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser;

    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::parse_from([&["chaos"], words].concat())
    }

    #[test]
    fn the_same_seed_gives_the_same_rounds() {
        let show = |seed, round| Plan::draw(seed, round, &arguments(&[])).to_string();
        for round in 0..50 {
            assert_eq!(show(4711, round), show(4711, round));
        }
        let different: BTreeSet<_> = (0..50).map(|round| show(4711, round)).collect();
        assert_eq!(different.len(), 50);
        assert_ne!(show(1, 0), show(2, 0));
    }

    #[test]
    fn what_is_fixed_changes_nothing_else() {
        for round in 0..30 {
            let free = Plan::draw(7, round, &arguments(&[]));
            let fixed = Plan::draw(7, round, &arguments(&["--hosts", "3", "--mode", "any"]));
            assert_eq!(fixed.setup.hosts, 3);
            assert_eq!(free.setup.rejoin, fixed.setup.rejoin);
            let lines = |plan: &Plan| {
                plan.incidents.iter().map(|incident| incident.told(3)).collect::<Vec<_>>()
            };
            assert_eq!(lines(&free), lines(&fixed));
        }
    }

    #[test]
    fn every_fault_is_drawn_some_day() {
        let plans = (0..2000).map(|round| Plan::draw(1, round, &arguments(&[])));
        let drawn: BTreeSet<_> =
            plans.flat_map(|plan| plan.incidents).map(|incident| incident.fault.name).collect();
        let all: BTreeSet<_> = catalogue::all().map(|fault| fault.name).collect();
        assert_eq!(drawn, all);
    }
}
