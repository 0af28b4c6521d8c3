//! Everything that may befall the cluster, with how often it is drawn and how long it lasts. Who is hit, and when, is
//! the plan's.

mod daemons;
mod network;
mod operator;
mod power;
mod server;
mod storage;

use fastrand::Rng;

use crate::error::Error;
use crate::scene::{Scene, Undo};

/// A fault.
pub struct Fault {
    /// Its name, for counts.
    pub name: &'static str,
    /// What happens.
    pub words: &'static str,
    /// How often it is drawn, beside the others.
    pub weight: u32,
    /// For how many seconds it lasts, at least and at most.
    pub lasts_s: (u64, u64),
    /// Whether it befalls one host.
    pub has_victim: bool,
    /// Lets it happen; yields what ends it.
    pub strike: for<'a> fn(&mut Scene<'a>) -> Result<Undo<'a>, Error>,
}

const LISTS: [&[Fault]; 6] = [
    &power::FAULTS,
    &network::FAULTS,
    &server::FAULTS,
    &storage::FAULTS,
    &daemons::FAULTS,
    &operator::FAULTS,
];

impl Fault {
    const fn new(
        name: &'static str,
        words: &'static str,
        weight: u32,
        lasts_s: (u64, u64),
        strike: for<'a> fn(&mut Scene<'a>) -> Result<Undo<'a>, Error>,
    ) -> Self {
        Self { name, words, weight, lasts_s, has_victim: true, strike }
    }

    /// It befalls the whole cluster.
    const fn of_all(mut self) -> Self {
        self.has_victim = false;
        self
    }
}

/// Every fault.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    LISTS.into_iter().flatten()
}

/// Draws one.
pub fn draw(dice: &mut Rng) -> &'static Fault {
    let mut left = dice.u32(0..all().map(|fault| fault.weight).sum());
    for fault in all() {
        match left.checked_sub(fault.weight) {
            Some(rest) => left = rest,
            None => return fault,
        }
    }
    &LISTS[0][0]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_faults_have_one_name_and_each_can_be_drawn() {
        let names: BTreeSet<_> = all().map(|fault| fault.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|fault| fault.weight > 0 && fault.lasts_s.0 <= fault.lasts_s.1));
    }
}
