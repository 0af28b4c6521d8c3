//! What a fault has at hand when it strikes: its victim, the others, commands, dice, and words for what several faults do.
//! No fault by name.

use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use testbed::{Host, Process};

use crate::error::Error;
use crate::site::Site;

/// What ends a fault.
pub type Undo<'a> = Box<dyn FnOnce() -> Result<(), Error> + Send + 'a>;

/// The scene of one fault.
pub struct Scene<'a> {
    /// The cluster.
    pub site: &'a Site,
    /// The victim.
    pub host: Host,
    /// Decides what the plan leaves open.
    pub dice: Rng,
    /// For how long it lasts.
    pub lasts: Duration,
}

/// Nothing is left to undo.
pub fn nothing<'a>() -> Undo<'a> {
    Box::new(|| Ok(()))
}

/// What ends by ending these commands.
pub fn end_of<'a>(mut children: Vec<Child>) -> Undo<'a> {
    Box::new(move || {
        for child in &mut children {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
        Ok(())
    })
}

impl Scene<'_> {
    /// Every host but the victim.
    pub fn others(&self) -> Vec<Host> {
        let hosts = self.site.cluster.hosts();
        hosts.into_iter().filter(|host| host.name() != self.host.name()).collect()
    }

    /// One of the others.
    pub fn another(&mut self) -> Host {
        let mut others = self.others();
        others.swap_remove(self.dice.usize(0..others.len()))
    }

    /// The victim's processes whose kernel names or titles contain one of these words.
    pub fn processes(&self, words: &[&str]) -> Vec<Process> {
        let is_meant = |process: &Process| {
            words.iter().any(|word| process.name == *word || process.command_line.contains(word))
        };
        self.host.processes().into_iter().filter(is_meant).collect()
    }

    /// The victim's server with all its processes; none when it does not run.
    pub fn server(&self) -> Vec<Process> {
        let processes = self.host.processes();
        processes.into_iter().filter(|process| process.name.starts_with("postgres")).collect()
    }

    /// The server's processes but the first.
    pub fn children_of_server(&self) -> Vec<Process> {
        let postmaster = self.host.postmaster();
        let server = self.server().into_iter();
        server.filter(|process| Some(process.parent) == postmaster).collect()
    }

    /// Sends a signal to these, as far as they still live; an error if there are none.
    pub fn signal(&self, victims: &[Process], signal: &str) -> Result<(), Error> {
        if victims.is_empty() {
            return Err(Error::said(format!("nobody on {} to be hit", self.host.name())));
        }
        let pids: Vec<_> = victims.iter().map(|process| process.pid.to_string()).collect();
        let kill = ["/bin/kill".to_owned(), format!("-{signal}"), "--".to_owned()];
        let words: Vec<_> = kill.iter().chain(&pids).map(String::as_str).collect();
        self.host.run(&words)?;
        Ok(())
    }

    /// Stops these, and lets them go on in the end.
    pub fn hold<'a>(&self, victims: Vec<Process>) -> Result<Undo<'a>, Error> {
        self.signal(&victims, "STOP")?;
        let host = self.host.clone();
        Ok(Box::new(move || {
            // Some of them may be no more.
            victims.iter().for_each(|process| drop(host.signal(process.pid, "CONT")));
            Ok(())
        }))
    }

    /// A shell script that runs in the victim until the end.
    pub fn script<'a>(&self, script: &str) -> Result<Undo<'a>, Error> {
        Ok(end_of(vec![self.host.spawn(&["sh", "-c", script])?]))
    }

    /// Does something again and again until the fault's time is over.
    pub fn repeatedly(&self, pause: Duration, mut act: impl FnMut()) {
        let began = std::time::Instant::now();
        while began.elapsed() < self.lasts {
            act();
            sleep(pause);
        }
    }
}
