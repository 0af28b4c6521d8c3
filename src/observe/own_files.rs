//! The files that the agent keeps beside the instance. What cannot be read stands for the worse.

use log::debug;

use crate::model::action::Action;
use crate::model::instance::{Files, Lock};
use crate::postgres::{followed_file, kept_wal, lock_file, rewind, slot_record, sync_file};
use crate::world::World;

/// Reads them.
pub(super) fn files(world: &World, action: Action) -> Files {
    let (settings, user) = (&world.settings, &world.user);
    let replication = settings.is_replication();
    let complain = |error: &crate::postgres::PostgresError| debug!("{error}");
    let standby = world.version.map(|version| world.standby(version, None));
    let current = standby.map(|standby| standby.is_current());
    let recovers_to = standby.map(|standby| standby.recovers_at_present());
    Files {
        // A lock that cannot be read is a lock.
        lock: match replication {
            true => lock_file::read(settings, user)
                .inspect_err(complain)
                .unwrap_or(Some(Lock { timeline: None })),
            false => None,
        },
        // Nor is a marker none that cannot be read.
        rewinding: match replication {
            true => rewind::marker(settings, user)
                .inspect_err(complain)
                .unwrap_or_else(|_| Some("pg_rewind".into())),
            false => None,
        },
        sync_names: match replication {
            true => sync_file::read(settings, user).inspect_err(complain).ok().flatten(),
            false => None,
        },
        standby_settings: current.and_then(|c| c.inspect_err(complain).ok()).unwrap_or(false),
        recovers_to: recovers_to.and_then(|r| r.inspect_err(complain).ok()).flatten(),
        standby_signal: world.is_marked_standby(),
        made_slots: match replication {
            true => slot_record::read(settings, user).inspect_err(complain).ok(),
            false => None,
        },
        expired_wal: match replication && action == Action::Start {
            true => kept_wal::expired(settings, user),
            false => Vec::new(),
        },
        lock_since_cluster_start: replication && lock_file::is_of_this_life(settings, user),
        first_start_since_boot: replication && followed_file::is_first_life(settings, user),
        followed_since_cluster_start: replication && followed_file::is_of_this_life(settings, user),
    }
}
