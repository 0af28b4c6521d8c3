//! What the operator can do about a failure, for the log.
//!
//! The failures themselves, and what Pacemaker shows of them, stand above, in `verdict`.

use std::path::Path;

use super::Failure;
use crate::model::node::NodeName;
use crate::model::rejoin::Resync;

impl Failure {
    /// Returns what the operator can do about it, if there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoReplication => {
                Some("set rep_mode to async or sync for a promotable clone".into())
            }
            Self::DataDirectoryMissing(_) => {
                Some("check pgdata, and that its file system is mounted".into())
            }
            Self::DataDirectoryUnreadable(..) => {
                Some("check the owner, the mode and the disk".into())
            }
            Self::Locked { lock, primary, resync, .. } => {
                Some(way_back(lock, primary.as_ref(), *resync))
            }
            Self::HistoryMismatch(refusal) => Some(refusal.hint()),
            Self::Diverged(primary, ..) => Some(format!(
                "it can never stream from {primary}; the next start rewinds it (rejoin=rewind) or says \
                 what to do"
            )),
            Self::HalfRewound(marker, _) => Some(new_copy(marker)),
            Self::AlreadyPrimary => {
                Some("stop the server with pg_ctl; the cluster starts it as a standby".into())
            }
            Self::CannotListen { pghost, line } => Some(format!(
                "PostgreSQL was to listen on pghost, {pghost}, and ended: {line}. Its log (parameter \
                 logfile) says whether the address is not this node's or the port is taken"
            )),
            Self::NotAccepting(_) => Some(
                "check monitor_user, monitor_password, monitor_sslmode and pgdb, and see the server's log file \
                 (parameter logfile)"
                    .into(),
            ),
            Self::ServerDied(_) | Self::Silent(_) => {
                Some("see the server's log file (parameter logfile)".into())
            }
            Self::MonitorSql(error) => {
                Some(format!("check monitor_sql, monitor_user and pgdb: {error}"))
            }
            Self::ForeignSyncNames(value) => Some(format!(
                "remove synchronous_standby_names ('{value}') from postgresql.conf and \
                 postgresql.auto.conf"
            )),
            Self::ConninfoOverridden(_) => Some(
                "remove primary_conninfo from postgresql.auto.conf (ALTER SYSTEM RESET)".into(),
            ),
            Self::DataOutOfDate(_) | Self::Unrecorded => {
                Some("let this node stream from a primary first, or promote another node".into())
            }
            Self::Uncompared => Some(
                "start the last primary, so that this node's data are compared; if it is gone for good, and you know that \
                 this data holds all that matters, remove PGSQL.lock"
                    .into(),
            ),
            Self::Broken(_) => Some(
                "this is a fault of the agent, and nothing was changed: please report it with this log"
                    .into(),
            ),
            Self::PeerAhead(peer, ..) => {
                Some(format!("promote {peer}, or check that this node can reach its server"))
            }
            Self::Unlisted(_) => Some(
                "it runs as a standby without a right; the nodes that may be promoted are those of \
                 node_list"
                    .into(),
            ),
            Self::QuorumUnseen(_) => Some("start one of them (see sync_method)".into()),
            Self::SupersededPrimary { .. } => Some(
                "nothing of it is recorded; see who started or promoted this server (systemctl disable \
                 postgresql), and compare its data before it is overwritten"
                    .into(),
            ),
            Self::NotAStandby
            | Self::CannotStop
            | Self::Deadline(_)
            | Self::ClusterUnavailable(_)
            | Self::StepFailed(..) => None,
        }
    }
}

fn way_back(lock: &Path, primary: Option<&NodeName>, resync: Resync) -> String {
    let lock = lock.display();
    let Some(primary) = primary else {
        return format!(
            "if this node was the last primary, remove {lock} and clean the resource up; otherwise \
             start the last primary first"
        );
    };
    let programs = match resync {
        Resync::Rewind => "pg_rewind or pg_basebackup",
        Resync::Copy => "pg_basebackup",
    };
    format!(
        "{lock} says that this node was primary, and {primary} has been promoted since. If this \
         node's data holds nothing that {primary} lacks, remove the file; otherwise run {programs} \
         from {primary} first. Then clean the resource up"
    )
}

fn new_copy(marker: &Path) -> String {
    format!(
        "the data directory is neither the old nor the new one and must not be started, nor \
         rewound again. Replace it by pg_basebackup from the primary, remove {}, and clean the \
         resource up; if start ran out of time, give it a longer timeout",
        marker.display()
    )
}
