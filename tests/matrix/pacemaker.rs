//! Pacemaker 2.0, 2.1 and 3.0 on hosts of Debian 11, 12 and 13, each with its own PostgreSQL, and the names of the
//! roles that it knows.

use crate::parts::Debian;
use crate::report::Report;
use crate::scenario;
use crate::site::{Roles, Site};

const BRING_UP: &str = "bring-up";
const SCORES: &str = "promotion scores";
const FAILOVER: &str = "failover";
const SWITCHOVER: &str = "switchover";
const STANDBY: &str = "standby stop and return";
const WHOLE_STOP: &str = "whole stop and start";
const QUICK: &str = "no action near its timeout";

fn all_scenarios(debian: Debian, roles: Roles) {
    let names = match roles {
        Roles::Old => "old names",
        Roles::New => "new names",
    };
    let key = format!("2-debian-{}-{}", debian.number(), names.replace(' ', "-"));
    let scenarios = [BRING_UP, SCORES, FAILOVER, SWITCHOVER, STANDBY, WHOLE_STOP, QUICK];
    let mut report = Report::new(&key, &scenarios);
    let site = Site::of_release(debian);
    report.runs(&format!("{} | {}, {names}", site.versions(), site.our_agent()));
    report.play(BRING_UP, |_| {
        site.configure(roles, |text| text);
        site.settled("pm01", &["pm02", "pm03"]);
    });
    report.play(SCORES, |_| pacemaker_takes_the_scores(&site));
    scenario::failover(&site, &mut report, FAILOVER, "pm01", scenario::all_stream(&site));
    let primary = report.play(SWITCHOVER, |_| scenario::switchover(&site));
    report.play(STANDBY, |_| scenario::standby_away_and_back(&site, &primary));
    report.play(WHOLE_STOP, |_| scenario::whole_stop(&site, &primary));
    report.play(QUICK, |_| site.assert_quick());
}

/// The scheduler itself, asked for what it counts with.
fn pacemaker_takes_the_scores(site: &Site) {
    let answer = site.host("pm01").run_ok(&["crm_simulate", "-sL"]).expect("the scheduler answers");
    let score = |node: &str| {
        let line = answer.lines().find(|line| {
            line.contains(&format!("promotion score on {node}:")) && line.contains("pgsql")
        });
        line.and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned()
    };
    let synchronous = site.synchronous();
    let last = if synchronous == "pm02" { "pm03" } else { "pm02" };
    let number = |node: &str| score(node).parse::<i64>().unwrap_or_default();
    assert!(number("pm01") > number(&synchronous) && number(&synchronous) > 0, "{answer}");
    assert!(["-INFINITY", "-1000000", ""].contains(&score(last).as_str()), "{answer}");
}

#[test]
fn debian_11_with_the_old_names() {
    all_scenarios(Debian::Eleven, Roles::Old);
}

#[test]
fn debian_12_with_the_old_names() {
    all_scenarios(Debian::Twelve, Roles::Old);
}

#[test]
fn debian_12_with_the_new_names() {
    all_scenarios(Debian::Twelve, Roles::New);
}

#[test]
fn debian_13_with_the_new_names() {
    all_scenarios(Debian::Thirteen, Roles::New);
}
