//! How a node's data stands to the primary's history.

use super::scene::position;
use crate::decide::rules::history::relation_to;
use crate::model::instance::{ControlData, ControlState, Lock};
use crate::model::rejoin::{HistoryRelation, OwnData, PrimaryData};
use crate::model::timeline_history::TimelineHistory;
use crate::model::wal::{Lsn, Timeline, WalLayout};

/// Where the primary's history left timeline 1, and then timeline 2.
pub(super) const FORK: Lsn = Lsn(0x300_0148);
const LATER: Lsn = Lsn(0x500_0000);

pub(super) fn history(timeline: u32) -> TimelineHistory {
    let text = match timeline {
        1 => String::new(),
        2 => format!("1\t{FORK}\tx\n"),
        _ => format!("1\t{FORK}\tx\n2\t{LATER}\tx\n"),
    };
    TimelineHistory::parse(Timeline(timeline), &text).expect("a history")
}

/// An old primary of timeline 1 that crashed, with everything that the standby got and no more.
pub(super) fn own() -> OwnData {
    OwnData {
        control: ControlData {
            system_identifier: 7,
            state: ControlState::InProduction,
            timeline: Timeline(1),
            checkpoint: Lsn(0x200_0028),
            min_recovery: None,
            can_rewind: true,
            layout: WalLayout::USUAL,
        },
        stays_on: None,
        wal_end: Some(Ok(FORK)),
        history: Some(history(1)),
        newest_segment: Some(Timeline(1)),
        is_copy: false,
    }
}

pub(super) fn primary(timeline: u32) -> PrimaryData {
    PrimaryData {
        address: "192.0.2.1".into(),
        system_identifier: 7,
        history: history(timeline),
        source: None,
    }
}

pub(super) fn lock(timeline: u32) -> Option<Lock> {
    Some(Lock { timeline: Some(Timeline(timeline)) })
}

#[test]
fn data_is_a_prefix_up_to_the_fork_and_no_byte_further() {
    for (end, primarys) in [(FORK.0, 2), (FORK.0 - 8, 2), (FORK.0, 3)] {
        let own = OwnData { wal_end: Some(Ok(Lsn(end))), ..own() };
        let prefix = HistoryRelation::Prefix { end: position(1, end), fork: FORK };
        assert_eq!(relation_to(&own, &primary(primarys), lock(1)), prefix);
    }
    let own = OwnData { wal_end: Some(Ok(Lsn(FORK.0 + 8))), ..own() };
    let diverged = HistoryRelation::Diverged { end: position(1, FORK.0 + 8), fork: FORK };
    assert_eq!(relation_to(&own, &primary(3), lock(1)), diverged);
}

#[test]
fn what_pg_control_shows_counts_whatever_the_wal_says() {
    let mut old = own();
    old.control.checkpoint = FORK;
    for wal_end in [Some(Ok(FORK)), Some(Err("no pg_waldump".into())), None] {
        let kinship = relation_to(&OwnData { wal_end, ..old.clone() }, &primary(2), lock(1));
        assert!(matches!(kinship, HistoryRelation::Diverged { .. }), "{kinship:?}");
    }
    let mut standby = own();
    standby.control.state = ControlState::InArchiveRecovery;
    standby.control.min_recovery = Some(position(1, FORK.0 + 8));
    let beyond = relation_to(&standby, &primary(2), lock(1));
    assert_eq!(beyond, HistoryRelation::Diverged { end: position(1, FORK.0 + 8), fork: FORK });
}

#[test]
fn nothing_is_proven_without_the_end_of_wal() {
    for wal_end in [Some(Err("pg_waldump is missing".into())), None] {
        let kinship = relation_to(&OwnData { wal_end, ..own() }, &primary(2), lock(1));
        assert!(matches!(kinship, HistoryRelation::Unproven(_)), "{kinship:?}");
    }
}

#[test]
fn another_cluster_or_another_history_is_never_followed() {
    let mut other = own();
    other.control.system_identifier = 8;
    assert_eq!(relation_to(&other, &primary(2), lock(1)), HistoryRelation::OtherSystem(8, 7));
    // Higher than the primary's, of the same number with another way, and an unknown ancestor.
    let forked = TimelineHistory::parse(Timeline(2), "1\t0/3000000\tx").expect("a history");
    for (timeline, history, primarys) in
        [(3, history(3), 2), (2, forked.clone(), 3), (2, forked, 2)]
    {
        let mut own = own();
        own.control.timeline = Timeline(timeline);
        own.history = Some(history);
        let foreign = HistoryRelation::Foreign(Timeline(timeline), Timeline(primarys));
        assert_eq!(relation_to(&own, &primary(primarys), lock(timeline)), foreign);
    }
    let mut gap = primary(3);
    gap.history = TimelineHistory::parse(Timeline(3), "2\t0/5000000\tx").expect("a history");
    assert_eq!(
        relation_to(&own(), &gap, lock(1)),
        HistoryRelation::Foreign(Timeline(1), Timeline(3))
    );
    let nameless = OwnData { history: None, ..own() };
    assert!(matches!(relation_to(&nameless, &primary(2), lock(1)), HistoryRelation::Unproven(_)));
}

#[test]
fn the_same_timeline_is_proof_only_for_whoever_came_to_it_as_a_standby() {
    use ControlState::{InArchiveRecovery, InProduction, ShutDown, ShutDownInRecovery};
    for (state, is_copy, was_primary_on, followed) in [
        (InProduction, false, lock(2), false),
        (ShutDown, false, lock(2), false),
        (ShutDown, false, lock(1), false),
        (InProduction, false, lock(1), false),
        (InArchiveRecovery, false, lock(2), false),
        (InArchiveRecovery, false, Some(Lock { timeline: None }), false),
        (InArchiveRecovery, false, None, false),
        (InArchiveRecovery, false, lock(1), true),
        (ShutDownInRecovery, false, lock(1), true),
        (InProduction, true, lock(1), true),
        (InProduction, true, lock(2), false),
    ] {
        let mut own = OwnData { is_copy, history: Some(history(2)), ..own() };
        own.control.timeline = Timeline(2);
        own.control.state = state.clone();
        let kinship = relation_to(&own, &primary(2), was_primary_on);
        let found = kinship == HistoryRelation::Followed(Timeline(2));
        assert_eq!(found, followed, "{state:?} {is_copy} {was_primary_on:?}: {kinship:?}");
    }
}

#[test]
fn a_promotion_that_was_cut_short_proves_nothing() {
    // A segment of timeline 2 was begun here, but `pg_control` does not know of it.
    let begun = OwnData { newest_segment: Some(Timeline(2)), ..own() };
    for (lock, proven) in
        [(lock(2), false), (Some(Lock { timeline: None }), false), (lock(1), true)]
    {
        let kinship = relation_to(&begun, &primary(3), lock);
        assert_eq!(
            matches!(kinship, HistoryRelation::Prefix { .. }),
            proven,
            "{lock:?} {kinship:?}"
        );
    }
    let mut just_promoted = own();
    just_promoted.control.min_recovery = Some(position(2, FORK.0 + 48));
    just_promoted.history = Some(history(2));
    just_promoted.wal_end = Some(Ok(Lsn(FORK.0 + 48)));
    let kinship = relation_to(&just_promoted, &primary(2), lock(2));
    assert!(matches!(kinship, HistoryRelation::Unproven(_)), "{kinship:?}");
}
