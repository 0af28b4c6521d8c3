//! PostgreSQL 10 to 18 on hosts of Debian 12: the server programs that npm carries. 10 and 11 read recovery.conf.

use crate::report::Report;
use crate::scenario;
use crate::site::{HOSTS, Roles, Site};

const FIRST_START: &str = "first start";
const SLOTS: &str = "slots active";
const STANDBY: &str = "standby stop and return";
const FAILOVER: &str = "failover";
const SLOTS_AFTERWARDS: &str = "slots active afterwards";
const SWITCHOVER: &str = "switchover";
const WHOLE_STOP: &str = "whole stop and start";
const QUICK: &str = "no action near its timeout";

fn all_scenarios(major: u32) {
    let scenarios =
        [FIRST_START, SLOTS, STANDBY, FAILOVER, SLOTS_AFTERWARDS, SWITCHOVER, WHOLE_STOP, QUICK];
    let mut report = Report::new(&format!("1-postgresql-{major}"), &scenarios);
    let site = Site::of_postgresql(major);
    report.runs(&format!("{} | {}", site.versions(), site.our_agent()));
    report.play(FIRST_START, |_| {
        site.configure(Roles::New, |text| text);
        site.settled("pm01", &["pm02", "pm03"]);
        mark_is_that_of_the_version(&site, major);
    });
    report.play(SLOTS, |_| scenario::slots_are_active(&site, "pm01"));
    report.play(STANDBY, |_| scenario::standby_away_and_back(&site, "pm01"));
    let primary =
        scenario::failover(&site, &mut report, FAILOVER, "pm01", scenario::all_stream(&site));
    report.play(SLOTS_AFTERWARDS, |_| scenario::slots_are_active(&site, &primary));
    let primary = report.play(SWITCHOVER, |_| scenario::switchover(&site));
    report.play(WHOLE_STOP, |_| scenario::whole_stop(&site, &primary));
    report.play(QUICK, |_| site.assert_quick());
}

/// Below 12 a standby has recovery.conf, since then standby.signal; the primary has neither.
fn mark_is_that_of_the_version(site: &Site, major: u32) {
    let (mark, other) = if major < 12 {
        ("recovery.conf", "standby.signal")
    } else {
        ("standby.signal", "recovery.conf")
    };
    for name in HOSTS {
        let host = site.host(name);
        let has = |file: &str| host.path(&format!("/var/lib/pgsql/data/{file}")).exists();
        assert_eq!((has(mark), has(other)), (name != "pm01", false), "{mark}, {other} on {name}");
    }
}

#[test]
fn postgresql_10() {
    all_scenarios(10);
}

#[test]
fn postgresql_11() {
    all_scenarios(11);
}

#[test]
fn postgresql_12() {
    all_scenarios(12);
}

#[test]
fn postgresql_13() {
    all_scenarios(13);
}

#[test]
fn postgresql_14() {
    all_scenarios(14);
}

#[test]
fn postgresql_15() {
    all_scenarios(15);
}

#[test]
fn postgresql_16() {
    all_scenarios(16);
}

#[test]
fn postgresql_17() {
    all_scenarios(17);
}

#[test]
fn postgresql_18() {
    all_scenarios(18);
}
