//! Programs of PostgreSQL that are missing, hang or print rubbish: no action outlives its timeout, and a stop that answers
//! 0 has ended the server.

use crate::agent::{GENERIC, NOT_RUNNING, SUCCESS};
use crate::broken_cluster::{LOAD, Paper, TIMEOUT, for_each_of, programs};
use crate::server::Server;

#[test]
fn a_demotion_survives_a_pg_controldata_that_makes_no_sense() {
    let scripts = [
        "$HANG",
        "",
        "head -c 100000 /dev/urandom",
        "echo 'Database system identifier: x'; echo 'Database cluster state: asleep'",
    ];
    for_each_of(&scripts, |script| {
        let paper = Paper::primary();
        let agent = paper
            .agent
            .clone()
            .param("pgctl", programs(&paper, "pg_controldata", script).join("pg_ctl"));
        drop(agent.run("demote").exits_one_of(&[SUCCESS, GENERIC]).within(TIMEOUT + LOAD));
        agent.clone().recurring().run("monitor").exits_one_of(&[SUCCESS, NOT_RUNNING]);
        paper.assert_stops(&agent, script);
        paper.assert_nothing_hangs();
    });
}

#[test]
fn a_pg_ctl_that_does_nothing_or_hangs_fails_in_time() {
    for_each_of(&["$HANG", "exit 0", "exit 1"], |script| {
        let paper = Paper::standby();
        let agent =
            paper.agent.clone().param("pgctl", programs(&paper, "pg_ctl", script).join("pg_ctl"));
        agent.run("promote").exits(GENERIC).within(TIMEOUT + LOAD);
        paper.assert_stops(&agent, script);
        let server = Server::new();
        let start = server
            .agent()
            .timeout(TIMEOUT)
            .param("pgctl", programs(&paper, "pg_ctl", script).join("pg_ctl"));
        start.run("start").exits(GENERIC).within(TIMEOUT + LOAD);
        paper.assert_nothing_hangs();
    });
}
