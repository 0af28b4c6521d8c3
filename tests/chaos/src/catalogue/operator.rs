//! What operators do, at bad moments: they move, stop and restart, change parameters, forget failures.

use std::time::Duration;

use super::Fault;
use crate::error::Error;
use crate::scene::{Scene, Undo, nothing};
use crate::site::{CLONE, RESOURCE, Site};

/// A host stops its resources within this time, or the operator turns to something else.
const STOP: Duration = Duration::from_secs(40);

pub(super) const FAULTS: [Fault; 11] = [
    Fault::new("standby", "node is put into standby, later online", 5, (2, 15), |scene| {
        let node = scene.host.name().to_owned();
        let site = scene.site;
        site.operator(&["crm_attribute", "-t", "nodes", "-N", &node, "-n", "standby", "-v", "on"])?;
        Ok(Box::new(move || site.online(&node)))
    }),
    Fault::new("move", "primary is moved to it, later cleared", 6, (2, 15), |scene| {
        constrain(scene, "--move", true)
    }),
    Fault::new("ban", "it may not be primary, later it may", 3, (2, 15), |scene| {
        constrain(scene, "--ban", true)
    }),
    Fault::new(
        "ban of the instance",
        "it may not run the server, later it may",
        2,
        (2, 15),
        |scene| constrain(scene, "--ban", false),
    ),
    Fault::new("resource stopped", "resource is stopped, later started", 3, (1, 15), |scene| {
        target_role(scene.site, "Stopped")
    })
    .of_all(),
    Fault::new("resource demoted", "resource is demoted, later promoted", 2, (1, 10), |scene| {
        target_role(scene.site, "Slave")
    })
    .of_all(),
    Fault::new("node_list", "node_list is changed, and changed back", 4, (2, 15), |scene| {
        let site = scene.site;
        let mut names = site.setup.names();
        match scene.dice.bool() {
            true => names.retain(|name| name != scene.host.name()),
            false => names.rotate_left(1),
        }
        site.node_list(&names.join(" "))?;
        Ok(Box::new(move || site.node_list(&site.setup.node_list())))
    }),
    Fault::new("cluster stopped", "cluster is stopped, later started", 5, (1, 15), |scene| {
        let host = scene.host.clone();
        host.stop_cluster(STOP)?;
        Ok(Box::new(move || Ok(host.start_cluster()?)))
    }),
    Fault::new(
        "cluster stopped everywhere",
        "cluster is stopped on all hosts",
        1,
        (1, 5),
        |scene| {
            let site = scene.site;
            site.cluster.on_every_host(|host| host.stop_cluster(STOP))?;
            Ok(Box::new(move || Ok(site.cluster.power_on()?)))
        },
    )
    .of_all(),
    Fault::new("maintenance", "maintenance mode", 4, (2, 15), |scene| {
        let site = scene.site;
        site.maintenance(true)?;
        Ok(Box::new(move || site.maintenance(false)))
    })
    .of_all(),
    Fault::new("cleanup", "operator cleans up", 4, (0, 0), |scene| {
        let word = if scene.dice.bool() { "--cleanup" } else { "--refresh" };
        let words = ["crm_resource", word, "-r", RESOURCE];
        match scene.dice.bool() {
            true => scene.site.operator(&words)?,
            false => scene.site.operator(&["crm_resource", word])?,
        };
        Ok(nothing())
    })
    .of_all(),
];

fn constrain<'a>(scene: &Scene<'a>, word: &str, promoted: bool) -> Result<Undo<'a>, Error> {
    let site = scene.site;
    let role: &[&str] = if promoted { &["--promoted"] } else { &[] };
    let words = ["crm_resource", word, "-r", CLONE, "-N", scene.host.name()];
    site.operator(&[&words[..], role].concat())?;
    Ok(Box::new(move || site.clear()))
}

fn target_role<'a>(site: &'a Site, role: &str) -> Result<Undo<'a>, Error> {
    site.operator(&["crm_resource", "-r", CLONE, "--meta", "-p", "target-role", "-v", role])?;
    Ok(Box::new(move || site.no_target_role()))
}
