//! What a case is: a name, what befalls the cluster, how it is repaired, and what is expected. The cases themselves are
//! in `cases`; how they are played is told in `play`.

use crate::error::Error;
use crate::mode::Mode;
use crate::stage::Stage;

/// Something that befalls the cluster.
pub struct Case {
    /// Its name: the number in the catalogue, and a letter.
    pub id: &'static str,
    /// What happens, for the table.
    pub words: &'static str,
    /// What is different about the cluster.
    pub setup: Setup,
    /// What the cluster is expected to do.
    pub expect: Expect,
    /// Whether hosts are fenced.
    pub fences: Fences,
    /// Whether the fault is repaired before the service can come back.
    pub heal: Heal,
    /// Lets it happen.
    pub strike: Act,
    /// Repairs what the power and the network do not.
    pub repair: Option<Act>,
    /// Looks at what only this case knows, once everything is well again.
    pub check: Option<Act>,
}

/// A step of a case.
pub type Act = fn(&mut Stage) -> Result<(), Error>;

/// What is different about the cluster from `crm-examples/three-hosts.crm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setup {
    /// Nothing.
    Example,
    /// `pg_wal` is on a small file system of its own.
    SmallWal,
    /// The start operation's timeout is 20 s.
    ShortStart,
    /// `rejoin=rewind`.
    Rewind,
}

impl Setup {
    /// The parameter without which the agent cannot run it.
    pub const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Rewind => Some("rejoin"),
            Self::Example | Self::SmallWal | Self::ShortStart => None,
        }
    }
}

/// What the cluster is expected to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The primary stays what it is, without a restart.
    Stays,
    /// Another host, or the same with a new server, becomes the primary; no acknowledged row is at risk in any mode.
    Moves,
    /// Another host, or the same with a new server, becomes the primary.
    FailsOver,
    /// It may stay or go; no server fails, so that no acknowledged row is at risk in any mode.
    MayMove,
    /// It may stay or go.
    Either,
}

/// Whether hosts are fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fences {
    /// They may be: the case is played with both kinds of fencing.
    Maybe,
    /// None is: the case is played once, and a fenced host is a failure.
    Never,
}

/// When the fault is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heal {
    /// After the cluster serves its clients again without it.
    Afterwards,
    /// Before: nobody can serve.
    First,
    /// Before where commits wait for a standby come what may, for none is left to wait for.
    FirstInStrict,
    /// After a while in which nobody serves: two faults at once may leave nobody who is known to have everything.
    WhenNeeded,
}

impl Heal {
    /// Whether the fault is repaired before anybody can serve.
    pub const fn is_first(self, mode: Mode) -> bool {
        match self {
            Self::Afterwards | Self::WhenNeeded => false,
            Self::First => true,
            Self::FirstInStrict => matches!(mode, Mode::SyncStrict),
        }
    }
}

impl Case {
    /// An ordinary case: the primary fails, the others take over.
    pub const fn new(id: &'static str, words: &'static str, strike: Act) -> Self {
        Self {
            id,
            words,
            setup: Setup::Example,
            expect: Expect::FailsOver,
            fences: Fences::Maybe,
            heal: Heal::Afterwards,
            strike,
            repair: None,
            check: None,
        }
    }

    /// On another cluster.
    pub const fn on(mut self, setup: Setup) -> Self {
        self.setup = setup;
        self
    }

    /// With another expectation.
    pub const fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// Nobody is fenced.
    pub const fn without_fencing(mut self) -> Self {
        self.fences = Fences::Never;
        self
    }

    /// Nobody can serve before the repair.
    pub const fn healed_first(mut self) -> Self {
        self.heal = Heal::First;
        self
    }

    /// Nobody can serve before the repair where commits wait for a standby come what may.
    pub const fn healed_first_in_strict(mut self) -> Self {
        self.heal = Heal::FirstInStrict;
        self
    }

    /// Two faults at once: nobody may be able to serve before the repair.
    pub const fn healed_when_needed(mut self) -> Self {
        self.heal = Heal::WhenNeeded;
        self
    }

    /// With something to repair beside power and network.
    pub const fn repair(mut self, repair: Act) -> Self {
        self.repair = Some(repair);
        self
    }

    /// With something to look at in the end.
    pub const fn check(mut self, check: Act) -> Self {
        self.check = Some(check);
        self
    }
}
