//! When a returning node's data and the primary's history are read, and read again. Nothing is compared here.

use std::time::Duration;

use crate::model::node::NodeName;
use crate::model::rejoin::Evidence;

/// How soon a primary that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Reads both sides once a decision asks for it, and again when it finds that they are not enough.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    primary: Option<NodeName>,
    not_enough: bool,
    asked: Option<Duration>,
    evidence: Option<Evidence>,
}

impl Inquiry {
    /// Remembers that a decision waits for more than is known of this primary.
    pub(super) fn want(&mut self, primary: &NodeName) {
        if self.primary.as_ref() != Some(primary) {
            *self = Self { primary: Some(primary.clone()), ..Self::default() };
        }
        self.not_enough = true;
    }

    /// Forgets what was read: a step has changed it.
    pub(super) fn forget(&mut self) {
        self.evidence = None;
    }

    /// Tells whether the next look asks the primary once more.
    pub(super) fn is_due(&self, elapsed: Duration) -> bool {
        self.not_enough && self.asked.is_some_and(|asked| elapsed >= asked + ASK_AGAIN)
    }

    /// Returns the primary that is to be asked now.
    pub(super) fn wants(&self, elapsed: Duration) -> Option<&NodeName> {
        self.primary.as_ref().filter(|_| self.evidence.is_none() || self.is_due(elapsed))
    }

    /// Takes what was read.
    pub(super) fn hear(&mut self, evidence: Evidence, elapsed: Duration) {
        self.evidence = Some(evidence);
        self.asked = Some(elapsed);
        self.not_enough = false;
    }

    /// What is known.
    pub(super) const fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }
}
