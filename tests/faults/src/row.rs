//! A row of the table: what was measured, as plain data, and the verdict, which follows from nothing else.

use serde::{Deserialize, Serialize};
use testbed::Data;

use crate::case::Expect;
use crate::mode::{Mode, Speed};

/// What became of a case in one mode with one kind of fencing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The case.
    pub id: String,
    /// What happened.
    pub words: String,
    /// How commits waited.
    pub mode: Mode,
    /// How quickly fencing acted; none where nobody is fenced.
    pub fencing: Option<Speed>,
    /// What came of it.
    pub result: Outcome,
    /// How long the row took, in seconds.
    pub took: f64,
}

/// What came of a case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was not played, and why.
    NotAvailable(String),
    /// What was measured, and what is wrong with it.
    Played(Box<Measured>, Vec<String>),
    /// The case could not be played to its end.
    Broken(String),
}

/// What was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Measured {
    /// The longest time without an acknowledged row that ended after the fault, in seconds.
    pub outage: f64,
    /// Rows that were acknowledged, to clients and inside the old primary's host.
    pub acknowledged: usize,
    /// Rows acknowledged through the clients' address that the primary does not have in the end.
    pub lost: usize,
    /// Rows acknowledged inside the old primary's host that the primary does not have in the end.
    pub only_there: usize,
    /// The most hosts that accepted writes at one moment.
    pub primaries_at_once: usize,
    /// Those of them that nobody switched off.
    pub second_survived: bool,
    /// Whom fencing switched off.
    pub fenced: Vec<String>,
    /// What an operator had to do beside the repair.
    pub hands: Vec<Hand>,
    /// Actions that ran into their timeout.
    pub timeouts: Vec<String>,
    /// What the case itself found wrong.
    pub complaints: Vec<String>,
}

/// Something that an operator had to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hand {
    /// Where.
    pub host: String,
    /// What.
    pub act: String,
    /// How the data there stood to the primary's.
    pub data: Data,
    /// From which that follows.
    pub proof: String,
    /// What the cluster said before.
    pub reason: String,
}

/// What a case permits.
#[derive(Debug, Clone, Copy)]
pub struct Permits {
    /// How commits wait.
    pub mode: Mode,
    /// What the cluster is expected to do.
    pub expect: Expect,
    /// Whether somebody may be fenced.
    pub fencing: bool,
    /// Whether the agent brings diverged data back by itself.
    pub rewinds: bool,
}

/// What is wrong with what was measured; nothing, when the row passes.
pub fn judge(measured: &Measured, permits: Permits) -> Vec<String> {
    let mut wrong = Vec::new();
    let nothing_at_risk = match permits.expect {
        Expect::Stays | Expect::Moves | Expect::MayMove => true,
        Expect::FailsOver | Expect::Either => permits.mode.is_sync(),
    };
    if nothing_at_risk && measured.lost + measured.only_there > 0 {
        wrong.push(format!("{} acknowledged rows lost", measured.lost + measured.only_there));
    }
    if measured.acknowledged == 0 {
        wrong.push("no row was acknowledged".into());
    }
    if measured.second_survived {
        wrong.push("a second primary that fencing let live".into());
    }
    if !permits.fencing && !measured.fenced.is_empty() {
        wrong.push(format!("{} fenced for nothing", measured.fenced.join(", ")));
    }
    wrong.extend(measured.timeouts.iter().map(|action| format!("ran into its timeout: {action}")));
    for hand in &measured.hands {
        let needed = hand.data == Data::Diverged && !permits.rewinds;
        if !needed {
            let data = match hand.data {
                Data::Prefix => "its data was a prefix",
                Data::Diverged => "it may rewind",
                Data::Unknown => "nobody can tell why",
            };
            wrong.push(format!("{} needed a {} although {data}", hand.host, hand.act));
        }
    }
    wrong.extend(measured.complaints.iter().cloned());
    wrong
}

impl Row {
    /// Whether it counts as a failure of the run.
    pub const fn failed(&self) -> bool {
        match &self.result {
            Outcome::NotAvailable(_) => false,
            Outcome::Played(_, wrong) => !wrong.is_empty(),
            Outcome::Broken(_) => true,
        }
    }

    /// The verdict in words.
    pub fn verdict(&self) -> String {
        match &self.result {
            Outcome::NotAvailable(why) => format!("not available: {why}"),
            Outcome::Played(_, wrong) if wrong.is_empty() => "ok".into(),
            Outcome::Played(_, wrong) => format!("failed: {}", wrong.join("; ")),
            Outcome::Broken(why) => format!("failed: {why}"),
        }
    }

    /// What was measured.
    pub fn measured(&self) -> Option<&Measured> {
        match &self.result {
            Outcome::Played(measured, _) => Some(measured),
            Outcome::NotAvailable(_) | Outcome::Broken(_) => None,
        }
    }

    /// The row's name, fit for a file.
    pub fn name(&self) -> String {
        let fencing = match self.fencing {
            None => "",
            Some(Speed::AtOnce) => "-at-once",
            Some(Speed::Slow) => "-slow",
        };
        format!("{}-{}{fencing}", self.id, self.mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Measured {
        Measured { acknowledged: 100, primaries_at_once: 1, ..Measured::default() }
    }

    fn permits(mode: Mode, expect: Expect) -> Permits {
        Permits { mode, expect, fencing: false, rewinds: false }
    }

    fn hand(data: Data) -> Hand {
        Hand {
            host: "pm01".into(),
            act: "copy".into(),
            data,
            proof: String::new(),
            reason: String::new(),
        }
    }

    #[test]
    fn a_sound_row_passes_everywhere() {
        for mode in [Mode::SyncAvailable, Mode::SyncStrict, Mode::Async] {
            for expect in [Expect::Stays, Expect::Moves, Expect::FailsOver, Expect::Either] {
                assert_eq!(judge(&sound(), permits(mode, expect)), Vec::<String>::new());
            }
        }
    }

    #[test]
    fn each_fault_of_a_row_is_told() {
        let sync = permits(Mode::SyncAvailable, Expect::FailsOver);
        let faults: [(Measured, &str); 8] = [
            (Measured { lost: 1, ..sound() }, "1 acknowledged rows lost"),
            (Measured { only_there: 2, ..sound() }, "2 acknowledged rows lost"),
            (Measured { acknowledged: 0, ..sound() }, "no row"),
            (Measured { second_survived: true, ..sound() }, "a second primary"),
            (Measured { fenced: vec!["pm02".into()], ..sound() }, "pm02 fenced for nothing"),
            (Measured { timeouts: vec!["stop".into()], ..sound() }, "ran into its timeout: stop"),
            (Measured { hands: vec![hand(Data::Prefix)], ..sound() }, "pm01 needed a copy"),
            (Measured { complaints: vec!["late".into()], ..sound() }, "late"),
        ];
        for (measured, told) in faults {
            let wrong = judge(&measured, sync);
            assert!(matches!(&wrong[..], [only] if only.contains(told)), "{wrong:?}");
        }
    }

    #[test]
    fn what_a_mode_permits_is_no_fault() {
        let lossy = Measured { lost: 3, only_there: 3, ..sound() };
        assert!(judge(&lossy, permits(Mode::Async, Expect::FailsOver)).is_empty());
        assert!(!judge(&lossy, permits(Mode::Async, Expect::Moves)).is_empty());
        assert!(!judge(&lossy, permits(Mode::SyncStrict, Expect::FailsOver)).is_empty());
        let diverged = Measured { hands: vec![hand(Data::Diverged)], ..sound() };
        let plain = permits(Mode::SyncAvailable, Expect::FailsOver);
        assert!(judge(&diverged, plain).is_empty());
        assert!(!judge(&diverged, Permits { rewinds: true, ..plain }).is_empty());
    }
}
