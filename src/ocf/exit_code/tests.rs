//! Tests of the exit codes.

use std::path::PathBuf;

use super::{ExitCode, Recovery, of_failure, of_outcome};
use crate::model::action::Action;
use crate::model::invariant::Invariant;
use crate::model::node::NodeName;
use crate::model::rejoin::Resync;
use crate::model::status::DataStatus;
use crate::model::step::Step;
use crate::model::verdict::{Failure, Outcome, Reason};
use crate::model::wal::{Lsn, Timeline, WalPosition};

/// Every kind of failure and the code it is worth at start.
fn failures() -> Vec<(Failure, u8)> {
    let position = WalPosition { timeline: Timeline(1), lsn: Lsn(1) };
    let path = || PathBuf::from("/data");
    vec![
        (Failure::NoReplication, 3),
        (Failure::DataDirectoryMissing(path()), 5),
        (Failure::DataDirectoryUnreadable(path(), "EIO".into()), 4),
        (
            Failure::Locked {
                lock: path(),
                data_status: None,
                primary: None,
                resync: Resync::Rewind,
            },
            1,
        ),
        (Failure::AlreadyPrimary, 1),
        (Failure::ServerDied(None), 1),
        (Failure::NotAccepting(String::new()), 1),
        (Failure::Silent(String::new()), 1),
        (Failure::MonitorSql(String::new()), 1),
        (Failure::ForeignSyncNames("x".into()), 1),
        (Failure::ConninfoOverridden("x".into()), 1),
        (Failure::DataOutOfDate(DataStatus::Disconnected), 1),
        (Failure::Diverged(NodeName::new("pm02"), position, position), 1),
        (Failure::HalfRewound(path(), String::new()), 1),
        (Failure::CannotListen { pghost: String::new(), line: String::new() }, 1),
        (Failure::Unrecorded, 1),
        (Failure::Uncompared, 1),
        (Failure::Unlisted(NodeName::new("pm02")), 1),
        (Failure::SupersededPrimary { data_status: None, primary: None }, 1),
        (Failure::Broken(Invariant::PromotedAlone), 1),
        (Failure::NotAStandby, 1),
        (Failure::PeerAhead(NodeName::new("pm02"), position, position), 1),
        (Failure::QuorumUnseen("pm03".into()), 1),
        (Failure::CannotStop, 1),
        (Failure::Deadline(Box::new(Reason::ServerStarts)), 1),
        (Failure::ClusterUnavailable(String::new()), 1),
        (Failure::StepFailed(Box::new(Step::Launch), String::new()), 1),
    ]
}

#[test]
fn the_numbers_are_those_of_ocf() {
    let numbers = ExitCode::ALL.map(ExitCode::code);
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 190, 191]);
    assert!(ExitCode::ALL.iter().all(|code| code.name().starts_with("OCF_")));
}

#[test]
fn a_failed_start_says_why_by_number() {
    for (failure, code) in failures() {
        assert_eq!(of_failure(&failure).code(), code, "{failure:?}");
        assert_eq!(of_outcome(Action::Start, &Outcome::Failed(failure)).code(), code);
    }
}

#[test]
fn no_running_instance_is_banned_by_a_number() {
    use Action::{Demote, Monitor, Notify, Promote, Status, Stop};
    for action in [Monitor, Promote, Demote, Stop, Status, Notify] {
        for (failure, code) in failures() {
            let unsupported = code == 3 && matches!(action, Promote | Demote);
            let superseded =
                matches!(failure, Failure::SupersededPrimary { .. }) && action == Monitor;
            let expected = match (unsupported, superseded) {
                (true, _) => 3,
                // A primary that failed: it is demoted.
                (false, true) => 9,
                (false, false) => 1,
            };
            let answer = of_outcome(action, &Outcome::Failed(failure));
            assert_eq!(answer.code(), expected, "{action:?}");
        }
    }
}

#[test]
fn only_a_question_is_answered_with_a_state() {
    for action in Action::ALL {
        let [success, promoted, stopped] =
            [Outcome::Success, Outcome::RunningPromoted, Outcome::NotRunning]
                .map(|outcome| of_outcome(action, &outcome).code());
        let expected = match action {
            Action::Monitor => [0, 8, 7],
            Action::Status => [0, 0, 7],
            Action::Stop => [0, 1, 0],
            Action::Start | Action::Promote | Action::Demote | Action::Notify => [0, 1, 1],
        };
        assert_eq!([success, promoted, stopped], expected, "{action:?}");
    }
}

#[test]
fn recovery_is_that_of_pacemaker() {
    let of = |wanted| -> Vec<u8> {
        let all = ExitCode::ALL.into_iter();
        all.filter(|code| code.recovery() == wanted).map(ExitCode::code).collect()
    };
    assert_eq!(of(Recovery::None), [0, 190, 191]);
    assert_eq!(of(Recovery::Soft), [1, 7, 8, 9]);
    assert_eq!(of(Recovery::Hard), [2, 3, 4, 5]);
    assert_eq!(of(Recovery::Fatal), [6]);
}
