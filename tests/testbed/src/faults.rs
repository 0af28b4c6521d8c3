//! What can befall a host, in plain words. Each word does one thing and returns once it is done. They panic when the
//! testbed itself fails, so that a test reads as a story.

use crate::error::Error;
use crate::host::{COMMAND_LIMIT, Host};
use crate::network::Port;
use nix::sys::signal::Signal;
use std::fmt::Write;

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

    /// Makes the line to this host narrow, so that packets wait and some are lost; `None` repairs it.
    #[track_caller]
    pub fn narrow_link(&self, kilobits: Option<u32>) {
        let done = self.shared.network.set_narrow(self.machine().port, kilobits);
        must(self, "narrow the link", done);
    }

    /// Cuts this host off from the clients, in both directions, or lets them meet again; the hosts still meet.
    #[track_caller]
    pub fn part_from_clients(&self, parted: bool) {
        let port = self.machine().port;
        for (from, to) in [(port, Port::Client), (Port::Client, port)] {
            let done = self.shared.network.set_one_way_drop(from, to, parted);
            must(self, "part from the clients", done);
        }
    }

    /// Cuts the replication of this host off, in both directions, and nothing else; holds until the host's next boot.
    pub fn block_replication(&self) -> Result<(), Error> {
        let rules = replication_rules(self.shared.options.pg_port);
        let output = self.run_with(&["nft", "-f", "-"], &[], Some(&rules), COMMAND_LIMIT)?;
        output.required("nft -f -").map(drop)
    }

    /// Lets the replication pass again.
    pub fn unblock_replication(&self) -> Result<(), Error> {
        self.run_ok(&["nft", "delete", "table", "inet", "faults"]).map(drop)
    }

    /// Freezes every process of the host but the first, as a paused virtual machine stands still; its network is silent.
    #[track_caller]
    pub fn freeze(&self) {
        self.cut_link();
        // Again and again, for what is not frozen yet may have children.
        for _ in 0..3 {
            self.signal_everybody(Signal::SIGSTOP);
        }
    }

    /// Lets a frozen host go on, if nobody switched it off.
    #[track_caller]
    pub fn thaw(&self) {
        self.restore_link();
        self.signal_everybody(Signal::SIGCONT);
    }

    /// From outside, because a frozen host runs no command.
    fn signal_everybody(&self, signal: Signal) {
        for pid in self.outer_pids() {
            // It may end between being seen and being signalled.
            let _gone = nix::sys::signal::kill(pid, signal);
        }
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

/// Packets of replication at this host's end; clients and the cluster are not concerned.
fn replication_rules(port: u16) -> String {
    let mut text = String::from(
        "table inet faults\ndelete table inet faults\ntable inet faults {\nset hosts { type ipv4_addr; flags interval; \
         elements = { 10.77.0.11-10.77.0.20, 10.77.0.101 }; }\n",
    );
    for (hook, side, peer) in [("input", "iifname", "saddr"), ("output", "oifname", "daddr")] {
        let _infallible = writeln!(text, "chain {hook} {{ type filter hook {hook} priority 0;");
        for end in ["dport", "sport"] {
            let _infallible = writeln!(text, "{side} eth0 ip {peer} @hosts tcp {end} {port} drop");
        }
        text.push_str("}\n");
    }
    text + "}\n"
}
