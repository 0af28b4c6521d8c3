//! Observation: the only reader of the world.
//!
//! Nothing is changed here, and nothing is decided: what cannot be read becomes a value that says so.

mod beyond_cib;
mod evidence;
mod own_files;
mod server;

use std::time::{Duration, Instant};

use crate::model::action::Action;
use crate::model::cluster::Cluster;
use crate::model::concern::Concern;
use crate::model::instance::{Answer, Files, Instance, LockedOut, Postmaster, Refusal};
use crate::model::notification::{Notification, NotificationType, NotifiedOperation};
use crate::model::observation::{ActionTime, ClusterView, Observation, Taken};
use crate::model::settings::Settings;
use crate::model::step::Step;
use crate::model::verdict::Reason;
use crate::model::wal::Timeline;
use crate::postgres::version::Version;
use crate::postgres::{disk as disks, postmaster, server_log, standby, wal_directory};
use crate::world::World;
use evidence::Inquiry;
use own_files::files;
use server::{HeldSince, StoppedData, disk, find_postmaster, stopped_data};

/// How long the cluster information base may take to answer. It takes some milliseconds; an action
/// that can do without it does not wait longer.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(5);

/// After a question that took longer the cluster is read once more: it was read while the server was asked.
const LONG_QUESTION: Duration = Duration::from_secs(1);

/// How long a server is asked when it is about to be stopped, and in a notification, for which the
/// whole cluster waits.
const SERVER_PATIENCE: Duration = Duration::from_secs(2);

/// How long a server is asked that was just launched, or is to be promoted, before the rest is looked at again.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// How long one is asked again that has not answered in this action, between the steps that do without its answer.
const DEAF_PATIENCE: Duration = Duration::from_millis(300);

/// Why a server that is held is not even asked: the answer would take the whole time of the action.
const HELD: &str = "its process is held by SIGSTOP or a debugger (state T in ps)";

/// What an action has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Ask the server.
    pub server: bool,
    /// Read the cluster information base.
    pub cluster: bool,
    /// Ask the attribute daemon for the WAL positions of all nodes.
    pub positions: bool,
    /// Read what `pg_control` and the WAL directory say when the server is gone.
    pub control: bool,
    /// Look at the agent's files.
    pub files: bool,
}

impl Needs {
    /// Returns what an action has to look at.
    #[must_use]
    pub fn of(action: Action, settings: &Settings, notification: &Notification) -> Self {
        use NotificationType::{Post, Pre};
        use NotifiedOperation::{Demote, Promote, Start, Stop};
        let replication = settings.is_replication();
        let server = match action {
            Action::Start | Action::Monitor | Action::Promote | Action::Demote => true,
            Action::Notify => match notification.event {
                Some((Pre, Promote) | (Post, Promote | Demote | Start | Stop)) => replication,
                Some((Pre, Start | Stop | Demote)) | None => false,
            },
            Action::Stop
            | Action::Status
            | Action::MetaData
            | Action::ValidateAll
            | Action::Methods
            | Action::Usage => false,
        };
        let receiver = settings.check_wal_receiver && action == Action::Monitor;
        let record = server || action == Action::Stop;
        Self {
            server,
            cluster: record && replication || receiver,
            positions: replication
                && (action == Action::Promote
                    || action == Action::Notify && notification.event == Some((Post, Start))),
            control: matches!(action, Action::Start | Action::Demote) && replication,
            files: record,
        }
    }
}

/// What an earlier look of this action has seen of a server into which nobody can log in.
struct Deaf {
    timeline: Timeline,
    /// The title of its WAL receiver.
    receiver: Option<String>,
}

/// Looks at the world, again and again, for one action.
pub struct Observer {
    action: Action,
    needs: Needs,
    notification: Notification,
    probe: bool,
    of_standby: bool,
    /// The cluster as it was read last, or why it could not be read.
    cluster: Option<Result<Cluster, String>>,
    /// What a returning node has to know.
    inquiry: Inquiry,
    /// Since when the postmaster is held.
    held_since: HeldSince,
    /// What was seen of a server into which nobody can log in.
    deaf: Option<Deaf>,
    /// Whether the cluster was changed since, so that whoever relies on quorum has to ask for it.
    quorum_in_doubt: bool,
}

impl Observer {
    /// Prepares to look at what an action needs.
    #[must_use]
    pub fn new(
        action: Action,
        settings: &Settings,
        notification: Notification,
        probe: bool,
        of_standby: bool,
    ) -> Self {
        let needs = Needs::of(action, settings, &notification);
        let inquiry = Inquiry::default();
        Self {
            action,
            needs,
            notification,
            probe,
            of_standby,
            cluster: None,
            inquiry,
            held_since: None,
            deaf: None,
            quorum_in_doubt: false,
        }
    }

    /// Forgets what others may have changed while the action waited for this.
    pub fn forget(&mut self, reason: &Reason) {
        match reason {
            Reason::Positions(_)
            | Reason::RecordBinds(_)
            | Reason::PrimaryWrites
            | Reason::ClusterAnswers => {
                self.cluster = None;
            }
            Reason::HistoryOf(primary) | Reason::CheckpointOf(primary) => {
                self.inquiry.want(primary);
                if self.inquiry.is_due() {
                    self.cluster = None;
                }
            }
            Reason::ServerStarts
            | Reason::ServerAnswers
            | Reason::ServerStops
            | Reason::PromotionEnds
            | Reason::ReloadTakesEffect
            | Reason::StandbyCatchesUp(_)
            | Reason::WalOfPeer(..)
            | Reason::TimeToRewind
            | Reason::Retry(_) => {}
        }
    }

    /// Forgets the snapshot after a step that a later one relies on: whether commits may stop waiting
    /// for a standby is asked anew once its record is written, for the write may have taken long
    /// and ended in a partition that has lost its quorum meanwhile.
    pub fn forget_after(&mut self, step: &Step) {
        if matches!(step, Step::RecoverAlone | Step::CheckpointPrimary(_)) {
            self.inquiry.forget();
        }
        if matches!(step, Step::Rewind(..)) {
            self.inquiry = Inquiry::default();
        }
        if step.changes_record() {
            self.cluster = None;
            self.quorum_in_doubt = true;
        }
    }

    /// Takes one snapshot. The cluster is read while the server is asked.
    pub fn observe(&mut self, world: &mut World, taken: &Taken) -> Observation {
        let begin = |world: &World| {
            let patience = world.clock.within(world.clock.share(CLUSTER_PATIENCE));
            world.tools.begin_reading(patience)
        };
        let mut reading = (self.needs.cluster && self.cluster.is_none()).then(|| begin(world));
        let asked = Instant::now();
        let instance = self.instance(world, taken);
        if reading.is_some() && asked.elapsed() > LONG_QUESTION {
            reading = Some(begin(world));
        }
        let files = if self.needs.files { files(world, self.action) } else { Files::default() };
        let cluster = match reading {
            None if !self.needs.cluster => ClusterView::NotAsked,
            None => self.cluster_with(taken),
            Some(reading) => {
                let read = reading.and_then(|reading| {
                    world.tools.end_reading(reading, &world.settings.resource, &world.local)
                });
                self.cluster = Some(match read {
                    Ok(cluster) => Ok(self.completed(world, cluster)),
                    Err(error) => Err(error.to_string()),
                });
                self.cluster_with(taken)
            }
        };
        let evidence = self.inquiry.look(world, self.action, &instance, &files);
        Observation {
            time: ActionTime { elapsed: world.clock.elapsed(), remaining: world.clock.remaining() },
            local: world.local.clone(),
            instance,
            files,
            cluster,
            evidence,
            notification: self.notification.clone(),
            probe: self.probe,
            of_standby: self.of_standby,
            taken: taken.clone(),
        }
    }

    fn cluster_with(&self, taken: &Taken) -> ClusterView {
        let mut cluster = match self.cluster.clone() {
            None => return ClusterView::NotAsked,
            Some(Err(error)) => return ClusterView::Unavailable(error),
            Some(Ok(cluster)) => cluster,
        };
        for attempt in taken.0.iter().filter(|attempt| attempt.error.is_none()) {
            cluster.apply(&attempt.step);
        }
        ClusterView::Seen(cluster)
    }

    fn instance(&mut self, world: &mut World, taken: &Taken) -> Instance {
        let data_directory = postmaster::data_directory(&world.settings, &world.user);
        let postmaster = find_postmaster(world, &mut self.held_since);
        let gone = !matches!(postmaster, Postmaster::Running { .. });
        let answer = match postmaster {
            Postmaster::Running { held: Some(_), .. } if self.needs.server => {
                Answer::Silent(HELD.into())
            }
            Postmaster::Running { .. } if self.needs.server || self.may_be_by_hand(world) => {
                self.ask(world, taken)
            }
            Postmaster::Running { .. }
            | Postmaster::Absent
            | Postmaster::Orphans { .. }
            | Postmaster::Unknown => Answer::NotAsked,
        };
        let stopped = match gone && self.needs.control {
            true => stopped_data(world),
            false => StoppedData::default(),
        };
        let locked_out = self.locked_out(world, &answer);
        let died = gone && taken.tried(&Step::Launch);
        let last_fatal = world.log_mark.as_ref().filter(|_| died).and_then(|mark| {
            server_log::last_fatal(&world.settings, &world.user, mark, world.clock.deadline)
        });
        let disk = disk(world, !gone && self.action == Action::Monitor && !self.probe);
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

    /// Tells whether the server to be stopped may be a primary that somebody promoted by hand: Pacemaker demotes its own
    /// before it stops it, and what is demoted is marked as a standby.
    fn may_be_by_hand(&self, world: &World) -> bool {
        self.action == Action::Stop && world.settings.is_replication() && !world.is_marked_standby()
    }

    /// Looks from outside at a server that does not let anybody in.
    fn locked_out(&mut self, world: &World, answer: &Answer) -> Option<LockedOut> {
        let matters = matches!(self.action, Action::Monitor | Action::Promote)
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

    fn ask(&self, world: &mut World, taken: &Taken) -> Answer {
        let unasked = |step: &Step| matches!(step, Step::Warn(Concern::CannotBeAsked(_)));
        let deaf = taken.0.iter().any(|attempt| unasked(&attempt.step))
            && !taken.tried(&Step::PromoteServer);
        let deadline = match self.action {
            Action::Monitor | Action::Promote if deaf => Instant::now() + DEAF_PATIENCE,
            Action::Demote | Action::Notify | Action::Stop => world.clock.within(SERVER_PATIENCE),
            // A log-in can hang for as long as `authentication_timeout`; meanwhile nothing else would be seen.
            Action::Start | Action::Promote => {
                world.clock.of_question().min(Instant::now() + ANSWER_PATIENCE)
            }
            // What a standby's monitor does for one that does not answer takes time as well.
            Action::Monitor if world.is_marked_standby() => world.clock.of_question_to_standby(),
            Action::Status
            | Action::Monitor
            | Action::MetaData
            | Action::ValidateAll
            | Action::Methods
            | Action::Usage => world.clock.of_question(),
        };
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
            report.tell_forks(began);
            if !settings.policy.slot_expire.is_zero() {
                disks::note_idle(settings, user, &mut report.slots);
            }
        }
        let settings = &world.settings;
        let plain = !settings.is_replication();
        let asks_sql = match (&answer, self.action) {
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
}
