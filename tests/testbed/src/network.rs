//! The cables: a switch, a namespace per host and one for the client, and the faults of the links between them.
//! Knows ports and addresses, not what runs behind them.
//!
//! The kernel of a small machine has no netem, so loss is an nft rule on the switch, and delay is that of a full queue
//! before a narrow line (tbf).

use crate::command;
use crate::error::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The first three bytes of every address.
pub const SUBNET: &str = "10.77.0";
/// The client's address.
pub const CLIENT_ADDRESS: &str = "10.77.0.5";

const LIMIT: Duration = Duration::from_secs(10);

/// A place on the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// The client.
    Client,
    /// A host, counted from 0.
    Host(usize),
}

impl Port {
    fn name(self) -> String {
        match self {
            Self::Client => "client".into(),
            Self::Host(index) => format!("host{index}"),
        }
    }

    pub(crate) fn address(self) -> String {
        match self {
            Self::Client => CLIENT_ADDRESS.into(),
            Self::Host(index) => format!("{SUBNET}.{}", 11 + index),
        }
    }
}

/// What is plugged in, and what is wrong with the links at present.
#[derive(Default)]
struct Faults {
    plugged: BTreeSet<Port>,
    cut: BTreeSet<Port>,
    one_way: BTreeSet<(Port, Port)>,
    loss_percent: BTreeMap<Port, u8>,
    narrow: BTreeSet<Port>,
}

/// The switch with its ports.
pub(crate) struct Network {
    cluster: String,
    faults: Mutex<Faults>,
}

impl Network {
    /// Makes the switch and plugs the client in.
    pub(crate) fn new(cluster: &str) -> Result<Self, Error> {
        let network = Self { cluster: cluster.to_owned(), faults: Mutex::default() };
        let switch = network.switch();
        ip(&["-batch", "-"], &format!("netns add {switch}\n"))?;
        ip(
            &["-n", &switch, "-batch", "-"],
            "link set lo up\nlink add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set br0 up\n",
        )?;
        network.plug_in(Port::Client)?;
        Ok(network)
    }

    /// The namespace's file.
    pub(crate) fn netns(&self, port: Port) -> PathBuf {
        PathBuf::from("/run/netns").join(self.netns_name(port))
    }

    pub(crate) fn netns_name(&self, port: Port) -> String {
        format!("{}-{}", self.cluster, port.name())
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.cluster)
    }

    /// Makes a namespace and a cable from it to the switch, in the state the faults dictate.
    pub(crate) fn plug_in(&self, port: Port) -> Result<(), Error> {
        let (netns, switch, name) = (self.netns_name(port), self.switch(), port.name());
        let cable =
            format!("link add {name} netns {switch} type veth peer name eth0 netns {netns}");
        ip(&["-batch", "-"], &format!("netns add {netns}\n{cable}\n"))?;
        let address = port.address();
        let inside =
            format!("link set lo up\naddr add {address}/24 brd + dev eth0\nlink set eth0 up\n");
        ip(&["-n", &netns, "-batch", "-"], &inside)?;
        let mut faults = self.faults();
        faults.plugged.insert(port);
        ip(&["-n", &switch, "link", "set", &name, "master", "br0"], "")?;
        self.set_link(port, !faults.cut.contains(&port))
    }

    fn set_link(&self, port: Port, up: bool) -> Result<(), Error> {
        let state = if up { "up" } else { "down" };
        ip(&["-n", &self.switch(), "link", "set", &port.name(), state], "")
    }

    /// Silences the port at once, as a power failure does, whatever the namespace still holds.
    pub(crate) fn silence(&self, port: Port) -> Result<(), Error> {
        // From now on the faults are only noted; they hold again when the port is plugged in.
        self.faults().plugged.remove(&port);
        self.set_link(port, false)
    }

    /// Takes cable and namespace away, with every address that was added in it.
    pub(crate) fn unplug(&self, port: Port) -> Result<(), Error> {
        ip(&["-n", &self.switch(), "link", "del", &port.name()], "")?;
        ip(&["netns", "del", &self.netns_name(port)], "")
    }

    /// Pulls the cable, or plugs it in again.
    pub(crate) fn set_cut(&self, port: Port, cut: bool) -> Result<(), Error> {
        let mut faults = self.faults();
        if cut {
            faults.cut.insert(port)
        } else {
            faults.cut.remove(&port)
        };
        if faults.plugged.contains(&port) { self.set_link(port, !cut) } else { Ok(()) }
    }

    /// Drops what goes from one port to the other, one way.
    pub(crate) fn set_one_way_drop(&self, from: Port, to: Port, drop: bool) -> Result<(), Error> {
        let mut faults = self.faults();
        if drop {
            faults.one_way.insert((from, to))
        } else {
            faults.one_way.remove(&(from, to))
        };
        self.load(&faults)
    }

    /// Loses that share of the packets from and to the port.
    pub(crate) fn set_loss(&self, port: Port, percent: u8) -> Result<(), Error> {
        let mut faults = self.faults();
        if percent == 0 {
            faults.loss_percent.remove(&port)
        } else {
            faults.loss_percent.insert(port, percent)
        };
        self.load(&faults)
    }

    /// Lets no more than so many kilobits in a second pass to the port; what waits for more than 400 ms is lost.
    pub(crate) fn set_narrow(&self, port: Port, kilobits: Option<u32>) -> Result<(), Error> {
        let mut faults = self.faults();
        match kilobits {
            Some(kilobits) => {
                faults.narrow.insert(port);
                self.narrow(port, kilobits)
            }
            None if faults.narrow.remove(&port) && faults.plugged.contains(&port) => {
                self.widen(port)
            }
            None => Ok(()),
        }
    }

    fn narrow(&self, port: Port, kilobits: u32) -> Result<(), Error> {
        let (netns, port) = (self.switch(), port.name());
        let rate = format!("{kilobits}kbit");
        let mut command = Command::new("tc");
        command.args(["-n", &netns, "qdisc", "replace", "dev", &port, "root", "tbf"]);
        command.args(["rate", &rate, "burst", "8kb", "latency", "400ms"]);
        command::run(&mut command, None, LIMIT)?.required("tc qdisc replace").map(drop)
    }

    fn widen(&self, port: Port) -> Result<(), Error> {
        let mut command = Command::new("tc");
        command.args(["-n", &self.switch(), "qdisc", "del", "dev", &port.name(), "root"]);
        // A host that was switched off meanwhile has a new cable, which is wide.
        command::run(&mut command, None, LIMIT).map(drop)
    }

    /// Repairs every link.
    pub(crate) fn heal(&self) -> Result<(), Error> {
        let mut faults = self.faults();
        let plugged = std::mem::take(&mut faults.plugged);
        let narrow = std::mem::take(&mut faults.narrow);
        let repaired = plugged.iter().try_for_each(|&port| self.set_link(port, true));
        let mut narrow = narrow.iter().filter(|port| plugged.contains(port));
        let repaired = repaired.and_then(|()| narrow.try_for_each(|&port| self.widen(port)));
        *faults = Faults { plugged, ..Faults::default() };
        repaired.and_then(|()| self.load(&faults))
    }

    fn load(&self, faults: &Faults) -> Result<(), Error> {
        let netns = self.switch();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &netns, "nft", "-f", "-"]);
        command::run(&mut command, Some(&rules(faults)), LIMIT)?.required("nft -f -").map(drop)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The complete rule set of the switch.
fn rules(faults: &Faults) -> String {
    let mut text = String::from(
        "table bridge faults\ndelete table bridge faults\ntable bridge faults { chain forward {\n",
    );
    text.push_str("type filter hook forward priority 0; policy accept;\n");
    let mut rule =
        |line: String| writeln!(text, "{line}").expect("writing to a string cannot fail");
    for (from, to) in &faults.one_way {
        rule(format!("iifname \"{}\" oifname \"{}\" drop", from.name(), to.name()));
    }
    for (port, percent) in &faults.loss_percent {
        // "Less than 100 of 100" is not a condition to nft.
        let lot = if *percent < 100 {
            format!("numgen random mod 100 < {percent} ")
        } else {
            String::new()
        };
        for direction in ["iifname", "oifname"] {
            rule(format!("{direction} \"{}\" {lot}drop", port.name()));
        }
    }
    text.push_str("}\n}\n");
    text
}

fn ip(arguments: &[&str], batch: &str) -> Result<(), Error> {
    let mut command = Command::new("ip");
    command.args(arguments);
    let output = command::run(&mut command, Some(batch), LIMIT)?;
    output.required(&format!("ip {} <<< {batch:?}", arguments.join(" "))).map(drop)
}

/// Deletes every namespace of the cluster; what is not there does not matter.
pub(crate) fn remove_namespaces(cluster: &str) {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return };
    let prefix = format!("{cluster}-");
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        if name.starts_with(&prefix) {
            let _gone_or_never_there = ip(&["netns", "del", &name], "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_ports_on_the_switch() {
        let mut faults = Faults::default();
        faults.one_way.insert((Port::Host(0), Port::Client));
        faults.loss_percent.insert(Port::Host(2), 30);
        let text = rules(&faults);
        assert!(text.contains("iifname \"host0\" oifname \"client\" drop"), "{text}");
        assert!(text.contains("oifname \"host2\" numgen random mod 100 < 30 drop"), "{text}");
    }
}
