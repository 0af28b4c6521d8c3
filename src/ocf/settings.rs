//! From the environment to the settings.
//!
//! Lenient: a value that cannot be used is reported and the default stands in, so that a monitor or
//! a stop never fails because of the configuration. Whether the settings fit together and fit the
//! node is `validate`'s business.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::node::NodeName;
use crate::model::settings::{Rejoin, ReplicationMode, Secret, Settings};

use super::environment::Environment;
use super::exit_code::ExitCode;
use super::fault::Fault;
use super::parameter::{self, Parameter, instance as i, replication as r};
use super::value;

mod words;

pub use words::mode_word;
use words::{mode_of, rejoin_of};

/// The file name of the server's configuration in its data directory.
const CONFIG_FILE: &str = "postgresql.conf";

/// Reads the settings, and tells which values could not be used.
///
/// A variable that is not set gives the default; an empty one stays empty, as in the stock agent,
/// unless an empty value has no meaning.
#[must_use]
pub fn parse(environment: &Environment) -> (Settings, Vec<Fault>) {
    let mut reader = Reader { environment, faults: Vec::new() };
    let settings = reader.settings();
    let mut faults = reader.faults;
    for fault in &mut faults {
        let used = parameter::find(fault.parameter)
            .is_none_or(|parameter| parameter.scope.includes(settings.rep_mode));
        if !used {
            *fault = fault.clone().as_warning();
        }
    }
    (settings, faults)
}

/// Reads one parameter after the other.
struct Reader<'a> {
    environment: &'a Environment,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn settings(&mut self) -> Settings {
        self.resource_name();
        let pgdata = self.data_directory();
        let pgdba = self.filled(&i::PGDBA);
        let monitor_user = self.text(&i::MONITOR_USER);
        let monitor_sql = self.filled_or_default(&i::MONITOR_SQL);
        Settings {
            resource: self.environment.resource(),
            pgctl: self.program(&i::PGCTL),
            psql: self.program(&i::PSQL),
            config: self.config(&pgdata),
            pgdata,
            pghost: self.text(&i::PGHOST),
            pgport: self.port(&i::PGPORT),
            pglibs: self.text(&i::PGLIBS),
            start_opt: self.text(&i::START_OPT),
            ctl_opt: self.text(&i::CTL_OPT),
            pgdb: self.database(&monitor_user, &pgdba),
            pgdba,
            logfile: self.log_file(),
            socketdir: self.text(&i::SOCKETDIR),
            stop_escalate: self.seconds(&i::STOP_ESCALATE),
            stop_escalate_in_slave: self.seconds(&r::STOP_ESCALATE_IN_SLAVE),
            monitor_user,
            monitor_password: self.secret(&i::MONITOR_PASSWORD),
            monitor_sslmode: self.ssl_mode(),
            monitor_sslrootcert: self.text(&i::MONITOR_SSLROOTCERT),
            monitor_sql_is_default: monitor_sql == i::MONITOR_SQL.default,
            monitor_sql,
            check_wal_receiver: self.boolean(&r::CHECK_WAL_RECEIVER),
            rep_mode: self.mode(&r::REP_MODE),
            node_list: self.nodes(&r::NODE_LIST),
            restore_command: self.text(&r::RESTORE_COMMAND),
            archive_cleanup_command: self.text(&r::ARCHIVE_CLEANUP_COMMAND),
            recovery_end_command: self.text(&r::RECOVERY_END_COMMAND),
            master_ip: self.text(&r::MASTER_IP),
            repuser: self.filled_or_default(&r::REPUSER),
            primary_conninfo_opt: self.text(&r::PRIMARY_CONNINFO_OPT),
            restart_on_promote: self.boolean(&r::RESTART_ON_PROMOTE),
            rejoin: self.rejoin(&r::REJOIN),
            tmpdir: self.path(&r::TMPDIR),
            xlog_check_count: self.count(&r::XLOG_CHECK_COUNT),
            crm_attr_timeout: self.seconds(&r::CRM_ATTR_TIMEOUT),
            replication_slot_name: self.text(&r::REPLICATION_SLOT_NAME),
            external_standby_node_list: self.names(&r::EXTERNAL_STANDBY_NODE_LIST),
            policy: self.policy(),
        }
    }

    /// Returns the value that was set, or the default.
    fn raw(&self, parameter: &Parameter) -> &'a str {
        self.environment.parameter(parameter.name).unwrap_or(parameter.default)
    }

    fn error(&mut self, parameter: &'static Parameter, problem: &str, remedy: &str) {
        let value = self.raw(parameter);
        let code = ExitCode::Configured;
        self.faults.push(Fault::error(parameter.name, value, problem, remedy, code));
    }

    /// Reports a value without which the agent can do: it goes on as `instead` says.
    fn warning(&mut self, parameter: &'static Parameter, problem: &str, instead: &str) {
        self.error(parameter, problem, instead);
        if let Some(fault) = self.faults.pop() {
            self.faults.push(fault.as_warning());
        }
    }

    /// Reports that the default stands in for a number, a time or a boolean.
    fn unreadable(&mut self, parameter: &'static Parameter, wanted: &str) {
        let problem = format!("{} is not {wanted}", parameter.name);
        let instead = format!("correct it; {} is used meanwhile", parameter.default);
        self.warning(parameter, &problem, &instead);
    }

    fn text(&mut self, parameter: &'static Parameter) -> String {
        let value = self.raw(parameter);
        if value.contains(char::REPLACEMENT_CHARACTER) {
            let problem = format!("{} is not UTF-8 text.", parameter.name);
            self.error(parameter, &problem, "write it in UTF-8");
            return parameter.default.to_owned();
        }
        value.to_owned()
    }

    /// Reads a text that must not be empty.
    fn filled(&mut self, parameter: &'static Parameter) -> String {
        let value = self.text(parameter);
        if value.trim().is_empty() {
            let problem = format!("{} can't be empty.", parameter.name);
            let remedy = format!("set it, or remove it to use {}", parameter.default);
            self.error(parameter, &problem, &remedy);
            return parameter.default.to_owned();
        }
        value
    }

    /// Reads a text for which the default can stand in when it is empty.
    fn filled_or_default(&mut self, parameter: &'static Parameter) -> String {
        let value = self.text(parameter);
        if value.trim().is_empty() {
            self.unreadable(parameter, "set");
            return parameter.default.to_owned();
        }
        value
    }

    fn secret(&mut self, parameter: &'static Parameter) -> Option<Secret> {
        let value = self.text(parameter);
        (!value.is_empty()).then(|| Secret::new(&value))
    }

    /// Refuses what the shell within `pg_ctl` would interpret: it puts these two paths between double
    /// quotes and escapes nothing (`start_postmaster()` in `pg_ctl.c`).
    fn shell_safe(&mut self, parameter: &'static Parameter, path: PathBuf) -> PathBuf {
        let text = path.to_string_lossy();
        if !text.contains(['"', '$', '`', '\\', '\n']) {
            return path;
        }
        let problem = "pg_ctl's shell would interpret it";
        self.error(parameter, problem, "use a path without \" $ ` \\ and line breaks");
        path
    }

    fn path(&mut self, parameter: &'static Parameter) -> PathBuf {
        let value = PathBuf::from(self.filled(parameter));
        if value.is_absolute() {
            return value;
        }
        let problem = format!("{} is not an absolute path", parameter.name);
        self.error(parameter, &problem, "write the whole path, from / on");
        PathBuf::from(parameter.default)
    }

    /// Reads the data directory. A faulty one is kept: the default may be another resource's, and
    /// to stop that one would be worse than to find nothing here.
    fn data_directory(&mut self) -> PathBuf {
        let faults = self.faults.len();
        let path = self.path(&i::PGDATA);
        let path = self.shell_safe(&i::PGDATA, path);
        if self.faults.len() == faults { path } else { PathBuf::from(self.raw(&i::PGDATA)) }
    }

    fn log_file(&mut self) -> PathBuf {
        if self.raw(&i::LOGFILE).is_empty() {
            return PathBuf::from(self.filled_or_default(&i::LOGFILE));
        }
        let path = self.path(&i::LOGFILE);
        self.shell_safe(&i::LOGFILE, path)
    }

    fn config(&mut self, pgdata: &Path) -> PathBuf {
        match self.environment.parameter(i::CONFIG.name) {
            Some(_) => self.path(&i::CONFIG),
            None => pgdata.join(CONFIG_FILE),
        }
    }

    /// Reads a program. The stock agent also finds a bare name in `PATH`.
    fn program(&mut self, parameter: &'static Parameter) -> PathBuf {
        let value = PathBuf::from(self.filled(parameter));
        if !value.is_absolute() {
            let problem = format!("{} is not an absolute path", parameter.name);
            self.warning(parameter, &problem, "write the whole path, from / on");
        }
        value
    }

    /// Reads the database. `psql` without one connects to that of the user's name.
    fn database(&mut self, monitor_user: &str, pgdba: &str) -> String {
        let database = self.text(&i::PGDB);
        let user = if monitor_user.is_empty() { pgdba } else { monitor_user };
        if database.is_empty() { user.to_owned() } else { database }
    }

    fn names(&mut self, parameter: &'static Parameter) -> Vec<String> {
        let text = self.text(parameter);
        let mut seen = HashSet::new();
        let (names, twice): (Vec<_>, Vec<_>) =
            text.split_whitespace().partition(|name| seen.insert(name.to_ascii_lowercase()));
        if !twice.is_empty() {
            let problem = format!("{} names {} more than once", parameter.name, twice.join(" "));
            self.warning(parameter, &problem, "name each node once");
        }
        names.into_iter().map(str::to_owned).collect()
    }

    fn nodes(&mut self, parameter: &'static Parameter) -> Vec<NodeName> {
        self.names(parameter).iter().map(|name| NodeName::new(name)).collect()
    }

    fn port(&mut self, parameter: &'static Parameter) -> u16 {
        let port = value::count(self.raw(parameter)).and_then(|port| u16::try_from(port).ok());
        port.filter(|port| *port > 0).unwrap_or_else(|| {
            let problem = format!("{} is not a port number", parameter.name);
            self.error(parameter, &problem, "write a number from 1 to 65535");
            value::count(parameter.default).and_then(|port| port.try_into().ok()).unwrap_or(5432)
        })
    }

    fn count(&mut self, parameter: &'static Parameter) -> u32 {
        value::count(self.raw(parameter)).unwrap_or_else(|| {
            self.unreadable(parameter, "a number");
            value::count(parameter.default).unwrap_or_default()
        })
    }

    fn seconds(&mut self, parameter: &'static Parameter) -> Duration {
        value::seconds(self.raw(parameter)).unwrap_or_else(|| {
            self.unreadable(parameter, "a time in seconds");
            value::seconds(parameter.default).unwrap_or_default()
        })
    }

    fn boolean(&mut self, parameter: &'static Parameter) -> bool {
        value::boolean(self.raw(parameter)).unwrap_or_else(|| {
            self.unreadable(parameter, "a boolean (true or false)");
            value::boolean(parameter.default).unwrap_or_default()
        })
    }

    fn mode(&mut self, parameter: &'static Parameter) -> ReplicationMode {
        let value = self.raw(parameter).trim();
        mode_of(value).unwrap_or_else(|| {
            self.error(parameter, "Invalid rep_mode", "write none, async, sync or slave");
            ReplicationMode::None
        })
    }

    fn rejoin(&mut self, parameter: &'static Parameter) -> Rejoin {
        rejoin_of(self.raw(parameter).trim()).unwrap_or_else(|| {
            self.unreadable(parameter, "verify, rewind or off");
            Rejoin::Verify
        })
    }

    /// Reports a cluster manager that does not say which resource it means.
    fn resource_name(&mut self) {
        if self.environment.is_called_by_cluster()
            && self.environment.resource_instance().is_empty()
        {
            self.faults.push(Fault::error(
                "OCF_RESOURCE_INSTANCE",
                "",
                "The resource has no name.",
                "set OCF_RESOURCE_INSTANCE in the environment",
                ExitCode::Args,
            ));
        }
    }
}

mod policy;
#[cfg(test)]
mod tests;
