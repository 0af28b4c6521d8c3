//! Whether the settings fit together, the node and the cluster's configuration.
//!
//! Pure: the caller looks at the node and fills in the [`Facts`]. Every fault is reported, in the
//! order in which the stock agent would have stopped at it. Nothing is repaired here.

use crate::model::action::Action;
use crate::model::exit_reason::shortened;
use crate::model::settings::{ReplicationMode, Settings};

use super::environment::Environment;
use super::exit_code::ExitCode;
use super::fault::Fault;
use super::settings::mode_word;
use super::word::{Printout, Word};

/// What is known of a statement about the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fact {
    /// It is true.
    Holds,
    /// It is false.
    Fails,
    /// Nobody looked, or could tell.
    #[default]
    Unknown,
}

impl From<bool> for Fact {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// What the caller found on the node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The agent runs as root or as `pgdba`.
    pub privileged: Fact,
    /// The system knows the user `pgdba`.
    pub pgdba_exists: Fact,
    /// `pgctl` is there and can be executed.
    pub pgctl_executable: Fact,
    /// `psql` is there and can be executed.
    pub psql_executable: Fact,
    /// `config` is there and is a file.
    pub config_exists: Fact,
    /// There is a database in `pgdata`.
    pub pgdata_present: Fact,
    /// The owner of `pgdata`, when that is not `pgdba`.
    pub pgdata_foreign_owner: Option<String>,
    /// `pgdba` can write to `pgdata`.
    pub pgdata_writable: Fact,
    /// The data directory's version as `server_version_num` spells it; see [`version_num`].
    pub server_version: Option<u32>,
    /// The value in the configuration file; `None` when it is not set there.
    pub unix_socket_directories: Option<String>,
    /// A recovery target that overrides the agent's settings: the parameter's name.
    pub recovery_target: Option<&'static str>,
}

/// For whom the settings are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// What the agent was called with.
    pub word: Word,
    /// Whether the node and the clone are checked too, not only the parameters.
    pub thorough: bool,
    /// Whether the resource is a promotable clone.
    pub promotable: bool,
    /// Whether the clone has notifications; `None` when Pacemaker does not say.
    pub notify: Option<bool>,
}

/// The `OCF_CHECK_LEVEL` from which on validate-all looks at the node, too. Below it the parameters
/// may be those of a resource that is not yet a clone, or of another node.
const THOROUGH: u32 = 10;

impl Context {
    /// Takes the context from the environment.
    #[must_use]
    pub fn new(word: Word, environment: &Environment) -> Self {
        let validates = word == Word::Printout(Printout::ValidateAll);
        Self {
            word,
            thorough: !validates || environment.check_level() >= THOROUGH,
            promotable: environment.is_promotable(),
            notify: environment.notify(),
        }
    }

    /// Tells whether a wrong configuration makes it fail. The other actions have to work with what there is, and do not depend
    /// on a configuration that may be gone with its file system: a stop that fails gets the node fenced, a monitor
    /// gets the server restarted.
    #[must_use]
    pub const fn can_fail(self) -> bool {
        match self.word {
            Word::Action(Action::Start | Action::Promote)
            | Word::Printout(Printout::ValidateAll) => true,
            Word::Action(
                Action::Stop | Action::Status | Action::Monitor | Action::Demote | Action::Notify,
            )
            | Word::Printout(Printout::MetaData | Printout::Methods | Printout::Usage) => false,
        }
    }
}

/// Reads the version from the text of `PG_VERSION`: `9.4` is 90400, `12` is 120000.
#[must_use]
pub fn version_num(pg_version: &str) -> Option<u32> {
    let mut parts = pg_version.trim().splitn(3, '.').map(|part| part.parse::<u32>().ok());
    let major = parts.next()??.checked_mul(10_000)?;
    let minor = parts.next().unwrap_or(Some(0))?;
    let factor = if major < 100_000 { 100 } else { 1 };
    major.checked_add(minor.checked_mul(factor)?)
}

/// Returns every fault of the settings. For an action that must not fail because of the
/// configuration, there are only warnings.
#[must_use]
pub fn validate(settings: &Settings, facts: &Facts, context: &Context) -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(users(settings, facts));
    if context.thorough {
        faults.extend(files(settings, facts));
    }
    faults.extend(versions(settings, facts));
    faults.extend(replication(settings));
    if context.thorough {
        faults.extend(clone(settings, context));
    }
    faults.extend(slots(settings));
    faults.extend(policy::policy(settings, facts));
    faults.extend(policy::recovery_target(settings, facts, context.word));
    if context.can_fail() { faults } else { faults.into_iter().map(Fault::as_warning).collect() }
}

/// The users of system and database.
fn users(settings: &Settings, facts: &Facts) -> impl Iterator<Item = Fault> {
    let pgdba = &settings.pgdba;
    let unknown = (facts.pgdba_exists == Fact::Fails).then(|| {
        let problem = format!("User {pgdba} doesn't exist");
        let remedy = "create the user or install the server package on this node";
        Fault::error("pgdba", pgdba, problem, remedy, ExitCode::Installed).in_brief("no such user")
    });
    let nameless = settings.monitor_password.is_some() && settings.monitor_user.is_empty();
    let nameless = nameless.then(|| {
        let problem = "monitor_user has to be set if monitor_password is set";
        let remedy = "set monitor_user, or remove monitor_password";
        Fault::error("monitor_user", "", problem, remedy, ExitCode::Configured)
    });
    let powerless = (facts.privileged == Fact::Fails).then(|| {
        let problem = format!("The agent must be run as root or {pgdba}");
        let remedy = "run it as one of them";
        Fault::error("pgdba", pgdba, problem, remedy, ExitCode::Generic)
            .in_brief("the agent runs neither as root nor as pgdba")
    });
    [unknown, nameless, powerless].into_iter().flatten()
}

/// Programs, data directory and configuration file.
fn files(settings: &Settings, facts: &Facts) -> impl Iterator<Item = Fault> {
    let programs = [
        ("pgctl", &settings.pgctl, facts.pgctl_executable),
        ("psql", &settings.psql, facts.psql_executable),
    ];
    let missing = programs.into_iter().filter(|(.., executable)| *executable == Fact::Fails);
    let missing = missing.map(|(parameter, path, _)| {
        let path = path.to_string_lossy();
        let problem = format!("Setup problem: couldn't find command: {path}");
        let remedy = "install it on this node, or correct the path";
        Fault::error(parameter, &path, problem, remedy, ExitCode::Installed)
            .in_brief("command not found")
    });
    let absent = facts.pgdata_present == Fact::Fails;
    let without_config = facts.config_exists == Fact::Fails;
    // Whoever misses the data directory misses what should be in it, too.
    let config = without_config && !(absent && settings.config.starts_with(&settings.pgdata));
    let config = config.then(|| {
        let path = settings.config.to_string_lossy();
        let problem = format!("Configuration file {path} doesn't exist");
        let remedy = "correct the path, or mount its file system";
        Fault::error("config", &path, problem, remedy, ExitCode::Installed).in_brief("no such file")
    });
    let sockets = facts.unix_socket_directories.as_deref().is_some_and(|value| !value.is_empty());
    let since_9_3 = facts.server_version.is_none_or(|version| version >= 90_300);
    let socket = (sockets && since_9_3 && settings.socketdir.is_empty()).then(|| {
        let problem = "In PostgreSQL 9.3 or higher, socketdir can't be empty if you define \
                       unix_socket_directories in the postgresql.conf.";
        let directories = facts.unix_socket_directories.as_deref().unwrap_or_default();
        let remedy = format!("set it to one of these directories: {}", shortened(directories, 60));
        Fault::error("socketdir", "", problem, remedy, ExitCode::Configured)
            .in_brief("can't be empty")
    });
    missing.chain(data_directory(settings, facts)).chain(config).chain(socket)
}

/// The data directory and whose it is: the server starts for nobody but its owner
/// (`checkDataDir()` in `miscinit.c`).
fn data_directory(settings: &Settings, facts: &Facts) -> Option<Fault> {
    let (path, pgdba) = (settings.pgdata.to_string_lossy(), &settings.pgdba);
    if facts.pgdata_present == Fact::Fails {
        let problem = format!("{path} is not a PostgreSQL data directory");
        let remedy = "correct the path, or mount its file system";
        let fault = Fault::error("pgdata", &path, problem, remedy, ExitCode::Installed);
        return Some(fault.in_brief("no data directory"));
    }
    if let Some(owner) = &facts.pgdata_foreign_owner {
        let problem = format!("Directory {path} belongs to {owner}, not to {pgdba}");
        let remedy = "correct pgdba, or the directory's owner (chown -R)";
        let fault = Fault::error("pgdba", pgdba, problem, remedy, ExitCode::Permission);
        return Some(fault.in_brief(format!("{owner} owns pgdata")));
    }
    (facts.pgdata_writable == Fact::Fails).then(|| {
        let problem = format!("Directory {path} is not writable by {pgdba}");
        let remedy = "check its owner, mode and mount, and pgdba";
        Fault::error("pgdata", &path, problem, remedy, ExitCode::Permission)
            .in_brief(format!("{pgdba} cannot write it"))
    })
}

/// What the server is too old for.
fn versions(settings: &Settings, facts: &Facts) -> impl Iterator<Item = Fault> {
    let older_than = |version| facts.server_version.is_some_and(|server| server < version);
    let replicates = settings.rep_mode != ReplicationMode::None;
    let replication = (replicates && older_than(90_100)).then(|| {
        let problem = "Replication mode needs PostgreSQL 9.1 or higher.";
        let word = mode_word(settings.rep_mode);
        Fault::error("rep_mode", word, problem, "upgrade the server", ExitCode::Installed)
    });
    let slots = (settings.uses_slots() && replicates && older_than(90_400)).then(|| {
        let problem = "Replication slot needs PostgreSQL 9.4 or higher.";
        let (name, remedy) = ("replication_slot_name", "upgrade the server, or remove it");
        let prefix = &settings.replication_slot_name;
        Fault::error(name, prefix, problem, remedy, ExitCode::Configured)
    });
    [replication, slots].into_iter().flatten()
}

/// The parameters of the replication modes.
fn replication(settings: &Settings) -> impl Iterator<Item = Fault> {
    let mode = settings.rep_mode;
    let no_address = mode != ReplicationMode::None && settings.master_ip.is_empty();
    let no_address = no_address.then(|| {
        let remedy = "set it to the address under which standbys find the primary";
        let problem = "master_ip can't be empty.";
        Fault::error("master_ip", "", problem, remedy, ExitCode::Configured)
    });
    let externals = settings.external_standby_node_list.join(" ");
    let external = (mode != ReplicationMode::Sync && !externals.is_empty()).then(|| {
        let name = "external_standby_node_list";
        let problem = format!("{name} requires rep_mode=sync.");
        let remedy = "set rep_mode to sync, or remove it";
        let fault = Fault::error(name, &externals, problem, remedy, ExitCode::Configured)
            .in_brief("requires rep_mode=sync");
        if mode.is_replication() { fault } else { fault.as_warning() }
    });
    let no_nodes = (mode.is_replication() && settings.node_list.is_empty()).then(|| {
        let remedy = "name every node that may run the instance, separated by blanks";
        let problem = "node_list can't be empty.";
        Fault::error("node_list", "", problem, remedy, ExitCode::Configured)
    });
    let copied =
        (mode.is_replication() && settings.tmpdir.starts_with(&settings.pgdata)).then(|| {
            let problem =
                "tmpdir lies in pgdata, where pg_basebackup copies its files to other nodes";
            let remedy = "use a directory outside of pgdata";
            let path = settings.tmpdir.to_string_lossy();
            Fault::error("tmpdir", &path, problem, remedy, ExitCode::Configured).as_warning()
        });
    [no_address, external, no_nodes, copied].into_iter().flatten()
}

/// How Pacemaker's resource has to be for the replication mode.
fn clone(settings: &Settings, context: &Context) -> impl Iterator<Item = Fault> {
    let (mode, word) = (settings.rep_mode, mode_word(settings.rep_mode));
    let single = (mode.is_replication() && !context.promotable).then(|| {
        let problem = "Replication(rep_mode=async or sync) requires Master/Slave configuration.";
        let remedy = "make the resource a promotable clone (promotable=true notify=true)";
        Fault::error("rep_mode", word, problem, remedy, ExitCode::Configured)
            .in_brief("the resource is not promotable")
    });
    let promotable = mode == ReplicationMode::Slave && context.promotable;
    let promotable = promotable.then(|| {
        let problem = "Replication(rep_mode=slave) does not support Master/Slave configuration.";
        let remedy = "make it an ordinary resource, or set rep_mode to async or sync";
        Fault::error("rep_mode", word, problem, remedy, ExitCode::Configured)
            .in_brief("the resource is promotable")
    });
    let deaf = mode.is_replication() && context.promotable && context.notify != Some(true);
    let deaf = deaf.then(|| {
        let value = context.notify.map(|notify| notify.to_string()).unwrap_or_default();
        let problem = "Without notifications the nodes cannot compare their WAL before a promotion";
        let remedy = "set the meta attribute notify=true on the clone";
        Fault::error("notify", &value, problem, remedy, ExitCode::Configured).as_warning()
    });
    [single, promotable, deaf].into_iter().flatten()
}

/// The prefix of the slot names.
fn slots(settings: &Settings) -> Option<Fault> {
    let prefix = &settings.replication_slot_name;
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
    if prefix.chars().all(allowed) {
        return None;
    }
    let problem = format!(
        "Invalid replication_slot_name({prefix}). only use lower case letters, numbers, and the \
         underscore character."
    );
    let remedy = "choose another prefix";
    let name = "replication_slot_name";
    let fault = Fault::error(name, prefix, problem, remedy, ExitCode::Configured)
        .in_brief("not only a-z, 0-9 and _");
    Some(if settings.rep_mode == ReplicationMode::None { fault.as_warning() } else { fault })
}

mod policy;
#[cfg(test)]
mod tests;
