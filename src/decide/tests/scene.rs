//! Scenes for the tests of the decisions: a healthy three-host cluster, to be disturbed.

use std::time::Duration;

use super::unproven::written;
use crate::decide::decide;
use crate::model::action::Action;
use crate::model::cluster::{
    Cluster, ClusterNode, ClusterRole, Membership, NoQuorumPolicy, QuorumRule,
};
use crate::model::instance::{
    Answer, DataDirectory, Files, Instance, Lock, Postmaster, PrimaryReport, Receiver, SlotRow,
    StandbyReport, StandbyRow,
};
use crate::model::node::NodeName;
use crate::model::notification::Notification;
use crate::model::observation::{ActionTime, Attempt, ClusterView, Observation, Taken};
use crate::model::settings::{ReplicationMode, Settings};
use crate::model::status::{DataStatus, InstanceStatus, PromotionScore};
use crate::model::step::Step;
use crate::model::sync_names::SyncNames;
use crate::model::verdict::Verdict;
use crate::model::wal::{Lsn, Timeline, WalPosition};

/// The end of everybody's WAL in a scene that is at rest.
pub(in crate::decide) const END: Lsn = Lsn(0x300_0060);

pub(in crate::decide) fn node(name: &str) -> NodeName {
    NodeName::new(name)
}

pub(in crate::decide) fn settings(mode: ReplicationMode) -> Settings {
    let node_list = ["pm01", "pm02", "pm03"].map(NodeName::new).to_vec();
    Settings { rep_mode: mode, node_list, ..Settings::example("/data".as_ref()) }
}

/// A world that one host sees, and that its steps change.
#[derive(Clone)]
pub(in crate::decide) struct Scene {
    pub(in crate::decide) settings: Settings,
    pub(in crate::decide) seen: Observation,
}

fn cluster_node(name: &str) -> ClusterNode {
    ClusterNode {
        name: node(name),
        membership: Membership::Member,
        standby: false,
        role: ClusterRole::Unpromoted,
        status: Some(InstanceStatus::Alone),
        data_status: None,
        score: Some(PromotionScore::Never),
        xlog_location: None,
        wal_position: None,
        position_is_final: false,
        address: None,
        sync_quorum: None,
        baseline: None,
        receiver_status: None,
    }
}

pub(in crate::decide) fn row(name: &str, state: &str, sync_state: &str, flush: Lsn) -> StandbyRow {
    StandbyRow {
        sent_lsn: Some(flush),
        shares_history: true,
        application_name: name.into(),
        state: Some(state.into()),
        sync_state: Some(sync_state.into()),
        flush_lsn: Some(flush),
    }
}

/// A slot that nobody uses.
pub(in crate::decide) fn slot(name: &str, restart_lsn: Option<Lsn>) -> SlotRow {
    SlotRow { name: name.into(), active: false, restart_lsn, lost: false, idle: None }
}

impl Scene {
    fn new(mode: ReplicationMode, local: &str, answer: Answer) -> Self {
        let cluster = Cluster {
            local: node(local),
            quorum: true,
            quorum_rule: QuorumRule::Majority,
            no_quorum_policy: NoQuorumPolicy::Respect,
            fencing: true,
            startup_fencing: true,
            nodes: ["pm01", "pm02", "pm03"].map(cluster_node).to_vec(),
        };
        let seen = Observation {
            time: ActionTime { elapsed: Duration::ZERO, remaining: Duration::from_secs(60) },
            local: node(local),
            instance: Instance {
                data_directory: DataDirectory::Present,
                postmaster: Postmaster::Running { pid: 42, held: None },
                answer,
                disk: None,
                control: None,
                own_timeline: None,
                locked_out: None,
                is_copy: false,
                conninfo_reloads: true,
                last_fatal: None,
            },
            files: Files {
                lock: None,
                sync_names: Some(SyncNames::nobody()),
                standby_settings: true,
                recovers_to: Some(written(&Step::WriteStandbySettings)),
                standby_signal: false,
                made_slots: Some(Vec::new()),
                ..Files::default()
            },
            cluster: ClusterView::Seen(cluster),
            evidence: None,
            notification: Notification::default(),
            probe: false,
            of_standby: false,
            taken: Taken::default(),
        };
        Self { settings: settings(mode), seen }
    }

    /// `pm01` is the primary; `pm02` streams synchronously (in sync mode), `pm03` does not.
    pub(in crate::decide) fn primary(mode: ReplicationMode) -> Self {
        let sync = mode == ReplicationMode::Sync;
        let names = if sync { "\"pm02\"" } else { "" };
        let report = PrimaryReport {
            asked_as: "watcher".into(),
            timeline: Timeline(1),
            wal_end: END,
            standbys: vec![
                row("pm02", "streaming", if sync { "sync" } else { "async" }, END),
                row("pm03", "streaming", "async", END),
            ],
            synchronous_standby_names: names.into(),
            slots: Vec::new(),
            sync_config_applied: true,
        };
        let mut scene = Self::new(mode, "pm01", Answer::Primary(report));
        scene.seen.files.sync_names = Some(SyncNames::parse(names));
        scene.seen.files.lock = Some(Lock { timeline: Some(Timeline(1)) });
        scene.seen.files.lock_since_cluster_start = true;
        let me = scene.node("pm01");
        me.role = ClusterRole::Promoted;
        me.status = Some(InstanceStatus::Primary);
        me.data_status = Some(DataStatus::Latest);
        me.score = Some(PromotionScore::PROMOTE_ME);
        for name in ["pm02", "pm03"] {
            let synchronous = sync && name == "pm02";
            let node = scene.node(name);
            node.status =
                Some(if synchronous { InstanceStatus::Sync } else { InstanceStatus::Async });
            node.data_status = Some(match synchronous {
                true => DataStatus::StreamingSync,
                false => DataStatus::StreamingAsync,
            });
            let fit = synchronous || !sync;
            node.score =
                Some(if fit { PromotionScore::CAN_PROMOTE } else { PromotionScore::Never });
        }
        scene
    }

    /// Leaves the first nodes; each of two has quorum alone.
    pub(in crate::decide) fn keep_hosts(&mut self, count: usize) {
        self.settings.node_list.truncate(count);
        self.cluster().nodes.truncate(count);
        if count < 3 {
            self.cluster().quorum_rule = QuorumRule::TwoNodes;
        }
    }

    /// A standby among three without a primary; nobody has a record.
    pub(in crate::decide) fn standby(mode: ReplicationMode, local: &str) -> Self {
        let report = StandbyReport {
            timeline: Timeline(1),
            wal_end: END,
            replayed: END,
            local_wal_exhausted: true,
            receiver: None,
            left_at: None,
            primary_conninfo: None,
            conninfo_overridden: false,
            synchronous_standby_names: String::new(),
            slots: Vec::new(),
            slots_advance: true,
            sync_config_applied: true,
        };
        let mut scene = Self::new(mode, local, Answer::Standby(report));
        scene.seen.files.standby_signal = true;
        for name in ["pm01", "pm02", "pm03"] {
            scene.node(name).wal_position = Some(position(1, END.0));
        }
        scene
    }

    /// Nothing runs on this host.
    pub(in crate::decide) fn stopped(mode: ReplicationMode, local: &str) -> Self {
        let mut scene = Self::new(mode, local, Answer::NotAsked);
        scene.seen.instance.postmaster = Postmaster::Absent;
        let me = scene.node(local);
        me.role = ClusterRole::Stopped;
        me.status = None;
        me.score = None;
        scene
    }

    /// Adds a host that runs a standby.
    pub(in crate::decide) fn add_node(&mut self, name: &str) {
        self.cluster().nodes.push(cluster_node(name));
        self.settings.node_list.push(node(name));
    }

    pub(in crate::decide) fn cluster(&mut self) -> &mut Cluster {
        match &mut self.seen.cluster {
            ClusterView::Seen(cluster) => cluster,
            ClusterView::NotAsked | ClusterView::Unavailable(_) => panic!("no cluster in scene"),
        }
    }

    pub(in crate::decide) fn node(&mut self, name: &str) -> &mut ClusterNode {
        let wanted = node(name);
        let nodes = &mut self.cluster().nodes;
        nodes.iter_mut().find(|node| node.name == wanted).expect("a node of the scene")
    }

    pub(in crate::decide) fn report(&mut self) -> &mut PrimaryReport {
        match &mut self.seen.instance.answer {
            Answer::Primary(report) => report,
            other => panic!("not a primary: {other:?}"),
        }
    }

    pub(in crate::decide) fn standby_report(&mut self) -> &mut StandbyReport {
        match &mut self.seen.instance.answer {
            Answer::Standby(report) => report,
            other => panic!("not a standby: {other:?}"),
        }
    }

    fn slots(&mut self) -> &mut Vec<SlotRow> {
        match &mut self.seen.instance.answer {
            Answer::Primary(report) => &mut report.slots,
            Answer::Standby(report) => &mut report.slots,
            other => panic!("no server: {other:?}"),
        }
    }

    pub(in crate::decide) fn stream_from(&mut self, timeline: u32) {
        let receiver = Receiver { streaming: true, timeline: Some(Timeline(timeline)) };
        self.standby_report().receiver = Some(receiver);
    }

    pub(in crate::decide) fn decide(&self, action: Action) -> Verdict {
        decide(action, &self.settings, &self.seen)
    }

    /// Does a step as the world would, as far as a scene goes.
    pub(in crate::decide) fn take(&mut self, step: Step) {
        self.cluster().apply(&step);
        match &step {
            Step::WriteSyncNames(names) => self.seen.files.sync_names = Some(names.clone()),
            Step::Reload => {
                if let (Answer::Primary(report), Some(names)) =
                    (&mut self.seen.instance.answer, &self.seen.files.sync_names)
                {
                    report.synchronous_standby_names = names.to_string();
                    for row in &mut report.standbys {
                        let listed = if names.is_all_of() { "sync" } else { "quorum" };
                        let sync = names.contains(&row.application_name);
                        row.sync_state = Some(if sync { listed } else { "async" }.into());
                    }
                }
            }
            Step::RecordSlots(made) => self.seen.files.made_slots = Some(made.clone()),
            Step::CreateSlot(name) => self.slots().push(slot(name.as_str(), Some(END))),
            Step::DropSlot(name, _) => self.slots().retain(|row| row.name != name.as_str()),
            Step::AdvanceSlot(name, to) => {
                let rows = self.slots().iter_mut().filter(|row| row.name == name.as_str());
                rows.for_each(|row| row.restart_lsn = Some(*to));
            }
            Step::WriteStandbySettings | Step::StayOnTimeline(_) => {
                let files = &mut self.seen.files;
                (files.standby_settings, files.standby_signal) = (true, true);
                files.recovers_to = Some(written(&step));
            }
            Step::CreateLock(timeline) => {
                self.seen.files.lock = Some(Lock { timeline: Some(*timeline) });
                self.seen.files.lock_since_cluster_start = true;
            }
            Step::RemoveLock => self.seen.files.lock = None,
            Step::NoteFollowed => self.seen.files.followed_since_cluster_start = true,
            Step::Shutdown(_) => {
                self.seen.instance.postmaster = Postmaster::Absent;
                self.seen.instance.answer = Answer::NotAsked;
            }
            _ => {}
        }
        let ended = self.seen.time.elapsed;
        if step == Step::Reload {
            // Signals take a moment to arrive.
            self.seen.time.elapsed += Duration::from_millis(600);
        }
        self.seen.taken.0.push(Attempt { step, ended, error: None });
    }

    /// Lets a step fail.
    pub(in crate::decide) fn fail(&mut self, step: Step) {
        let ended = self.seen.time.elapsed;
        self.seen.taken.0.push(Attempt { step, ended, error: Some("refused".into()) });
    }

    /// Decides and takes steps until the action is done or waits; returns the steps and the end.
    pub(in crate::decide) fn run(&mut self, action: Action) -> (Vec<Step>, Verdict) {
        let mut steps = Vec::new();
        loop {
            assert!(steps.len() < 100, "the action goes round in circles: {steps:?}");
            match self.decide(action) {
                Verdict::Do(step) => {
                    steps.push(step.clone());
                    self.take(step);
                }
                end @ (Verdict::Wait(_) | Verdict::Done(_)) => return (steps, end),
            }
        }
    }

    /// Forgets what the action has done: the next call is a new action.
    pub(in crate::decide) fn next_action(&mut self) {
        self.seen.taken = Taken::default();
    }
}

pub(in crate::decide) fn position(timeline: u32, lsn: u64) -> WalPosition {
    WalPosition { timeline: Timeline(timeline), lsn: Lsn(lsn) }
}
