//! `demo`: a failover of a real three-host cluster on one screen. Parses the command line and yields the exit code;
//! what is done and what is shown belong to the modules.

mod comeback;
mod enter;
mod error;
mod facts;
mod hosts;
mod keep;
mod options;
mod paint;
mod progress;
mod screen;
mod server_log;
mod site;
mod sparkline;
mod story;
mod timeline;

use clap::Parser;
use error::Error;
use options::{Command, Options};
use paint::Paint;
use progress::Progress;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    park_when_interrupted();
    let done = match &options.command {
        Some(Command::Enter { host, words }) => enter::enter(host, words),
        None => show(&options),
    };
    done.unwrap_or_else(|error| {
        error::park_if_interrupted();
        eprintln!("demo: {error}");
        ExitCode::FAILURE
    })
}

fn show(options: &Options) -> Result<ExitCode, Error> {
    let paint = Paint::for_stdout();
    let progress = Progress::new(paint);
    let site = site::Site::find()?;
    let (cluster, story) = story::tell(&site, options.fault, &progress)?;
    progress::say(&screen::render(&story, paint));
    if options.keep {
        keep::wait_for_ctrl_c(&cluster, paint);
    }
    progress.stage("removing the cluster", || {
        drop(cluster);
        Ok(("everything removed".into(), ()))
    })?;
    Ok(if story.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A panic while Ctrl-C takes the cluster down under our feet is no news.
fn park_when_interrupted() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        error::park_if_interrupted();
        report(panic);
    }));
}
