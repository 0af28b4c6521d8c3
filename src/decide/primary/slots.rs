//! Replication slots: one per other node, on the primary and on the standbys alike.
//!
//! A standby does not know how far the others are, so that its slots keep a fixed amount of WAL
//! rather than exactly what is needed. A slot is ours when it is named for a node of `node_list`, or when
//! `PGSQL.slots` says that we made it (`old_slots`); others are nobody's business here.

use std::time::Duration;

use crate::decide::primary::old_slots;
use crate::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership};
use crate::model::instance::{PrimaryReport, SlotRow, StandbyReport};
use crate::model::node::NodeName;
use crate::model::observation::Observation;
use crate::model::settings::Settings;
use crate::model::slot::{DropReason, MadeSlot, SlotName};
use crate::model::step::Step;
use crate::model::wal::Lsn;
use crate::model::warning::Warning;

/// A disk is nearly full while less than one part in this many of it is free,
const DISK_PART: u64 = 10;

/// and less than this many bytes.
const DISK_BYTES: u64 = 16 << 30;

/// The slots that are missing, of the peers that `wants` picks.
fn missing(
    settings: &Settings,
    cluster: &Cluster,
    slots: &[SlotRow],
    wants: impl Fn(&NodeName) -> bool,
) -> Vec<MadeSlot> {
    let peers = settings.peers(&cluster.local).filter(|peer| settings.uses_slots() && wants(peer));
    let slot = |peer: &NodeName| MadeSlot { name: settings.slot_of(peer), node: peer.clone() };
    let exists = |name: &SlotName| slots.iter().any(|row| row.name == name.as_str());
    peers.map(slot).filter(|slot| !exists(&slot.name)).collect()
}

fn create(missing: Vec<MadeSlot>) -> impl Iterator<Item = Step> {
    missing.into_iter().map(|slot| Step::CreateSlot(slot.name))
}

/// Creates every slot that a server needs which has just become the primary.
#[must_use]
pub(in crate::decide) fn of_a_new_primary(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
    report: &PrimaryReport,
) -> Vec<Step> {
    let missing = missing(settings, cluster, &report.slots, |_| true);
    let note = old_slots::note(settings, seen, cluster, &report.slots, &missing);
    note.into_iter().chain(create(missing)).collect()
}

/// The slots of the peers that exist, and whose they are.
fn of_peers<'a>(
    settings: &'a Settings,
    cluster: &'a Cluster,
    slots: &'a [SlotRow],
) -> impl Iterator<Item = (&'a NodeName, SlotName, &'a SlotRow)> {
    let peers = settings.peers(&cluster.local).filter(|_| settings.uses_slots());
    peers.filter_map(move |peer| {
        let name = settings.slot_of(peer);
        let row = slots.iter().find(|row| row.name == name.as_str())?;
        Some((peer, name, row))
    })
}

/// What no node can use: this node's own slot, and those whose WAL is gone.
fn useless(settings: &Settings, cluster: &Cluster, slots: &[SlotRow]) -> Vec<Step> {
    if !settings.uses_slots() {
        return Vec::new();
    }
    let own = settings.slot_of(&cluster.local);
    let has_own = slots.iter().any(|row| row.name == own.as_str() && !row.active);
    let lost = of_peers(settings, cluster, slots).filter(|(.., row)| row.lost && !row.active);
    let lost = lost.map(|(_, name, _)| Step::DropSlot(name, DropReason::Lost));
    has_own.then_some(Step::DropSlot(own, DropReason::Own)).into_iter().chain(lost).collect()
}

/// Tells whether a node's instance runs as a standby, which could not stream without its slot.
fn runs(node: &ClusterNode) -> bool {
    node.membership == Membership::Member && node.role == ClusterRole::Unpromoted
}

/// Keeps the slots of a primary.
#[must_use]
pub(in crate::decide) fn of_a_primary(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
    report: &PrimaryReport,
) -> Vec<Step> {
    let rows = &report.slots;
    let running = |peer: &NodeName| cluster.node(peer).is_some_and(runs);
    let missing = missing(settings, cluster, rows, running);
    let note = old_slots::note(settings, seen, cluster, rows, &missing);
    let mut steps: Vec<Step> = note.into_iter().chain(useless(settings, cluster, rows)).collect();
    steps.extend(old_slots::unneeded_on_a_primary(settings, seen, cluster, report));
    let peers = of_peers(settings, cluster, rows).filter(|(.., row)| !row.lost);
    let old = old_slots::of_ours(settings, seen, cluster, rows);
    let old = old.map(|(slot, row)| (&slot.node, slot.name.clone(), row));
    for (node, name, row) in peers.chain(old).filter(|(.., row)| !row.active) {
        let kept = retained(report.wal_end, row);
        let limit = settings.policy.slot_max_retained;
        let expires = settings.policy.slot_expire;
        let idle = row.idle.filter(|idle| !expires.is_zero() && *idle > expires && !running(node));
        if limit > 0 && kept > limit {
            steps.push(Step::DropSlot(name, DropReason::TooMuch(kept)));
        } else if let Some(idle) = idle {
            steps.push(Step::DropSlot(name, DropReason::Expired(whole_seconds(idle))));
        }
    }
    steps.extend(create(missing));
    steps
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

pub(in crate::decide) fn retained(end: Lsn, row: &SlotRow) -> u64 {
    row.restart_lsn.map_or(0, |from| end.bytes_since(from))
}

/// Keeps the slots of a standby: whoever is connected elsewhere needs them after a failover. They
/// are moved on when they keep a quarter too much, so that most monitors write nothing, and keep
/// nothing on a disk that is nearly full: nobody waits for WAL here yet.
#[must_use]
pub(in crate::decide) fn of_a_standby(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
    report: &StandbyReport,
) -> Vec<Step> {
    let rows = &report.slots;
    let keeps = settings.policy.standby_slot_keep_size > 0 && report.slots_advance;
    let keep = match is_nearly_full(seen) {
        Some(_) => 0,
        None => settings.policy.standby_slot_keep_size,
    };
    // Most that one of the others keeps before it is moved on.
    let most = keep.saturating_add(keep / 4);
    // Who is not in node_list is never promoted, so that nobody will ask it for WAL.
    let serves = keeps && settings.lists(&cluster.local);
    let missing = missing(settings, cluster, rows, |_| serves);
    let note = old_slots::note(settings, seen, cluster, rows, &missing);
    let mut steps: Vec<Step> = note.into_iter().chain(useless(settings, cluster, rows)).collect();
    let still = |row: &SlotRow| keeps && retained(report.replayed, row) <= most;
    steps.extend(old_slots::unneeded_on_a_standby(settings, seen, cluster, rows, still));
    for (_, name, row) in of_peers(settings, cluster, rows) {
        let kept = retained(report.replayed, row);
        if row.active || row.lost || kept <= most {
            continue;
        }
        steps.push(match keeps {
            true => Step::AdvanceSlot(name, Lsn(report.replayed.0.saturating_sub(keep))),
            // It is from a time when this node was primary.
            false => Step::DropSlot(name, DropReason::OnStandby(kept)),
        });
    }
    steps.extend(create(missing));
    steps
}

/// Returns how many bytes are free on a disk that has too few.
fn is_nearly_full(seen: &Observation) -> Option<u64> {
    let disk = seen.instance.disk?;
    (disk.free < DISK_BYTES.min(disk.total / DISK_PART)).then_some(disk.free)
}

/// Says what the operator should know of the WAL that a primary keeps.
#[must_use]
pub(in crate::decide) fn concerns(
    settings: &Settings,
    seen: &Observation,
    cluster: &Cluster,
    report: &PrimaryReport,
) -> Vec<Warning> {
    let limit = settings.policy.slot_max_retained;
    let mut concerns = Vec::new();
    if let Some(free) = is_nearly_full(seen) {
        let slots = report.slots.iter().filter(|row| !row.active);
        let largest = slots.max_by_key(|row| retained(report.wal_end, row));
        let slot = largest.map(|row| (row.name.clone(), retained(report.wal_end, row)));
        concerns.push(Warning::DiskNearlyFull { free, slot });
    }
    let old = old_slots::of_ours(settings, seen, cluster, &report.slots);
    let old = old.map(|(slot, row)| (slot.name.clone(), row));
    let peers = of_peers(settings, cluster, &report.slots).map(|(_, name, row)| (name, row));
    for (name, row) in peers.chain(old) {
        let kept = retained(report.wal_end, row);
        if limit > 0 && !row.active && kept > limit / 5 * 4 && kept <= limit {
            concerns.push(Warning::SlotKeeps(name, kept));
        }
    }
    concerns
}
