//! Repairs everything after the faults, as people would: power, links, files, daemons, and what operators have changed.
//! Nothing is done here for the server or its data.

use std::collections::BTreeSet;
use std::time::Duration;

use testbed::Host;

use crate::error::Error;
use crate::setup::Setup;
use crate::site::{PGDATA, Site, until};

/// Time for all hosts to boot and to meet; a slow power switch may still act on requests of before.
const MEET: Duration = Duration::from_secs(120);
const OPERATE: Duration = Duration::from_secs(60);

/// Repairs everything; returns once every host is in the cluster and nothing of the operator's is in force.
pub fn mend(site: &Site) -> Result<(), Error> {
    let cluster = &site.cluster;
    cluster.set_fencing(site.setup.fencing.fencing());
    cluster.heal_network()?;
    for host in cluster.hosts() {
        host.thaw();
        repair(&host);
    }
    until("every host in the cluster", MEET, || {
        // A host that is fenced while it boots is tried again.
        cluster.power_on().ok()?;
        let state = cluster.state().ok()?;
        (state.quorum && state.online().len() == cluster.hosts().len()).then_some(())
    })?;
    until("what operators changed is changed back", OPERATE, || operators(site).ok())?;
    cluster.hosts().iter().for_each(repair);
    Ok(())
}

/// Files and rules; what is not broken, or is off, does not matter.
fn repair(host: &Host) {
    if host.is_on() {
        let _none = host.unblock_replication();
        let _gone = host.run(&["chmod", "700", PGDATA, &format!("{PGDATA}/pg_wal/.")]);
        let _gone = host.empty_wal_disk();
        let _off = host.run(&["pkill", "-CONT", "-u", "postgres"]);
    }
}

fn operators(site: &Site) -> Result<(), Error> {
    site.clear()?;
    site.no_target_role()?;
    site.maintenance(false)?;
    let state = site.cluster.state()?;
    state.nodes.iter().filter(|node| node.standby).try_for_each(|node| site.online(&node.name))?;
    if node_list(site)? != sorted(site.setup) {
        site.node_list(&site.setup.node_list())?;
    }
    Ok(())
}

fn sorted(setup: Setup) -> BTreeSet<String> {
    setup.names().into_iter().collect()
}

fn node_list(site: &Site) -> Result<BTreeSet<String>, Error> {
    let words = ["crm_resource", "-r", crate::site::RESOURCE, "-g", "node_list"];
    Ok(site.operator(&words)?.split_whitespace().map(str::to_owned).collect())
}
