//! A program in a session of its user, as PAM is configured to begin one.
//!
//! `runuser` begins it: whatever an administrator has put into its stack (limits.conf, by `pam_limits`)
//! holds for the program, as it does for what the shell agent starts. No shell is involved: with `-u`,
//! `runuser` executes the words it is given.

use std::ffi::OsString;
use std::path::Path;

use super::{Command, CommandError, Output};
use crate::system::identity::{User, acting_as_root};

const RUNUSER: [&str; 2] = ["/usr/sbin/runuser", "/sbin/runuser"];
const ENV: &str = "/usr/bin/env";
/// How `runuser` begins what it has to say itself.
const OWN_WORDS: &str = "runuser: ";
/// Variables that make the dynamic linker load what others may have written: not into root's `runuser`.
const LINKERS: &str = "LD_";

impl Command {
    /// Runs the program to its end, in a session of this user. Where none can be had (the agent is not
    /// root, there is no `runuser`, PAM refuses) it runs as that user all the same.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn run_in_session(self, user: &User) -> Result<Output, CommandError> {
        let plain = self.as_user(user);
        let runuser = RUNUSER.iter().map(Path::new).find(|path| path.exists());
        let Some(runuser) = runuser.filter(|_| acting_as_root() && !user.is_me()) else {
            return plain.run();
        };
        match plain.clone().through(runuser, user).run() {
            Err(CommandError::Failed { stderr, .. }) if stderr.starts_with(OWN_WORDS) => {
                let program = plain.program.display();
                log::warn!("{program} runs without the limits of {}: {}", user.name, stderr.trim());
                plain.run()
            }
            Err(CommandError::Failed { status, stdout, stderr, .. }) => {
                Err(CommandError::Failed { program: plain.program, status, stdout, stderr })
            }
            ended => ended,
        }
    }

    fn through(mut self, runuser: &Path, user: &User) -> Self {
        let is_linkers =
            |(key, _): &(OsString, OsString)| key.to_string_lossy().starts_with(LINKERS);
        let (linkers, others): (Vec<_>, Vec<_>) =
            self.environment.into_iter().partition(is_linkers);
        let mut words: Vec<OsString> = vec!["-u".into(), user.name.clone().into(), "--".into()];
        if !linkers.is_empty() {
            words.push(ENV.into());
        }
        for (key, value) in linkers {
            words.push([key, "=".into(), value].into_iter().collect());
        }
        words.push(self.program.into());
        words.append(&mut self.arguments);
        Self {
            program: runuser.to_owned(),
            arguments: words,
            environment: others,
            user: None,
            ..self
        }
    }
}
