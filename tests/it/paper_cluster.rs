//! A cluster on paper: what Pacemaker's tools would say, so that the agent runs its replication
//! modes without one. Nothing that is written is remembered from one action to the next.

use std::fs;
use std::path::Path;

use crate::agent::Agent;
use crate::server::{Server, write_program};

/// Two members with fencing and quorum; `pm01` is here, and nothing has been recorded of either.
const CIB: &str = r#"<cib have-quorum="1"><configuration>
<crm_config><cluster_property_set id="c">
<nvpair id="s" name="stonith-enabled" value="true"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="pm01"/><node id="2" uname="pm02"/></nodes></configuration><status>
<node_state uname="pm01" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state uname="pm02" in_ccm="true" crmd="online" join="member" expected="member"/>
</status></cib>"#;

/// Returns a call for the server as the first of two nodes with synchronous replication.
pub fn first_of_two_nodes(server: &Server) -> Agent {
    let tools = server.path("tools");
    fs::create_dir(&tools).expect("a directory");
    fs::write(tools.join("cib.xml"), CIB).expect("a file");
    tool(&tools, "cibadmin", &format!("cat {}", tools.join("cib.xml").display()));
    // Nobody has such an attribute (ENXIO): the answer to a query.
    tool(&tools, "attrd_updater", "case \" $* \" in *' --query '*) exit 105;; esac");
    tool(&tools, "crm_attribute", "exit 0");
    tool(&tools, "crm_node", "case \" $* \" in *' --quorum '*) echo 1;; *) echo pm01;; esac");
    server
        .agent()
        .env("HA_SBIN_DIR", tools)
        .param("rep_mode", "sync")
        .param("node_list", "pm01 pm02")
        .param("master_ip", server.path("socket"))
        .param("replication_slot_name", "slot")
        .meta("on_node", "pm01")
        .meta("promoted_max", "1")
        .meta("clone_max", "2")
        .meta("notify", "true")
}

fn tool(directory: &Path, name: &str, script: &str) {
    write_program(&directory.join(name), &format!("#!/bin/sh\n{script}\n"));
}
