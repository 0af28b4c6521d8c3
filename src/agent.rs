//! The agent: parse the environment, then observe, decide and execute until the action is done.
//!
//! The only place that waits for the world to change, and the only one that turns an outcome into
//! an exit code.

use std::time::Duration;

use log::{debug, error, info, warn};

use crate::engine::{Engine, Next, Request};
use crate::execute::execute;
use crate::facts;
use crate::model::action::Action;
use crate::model::exit_reason::{BYTES_MAX, shortened, wrong_parameter};
use crate::model::node::NodeName;
use crate::model::settings::Settings;
use crate::model::step::Step;
use crate::model::verdict::{Outcome, Reason};
use crate::observe::Observer;
use crate::ocf::environment::Environment;
use crate::ocf::exit_code::{ExitCode, of_outcome};
use crate::ocf::fault::Fault;
use crate::ocf::log::{Log, exit_reason, report};
use crate::ocf::parameter::instance::PGPORT;
use crate::ocf::validate::{Context, validate};
use crate::ocf::word::{Printout, Word};
use crate::ocf::{notification, settings};
use crate::pacemaker::Tools;
use crate::postgres::postmaster;
use crate::postgres::server_process;
use crate::system::identity::{User, acting_as_root};
use crate::system::pause::pause;
use crate::world::{Clock, World};

/// How long the agent waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(30);

/// How long it waits before it tries a failed step again.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// Runs one action to its end and returns the exit code.
#[must_use]
pub fn run(action: Action, environment: &Environment) -> ExitCode {
    // Before anything that may be slow: user names may come from a directory server.
    let timeout = environment.timeout().unwrap_or(action.advised_timeout());
    let clock = Clock::start(timeout);
    Log::new(environment, "pgsql").install();
    let (settings, faults) = match configured(action.into(), environment) {
        Ok(configured) => configured,
        Err(code) => return code,
    };
    match prepare(action, settings, &faults, environment, (timeout, clock)) {
        Ok((world, engine)) => conclude(action, &drive(world, engine)),
        Err(code) => code,
    }
}

/// Checks the parameters, and with `OCF_CHECK_LEVEL=10` the node as well.
#[must_use]
pub fn validate_all(environment: &Environment) -> ExitCode {
    Log::new(environment, "pgsql").install();
    let validated = configured(Word::Printout(Printout::ValidateAll), environment);
    validated.err().unwrap_or(ExitCode::Success)
}

/// Reads the parameters and what is wrong with them; ends what cannot go on with that.
fn configured(word: Word, environment: &Environment) -> Result<(Settings, Vec<Fault>), ExitCode> {
    let (settings, mut faults) = settings::parse(environment);
    let context = Context::new(word, environment);
    if context.can_fail() {
        faults.extend(validate(&settings, &facts::gather(&settings), &context));
        if let Some(code) = report(&faults) {
            return Err(code);
        }
    }
    Ok((settings, faults))
}

/// Opens the handles. Without the database user there can be no instance, so that a stop has
/// nothing to do and a monitor nothing to find.
fn prepare(
    action: Action,
    mut settings: Settings,
    faults: &[Fault],
    environment: &Environment,
    (timeout, clock): (Duration, Clock),
) -> Result<(World, Engine), ExitCode> {
    let user = match User::lookup(&settings.pgdba) {
        Ok(Some(user)) => user,
        Ok(None) => return Err(without_user(action, &settings)),
        Err(error) => {
            exit_reason(&format!("cannot look up the user {}: {error}", settings.pgdba));
            return Err(ExitCode::Generic);
        }
    };
    if !acting_as_root() && !user.is_me() {
        let remedy = "run it as one of them";
        let problem = "the agent runs neither as root nor as pgdba";
        exit_reason(&wrong_parameter("pgdba", &settings.pgdba, problem, remedy));
        return Err(ExitCode::Permission);
    }
    if let Some(fault) = faults.iter().find(|fault| fault.parameter == PGPORT.name) {
        take_servers_port(&mut settings, &user, fault);
    }
    let tools = Tools::new(environment.sbin_dir());
    let local = local_node(&settings, environment, &tools, &clock);
    let request = Request {
        action,
        notification: notification::parse(environment),
        probe: environment.is_probe(action),
        of_standby: environment.is_of_standby(action),
        timeout,
    };
    let engine = Engine::new(request, &settings);
    let unset = facts::retry_interval_unset(&settings, &user);
    let world = World::new(settings, user, local, tools, clock, unset);
    Ok((world, engine))
}

/// Lets a server that runs say itself which port it has when the parameter does not say it: the
/// default may be another server's, and a healthy instance is not to fail for a misspelt number.
fn take_servers_port(settings: &mut Settings, user: &User, fault: &Fault) {
    let Some(port) = postmaster::port(settings, user) else { return };
    warn!("{fault}; meanwhile the running server's own is used, {port}");
    settings.pgport = port;
}

fn without_user(action: Action, settings: &Settings) -> ExitCode {
    let runs = server_process::running_in(&settings.pgdata).is_ok_and(|found| !found.is_empty());
    match action {
        Action::Stop | Action::Monitor | Action::Status if runs => {
            let pgdata = settings.pgdata.display();
            let problem = format!("no such user, but PostgreSQL runs in {pgdata}");
            exit_reason(&wrong_parameter("pgdba", &settings.pgdba, &problem, "create the user"));
            ExitCode::Generic
        }
        Action::Stop | Action::Notify => ExitCode::Success,
        Action::Monitor | Action::Status => ExitCode::NotRunning,
        Action::Start | Action::Promote | Action::Demote => {
            let pgdba = &settings.pgdba;
            exit_reason(&wrong_parameter("pgdba", pgdba, "no such user", "create the user"));
            ExitCode::Installed
        }
    }
}

/// Pacemaker says on which node an action runs; a person's call has to ask.
fn local_node(
    settings: &Settings,
    environment: &Environment,
    tools: &Tools,
    clock: &Clock,
) -> NodeName {
    let host_name = || NodeName::new(&facts::host_name());
    environment.node_name_hint().unwrap_or_else(|| match settings.is_replication() {
        true => tools.local_node(clock.within(Duration::from_secs(5))).unwrap_or_else(|error| {
            debug!("the cluster does not tell this node's name: {error}");
            host_name()
        }),
        false => host_name(),
    })
}

/// Observes, decides and executes until the action is done or its time is over.
fn drive(mut world: World, mut engine: Engine) -> Outcome {
    let mut observer = Observer::default();
    let mut waiting_for: Option<Reason> = None;
    loop {
        let seen = observer.observe(&mut world, &mut engine);
        match engine.next(&world.settings, seen) {
            Next::End(outcome) => return outcome,
            Next::Take(step) => take(&mut world, &mut engine, step),
            Next::Wait(reason) => {
                if waiting_for.as_ref() != Some(&reason) {
                    debug!("{reason}. Waiting...");
                }
                waiting_for = Some(reason);
                pause(LOOK_AGAIN);
            }
        }
        if let Some(outcome) = engine.out_of_time(&world.settings, world.clock.elapsed()) {
            return outcome;
        }
    }
}

fn take(world: &mut World, engine: &mut Engine, step: Step) {
    let Some(seen) = engine.last() else { return };
    if seen.taken.last(&step).is_some_and(|attempt| attempt.error.is_some()) {
        pause(TRY_AGAIN.min(seen.time.remaining));
    }
    let error = execute(world, &step, seen).err().map(|error| error.to_string());
    if let Some(error) = &error {
        warn!("{}: {error}", step.purpose());
    }
    engine.ended(step, world.clock.elapsed(), error);
}

fn conclude(action: Action, outcome: &Outcome) -> ExitCode {
    let said = match (action, outcome) {
        (Action::Start, Outcome::Success) => "PostgreSQL is started.",
        (Action::Promote, Outcome::Success) => "PostgreSQL is promoted.",
        (Action::Stop, Outcome::Success) => "PostgreSQL is stopped.",
        (Action::Monitor | Action::Status, Outcome::NotRunning) => "PostgreSQL is down",
        (_, Outcome::Success | Outcome::NotRunning | Outcome::RunningPromoted) => "",
        (_, Outcome::Failed(failure)) => {
            let reason = failure.to_string();
            exit_reason(&shortened(&reason, BYTES_MAX));
            if reason.len() > BYTES_MAX {
                error!("HINT: {reason}.");
            }
            if let Some(hint) = failure.hint() {
                error!("HINT: {hint}.");
            }
            ""
        }
    };
    if !said.is_empty() {
        info!("{said}");
    }
    of_outcome(action, outcome)
}
