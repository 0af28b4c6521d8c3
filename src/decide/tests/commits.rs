//! Commits, standbys that come and go, and a primary whose monitors are interrupted anywhere: whoever
//! may be promoted at any moment has every acknowledged commit.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::scene::{END, Scene, row};
use crate::decide::rules::quorum::suffices;
use crate::model::action::Action;
use crate::model::instance::PrimaryReport;
use crate::model::policy::SyncAvailability;
use crate::model::settings::ReplicationMode::Sync;
use crate::model::status::DataStatus;
use crate::model::sync_names::{SyncMethod, SyncNames};
use crate::model::verdict::Verdict;
use crate::model::wal::Lsn;
use std::time::Duration;

const STANDBYS: [&str; 3] = ["pm02", "pm03", "pm04"];

#[derive(Debug, Clone)]
enum Event {
    /// Somebody writes.
    Write,
    /// A standby flushes what there is.
    Flush(usize),
    Connect(usize),
    Disconnect(usize),
    /// The server reads its files late, or does so now.
    Deaf,
    Listen,
    /// Commits take the configuration that the server has read.
    Obey,
    /// The monitor takes a step.
    Step,
    /// The monitor takes all its steps.
    Monitor,
    /// It was killed, or is over.
    NextMonitor,
    /// The operator changes his mind.
    Method(SyncMethod),
    Count(usize),
}

struct World {
    scene: Scene,
    end: u64,
    flushed: [u64; 3],
    connected: [bool; 3],
    /// What commits obey, beside what the server has read.
    obeyed: SyncNames,
    acknowledged: u64,
    strict: bool,
    deaf: bool,
}

impl World {
    fn new(method: SyncMethod, count: usize, strict: bool) -> Self {
        let mut scene = Scene::primary(Sync);
        scene.add_node("pm04");
        for name in STANDBYS {
            scene.node(name).data_status = Some(DataStatus::Disconnected);
        }
        let policy = &mut scene.settings.policy;
        (policy.sync_method, policy.sync_standbys) = (method, count);
        let mut names = SyncNames::nobody();
        if strict {
            policy.sync_availability = SyncAvailability::Strict;
            names = SyncNames::one_of(STANDBYS.map(str::to_owned));
        }
        scene.report().synchronous_standby_names = names.to_string();
        scene.seen.files.sync_names = Some(names.clone());
        let (end, flushed) = (END.0, [END.0 - 8; 3]);
        let connected = [false; 3];
        Self { scene, end, flushed, connected, obeyed: names, acknowledged: 0, strict, deaf: false }
    }

    fn effective(&mut self) -> SyncNames {
        SyncNames::parse(&self.scene.report().synchronous_standby_names)
    }

    /// How far commits are released by these names.
    fn released(&self, names: &SyncNames) -> u64 {
        let of = |name: &str| {
            let i = STANDBYS.iter().position(|standby| *standby == name)?;
            self.connected[i].then_some(self.flushed[i])
        };
        let mut flushed: Vec<u64> = names.iter().filter_map(of).collect();
        if names.is_nobody() {
            return self.end;
        }
        if flushed.len() < names.count() {
            return 0;
        }
        if names.method() == SyncMethod::Any {
            flushed.sort_unstable_by(|a, b| b.cmp(a));
        }
        flushed[..names.count()].iter().copied().min().unwrap_or(0)
    }

    fn acknowledge(&mut self) {
        let effective = self.effective();
        let now = self.released(&effective).max(self.released(&self.obeyed));
        self.acknowledged = self.acknowledged.max(now);
    }

    fn show(&mut self) {
        let effective = self.effective();
        let listed = if effective.is_all_of() { "sync" } else { "quorum" };
        let rows = (0..3).filter(|i| self.connected[*i]).map(|i| {
            let state = if effective.contains(STANDBYS[i]) { listed } else { "async" };
            row(STANDBYS[i], "streaming", state, Lsn(self.flushed[i]))
        });
        let (standbys, wal_end) = (rows.collect(), Lsn(self.end));
        let sync_config_applied = self.obeyed == effective;
        let old = self.scene.report();
        *old = PrimaryReport { standbys, wal_end, sync_config_applied, ..old.clone() };
    }

    fn step(&mut self) -> bool {
        self.show();
        match self.scene.decide(Action::Monitor) {
            Verdict::Do(step) => {
                let old = self.scene.report().synchronous_standby_names.clone();
                self.scene.take(step);
                if self.deaf {
                    self.scene.report().synchronous_standby_names = old;
                }
                true
            }
            Verdict::Wait(_) | Verdict::Done(_) => {
                self.scene.seen.time.elapsed += Duration::from_millis(300);
                false
            }
        }
    }

    fn listen(&mut self) {
        self.deaf = false;
        let file = self.scene.seen.files.sync_names.clone().unwrap_or_default();
        self.scene.report().synchronous_standby_names = file.to_string();
    }

    /// Lets everything come to rest with all standbys.
    fn settle(&mut self) {
        self.connected = [true; 3];
        self.listen();
        for _ in 0..5 {
            self.next_monitor();
            for _ in 0..60 {
                if !self.step() {
                    self.take(&Event::Obey);
                    self.flushed = [self.end; 3];
                }
            }
            self.acknowledge();
        }
        self.next_monitor();
    }

    fn next_monitor(&mut self) {
        self.scene.next_action();
        self.scene.seen.time.elapsed = Duration::ZERO;
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Write => self.end += 8,
            Event::Flush(i) if self.connected[*i] => self.flushed[*i] = self.end,
            Event::Flush(_) => {}
            Event::Connect(i) => self.connected[*i] = true,
            Event::Disconnect(i) => self.connected[*i] = false,
            Event::Deaf => self.deaf = true,
            Event::Listen => self.listen(),
            Event::Obey => self.obeyed = self.effective(),
            Event::Step => {
                self.step();
            }
            Event::Monitor => while self.step() {},
            Event::NextMonitor => self.next_monitor(),
            Event::Method(method) => self.scene.settings.policy.sync_method = *method,
            Event::Count(count) => self.scene.settings.policy.sync_standbys = *count,
        }
    }

    /// Looks for a standby that may be promoted although it would lose something.
    fn loses(&mut self) -> Option<String> {
        let record = self.scene.node("pm01").sync_quorum.clone();
        for (i, name) in STANDBYS.into_iter().enumerate() {
            let recorded = self.scene.node(name).data_status.clone();
            if recorded == Some(DataStatus::StreamingSync) && self.flushed[i] < self.acknowledged {
                return Some(format!("{name} is recorded as synchronous"));
            }
            let Some(record) =
                record.as_ref().filter(|_| recorded == Some(DataStatus::StreamingQuorum))
            else {
                continue;
            };
            for seen in (0_u32..8).filter(|seen| seen >> i & 1 == 1) {
                let bit = |name: &str| STANDBYS.iter().position(|standby| *standby == name);
                let sees = |name: &str| bit(name).is_some_and(|bit| seen >> bit & 1 == 1);
                let voters = record.voters.iter().filter(|name| sees(name));
                let furthest = voters.filter_map(|name| Some(self.flushed[bit(name)?])).max();
                let votes = record.voters.iter().any(|voter| voter == name);
                if votes && suffices(record, sees) && furthest < Some(self.acknowledged) {
                    return Some(format!("{name} may be promoted by {seen:03b} of {record}"));
                }
            }
        }
        None
    }

    /// Tells whether a commit was acknowledged that no standby has.
    fn is_alone(&self) -> bool {
        self.flushed.iter().all(|flushed| *flushed < self.acknowledged)
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let standby = 0_usize..3;
    let event = prop_oneof![
        4 => Just(Event::Write),
        4 => standby.clone().prop_map(Event::Flush),
        2 => standby.clone().prop_map(Event::Connect),
        1 => standby.prop_map(Event::Disconnect),
        1 => Just(Event::Deaf),
        2 => Just(Event::Listen),
        3 => Just(Event::Obey),
        8 => Just(Event::Step),
        1 => Just(Event::Monitor),
        2 => Just(Event::NextMonitor),
        1 => prop_oneof![Just(SyncMethod::First), Just(SyncMethod::Any)].prop_map(Event::Method),
        1 => (1_usize..4).prop_map(Event::Count),
    ];
    prop::collection::vec(event, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_may_be_promoted_has_every_acknowledged_commit(
        events in events(),
        any in prop::bool::ANY,
        count in 1_usize..4,
        strict in prop::bool::ANY,
        settled in prop::bool::ANY,
    ) {
        let method = if any { SyncMethod::Any } else { SyncMethod::First };
        let mut world = World::new(method, count, strict);
        if settled {
            world.settle();
        }
        for event in &events {
            world.take(event);
            world.acknowledge();
            let lost = world.loses();
            prop_assert!(lost.is_none(), "after {event:?}: {lost:?}");
            prop_assert!(!world.strict || !world.is_alone(), "after {event:?}: acknowledged alone");
        }
    }

    #[test]
    fn with_all_standbys_there_it_ends_in_a_steady_state_with_all_rights(
        events in events(),
        strict in prop::bool::ANY,
    ) {
        let mut world = World::new(SyncMethod::Any, 1, strict);
        for event in &events {
            world.take(event);
        }
        world.settle();
        world.show();
        let last = world.scene.run(Action::Monitor).0;
        prop_assert!(last.is_empty(), "{last:?}");
        let any = world.scene.settings.is_quorum_commit();
        let count = world.scene.settings.policy.sync_standbys;
        let fit = if any { DataStatus::StreamingQuorum } else { DataStatus::StreamingSync };
        let fits = STANDBYS.into_iter().filter(|name| world.scene.node(name).data_status == Some(fit.clone()));
        prop_assert_eq!(fits.count(), if any { 3 } else { count });
        let record = world.scene.node("pm01").sync_quorum.clone();
        prop_assert_eq!(record.map(|record| record.count), any.then_some(count));
        prop_assert_eq!(world.effective().count(), count);
    }
}

#[test]
fn names_that_somebody_else_lets_the_server_read_do_not_make_an_old_comparison_count() {
    use Event::{Connect, Disconnect, Flush, Listen, Method, Monitor, Obey, Step, Write};
    let mut world = World::new(SyncMethod::First, 2, false);
    world.settle();
    let before = [Disconnect(0), Method(SyncMethod::Any), Disconnect(2), Monitor, Obey, Step];
    let after = [Connect(2), Step, Write, Flush(1), Step, Listen, Step, Step, Step, Step];
    for event in before.iter().chain(&after) {
        world.take(event);
        world.acknowledge();
        assert_eq!(world.loses(), None, "{event:?}");
    }
}

#[test]
fn nothing_is_promised_while_other_names_wait_to_be_read() {
    use Event::{Count, Flush, Listen, Method, Monitor, Step, Write};
    let mut world = World::new(SyncMethod::Any, 3, false);
    world.settle();
    let (first, any) = (Method(SyncMethod::First), Method(SyncMethod::Any));
    let before = [first, Monitor, any, Step, Count(1), Listen, Step, Count(3), Monitor];
    for event in before.iter().chain(&[Write, Flush(0), Listen]) {
        world.take(event);
        world.acknowledge();
        assert_eq!(world.loses(), None, "{event:?}");
    }
}
