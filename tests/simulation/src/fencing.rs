//! Fencing: cuts the power of a node that must be known to do nothing, and switches it on again.

use pgsql_ha::model::cluster::Membership;

use crate::cib::{self, Change};
use crate::world::{HostId, Tick, World};

/// A fencing under way.
pub struct Fence {
    pub target: HostId,
    pub by: HostId,
    pub lands_at: Tick,
    /// The device refuses; it is asked again.
    pub fails: bool,
}

/// Asks for a node to be fenced, unless that is under way.
pub fn request(world: &mut World, by: HostId, target: HostId) {
    if world.fences.iter().any(|fence| fence.target == target && fence.by == by) {
        return;
    }
    let takes = match world.chance.u8(..4) {
        0 => world.chance.u64(100..300),
        _ => world.chance.u64(3..40),
    };
    let fails = world.chance.u8(..8) == 0;
    world.trace(|| format!("{} fences {}", world.hosts[by].name, world.names[target]));
    world.fences.push(Fence { target, by, lands_at: world.now + takes, fails });
}

/// Lets fencing succeed or fail when its time has come.
pub fn act(world: &mut World) {
    let (due, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut world.fences)
        .into_iter()
        .partition(|fence| world.now >= fence.lands_at);
    world.fences = rest;
    for fence in due {
        // Whoever asked must still be there; whoever came back meanwhile is spared.
        let Some(group) = world.groups.iter_mut().find(|group| group.members.contains(&fence.by))
        else {
            continue;
        };
        if !world.hosts[fence.by].on {
            continue;
        }
        group.changed = true;
        let (members, coordinator) = (group.members.clone(), group.coordinator);
        let returned =
            members.contains(&fence.target) && !world.hosts[fence.target].known.must_be_fenced;
        if fence.fails || returned {
            continue;
        }
        if fence.target < world.hosts.len() {
            cut_power(world, fence.target);
        }
        let down = Change::Membership(fence.target, Membership::Down);
        for member in members {
            match member == coordinator {
                true => drop(cib::apply(&mut world.hosts[member], &down)),
                false => cib::post(world, member, down.clone()),
            }
        }
    }
}

/// Cuts a host's power and switches it on again, unless the operator has taken it away.
fn cut_power(world: &mut World, target: HostId) {
    world.power_off(target);
    let back = world.now + world.chance.u64(40..300);
    let host = &mut world.hosts[target];
    if host.joined {
        host.power_on_at = Some(host.power_on_at.map_or(back, |at| at.min(back)));
    }
}
