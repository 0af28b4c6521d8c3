//! The environment in which Pacemaker, or a person, calls the agent.
//!
//! The only reader of environment variables. What a parameter's value means is
//! `settings`' business, what a notification means is `notification`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::action::Action;
use crate::model::node::{NodeName, ResourceName};

use super::parameter;
use super::value;

/// What precedes the name of every parameter (`lib/services/services_linux.c` in Pacemaker).
const PARAMETER: &str = "OCF_RESKEY_";
/// What precedes the name of everything that Pacemaker adds to the parameters.
const META: &str = "OCF_RESKEY_CRM_meta_";
/// The name that `ocf-shellfuncs` gives to a resource when a person calls the agent.
const NAMELESS: &str = "default";

/// The environment variables of one call, as they were when it began.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the process's environment. Bytes that are not UTF-8 become U+FFFD, which no
    /// parameter accepts.
    #[must_use]
    pub fn from_process() -> Self {
        Self::from_pairs(std::env::vars_os().map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        }))
    }

    /// Makes an environment of names and values.
    #[must_use]
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: pairs.collect() }
    }

    /// Makes the environment in which Pacemaker would call an action of this resource.
    #[must_use]
    pub fn of_resource(id: String, parameters: Vec<(String, String)>) -> Self {
        let named = parameters.into_iter();
        let named = named.map(|(name, value)| (format!("OCF_RESKEY_{name}"), value));
        Self::from_pairs(named.chain([("OCF_RESOURCE_INSTANCE".to_owned(), id)]))
    }

    /// Tells whether it names a resource: it is Pacemaker's, or one that a person has prepared.
    #[must_use]
    pub fn names_a_resource(&self) -> bool {
        self.filled("OCF_RESOURCE_INSTANCE").is_some()
    }

    /// Returns a variable.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.variables.get(variable).map(String::as_str)
    }

    /// Returns a variable that is set and not empty.
    #[must_use]
    pub fn filled(&self, variable: &str) -> Option<&str> {
        self.get(variable).filter(|value| !value.is_empty())
    }

    /// Returns a parameter's value; `None` when it is not set, which is not the same as empty.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.get(&format!("{PARAMETER}{name}"))
    }

    /// Returns a value that Pacemaker passes beside the parameters, by its name with underscores.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.get(&format!("{META}{name}"))
    }

    /// Returns the resource's name as it was passed, perhaps with a clone number; empty when unset.
    #[must_use]
    pub fn resource_instance(&self) -> &str {
        self.get("OCF_RESOURCE_INSTANCE").unwrap_or_default()
    }

    /// Returns the resource's name without clone number.
    #[must_use]
    pub fn resource(&self) -> ResourceName {
        let name = ResourceName::from_instance(self.resource_instance());
        if name.as_str().is_empty() { ResourceName::from_instance(NAMELESS) } else { name }
    }

    /// Tells whether an OCF cluster manager calls, rather than a person.
    #[must_use]
    pub fn is_called_by_cluster(&self) -> bool {
        self.filled("OCF_RA_VERSION_MAJOR").is_some()
    }

    /// Returns the operation's timeout, if a sensible one was passed.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.milliseconds("timeout").filter(|timeout| !timeout.is_zero())
    }

    /// Returns the operation's interval; zero when it is not a recurring one.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.milliseconds("interval").unwrap_or_default()
    }

    /// Tells whether the action is a probe: a monitor without an interval, as `ocf_is_probe` says.
    #[must_use]
    pub fn is_probe(&self, action: Action) -> bool {
        action == Action::Monitor && self.interval().is_zero()
    }

    /// Tells whether the action is the monitor of an instance that Pacemaker has not promoted: it runs none on a promoted
    /// one but what is configured for that role (`recurring_op_for_active` in pcmk_sched_recurring.c), and passes an
    /// operation's attributes (`pcmk__unpack_action_meta` in pe_actions.c).
    #[must_use]
    pub fn is_of_standby(&self, action: Action) -> bool {
        let is = |role: &str, name: &str| role.trim().eq_ignore_ascii_case(name);
        let of_promoted =
            self.meta("role").is_some_and(|role| is(role, "Promoted") || is(role, "Master"));
        let recurring = action == Action::Monitor && !self.interval().is_zero();
        recurring && self.is_promotable() && !of_promoted
    }

    /// Tells whether the resource is a clone.
    #[must_use]
    pub fn is_clone(&self) -> bool {
        self.meta("clone_max").is_some_and(|value| !value.is_empty())
    }

    /// Tells whether the resource is a promotable clone, as `ocf_is_ms` does. Pacemaker passes
    /// `promoted_max` since 2.0 and `master_max` in every version.
    #[must_use]
    pub fn is_promotable(&self) -> bool {
        let above_zero =
            |name| self.meta(name).and_then(value::count).is_some_and(|count| count > 0);
        self.meta("promotable").and_then(value::boolean) == Some(true)
            || above_zero("promoted_max")
            || above_zero("master_max")
    }

    /// Tells whether the clone has notifications; `None` when Pacemaker does not say.
    #[must_use]
    pub fn notify(&self) -> Option<bool> {
        self.meta("notify").and_then(value::boolean)
    }

    /// Returns the local node's name, which Pacemaker passes to the actions of its transitions
    /// (`CRM_meta_on_node`) but not to a person's `crm_resource --force-*`.
    #[must_use]
    pub fn node_name_hint(&self) -> Option<NodeName> {
        let name = NodeName::new(self.meta("on_node")?);
        (!name.as_str().is_empty()).then_some(name)
    }

    /// Returns how deeply to check (`OCF_CHECK_LEVEL`).
    #[must_use]
    pub fn check_level(&self) -> u32 {
        let level = self.filled("OCF_CHECK_LEVEL").or_else(|| self.parameter("OCF_CHECK_LEVEL"));
        level.and_then(value::count).unwrap_or_default()
    }

    /// Tells whether debug messages are wanted, as `ha_debug` does.
    #[must_use]
    pub fn debug(&self) -> bool {
        self.filled("HA_debug").is_some_and(|value| value != "0")
    }

    /// Returns the directory of Pacemaker's programs.
    #[must_use]
    pub fn sbin_dir(&self) -> PathBuf {
        let directory = self.filled("HA_SBIN_DIR").filter(|path| path.starts_with('/'));
        PathBuf::from(directory.unwrap_or("/usr/sbin"))
    }

    /// Reads a number of milliseconds that Pacemaker passes.
    fn milliseconds(&self, name: &str) -> Option<Duration> {
        self.meta(name)?.trim().parse().ok().map(Duration::from_millis)
    }
}

impl fmt::Debug for Environment {
    /// Shows the agent's own variables, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = |name: &str| name.starts_with("OCF_") || name.starts_with("HA_");
        let shown = |name: &str, value: &str| {
            let secret = name.strip_prefix(PARAMETER).is_some_and(parameter::is_secret);
            if secret { parameter::HIDDEN.to_owned() } else { value.to_owned() }
        };
        let variables = self.variables.iter().filter(|(name, _)| ours(name));
        f.debug_map().entries(variables.map(|(name, value)| (name, shown(name, value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Environment {
        Environment::from_pairs([(name, value)])
    }

    #[test]
    fn the_monitor_of_a_standby_is_any_but_the_promoted_ones() {
        let with = |role, interval, promotable| {
            Environment::from_pairs([
                ("OCF_RESKEY_CRM_meta_role", role),
                ("OCF_RESKEY_CRM_meta_interval", interval),
                ("OCF_RESKEY_CRM_meta_promotable", promotable),
            ])
        };
        for (role, of_standby) in [
            ("Unpromoted", true),
            ("Slave", true),
            ("Started", true),
            ("", true),
            ("Promoted", false),
            ("master", false),
        ] {
            let environment = with(role, "10000", "true");
            assert_eq!(environment.is_of_standby(Action::Monitor), of_standby, "{role}");
            assert!(!environment.is_of_standby(Action::Start));
        }
        assert!(!with("", "0", "true").is_of_standby(Action::Monitor), "a probe");
        assert!(!with("", "10000", "false").is_of_standby(Action::Monitor));
    }

    #[test]
    fn a_probe_is_a_monitor_without_an_interval() {
        for (interval, action, probe) in [
            (None, Action::Monitor, true),
            (Some("0"), Action::Monitor, true),
            (Some("30000"), Action::Monitor, false),
            (Some("0"), Action::Start, false),
            (Some("rubbish"), Action::Monitor, true),
        ] {
            let pairs = interval.map(|value| ("OCF_RESKEY_CRM_meta_interval", value));
            assert_eq!(Environment::from_pairs(pairs).is_probe(action), probe, "{interval:?}");
        }
    }

    #[test]
    fn the_timeout_is_in_milliseconds() {
        for (value, timeout) in [
            ("60000", Some(Duration::from_secs(60))),
            (" 500 ", Some(Duration::from_millis(500))),
            ("0", None),
            ("", None),
            ("60s", None),
            ("-1", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(with("OCF_RESKEY_CRM_meta_timeout", value).timeout(), timeout, "{value}");
        }
        assert_eq!(Environment::default().timeout(), None);
    }

    #[test]
    fn a_promotable_clone_is_known_by_its_old_and_new_names() {
        for (name, value, promotable) in [
            ("promoted_max", "1", true),
            ("master_max", "1", true),
            ("promotable", "true", true),
            ("promotable", "false", false),
            ("promoted_max", "0", false),
            ("master_max", "", false),
            ("clone_max", "3", false),
        ] {
            let environment = with(&format!("{META}{name}"), value);
            assert_eq!(environment.is_promotable(), promotable, "{name}={value}");
        }
    }

    #[test]
    fn the_resource_has_a_name_whoever_calls() {
        for (instance, name) in [("pgsql", "pgsql"), ("pgsql:1", "pgsql"), ("", "default")] {
            assert_eq!(with("OCF_RESOURCE_INSTANCE", instance).resource().as_str(), name);
        }
        assert_eq!(Environment::default().resource().as_str(), "default");
    }

    #[test]
    fn the_node_name_is_a_hint_only_when_there_is_one() {
        assert_eq!(Environment::default().node_name_hint(), None);
        assert_eq!(with("OCF_RESKEY_CRM_meta_on_node", " ").node_name_hint(), None);
        let hint = with("OCF_RESKEY_CRM_meta_on_node", "PM-01.example").node_name_hint();
        assert_eq!(hint.as_ref().map(NodeName::as_str), Some("PM-01.example"));
    }

    #[test]
    fn debug_output_hides_the_password() {
        let environment = Environment::from_pairs([
            ("OCF_RESKEY_monitor_password", "hunter2"),
            ("OCF_RESKEY_pgdata", "/data"),
            ("PGPASSWORD", "hunter3"),
        ]);
        let text = format!("{environment:?}");
        assert!(text.contains("/data"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}
