//! The agent's log: the places and the form of `ocf_log`, so that both agents' lines stand
//! together.
//!
//! As `ocf-shellfuncs` does it: a person (standard input is a terminal) reads the lines on standard
//! error. Otherwise they go to syslog under `HA_LOGFACILITY` and to the file `HA_LOGFILE`, both of
//! which Pacemaker's executor sets, or to standard error if neither is set. `HA_DEBUGLOG`, which
//! the executor sets with `PCMK_debug`, gets every line as well; debug lines go there and to
//! syslog, if `HA_debug` asks for them. `HA_LOGD` is not supported: its daemon is gone since
//! Heartbeat.
//!
//! Nothing here waits, starts a program or fails: a line that cannot be written is lost.
//! `env_logger` is not used: `HA_debug` is the level here, and the form is given.

mod file;
mod line;
mod syslog;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use ::log::{Level, LevelFilter, Metadata, Record};

use self::syslog::Syslog;
use super::environment::Environment;
use super::exit_code::ExitCode;
use super::fault::{Fault, worst};
use super::timestamp;

/// With this line on standard error Pacemaker shows why an action failed (`crm_mon`, `pcs status`).
const EXIT_REASON_PREFIX: &str = "ocf-exit-reason:";
/// The target of records whose text has already been printed on standard error.
const EXIT_REASON: &str = "ocf-exit-reason";
/// The format of dates in `ocf-directories`.
const DATE_FORMAT: &str = "%b %d %T ";
/// The format of dates in RFC 3164.
const SYSLOG_DATE_FORMAT: &str = "%b %e %T";
/// Records of other crates are not for the administrator's log, unless something is wrong.
const OURS: &str = "pgsql_ha";

/// The places to which the lines of one call go.
#[derive(Debug)]
pub struct Log {
    tag: String,
    date_format: String,
    debug: bool,
    terminal: Option<Terminal>,
    syslog: Option<Syslog>,
    file: Option<File>,
    debug_file: Option<File>,
    /// `HA_DEBUGLOG` is the same file as `HA_LOGFILE`.
    one_file: bool,
    /// There is no other place for lines.
    standard_error: bool,
}

/// A person who reads standard error.
#[derive(Debug)]
struct Terminal {
    tag: Option<String>,
    colour: bool,
}

impl Log {
    /// Opens the places that the environment names. `program` is the agent's name in the lines.
    #[must_use]
    pub fn new(environment: &Environment, program: &str) -> Self {
        let terminal = io::stdin().is_terminal().then(|| Terminal {
            tag: environment.filled("HA_LOGTAG").map(str::to_owned),
            colour: io::stderr().is_terminal() && environment.filled("NO_COLOR").is_none(),
        });
        Self::with(environment, program, terminal)
    }

    fn with(environment: &Environment, program: &str, terminal: Option<Terminal>) -> Self {
        let named = |variable| environment.filled(variable).filter(|_| terminal.is_none());
        let facility = named("HA_LOGFACILITY").filter(|facility| *facility != "none");
        let (log, debug_log) = (named("HA_LOGFILE"), named("HA_DEBUGLOG"));
        let open = |path: Option<&str>| path.and_then(|path| file::open(Path::new(path)).ok());
        let syslog = facility.and_then(|facility| Syslog::new(facility).ok());
        let file = open(log);
        let nowhere = syslog.is_none() && file.is_none() && log != Some("/dev/null");
        Self {
            tag: tag(environment, program),
            date_format: environment.filled("HA_DATEFMT").unwrap_or(DATE_FORMAT).to_owned(),
            debug: environment.debug(),
            syslog,
            file,
            debug_file: open(debug_log),
            one_file: log == debug_log,
            standard_error: terminal.is_none() && nowhere,
            terminal,
        }
    }

    /// Makes this the log of the program. A second call changes nothing.
    pub fn install(self) {
        let level = if self.debug { LevelFilter::Debug } else { LevelFilter::Info };
        if ::log::set_boxed_logger(Box::new(self)).is_ok() {
            ::log::set_max_level(level);
        }
    }

    /// Writes a message that a person has perhaps already seen on standard error.
    fn write(&self, level: Level, text: &str, seen: bool) {
        let message = format!("{}: {}", line::level_word(level), line::fold(text));
        if let Some(terminal) = &self.terminal {
            let colour = terminal.colour.then(|| line::colour(level));
            let line = line::terminal(terminal.tag.as_deref(), &message, colour);
            if !seen {
                append(io::stderr(), &line);
            }
            return;
        }
        let date = timestamp::now(&self.date_format);
        let debug = level >= Level::Debug;
        if let Some(syslog) = &self.syslog {
            syslog.send(level, &timestamp::now(SYSLOG_DATE_FORMAT), &self.tag, &message);
        }
        if let Some(file) = self.file.as_ref().filter(|_| !debug) {
            append(file, &line::log_file(&date, &self.tag, &message));
        }
        if let Some(file) = self.debug_file.as_ref().filter(|_| debug || !self.one_file) {
            append(file, &line::debug_file(&date, &self.tag, &message));
        }
        if self.standard_error && !seen && !debug {
            append(io::stderr(), &line::standard_error(&date, &message));
        }
    }
}

impl ::log::Log for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let ours = target == EXIT_REASON || target.split("::").next() == Some(OURS);
        let wanted = if self.debug { Level::Debug } else { Level::Info };
        metadata.level() <= if ours { wanted } else { Level::Warn }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.write(record.level(), &record.args().to_string(), record.target() == EXIT_REASON);
        }
    }

    fn flush(&self) {}
}

/// Returns what a line begins with: the agent, the resource, the process.
fn tag(environment: &Environment, program: &str) -> String {
    if let Some(tag) = environment.filled("HA_LOGTAG") {
        return tag.to_owned();
    }
    let pid = std::process::id();
    match environment.resource_instance() {
        "" => format!("{program}[{pid}]"),
        resource => format!("{program}({resource})[{pid}]"),
    }
}

/// Writes a line with one call, so that lines of several processes never mix.
fn append(mut place: impl Write, line: &str) {
    let _ = place.write_all(line.as_bytes());
}

/// Tells Pacemaker why the action fails, and logs it as an error. The last reason of an action is
/// the one that Pacemaker shows.
pub fn exit_reason(text: &str) {
    let text = line::fold(&text.replace(EXIT_REASON_PREFIX, ""));
    append(io::stderr(), &format!("{EXIT_REASON_PREFIX}{text}\n"));
    ::log::error!(target: EXIT_REASON, "{text}");
}

/// Logs every fault, the deciding one last and as exit reason (in full as a hint), and returns its exit code; `None`
/// when there are only warnings.
#[must_use]
pub fn report(faults: &[Fault]) -> Option<ExitCode> {
    let deciding = worst(faults);
    for fault in faults.iter().filter(|fault| Some(*fault) != deciding) {
        let level = if fault.is_error() { Level::Error } else { Level::Warn };
        ::log::log!(level, "{fault}");
    }
    deciding.map(|fault| {
        let (reason, whole) = (fault.reason(), fault.to_string());
        exit_reason(&reason);
        if reason != whole {
            ::log::error!("HINT: {whole}.");
        }
        fault.code
    })
}

#[cfg(test)]
mod tests;
