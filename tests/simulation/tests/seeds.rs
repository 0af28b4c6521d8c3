//! No seed breaks a rule, and every rule that is broken on purpose is noticed.

use simulation::{Mutation, Options, run};

/// How many seeds a test run takes; `make simulate` takes as many as it is told.
const SEEDS: u64 = 4000;

#[test]
fn no_seed_breaks_a_rule() {
    let (mut promotions, mut rows) = (0, 0);
    for seed in 0..SEEDS {
        let report = run(Options::of_seed(seed));
        if let Some(violation) = &report.violation {
            let (rule, evidence) = (violation.rule, &violation.evidence);
            panic!("{rule}: {evidence}\n  {}", report.options.replay());
        }
        promotions += report.promotions;
        rows += report.acknowledged as u64;
    }
    // A simulation in which nothing happens proves nothing.
    assert!(promotions > 2 * SEEDS && rows > 100 * SEEDS, "{promotions} promotions, {rows} rows");
}

#[test]
fn every_broken_rule_is_noticed() {
    let noticed = |mutation: Mutation| {
        let broken = |seed| mutation.applied(Options::of_seed(seed));
        (0..SEEDS).any(|seed| run(broken(seed)).violation.is_some())
    };
    let missed: Vec<_> = Mutation::ALL.into_iter().filter(|mutation| !noticed(*mutation)).collect();
    assert!(missed.is_empty(), "not noticed within {SEEDS} seeds: {missed:?}");
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..50 {
        let [first, second] = [(); 2].map(|()| format!("{:?}", run(Options::of_seed(seed))));
        assert_eq!(first, second);
    }
}
