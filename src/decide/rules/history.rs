//! How the data of a node stand to the history of a primary. What follows from that is `rejoin`'s business.

use crate::model::instance::{ControlData, ControlState, Lock};
use crate::model::rejoin::{HistoryRelation, OwnData, PrimaryData};
use crate::model::wal::{Lsn, WalPosition};

/// Compares this node's data with the primary's history.
///
/// A timeline is written by one server at a time, the primary of that time, and every copy of it is
/// the same up to its end. So data whose WAL ends at or before the point where the primary's history
/// left its timeline is part of that history.
pub(in crate::decide) fn relation_to(
    own: &OwnData,
    primary: &PrimaryData,
    lock: Option<Lock>,
) -> HistoryRelation {
    let control = &own.control;
    if control.system_identifier != primary.system_identifier {
        return HistoryRelation::OtherSystem(control.system_identifier, primary.system_identifier);
    }
    let mine = own.timeline();
    let theirs = primary.history.timeline;
    let foreign = HistoryRelation::Foreign(mine, theirs);
    if mine == theirs {
        let another_way =
            own.history.as_ref().is_some_and(|history| !primary.history.continues(history));
        return if another_way { foreign } else { same_timeline(own, lock) };
    }
    let Some(fork) = primary.history.fork_point(mine) else { return foreign };
    match &own.history {
        None => return HistoryRelation::Unproven(format!("no history of timeline {mine} here")),
        Some(history) if !primary.history.continues(history) => return foreign,
        Some(_) => {}
    }
    let was_primary_on = lock.and_then(|lock| lock.timeline);
    let begun = control.newest_timeline();
    let promoted_since = own.newest_segment > Some(begun)
        && lock.is_some()
        && was_primary_on.is_none_or(|timeline| timeline > begun);
    if promoted_since {
        return HistoryRelation::Unproven("a promotion here was cut short".into());
    }
    // What a copy lacks is not in its own WAL directory.
    if own.is_copy {
        return HistoryRelation::Unproven("a copy from before the promotion".into());
    }
    let known = known_end(control);
    let position = |lsn| WalPosition { timeline: mine, lsn };
    match own.wal_end.as_ref() {
        Some(Ok(end)) if (*end).max(known) <= fork && control.checkpoint < fork => {
            HistoryRelation::Prefix { end: position((*end).max(known)), fork }
        }
        Some(Ok(end)) => HistoryRelation::Diverged { end: position((*end).max(known)), fork },
        _ if control.checkpoint >= fork || known > fork => {
            HistoryRelation::Diverged { end: position(known), fork }
        }
        Some(Err(why)) => HistoryRelation::Unproven(why.clone()),
        None => HistoryRelation::Unproven("the end of WAL is not known".into()),
    }
}

/// Returns the position that `pg_control` shows to be part of this data.
pub(in crate::decide) fn known_end(control: &ControlData) -> Lsn {
    control.min_recovery.map_or(control.checkpoint, |end| end.lsn.max(control.checkpoint))
}

/// The same timeline proves nothing by itself: a promotion by restart, or by hand, keeps it. But a node
/// that was primary on an earlier one, and whose data is a standby's or a fresh copy of this one, has
/// it from whoever was promoted since.
fn same_timeline(own: &OwnData, lock: Option<Lock>) -> HistoryRelation {
    let timeline = own.timeline();
    let was_primary_before = lock.and_then(|lock| lock.timeline).is_some_and(|was| was < timeline);
    let from_elsewhere = match own.control.state {
        ControlState::ShutDownInRecovery | ControlState::InArchiveRecovery => true,
        ControlState::ShutDown | ControlState::InProduction | ControlState::Other(_) => own.is_copy,
    };
    match was_primary_before && from_elsewhere {
        true => HistoryRelation::Followed(timeline),
        false => HistoryRelation::Unproven(format!("both are on timeline {timeline}")),
    }
}
