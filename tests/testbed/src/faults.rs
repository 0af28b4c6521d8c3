//! What can befall a host, in plain words. Each word does one thing and returns once it is done. They panic when the
//! testbed itself fails, so that a test reads as a story.

use crate::error::Error;
use crate::host::Host;
use nix::sys::signal::Signal;

/// A word that cannot fail unless the testbed is broken.
#[track_caller]
fn must<T>(host: &Host, what: &str, done: Result<T, Error>) -> T {
    done.unwrap_or_else(|error| panic!("{}: cannot {what}: {error}", host.name()))
}

impl Host {
    /// Cuts the power: first silence on the network, then every process dies. The disk stays, `/run` and `/tmp` do not.
    #[track_caller]
    pub fn power_off(&self) {
        must(self, "power off", self.machine().off(&self.shared.network));
    }

    /// Pulls the network cable at the switch.
    #[track_caller]
    pub fn cut_link(&self) {
        must(self, "cut the link", self.shared.network.set_cut(self.machine().port, true));
    }

    /// Plugs the network cable in again.
    #[track_caller]
    pub fn restore_link(&self) {
        must(self, "restore the link", self.shared.network.set_cut(self.machine().port, false));
    }

    /// Drops what this host sends to the other one; what the other one sends still arrives.
    #[track_caller]
    pub fn drop_traffic_to(&self, other: &Self) {
        let done =
            self.shared.network.set_one_way_drop(self.machine().port, other.machine().port, true);
        must(self, "drop traffic", done);
    }

    /// Lets pass again what this host sends to the other one.
    #[track_caller]
    pub fn restore_traffic_to(&self, other: &Self) {
        let done =
            self.shared.network.set_one_way_drop(self.machine().port, other.machine().port, false);
        must(self, "restore traffic", done);
    }

    /// Loses that share of the packets from and to this host; 0 repairs it.
    #[track_caller]
    pub fn loss(&self, percent: u8) {
        must(self, "lose packets", self.shared.network.set_loss(self.machine().port, percent));
    }

    /// Sends a signal to the postmaster alone.
    #[track_caller]
    pub fn kill_postmaster(&self, signal: Signal) {
        let pid =
            self.postmaster().unwrap_or_else(|| panic!("{}: no postmaster runs", self.name()));
        must(
            self,
            "signal the postmaster",
            self.signal(pid, signal.as_str().trim_start_matches("SIG")),
        );
    }

    /// Freezes a process (SIGSTOP).
    #[track_caller]
    pub fn stop_process(&self, pid: i32) {
        must(self, "stop the process", self.signal(pid, "STOP"));
    }

    /// Lets a frozen process go on (SIGCONT).
    #[track_caller]
    pub fn continue_process(&self, pid: i32) {
        must(self, "continue the process", self.signal(pid, "CONT"));
    }

    /// Freezes the postmaster and all its children: a server that hangs.
    #[track_caller]
    pub fn freeze_postgres(&self) {
        self.signal_postgres("STOP");
    }

    /// Lets a frozen server go on.
    #[track_caller]
    pub fn thaw_postgres(&self) {
        self.signal_postgres("CONT");
    }

    #[track_caller]
    fn signal_postgres(&self, signal: &str) {
        let postmaster =
            self.postmaster().unwrap_or_else(|| panic!("{}: no postmaster runs", self.name()));
        must(self, "signal the postmaster", self.signal(postmaster, signal));
        for child in self.processes().into_iter().filter(|process| process.parent == postmaster) {
            // A backend may end between being seen and being signalled.
            drop(self.signal(child.pid, signal));
        }
    }
}
