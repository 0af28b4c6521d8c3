//! What a partition's coordinator wants next, from its own copy of the cluster information base.

use std::collections::VecDeque;

use pgsql_ha::model::action::Action;
use pgsql_ha::model::cluster::Membership;
use pgsql_ha::model::node::NodeName;
use pgsql_ha::model::notification::{
    Notification,
    NotificationType::{Post, Pre},
    NotifiedOperation,
};
use pgsql_ha::model::status::PromotionScore;

use crate::fencing;
use crate::pacemaker::{Phase, Plan};
use crate::scope::Part;
use crate::world::{HostId, World};

/// What is to be done, by kind.
#[derive(Default)]
struct Wanted {
    demote: Vec<HostId>,
    stop: Vec<HostId>,
    start: Vec<HostId>,
    promote: Vec<HostId>,
}

/// Plans a transition; `None` when all is as it should be.
pub fn plan(world: &mut World, at: usize) -> Option<Plan> {
    let members = world.groups[at].members.clone();
    let unknown: Vec<HostId> =
        members.iter().copied().filter(|id| !world.hosts[*id].known.probed).collect();
    if !unknown.is_empty() {
        return Some(Plan {
            lists: Notification::default(),
            phases: [Phase::Probe(unknown)].into(),
            busy: Vec::new(),
        });
    }
    let coordinator = world.groups[at].coordinator;
    let allowed = world.hosts[coordinator].quorum || world.options.ignore_quorum;
    let fencing = !world.options.scope.has(Part::Unfenced);
    // Without fencing whoever is lost counts as down, and what cannot be stopped stays as it is.
    let unclean = if fencing { unclean(world, coordinator, &members) } else { Vec::new() };
    if allowed {
        unclean.iter().for_each(|id| fencing::request(world, coordinator, *id));
    }
    let wanted = wanted(world, coordinator, &members, allowed, unclean.is_empty());
    let phases = phases(world, &members, &wanted);
    (!phases.is_empty()).then(|| Plan {
        lists: lists(world, &members, &wanted),
        phases,
        busy: Vec::new(),
    })
}

/// The nodes of which nobody knows what they do.
fn unclean(world: &World, coordinator: HostId, members: &[HostId]) -> Vec<HostId> {
    let nodes = &world.hosts[coordinator].cib.nodes;
    let listed = |id: &HostId| world.hosts.get(*id).is_none_or(|host| host.listed);
    let lost = |id: &HostId| match nodes[*id].membership {
        Membership::Lost | Membership::NeverSeen => !members.contains(id),
        Membership::Member | Membership::Down => {
            members.contains(id) && world.hosts[*id].known.must_be_fenced
        }
    };
    (0..nodes.len()).filter(listed).filter(lost).collect()
}

fn wanted(
    world: &World,
    coordinator: HostId,
    members: &[HostId],
    allowed: bool,
    clean: bool,
) -> Wanted {
    let chosen = if allowed { chosen(world, coordinator, members) } else { None };
    let mut wanted = Wanted::default();
    for id in members.iter().copied() {
        let known = &world.hosts[id].known;
        if known.must_be_fenced {
            continue;
        }
        let unwelcome = known.banned || world.hosts[coordinator].cib.nodes[id].standby;
        // A changed parameter means a restart (`check_action_definition` in pcmk_sched_actions.c).
        let outdated = known.version != world.hosts[coordinator].version;
        let stop = known.active && (!allowed || known.failed || unwelcome || outdated);
        if known.promoted && (stop || chosen != Some(id)) {
            wanted.demote.push(id);
        }
        if stop {
            wanted.stop.push(id);
        }
        if (!known.active || stop) && allowed && clean && !unwelcome {
            wanted.start.push(id);
        }
        if chosen == Some(id) && !known.promoted && clean && !stop {
            wanted.promote.push(id);
        }
    }
    wanted
}

/// The instance with the highest positive score; the promoted one between equals.
fn chosen(world: &World, coordinator: HostId, members: &[HostId]) -> Option<HostId> {
    let nodes = &world.hosts[coordinator].cib.nodes;
    let away = world.moved_away.map(|(host, _)| host);
    // Where nobody can be fenced, an instance that could not be stopped may still be the primary.
    let blocked = world.options.scope.has(Part::Unfenced)
        && members.iter().any(|id| world.hosts[*id].known.must_be_fenced);
    let may = |id: &HostId| {
        let known = &world.hosts[*id].known;
        if blocked && !known.promoted {
            return false;
        }
        known.active && !known.failed && !known.banned && !nodes[*id].standby && away != Some(*id)
    };
    let score = |id: HostId| match nodes[id].score {
        Some(PromotionScore::Points(points)) if points > 0 => Some(points),
        Some(PromotionScore::Points(_) | PromotionScore::Never) | None => None,
    };
    members
        .iter()
        .copied()
        .filter(may)
        .filter_map(|id| Some((score(id)?, world.hosts[id].known.promoted, id)))
        .max_by_key(|(points, promoted, id)| (*points, *promoted, usize::MAX - id))
        .map(|(.., id)| id)
}

fn phases(world: &World, members: &[HostId], wanted: &Wanted) -> VecDeque<Phase> {
    use NotifiedOperation::{Demote, Promote, Start, Stop};
    let mut phases = VecDeque::new();
    let mut leaving: Vec<HostId> = wanted.demote.iter().chain(&wanted.stop).copied().collect();
    // It is where the promoted instance is, and nowhere else.
    let without = |id: &&HostId| !world.hosts[**id].known.promoted && !leaving.contains(id);
    let without: Vec<HostId> = members.iter().filter(without).copied().collect();
    leaving.extend(without);
    leaving.retain(|id| world.hosts[*id].address);
    if !leaving.is_empty() {
        phases.push_back(Phase::AddressDown(leaving));
    }
    for (operation, action, hosts) in [
        (Demote, Action::Demote, &wanted.demote),
        (Stop, Action::Stop, &wanted.stop),
        (Start, Action::Start, &wanted.start),
        (Promote, Action::Promote, &wanted.promote),
    ] {
        if !hosts.is_empty() {
            phases.push_back(Phase::Notify(Pre, operation));
            phases.push_back(Phase::Act(action, hosts.clone()));
            phases.push_back(Phase::Notify(Post, operation));
        }
    }
    let stays = |id: &&HostId| world.hosts[**id].known.promoted && !wanted.demote.contains(id);
    let primary = wanted.promote.first().or_else(|| members.iter().find(stays));
    if let Some(primary) = primary.filter(|id| !world.hosts[**id].address) {
        phases.push_back(Phase::AddressUp(*primary));
    }
    phases
}

fn lists(world: &World, members: &[HostId], wanted: &Wanted) -> Notification {
    let names = |ids: &[HostId]| -> Vec<NodeName> {
        ids.iter().map(|id| world.hosts[*id].name.clone()).collect()
    };
    let with = |promoted: bool| -> Vec<HostId> {
        let has = |id: &HostId| {
            world.hosts[*id].known.active && world.hosts[*id].known.promoted == promoted
        };
        members.iter().copied().filter(has).collect()
    };
    Notification {
        event: None,
        start: names(&wanted.start),
        stop: names(&wanted.stop),
        promote: names(&wanted.promote),
        demote: names(&wanted.demote),
        promoted: names(&with(true)),
        unpromoted: names(&with(false)),
        present: true,
    }
}
