//! The configuration that both agents get: `crm-examples/three-hosts.crm`. Also the environment that Pacemaker makes
//! of it, for the monitors that are run by hand. Pure.

/// The resource, as the example calls it.
pub const RESOURCE: &str = "pgsql";
/// Its clone.
pub const CLONE: &str = "pgsql-clone";
/// The address for clients.
pub const CLIENT_ADDRESS: &str = "10.77.0.100";
/// The server's log, as the example has it.
pub const SERVER_LOG: &str = "/var/log/postgresql/pgsql-ha.log";

const EXAMPLE: &str = include_str!("../../crm-examples/three-hosts.crm");

/// The example's major version of PostgreSQL, and its last parameter.
const VERSION: &str = "/postgresql/15/";
const LAST_PARAMETER: &str = r#"replication_slot_name="pgsql""#;

/// The example without what the shell agent does not know.
fn known_to_both() -> String {
    EXAMPLE.replace("        rejoin=\"rewind\" \\\n", "")
}

/// What Pacemaker 2.1 adds to the parameters for a monitor of this clone.
const META: [(&str, &str); 13] = [
    ("OCF_ROOT", "/usr/lib/ocf"),
    ("OCF_RA_VERSION_MAJOR", "1"),
    ("OCF_RA_VERSION_MINOR", "1"),
    ("OCF_RESOURCE_INSTANCE", RESOURCE),
    ("OCF_RESOURCE_TYPE", "pgsql"),
    ("OCF_RESOURCE_PROVIDER", "heartbeat"),
    ("OCF_RESKEY_crm_feature_set", "3.16.2"),
    ("HA_LOGFILE", "/var/log/pacemaker/pacemaker.log"),
    ("HA_logfile", "/var/log/pacemaker/pacemaker.log"),
    ("HA_LOGFACILITY", "none"),
    ("HA_logfacility", "none"),
    ("HA_debug", "0"),
    ("HA_use_logd", "off"),
];
const CLONE_META: [(&str, &str); 11] = [
    ("name", "monitor"),
    ("timeout", "60000"),
    ("on_fail", "restart"),
    ("clone", "0"),
    ("clone_max", "3"),
    ("clone_node_max", "1"),
    ("promotable", "true"),
    ("promoted_max", "1"),
    ("master_max", "1"),
    ("notify", "true"),
    ("interleave", "true"),
];

/// What both agents are given.
#[derive(Debug, Clone)]
pub struct Configuration {
    text: String,
    bindir: String,
}

impl Configuration {
    /// The example, for that PostgreSQL and with that `xlog_check_count`.
    #[must_use]
    pub fn new(postgres: u32, xlog_check_count: u32) -> Self {
        let version = format!("/postgresql/{postgres}/");
        let count = format!("{LAST_PARAMETER} xlog_check_count=\"{xlog_check_count}\"");
        let text = known_to_both().replace(VERSION, &version).replace(LAST_PARAMETER, &count);
        Self { text, bindir: format!("/usr/lib{version}bin") }
    }

    /// The text that crmsh loads.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the programs of PostgreSQL are.
    #[must_use]
    pub fn bindir(&self) -> &str {
        &self.bindir
    }

    /// The environment of a recurring monitor on that host.
    #[must_use]
    pub fn monitor_environment(&self, host: &str, promoted: bool) -> Vec<(String, String)> {
        let (role, interval) =
            if promoted { ("Promoted", "9000") } else { ("Unpromoted", "10000") };
        let of_host = [("role", role), ("interval", interval), ("on_node", host)];
        let meta = CLONE_META.into_iter().chain(of_host);
        let meta = meta.map(|(name, value)| (format!("CRM_meta_{name}"), value.to_owned()));
        let reskeys = self.parameters().into_iter().chain(meta);
        let reskeys = reskeys.map(|(name, value)| (format!("OCF_RESKEY_{name}"), value));
        let plain = META.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        plain.chain(reskeys).collect()
    }

    /// The parameters of the primitive.
    fn parameters(&self) -> Vec<(String, String)> {
        let start = self.text.find("primitive pgsql ").unwrap_or_default();
        let block = self.text[start..].split_once("params").map_or("", |(_, rest)| rest);
        let block = block.split_once(" op ").map_or(block, |(params, _)| params);
        // name="value" name="value" …: what stands between the quotes are the values.
        let mut pieces = block.split('"');
        let mut found = Vec::new();
        while let (Some(name), Some(value)) = (pieces.next(), pieces.next()) {
            let name = name.trim_matches(|mark: char| mark.is_whitespace() || "\\=".contains(mark));
            found.push((name.to_owned(), value.to_owned()));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
        environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_parameters_of_the_example_reach_the_environment() {
        let environment = Configuration::new(17, 0).monitor_environment("pm02", false);
        let of = |name| value(&environment, name);
        assert_eq!(of("OCF_RESKEY_pgctl"), Some("/usr/lib/postgresql/17/bin/pg_ctl"));
        assert_eq!(of("OCF_RESKEY_node_list"), Some("pm01 pm02 pm03"));
        assert_eq!(of("OCF_RESKEY_restore_command"), Some("/bin/cp /var/lib/pgsql/archive/%f %p"));
        assert_eq!(of("OCF_RESKEY_xlog_check_count"), Some("0"));
        assert_eq!(of("OCF_RESKEY_CRM_meta_on_node"), Some("pm02"));
        assert_eq!(of("OCF_RESKEY_CRM_meta_interval"), Some("10000"));
        let parameters = environment.iter().filter(|(name, _)| name.starts_with("OCF_RESKEY_"));
        assert_eq!(parameters.count(), 15 + 1 + CLONE_META.len() + 3 + 1);
    }

    #[test]
    fn only_the_two_changes_are_made_to_the_example() {
        let text = Configuration::new(15, 0).text;
        assert_eq!(text.replace(" xlog_check_count=\"0\"", ""), known_to_both());
    }
}
