//! The report on a terminal: in colours there, plain in a pipe.

use std::io::IsTerminal;

use crate::contender::Agent;
use crate::failover::Failover;
use crate::fault::Fault;
use crate::figures::Figure;
use crate::monitor::{Monitors, Place};
use crate::report::Report;
use crate::statistics::{Summary, times};

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "31";
const FAINT: &str = "2";

/// Prints the report.
pub fn print(report: &Report) {
    let paint = Paint::of_terminal();
    head(report, paint);
    if let Some(monitors) = &report.monitor {
        print_monitors(monitors, paint);
    }
    print_starts(report, paint);
    print_failovers(&report.failovers, paint);
    for failed in &report.failed {
        let text = format!("{}, {}: {}", failed.agent, failed.what, failed.reason);
        println!("{} {text}", paint.of(RED, "not measured:"));
    }
    println!("\n{}", paint.of(BOLD, "figures to reach"));
    if report.figures.is_empty() {
        println!("  none of them was measured");
    }
    for figure in &report.figures {
        print_figure(figure, paint);
    }
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy)]
struct Paint {
    colours: bool,
}

impl Paint {
    fn of_terminal() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colours: wanted && std::io::stdout().is_terminal() }
    }

    fn of(self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn head(report: &Report, paint: Paint) {
    let machine = &report.machine;
    println!("{}", paint.of(BOLD, &format!("pgsql-ha beside the stock agent ({})", report.stock)));
    println!(
        "{} processors ({}), {} GiB, {}, {}, load {} … {}",
        machine.processors,
        machine.processor,
        machine.memory_gib,
        machine.system,
        machine.pacemaker,
        report.load[0],
        report.load[1]
    );
}

fn columns(title: &str, unit: &str, paint: Paint) {
    let head = format!("{title:<44}{:>20}{:>24}{:>9}", "pgsql-ha", "stock", "");
    println!("\n{}  {}", paint.of(BOLD, head.trim_end()), paint.of(FAINT, unit));
}

/// One line: both medians, each with the least and the greatest, and how they compare.
fn line(what: &str, ours: Option<Summary>, stock: Option<Summary>, unit: Unit) {
    let ratio = ours.zip(stock).map(|(ours, stock)| times(ours.median, stock.median));
    let ratio = ratio.map(|ratio| format!("1/{ratio:.1}")).unwrap_or_default();
    let show = |summary: Option<Summary>| summary.map_or_else(|| "-".into(), |s| unit.show(s));
    println!("  {what:<38}{:>24}{:>24}{ratio:>9}", show(ours), show(stock));
}

/// How times are shown.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    fn show(self, summary: Summary) -> String {
        let Summary { least, median, greatest } = summary;
        let times = [median, least, greatest].map(|time| time.milliseconds());
        match self {
            Self::Milliseconds => format!("{:.1} ({:.1}-{:.1})", times[0], times[1], times[2]),
            Self::Seconds => {
                let times = times.map(|time| time / 1000.0);
                format!("{:.2} ({:.2}-{:.2})", times[0], times[1], times[2])
            }
        }
    }
}

fn print_monitors(monitors: &[Monitors], paint: Paint) {
    columns("monitor by hand", "ms, median (least-greatest)", paint);
    for (place, name) in [(Place::Primary, "primary"), (Place::Standby, "standby")] {
        let of = |agent| monitors.iter().find(|m| m.place == place && m.agent == agent);
        let (ours, stock) = (of(Agent::Ours), of(Agent::Stock));
        let wall = |monitors: Option<&Monitors>| monitors.and_then(|m| m.wall);
        let cpu = |monitors: Option<&Monitors>| monitors.and_then(|m| m.cpu);
        line(&format!("{name}, wall"), wall(ours), wall(stock), Unit::Milliseconds);
        line(&format!("{name}, cpu"), cpu(ours), cpu(stock), Unit::Milliseconds);
        let count = |what: &str, of: fn(&Monitors) -> u64| {
            let [ours, stock] =
                [ours, stock].map(|m| m.map_or_else(|| "-".into(), |m| of(m).to_string()));
            println!("  {:<38}{ours:>24}{stock:>24}", format!("{name}, {what}"));
        };
        count("processes", |m| m.trace.processes as u64);
        count("commands that write attributes", |m| m.trace.writes as u64);
        count("changes of the CIB in all runs", |m| m.cib_changes);
    }
}

fn print_starts(report: &Report, paint: Paint) {
    if report.starts.is_empty() {
        return;
    }
    columns("first start", "s, median (least-greatest)", paint);
    let of = |agent| {
        let own = report.starts.iter().filter(move |start| start.agent == agent);
        Summary::of(own.map(|start| start.took))
    };
    let count = format!("xlog_check_count {}", report.xlog_check_count);
    println!("  {}", paint.of(FAINT, &format!("{count}, {} starts in all", report.starts.len())));
    line("commit to writable and two streaming", of(Agent::Ours), of(Agent::Stock), Unit::Seconds);
}

fn print_failovers(failovers: &[Failover], paint: Paint) {
    if failovers.is_empty() {
        return;
    }
    columns("failover under write load", "s, median (least-greatest)", paint);
    for fault in Fault::ALL {
        let of = |agent, pick: fn(&Failover) -> Option<_>| {
            let runs = failovers.iter().filter(move |f| f.fault == fault && f.agent == agent);
            Summary::of(runs.filter_map(pick))
        };
        let show = |what: &str, pick: fn(&Failover) -> Option<_>| {
            let (ours, stock) = (of(Agent::Ours, pick), of(Agent::Stock, pick));
            if ours.is_some() || stock.is_some() {
                line(&format!("{fault}, {what}"), ours, stock, Unit::Seconds);
            }
        };
        show("whole outage", |f| Some(f.outage));
        show("not running → row", |f| f.from_not_running);
        show("fenced → row", |f| f.from_fenced);
    }
    let lost = |agent| {
        let runs = failovers.iter().filter(|failover| failover.agent == agent);
        let (lost, rows) = runs.fold((0, 0), |(lost, rows), failover| {
            (lost + failover.lost, rows + failover.acknowledged)
        });
        format!("{lost} of {rows}")
    };
    let (ours, stock) = (lost(Agent::Ours), lost(Agent::Stock));
    println!("  {:<38}{ours:>24}{stock:>24}", "acknowledged rows lost");
}

fn print_figure(figure: &Figure, paint: Paint) {
    let mark = if figure.reached { paint.of(GREEN, "PASS") } else { paint.of(RED, "FAIL") };
    println!("  {mark}  {:<56}{:>8}  ({})", figure.what, figure.measured, figure.wanted);
}
