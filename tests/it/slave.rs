//! `rep_mode=slave`: a standby of a primary that the cluster knows nothing of.

use crate::agent::{Agent, CONFIGURED, NOT_RUNNING, SUCCESS, UNIMPLEMENTED};
use crate::server::{Server, until};

/// A primary started without the agent's help in replication, reached through its socket directory;
/// the agent's parameter `pgport` is the port of both.
struct Pair {
    standby: Server,
    _primary: Server,
    agent: Agent,
}

fn pair() -> Pair {
    let (primary, standby) = (Server::new(), Server::new());
    let port = standby.port().to_string();
    primary.configure(&format!("port = {port}\n"));
    primary.agent().param("pgport", &port).run("start").exits(SUCCESS);
    let agent =
        standby.agent().param("rep_mode", "slave").param("master_ip", primary.path("socket"));
    Pair { standby, _primary: primary, agent }
}

#[test]
fn it_streams_answers_as_running_and_stops() {
    let pair = pair();
    pair.agent.run("monitor").exits(NOT_RUNNING);
    pair.agent.run("start").exits(SUCCESS);
    until("it streams", || {
        pair.standby.sql("select status from pg_stat_wal_receiver") == "streaming"
    });
    assert_eq!(pair.standby.sql("select pg_is_in_recovery()"), "t");
    pair.agent.run("monitor").exits(SUCCESS);
    pair.agent.run("promote").exits(UNIMPLEMENTED);
    pair.agent.run("stop").exits(SUCCESS);
    pair.agent.run("start").exits(SUCCESS);
    pair.agent.run("stop").exits(SUCCESS);
}

#[test]
fn it_needs_an_address_and_no_promotable_clone() {
    let pair = pair();
    let without = pair.standby.agent().param("rep_mode", "slave");
    without.run("start").exits(CONFIGURED).reason("master_ip can't be empty.");
    let clone = pair.standby.agent().param("rep_mode", "slave").param("master_ip", "192.0.2.1");
    clone
        .meta("promotable", "true")
        .meta("promoted_max", "1")
        .meta("clone_max", "2")
        .run("start")
        .exits(CONFIGURED)
        .reason("the resource is promotable (rep_mode=\"slave\")");
}
