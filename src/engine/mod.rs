//! The loop of an action without any I/O: what has to be read next, what an observation leads to, what a step has changed.
//!
//! The agent drives it in the real world, the simulation in its own. Nothing here reads, waits, writes or logs, and no rule
//! of replication lives here: that is `decide`'s.

mod inquiry;
mod needs;
mod patience;

use std::time::Duration;

use crate::decide::decide;
use crate::model::action::Action;
use crate::model::cluster::Cluster;
use crate::model::instance::{Answer, Files, Instance};
use crate::model::node::NodeName;
use crate::model::notification::Notification;
use crate::model::observation::{ActionTime, Attempt, ClusterView, Observation, Taken};
use crate::model::rejoin::Evidence;
use crate::model::settings::Settings;
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Reason, Verdict};

use inquiry::Inquiry;
pub use needs::Needs;

/// The least time for a fair question: asked later than this before the deadline, a server that has answered
/// already would be called silent for our own haste.
const FAIR_QUESTION: Duration = Duration::from_secs(1);

/// More steps than any action needs: an action that takes them is going round in circles.
const STEPS_MAX: usize = 500;

/// What Pacemaker, or a person, asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The action.
    pub action: Action,
    /// What Pacemaker says of the present transition.
    pub notification: Notification,
    /// Whether this monitor is a probe.
    pub probe: bool,
    /// Whether this monitor is the one of a standby.
    pub of_standby: bool,
    /// The operation's timeout.
    pub timeout: Duration,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Take this step, and say how it ended.
    Take(Step),
    /// Look again in a moment: the action waits for this.
    Wait(Reason),
    /// The action is over.
    End(Outcome),
}

/// What was seen of the local host, to be completed with what the engine knows.
#[derive(Debug)]
pub struct Local {
    /// The local node.
    pub name: NodeName,
    /// The instance.
    pub instance: Instance,
    /// The agent's files.
    pub files: Files,
}

/// One action, from its first look to its end.
#[derive(Debug)]
pub struct Engine {
    request: Request,
    needs: Needs,
    taken: Taken,
    /// The cluster as it was read last, or why it could not be read.
    cluster: Option<Result<Cluster, String>>,
    /// Whether the record was changed since, so that whoever relies on quorum has to ask for it.
    quorum_in_doubt: bool,
    inquiry: Inquiry,
    /// What the last decision rested on.
    last: Option<Observation>,
}

impl Engine {
    /// Begins an action.
    #[must_use]
    pub fn new(request: Request, settings: &Settings) -> Self {
        let needs = Needs::of(request.action, settings, &request.notification);
        Self {
            request,
            needs,
            taken: Taken::default(),
            cluster: None,
            quorum_in_doubt: false,
            inquiry: Inquiry::default(),
            last: None,
        }
    }

    /// What was asked for.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// What the action has to look at.
    #[must_use]
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// The steps that were tried.
    #[must_use]
    pub const fn taken(&self) -> &Taken {
        &self.taken
    }

    /// Where the action stands after this time.
    #[must_use]
    pub fn time(&self, elapsed: Duration) -> ActionTime {
        let budget = ActionTime::budget(self.request.timeout);
        ActionTime { elapsed, remaining: budget.saturating_sub(elapsed) }
    }

    /// Tells whether the cluster has to be read before the next observation.
    #[must_use]
    pub const fn wants_cluster(&self) -> bool {
        self.needs.cluster && self.cluster.is_none()
    }

    /// Tells whether the quorum that a snapshot shows has to be confirmed: the record was changed by this action, and the
    /// write may have ended in a partition that has lost its quorum meanwhile.
    #[must_use]
    pub const fn doubts_quorum(&self) -> bool {
        self.quorum_in_doubt
    }

    /// Hears what the cluster information base says, or why it does not.
    pub fn hear_cluster(&mut self, read: Result<Cluster, String>) {
        self.cluster = Some(read);
    }

    /// Returns the primary whose history the local data have to be compared with, if that is to be read now.
    #[must_use]
    pub fn wants_evidence(&self, elapsed: Duration) -> Option<&NodeName> {
        self.inquiry.wants(elapsed)
    }

    /// Hears what both sides say, read until then.
    pub fn hear_evidence(&mut self, evidence: Evidence, elapsed: Duration) {
        self.inquiry.hear(evidence, elapsed);
    }

    /// Completes an observation with what was read before, and with this action's own writes.
    #[must_use]
    pub fn observation(&self, local: Local, elapsed: Duration) -> Observation {
        Observation {
            time: self.time(elapsed),
            local: local.name,
            instance: local.instance,
            files: local.files,
            cluster: self.cluster_with_own_writes(),
            evidence: self.inquiry.evidence().cloned(),
            notification: self.request.notification.clone(),
            probe: self.request.probe,
            of_standby: self.request.of_standby,
            taken: self.taken.clone(),
        }
    }

    fn cluster_with_own_writes(&self) -> ClusterView {
        let mut cluster = match &self.cluster {
            None => return ClusterView::NotAsked,
            Some(Err(error)) => return ClusterView::Unavailable(error.clone()),
            Some(Ok(cluster)) => cluster.clone(),
        };
        for attempt in self.taken.0.iter().filter(|attempt| attempt.error.is_none()) {
            cluster.apply(&attempt.step);
        }
        ClusterView::Seen(cluster)
    }

    /// Decides what comes after an observation.
    pub fn next(&mut self, settings: &Settings, seen: Observation) -> Next {
        let verdict = decide(self.request.action, settings, &seen);
        self.follow(settings, seen, verdict)
    }

    /// Follows a verdict on an observation, as long as there is time for it.
    pub fn follow(&mut self, settings: &Settings, seen: Observation, verdict: Verdict) -> Next {
        let next = match verdict {
            Verdict::Done(outcome) => Next::End(outcome),
            Verdict::Do(step) => match self.given_up(settings, &seen, &step) {
                Some(outcome) => Next::End(outcome),
                None => {
                    self.forget_before(&step);
                    Next::Take(step)
                }
            },
            Verdict::Wait(reason) if seen.time.remaining.is_zero() => {
                Next::End(Outcome::Failed(Failure::Deadline(Box::new(reason))))
            }
            Verdict::Wait(reason) => {
                self.forget_for(&reason, seen.time.elapsed);
                Next::Wait(reason)
            }
        };
        self.last = Some(seen);
        next
    }

    /// What the last decision rested on.
    #[must_use]
    pub const fn last(&self) -> Option<&Observation> {
        self.last.as_ref()
    }

    /// Notes how a step ended, and when.
    pub fn ended(&mut self, step: Step, ended: Duration, error: Option<String>) {
        self.taken.0.push(Attempt { step, ended, error });
    }

    /// Returns how a monitor ends that has no time for another look: by what it has seen.
    #[must_use]
    pub fn out_of_time(&self, settings: &Settings, elapsed: Duration) -> Option<Outcome> {
        let budget = ActionTime::budget(self.request.timeout);
        let late = self.time(elapsed).remaining <= FAIR_QUESTION.min(budget / 10);
        let seen = self.last.as_ref().filter(|_| late && self.request.action == Action::Monitor)?;
        self.at_the_end(settings, seen)
    }

    /// Returns how an action ends that has seen this and has no time left, if that is for it to say.
    fn at_the_end(&self, settings: &Settings, seen: &Observation) -> Option<Outcome> {
        let answered = matches!(seen.instance.answer, Answer::Primary(_) | Answer::Standby(_));
        let time = ActionTime { remaining: Duration::ZERO, ..seen.time };
        match decide(self.request.action, settings, &Observation { time, ..seen.clone() }) {
            Verdict::Done(outcome) if answered => Some(outcome),
            Verdict::Done(_) | Verdict::Do(_) | Verdict::Wait(_) => None,
        }
    }

    /// Tells whether a step is not to be taken any more: the time is over, or the action circles.
    fn given_up(&self, settings: &Settings, seen: &Observation, step: &Step) -> Option<Outcome> {
        let error = seen.taken.last(step).and_then(|attempt| attempt.error.clone());
        if seen.time.remaining.is_zero() {
            let failure = match error {
                Some(error) => Failure::StepFailed(Box::new(step.clone()), error),
                None => Failure::Deadline(Box::new(Reason::Retry(step.purpose().to_owned()))),
            };
            return Some(Outcome::Failed(failure));
        }
        if seen.taken.0.len() < STEPS_MAX {
            return None;
        }
        let bookkeeping = (self.request.action == Action::Monitor)
            .then(|| self.at_the_end(settings, seen))
            .flatten();
        bookkeeping.or_else(|| {
            let error = error.unwrap_or_else(|| "too many steps".to_owned());
            Some(Outcome::Failed(Failure::StepFailed(Box::new(step.clone()), error)))
        })
    }

    /// Forgets what others may have changed while the action waits for this.
    fn forget_for(&mut self, reason: &Reason, elapsed: Duration) {
        match reason {
            Reason::Positions(_)
            | Reason::RecordBinds(_)
            | Reason::PrimaryWrites
            | Reason::ClusterAnswers => {
                self.cluster = None;
            }
            Reason::HistoryOf(primary) | Reason::CheckpointOf(primary) => {
                self.inquiry.want(primary);
                if self.inquiry.is_due(elapsed) {
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

    /// Forgets what a step makes doubtful: whether commits may stop waiting for a standby is asked anew once its record is
    /// written, for the write may take long and end in a partition that has lost its quorum meanwhile.
    fn forget_before(&mut self, step: &Step) {
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
}
