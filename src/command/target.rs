//! Which resource a command is about: its parameters come from the OCF environment, or from the cluster.

use std::time::Duration;

use thiserror::Error;

use crate::facts;
use crate::model::node::NodeName;
use crate::ocf::environment::Environment;
use crate::ocf::settings;
use crate::pacemaker::primitives::Primitive;
use crate::pacemaker::{PacemakerError, Tools};
use crate::system::SystemError;
use crate::system::identity::{User, acting_as_root};
use crate::world::{Clock, World};

/// How long a command may look.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// How long one of Pacemaker's tools may take.
const TOOL: Duration = Duration::from_secs(5);

/// Why there is nothing to look at.
#[derive(Debug, Error)]
pub(super) enum NoTarget {
    /// The cluster does not answer.
    #[error("the cluster cannot be asked: {0}; is Pacemaker running on this host?")]
    Cluster(#[from] PacemakerError),
    /// It has no such resource.
    #[error("the cluster has no resource of the agent pgsql{}", among(.0))]
    None(Vec<String>),
    /// It has several.
    #[error("the cluster has several resources of the agent pgsql: {}; name one with --resource", .0.join(", "))]
    Several(Vec<String>),
    /// Nobody knows the database user.
    #[error("the user {0} (parameter pgdba) is unknown on this host")]
    NoUser(String),
    /// The system does not say who the database user is.
    #[error(transparent)]
    System(#[from] SystemError),
    /// Somebody else than root or the database user has called.
    #[error("run it as root, or as {0} (parameter pgdba)")]
    NotAllowed(String),
}

fn among(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!(" of this name; it has {}", names.join(", "))
    }
}

/// Opens what a command needs to look at a resource.
pub(super) fn open(wanted: Option<&str>) -> Result<World, NoTarget> {
    let clock = Clock::start(TIMEOUT);
    let process = Environment::from_process();
    let tools = Tools::new(process.sbin_dir());
    let environment = match process.names_a_resource() {
        true => process,
        false => of_cluster(&tools, &clock, wanted)?,
    };
    let (settings, _) = settings::parse(&environment);
    let user = User::lookup(&settings.pgdba)?;
    let user = user.ok_or_else(|| NoTarget::NoUser(settings.pgdba.clone()))?;
    if !acting_as_root() && !user.is_me() {
        return Err(NoTarget::NotAllowed(settings.pgdba.clone()));
    }
    let host_name = || NodeName::new(&facts::host_name());
    let local = tools.local_node(clock.within(TOOL)).unwrap_or_else(|_| host_name());
    let unset = facts::retry_interval_unset(&settings, &user);
    Ok(World::new(settings, user, local, tools, clock, unset))
}

/// Takes the parameters of the resource that is meant from the cluster information base.
fn of_cluster(tools: &Tools, clock: &Clock, wanted: Option<&str>) -> Result<Environment, NoTarget> {
    let found = tools.primitives(clock.within(TOOL))?;
    let chosen = choose(found, wanted)?;
    Ok(Environment::of_resource(chosen.id, chosen.parameters))
}

fn choose(mut found: Vec<Primitive>, wanted: Option<&str>) -> Result<Primitive, NoTarget> {
    let names: Vec<String> = found.iter().map(|primitive| primitive.id.clone()).collect();
    if let Some(wanted) = wanted {
        found.retain(|primitive| primitive.id == wanted);
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(NoTarget::Several(names)),
        (None, _) => Err(NoTarget::None(names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primitive(id: &str) -> Primitive {
        Primitive { id: id.to_owned(), parameters: Vec::new() }
    }

    #[test]
    fn the_only_resource_is_meant_and_of_several_the_one_that_is_named() {
        let two = || vec![primitive("pgsql"), primitive("reports")];
        assert_eq!(choose(vec![primitive("pgsql")], None).expect("one").id, "pgsql");
        assert_eq!(choose(two(), Some("reports")).expect("named").id, "reports");
        for (found, wanted, words) in [
            (Vec::new(), None, "has no resource"),
            (two(), None, "several resources of the agent pgsql: pgsql, reports"),
            (two(), Some("other"), "of this name; it has pgsql, reports"),
        ] {
            let error = choose(found, wanted).expect_err("none").to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
