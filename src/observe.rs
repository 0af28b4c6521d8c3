//! Observation: the only reader of the world.
//!
//! Nothing is changed here, and nothing is decided: what cannot be read becomes a value that says so.

mod beyond_cib;
mod evidence;
mod own_files;
mod server;

use std::time::{Duration, Instant};

use crate::engine::{Engine, Local};
use crate::model::action::Action;
use crate::model::instance::{Answer, Files, Instance, LockedOut, Postmaster, Refusal};
use crate::model::observation::Observation;
use crate::model::step::Step;
use crate::model::wal::Timeline;
use crate::postgres::version::Version;
use crate::postgres::{disk as disks, postmaster, server_log, standby, wal_directory};
use crate::world::World;
use beyond_cib::completed;
use evidence::evidence;
use own_files::files;
use server::{HeldSince, StoppedData, disk, find_postmaster, stopped_data};

/// How long the cluster information base may take to answer. It takes some milliseconds; an action
/// that can do without it does not wait longer.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(5);

/// After a question that took longer the cluster is read once more: it was read while the server was asked.
const LONG_QUESTION: Duration = Duration::from_secs(1);

/// Why a server that is held is not even asked: the answer would take the whole time of the action.
const HELD: &str = "its process is held by SIGSTOP or a debugger (state T in ps)";

/// What an earlier look of this action has seen of a server into which nobody can log in.
struct Deaf {
    timeline: Timeline,
    /// The title of its WAL receiver.
    receiver: Option<String>,
}

/// Looks at the world, again and again, for one action.
#[derive(Default)]
pub struct Observer {
    /// Since when the postmaster is held.
    held_since: HeldSince,
    /// What was seen of a server into which nobody can log in.
    deaf: Option<Deaf>,
}

impl Observer {
    /// Takes one snapshot. The cluster is read while the server is asked.
    pub fn observe(&mut self, world: &mut World, engine: &mut Engine) -> Observation {
        let begin = |world: &World| {
            let patience = world.clock.within(world.clock.share(CLUSTER_PATIENCE));
            world.tools.begin_reading(patience)
        };
        let action = engine.request().action;
        let mut reading = engine.wants_cluster().then(|| begin(world));
        let asked = Instant::now();
        let instance = self.instance(world, engine);
        if reading.is_some() && asked.elapsed() > LONG_QUESTION {
            reading = Some(begin(world));
        }
        let files = if engine.needs().files { files(world, action) } else { Files::default() };
        if let Some(reading) = reading {
            let read = reading.and_then(|reading| {
                world.tools.end_reading(reading, &world.settings.resource, &world.local)
            });
            engine.hear_cluster(match read {
                Ok(cluster) => Ok(completed(world, engine, cluster)),
                Err(error) => Err(error.to_string()),
            });
        }
        if let Some(primary) = engine.wants_evidence(world.clock.elapsed()).cloned() {
            let read = evidence(world, action, &primary, &instance, &files);
            engine.hear_evidence(read, world.clock.elapsed());
        }
        let local = Local { name: world.local.clone(), instance, files };
        engine.observation(local, world.clock.elapsed())
    }

    fn instance(&mut self, world: &mut World, engine: &Engine) -> Instance {
        let (needs, action) = (engine.needs(), engine.request().action);
        let data_directory = postmaster::data_directory(&world.settings, &world.user);
        let postmaster = find_postmaster(world, &mut self.held_since);
        let gone = !matches!(postmaster, Postmaster::Running { .. });
        let answer = match postmaster {
            Postmaster::Running { held: Some(_), .. } if needs.server => {
                Answer::Silent(HELD.into())
            }
            Postmaster::Running { .. } if needs.server || may_be_by_hand(world, action) => {
                ask(world, engine)
            }
            Postmaster::Running { .. }
            | Postmaster::Absent
            | Postmaster::Orphans { .. }
            | Postmaster::Unknown => Answer::NotAsked,
        };
        let stopped = match gone && needs.control {
            true => stopped_data(world),
            false => StoppedData::default(),
        };
        let locked_out = self.locked_out(world, action, &answer);
        let died = gone && engine.taken().tried(&Step::Launch);
        let last_fatal = world.log_mark.as_ref().filter(|_| died).and_then(|mark| {
            server_log::last_fatal(&world.settings, &world.user, mark, world.clock.deadline)
        });
        let disk = disk(world, !gone && action == Action::Monitor && !engine.request().probe);
        let conninfo_reloads = world.version.is_none_or(Version::primary_conninfo_reloads);
        Instance {
            data_directory,
            postmaster,
            answer,
            disk,
            control: stopped.control,
            own_timeline: stopped.own_timeline,
            locked_out,
            is_copy: stopped.is_copy,
            conninfo_reloads,
            last_fatal,
        }
    }

    /// Looks from outside at a server that does not let anybody in.
    fn locked_out(&mut self, world: &World, action: Action, answer: &Answer) -> Option<LockedOut> {
        let matters = matches!(action, Action::Monitor | Action::Promote)
            && matches!(answer, Answer::Silent(_) | Answer::Refused(Refusal::Full))
            && world.is_marked_standby();
        let titles = matters.then(|| postmaster::titles(&world.settings, &world.user).ok())?;
        let titles = titles.filter(|titles| titles.a_login_waits)?;
        let before = self.deaf.take();
        let timeline = match &before {
            Some(before) => before.timeline,
            None => stopped_data(world).own_timeline?,
        };
        let receives = before.is_some_and(|before| before.receiver != titles.receiver);
        self.deaf = Some(Deaf { timeline, receiver: titles.receiver });
        Some(LockedOut { timeline, receives })
    }
}

/// Tells whether the server to be stopped may be a primary that somebody promoted by hand: Pacemaker demotes its own
/// before it stops it, and what is demoted is marked as a standby.
fn may_be_by_hand(world: &World, action: Action) -> bool {
    action == Action::Stop && world.settings.is_replication() && !world.is_marked_standby()
}

fn ask(world: &mut World, engine: &Engine) -> Answer {
    let action = engine.request().action;
    let is_standby = action == Action::Monitor && world.is_marked_standby();
    let deadline = Instant::now() + engine.patience(is_standby, world.clock.elapsed());
    let mut answer = world.session.report(deadline);
    if let (Answer::Standby(report), Some(version)) = (&mut answer, world.version) {
        let ours = world.standby(version, None).conninfo();
        let known = wal_directory::newest_timeline(&world.settings, &world.user, version);
        report.timeline = report.timeline.max(known.unwrap_or(report.timeline));
        if !report.is_streaming() {
            let (settings, user) = (&world.settings, &world.user);
            report.left_at = wal_directory::left_at(settings, user, version, report.timeline);
        }
        report.conninfo_overridden = report
            .primary_conninfo
            .as_ref()
            .is_some_and(|effective| standby::primary_conninfo_overridden(effective, &ours));
    }
    if let (Answer::Primary(report), Some(version)) = (&mut answer, world.version) {
        let (settings, user) = (&world.settings, &world.user);
        let began = wal_directory::beginning_of(settings, user, version, report.timeline);
        report.mark_forked_standbys(began);
        if !settings.policy.slot_expire.is_zero() {
            disks::note_idle(settings, user, &mut report.slots);
        }
    }
    let settings = &world.settings;
    let plain = !settings.is_replication();
    let asks_sql = match (&answer, action) {
        (Answer::Primary(_), Action::Monitor) => plain || !settings.monitor_sql_is_default,
        (Answer::Primary(_) | Answer::Standby(_), Action::Start | Action::Monitor) => plain,
        (
            Answer::Primary(_)
            | Answer::Standby(_)
            | Answer::NotAsked
            | Answer::Refused(_)
            | Answer::Silent(_)
            | Answer::MonitorSqlFailed(_),
            _,
        ) => false,
    };
    if asks_sql {
        let sql = settings.monitor_sql.clone();
        if let Err(failed) = world.session.monitor_sql(&sql, deadline) {
            return *failed;
        }
    }
    answer
}
