//! A call of the real program, as Pacemaker makes it, in the words of a test.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::server::copy_program;

/// The exit codes of OCF.
pub const SUCCESS: i32 = 0;
pub const GENERIC: i32 = 1;
pub const ARGS: i32 = 2;
pub const UNIMPLEMENTED: i32 = 3;
pub const PERMISSION: i32 = 4;
pub const INSTALLED: i32 = 5;
pub const CONFIGURED: i32 = 6;
pub const NOT_RUNNING: i32 = 7;
pub const PROMOTED: i32 = 8;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pgsql-ha");

/// After this time a call hangs, whatever its own timeout was.
const PATIENCE: Duration = Duration::from_secs(40);
/// After this time something else than the agent holds the agent's output open.
const READERS: Duration = Duration::from_secs(5);

/// A call that is being prepared. The environment is Pacemaker's and nothing else.
#[must_use]
#[derive(Clone)]
pub struct Agent {
    words: Vec<OsString>,
    environment: BTreeMap<String, OsString>,
}

impl Agent {
    pub fn new() -> Self {
        Self { words: vec![PROGRAM.into()], environment: BTreeMap::new() }
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("OCF_ROOT", "/usr/lib/ocf")
            .env("OCF_RA_VERSION_MAJOR", "1")
            .env("OCF_RESOURCE_INSTANCE", "pgsql")
            .timeout(Duration::from_secs(30))
    }

    pub fn env(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.environment.insert(name.to_owned(), value.as_ref().into());
        self
    }

    pub fn param(self, name: &str, value: impl AsRef<Path>) -> Self {
        self.env(&format!("OCF_RESKEY_{name}"), value)
    }

    pub fn meta(self, name: &str, value: &str) -> Self {
        self.env(&format!("OCF_RESKEY_CRM_meta_{name}"), value)
    }

    /// Sets the operation's timeout.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.meta("timeout", &timeout.as_millis().to_string())
    }

    /// Makes it a recurring operation; without, a monitor is a probe.
    pub fn recurring(self) -> Self {
        self.meta("interval", "10000")
    }

    /// Runs the agent under another program, which takes the agent's call as its last words.
    pub fn under(mut self, words: &[&str]) -> Self {
        self.words.splice(0..0, words.iter().map(OsString::from));
        self
    }

    /// Runs a copy of the program as the database user, who may not reach the build directory.
    pub fn by_database_user(mut self, copy: &Path) -> Self {
        copy_program(PROGRAM.as_ref(), copy);
        self.words = vec![copy.into()];
        self.under(&["runuser", "-u", "postgres", "--"])
    }

    /// Runs an action to its end.
    #[track_caller]
    pub fn run(&self, action: &str) -> Call {
        self.call(&[action])
    }

    /// Runs the program with these words.
    #[track_caller]
    pub fn call(&self, words: &[&str]) -> Call {
        let began = Instant::now();
        let mut child = Command::new(&self.words[0])
            .args(&self.words[1..])
            .args(words)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", self.words[0]));
        let what = words.join(" ");
        let stdout = read(child.stdout.take());
        let stderr = read(child.stderr.take());
        let code = await_end(&mut child, &what);
        let took = began.elapsed();
        let text = |reader: mpsc::Receiver<String>| {
            let text = reader.recv_timeout(READERS);
            text.unwrap_or_else(|_| panic!("{what}: somebody keeps the agent's output open"))
        };
        Call(Ended { what: what.clone(), code, stdout: text(stdout), stderr: text(stderr), took })
    }
}

fn read(mut pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = &mut pipe {
            pipe.read_to_end(&mut bytes).expect("a readable pipe");
        }
        // Nobody listens when the test has already failed.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

#[track_caller]
fn await_end(child: &mut Child, what: &str) -> Option<i32> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status.code();
        }
        if Instant::now() >= until {
            child.kill().expect("a child of ours");
            panic!("{what}: hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A call that has ended; its exit code has to be looked at.
#[must_use = "say how it exits"]
pub struct Call(Ended);

impl Call {
    /// For a test to which any answer is right, but not just any deed.
    pub fn exits_any(self) -> Ended {
        self.0
    }

    /// For a test to which several answers are right.
    #[track_caller]
    pub fn exits_one_of(self, codes: &[i32]) -> Ended {
        let Ended { what, code: is, stdout, stderr, .. } = &self.0;
        let right = is.is_some_and(|is| codes.contains(&is));
        assert!(right, "{what} exits {is:?}, none of {codes:?}:\n{stderr}{stdout}");
        self.0
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Ended {
        let Ended { what, code: is, stdout, stderr, .. } = &self.0;
        assert!(*is == Some(code), "{what} exits {is:?}, not {code}:\n{stderr}{stdout}");
        self.0
    }
}

/// A call that has ended as it should.
pub struct Ended {
    what: String,
    code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    took: Duration,
}

impl Ended {
    /// The exit code; 256 when a signal ended it.
    pub fn code(&self) -> i32 {
        self.code.unwrap_or(256)
    }

    /// Expects these words in what the call printed.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stdout.contains(words), "{}: no {words:?} in\n{}", self.what, self.stdout);
        self
    }

    /// Returns the reason that Pacemaker shows: the last one.
    fn last_reason(&self) -> &str {
        let mut lines = self.stderr.lines().rev();
        lines.find_map(|line| line.strip_prefix("ocf-exit-reason:")).unwrap_or_default()
    }

    /// Expects a reason that Pacemaker shows as a whole.
    #[track_caller]
    pub fn short_reason(self) -> Self {
        let reason = self.last_reason();
        assert!(reason.len() <= 128, "{}: {} bytes: {reason}", self.what, reason.len());
        self
    }

    /// Expects these words in the reason that Pacemaker shows.
    #[track_caller]
    pub fn reason(self, words: &str) -> Self {
        let reason = self.last_reason();
        assert!(reason.contains(words), "{}: no {words:?} in {reason:?}", self.what);
        self
    }

    /// Expects that nothing is given as a reason.
    #[track_caller]
    pub fn without_reason(self) -> Self {
        assert!(!self.stderr.contains("ocf-exit-reason:"), "{}: {}", self.what, self.stderr);
        self
    }

    #[track_caller]
    pub fn within(self, limit: Duration) -> Self {
        assert!(self.took <= limit, "{} took {:?}:\n{}", self.what, self.took, self.stderr);
        self
    }
}
