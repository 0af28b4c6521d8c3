//! Slots that the agent has made and that nobody needs any more.

use crate::agent::{PROMOTED, SUCCESS};
use crate::paper_cluster::first_of_two_nodes;
use crate::server::Server;

const SLOTS: &str =
    "select string_agg(slot_name, ' ' order by slot_name) from pg_replication_slots";

#[test]
fn slots_of_a_node_that_left_and_of_a_time_with_slots_go_and_others_stay() {
    let server = Server::new();
    let agent = first_of_two_nodes(&server).param("rep_mode", "async").recurring();
    agent.run("start").exits(SUCCESS);
    agent.run("promote").exits(SUCCESS);
    agent.run("monitor").exits(PROMOTED);
    // The names say nothing: both look like the agent's.
    server.sql("select pg_create_physical_replication_slot(name, true) from unnest(array['slot_pm03', 'backup']) name");
    assert_eq!(server.sql(SLOTS), "backup slot_pm02 slot_pm03");
    // It may be all that lets pm02 come back.
    let changed = agent.clone().param("replication_slot_name", "other");
    changed.run("monitor").exits(PROMOTED);
    let unset = agent.clone().param("replication_slot_name", "");
    unset.run("monitor").exits(PROMOTED);
    assert_eq!(server.sql(SLOTS), "backup slot_pm02 slot_pm03");

    agent.run("stop").exits(SUCCESS);
    // The cluster on paper does not remember who was the last primary.
    std::fs::remove_file(server.path("tmp/PGSQL.lock")).expect("a lock");
    agent.run("start").exits(SUCCESS);
    agent.run("promote").exits(SUCCESS);
    let call = unset.param("node_list", "pm01").run("monitor").exits(PROMOTED);
    let said = "Dropped the replication slot(slot_pm02): the agent made it for a node that is not in node_list any more";
    assert!(call.stderr.contains(said), "{}", call.stderr);
    assert_eq!(server.sql(SLOTS), "backup slot_pm03");
    assert!(
        server.sql("select pg_create_physical_replication_slot('slot_pm02')").contains("slot_pm02")
    );
    agent.param("node_list", "pm01").run("monitor").exits(PROMOTED);
    assert_eq!(server.sql(SLOTS), "backup slot_pm02 slot_pm03", "it is somebody else's now");
}
