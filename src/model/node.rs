//! Names of hosts and of the resource.

use std::fmt;

/// A host's name as Pacemaker spells it.
///
/// Names are compared without regard to case, as Pacemaker and the stock agent do.
#[derive(Debug, Clone, Eq)]
pub struct NodeName(String);

impl NodeName {
    /// Wraps a name; leading and trailing blanks are not part of it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.trim().to_owned())
    }

    /// Returns the name as Pacemaker spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the `application_name` under which this node's standby connects: the name in lower
    /// case, as the stock agent writes it, so that both agents can serve one cluster.
    #[must_use]
    pub fn application_name(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for NodeName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl std::hash::Hash for NodeName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The resource's name without an instance number: what all attribute names begin with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceName(String);

impl ResourceName {
    /// Takes the name out of `OCF_RESOURCE_INSTANCE`, which may carry a clone number (`pgsql:0`).
    #[must_use]
    pub fn from_instance(instance: &str) -> Self {
        Self(instance.split(':').next().unwrap_or_default().to_owned())
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
