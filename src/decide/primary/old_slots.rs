//! Slots of ours that no node of `node_list` has now: of one that left the list, of an earlier
//! `replication_slot_name`, of a time when there were slots.
//!
//! They are known by the record of what we made, never by their name alone. One that a node still needs
//! stays, and the limits apply to it.

use crate::model::cluster::Cluster;
use crate::model::instance::{PrimaryReport, SlotRow};
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::slot::{DropReason, MadeSlot, SlotName};
use crate::model::step::Step;

fn row_of<'a>(rows: &'a [SlotRow], name: &SlotName) -> Option<&'a SlotRow> {
    rows.iter().find(|row| row.name == name.as_str())
}

/// Notes the slots that we make now, and those of the peers that exist; forgets those that are gone, so
/// that a later one of the same name is somebody else's.
pub(in crate::decide) fn note(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
    rows: &[SlotRow],
    new: &[MadeSlot],
) -> Option<Step> {
    let made = seen.files.made_slots.as_ref()?;
    let peers = settings.peers(&cluster.local).filter(|_| settings.uses_slots());
    let peers = peers.map(|peer| MadeSlot { name: settings.slot_of(peer), node: peer.clone() });
    let mut wanted: Vec<MadeSlot> =
        peers.filter(|slot| new.contains(slot) || row_of(rows, &slot.name).is_some()).collect();
    for slot in made.iter().filter(|slot| row_of(rows, &slot.name).is_some()) {
        if !wanted.iter().any(|other| other.name == slot.name) {
            wanted.push(slot.clone());
        }
    }
    let same = wanted.len() == made.len() && wanted.iter().all(|slot| made.contains(slot));
    (!same).then_some(Step::RecordSlots(wanted))
}

/// Returns the old slots that exist.
pub(in crate::decide) fn of_ours<'a>(
    settings: &'a Settings,
    seen: &'a Observation,
    cluster: &'a Cluster,
    rows: &'a [SlotRow],
) -> impl Iterator<Item = (&'a MadeSlot, &'a SlotRow)> {
    let is_present = |name: &SlotName| {
        settings.uses_slots() && settings.node_list.iter().any(|n| settings.slot_of(n) == *name)
    };
    let own = settings.uses_slots().then(|| settings.slot_of(&cluster.local));
    let made = seen.files.made_slots.iter().flatten();
    let old = made.filter(move |slot| !is_present(&slot.name) && own.as_ref() != Some(&slot.name));
    old.filter_map(|slot| Some((slot, row_of(rows, &slot.name)?)))
}

/// Drops what is of no use to anybody, of those that are not in use.
fn unneeded<'a>(
    settings: &'a Settings,
    seen: &'a Observation,
    cluster: &'a Cluster,
    rows: &'a [SlotRow],
    needed: impl Fn(&NodeName, &SlotRow) -> bool,
) -> impl Iterator<Item = Step> {
    of_ours(settings, seen, cluster, rows).filter(|(_, row)| !row.active).filter_map(
        move |(slot, row)| {
            let reason = match settings.lists(&slot.node) {
                _ if slot.node == cluster.local => DropReason::Own,
                false => DropReason::Left,
                true if !row.lost && needed(&slot.node, row) => return None,
                true => DropReason::Replaced,
            };
            Some(Step::DropSlot(slot.name.clone(), reason))
        },
    )
}

/// Drops old slots of a primary. That of a node in `node_list` stays until the node streams without it:
/// the WAL that it keeps may be all that lets the node come back.
pub(in crate::decide) fn unneeded_on_a_primary<'a>(
    settings: &'a Settings,
    seen: &'a Observation,
    cluster: &'a Cluster,
    report: &'a PrimaryReport,
) -> impl Iterator<Item = Step> {
    let streams = |node: &NodeName| {
        let name = node.application_name();
        report
            .standbys
            .iter()
            .any(|row| row.application_name == name && row.state.as_deref() == Some("streaming"))
    };
    unneeded(settings, seen, cluster, &report.slots, move |node, _| !streams(node))
}

/// Drops old slots of a standby. While standbys keep WAL for others, that of a node in `node_list` stays
/// until its new one keeps as much, or it has become older than what is kept (`still`).
pub(in crate::decide) fn unneeded_on_a_standby<'a>(
    settings: &'a Settings,
    seen: &'a Observation,
    cluster: &'a Cluster,
    rows: &'a [SlotRow],
    still: impl Fn(&SlotRow) -> bool,
) -> impl Iterator<Item = Step> {
    let replaced = |node: &NodeName, row: &SlotRow| {
        let new = row_of(rows, &settings.slot_of(node)).and_then(|new| new.restart_lsn);
        row.restart_lsn.is_none_or(|old| new.is_some_and(|new| new <= old))
    };
    unneeded(settings, seen, cluster, rows, move |node, row| {
        settings.uses_slots() && still(row) && !replaced(node, row)
    })
}
