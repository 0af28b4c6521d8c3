//! `show`: the hosts, their roles, positions and records, a line each.

use std::io::Write as _;

use clap::{Arg, ArgMatches, Command};

use super::OperatorCommand;
use super::target::{TIMEOUT, open};
use crate::engine::{Engine, Request};
use crate::model::action::Action;
use crate::model::cluster::{Cluster, ClusterNode, ClusterRole, Membership};
use crate::model::instance::{Answer, PrimaryReport};
use crate::model::notification::Notification;
use crate::model::observation::{ClusterView, Observation};
use crate::model::settings::Settings;
use crate::observe::Observer;
use crate::ocf::exit_code::ExitCode;
use crate::ocf::settings::mode_word;

pub(super) const SHOW: OperatorCommand = OperatorCommand {
    name: "show",
    about: "show the hosts, their roles, positions and records",
    arguments,
    run,
};

/// The columns.
const HEAD: [&str; 7] = ["NODE", "MEMBER", "ROLE", "STATUS", "DATA", "SCORE", "WAL"];

fn arguments(command: Command) -> Command {
    let resource = Arg::new("resource").long("resource").value_name("NAME");
    command
        .arg(resource.help("The resource, where the cluster has several of the agent pgsql"))
        .long_about(
            "Shows the hosts of a resource of the agent pgsql, as Pacemaker has them on record and as the server of this \
             host sees them. It changes nothing, and is run on any host of the cluster, as root or as the database \
             user. The parameters are taken from the cluster, or from the OCF environment if there is one.",
        )
}

fn run(matches: &ArgMatches) -> ExitCode {
    let wanted = matches.get_one::<String>("resource").map(String::as_str);
    let mut world = match open(wanted) {
        Ok(world) => world,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::Generic;
        }
    };
    let request = Request {
        action: Action::Monitor,
        notification: Notification::default(),
        probe: false,
        of_standby: false,
        timeout: TIMEOUT,
    };
    let mut engine = Engine::new(request, &world.settings);
    let seen = Observer::default().observe(&mut world, &mut engine);
    let text = lines(&world.settings, &seen).join("\n");
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::Success,
        Err(_) => ExitCode::Generic,
    }
}

/// Returns what there is to say.
fn lines(settings: &Settings, seen: &Observation) -> Vec<String> {
    let mode = mode_word(settings.rep_mode);
    let resource = &settings.resource;
    let mut lines =
        vec![format!("{resource}: {} rep_mode={mode}", settings.pgdata.display()), server(seen)];
    match &seen.cluster {
        ClusterView::NotAsked => {}
        ClusterView::Unavailable(error) => {
            lines.push(format!("the cluster does not answer: {error}"))
        }
        ClusterView::Seen(cluster) => lines.extend(of_cluster(seen, cluster)),
    }
    lines
}

/// What the cluster says: a line of its own, and one for each node.
fn of_cluster(seen: &Observation, cluster: &Cluster) -> Vec<String> {
    let quorum = if cluster.quorum { "quorum" } else { "no quorum" };
    let fencing = if cluster.fencing { "fencing" } else { "no fencing" };
    let primary = cluster.primary().map_or("no primary", |primary| primary.name.as_str());
    let mut lines = vec![format!("{quorum}, {fencing}, primary: {primary}")];
    lines.extend(table(seen, cluster));
    lines
}

/// What the server of this host says.
fn server(seen: &Observation) -> String {
    let says = match &seen.instance.answer {
        Answer::Primary(report) => format!("primary, {}:{}", report.timeline, report.wal_end),
        Answer::Standby(report) => {
            let streams = if report.is_streaming() { "streams" } else { "does not stream" };
            format!("standby, {}:{}, {streams}", report.timeline, report.wal_end)
        }
        Answer::NotAsked => "is not running".to_owned(),
        Answer::Refused(_) => "takes no connections".to_owned(),
        Answer::Silent(error) => format!("does not answer: {error}"),
        Answer::MonitorSqlFailed(error) => format!("monitor_sql fails: {error}"),
    };
    format!("{}: {says}", seen.local)
}

fn table(seen: &Observation, cluster: &Cluster) -> Vec<String> {
    let report = seen.instance.answer.primary();
    let rows = cluster.nodes.iter().map(|node| row(node, report));
    let all: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect();
    let width = |at: usize| all.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        cells.collect::<String>().trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

fn row(node: &ClusterNode, report: Option<&PrimaryReport>) -> [String; 7] {
    let member = match node.membership {
        Membership::Member if node.standby => "standby",
        Membership::Member => "yes",
        Membership::Lost => "lost",
        Membership::Down => "down",
        Membership::NeverSeen => "never seen",
    };
    let role = match node.role {
        ClusterRole::Promoted => "Promoted",
        ClusterRole::Unpromoted => "Unpromoted",
        ClusterRole::Stopped => "Stopped",
        ClusterRole::Starting => "Starting",
        ClusterRole::StartFailed => "start failed",
        ClusterRole::Unknown => "-",
    };
    let name = node.name.application_name();
    let streams = report.and_then(|report| {
        let row = report.standbys.iter().find(|row| row.application_name == name)?;
        Some((row.flush_lsn?, row.sync_state.clone().unwrap_or_default()))
    });
    let wal = match (streams, node.wal_position) {
        (Some((flushed, sync_state)), _) => format!("{flushed} {sync_state}"),
        (None, Some(position)) => position.to_string(),
        (None, None) => "-".to_owned(),
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        node.name.to_string(),
        member.to_owned(),
        role.to_owned(),
        or_none(node.status.as_ref().map(ToString::to_string)),
        or_none(node.data_status.as_ref().map(ToString::to_string)),
        or_none(node.score.map(|score| score.to_string())),
        wal,
    ]
}
