//! A real cluster on one machine: hosts are namespaces; Corosync, Pacemaker and PostgreSQL are the real ones. One testbed
//! for the cluster tests, the benchmarks and the demo.
//!
//! ```text
//! builder ▶ cluster ▶ watch (state, wait until)   history (time line, actions)   evidence (after a failure)
//!              │
//!              ▼
//!            host ─▶ faults, disk   postgres, standing ─▶ template      ledger, reader, probe ─▶ wire, namespace
//!              │
//!              ▼
//!            stack (corosync, pacemakerd)
//!              │
//!              ▼
//!            shared ─▶ machine (disk, power), network (switch, links), fencing (power switch), cleanup
//! ```
//!
//! Making and running things yields `Result`; the words that befall a host (`faults`) and those that wait (`watch`)
//! panic with everything there is to know, so that a test reads as a story:
//!
//! ```no_run
//! # fn main() -> Result<(), testbed::Error> {
//! # use std::time::Duration;
//! let cluster = testbed::Cluster::builder().agent("target/debug/pgsql-ha", "pgsql-ha", "pgsql-ha").build()?;
//! cluster.wait_until_online(Duration::from_secs(20));
//! cluster.prepare_postgres()?;
//! cluster.configure_crm("…")?;
//! cluster.wait_until("pm01 is promoted", Duration::from_secs(30), |state| state.promoted() == ["pm01"]);
//! let ledger = testbed::Ledger::start(&cluster, "10.77.0.100")?;
//! cluster.host("pm01").power_off();
//! cluster.wait_until("another is promoted", Duration::from_secs(60), |state| state.promoted().len() == 1);
//! let new_primary = cluster.host(cluster.state()?.promoted()[0]);
//! assert!(cluster.verify_ledger(&ledger.stop(), &new_primary)?.is_empty());
//! # Ok(()) }
//! ```

mod builder;
mod cleanup;
mod cluster;
mod command;
mod disk;
mod error;
mod evidence;
mod faults;
mod fencing;
mod history;
mod host;
mod ledger;
mod log;
mod machine;
mod namespace;
mod network;
mod postgres;
mod probe;
mod reader;
mod requirements;
mod shared;
mod stack;
mod standing;
mod state;
mod template;
mod watch;
mod wire;

pub use builder::Builder;
pub use cleanup::{interrupted, sweep};
pub use cluster::Cluster;
pub use command::{Output, poll};
pub use disk::SmallDisks;
pub use error::Error;
pub use evidence::clock;
pub use fencing::{Fenced, Fencing};
pub use history::{ActionRecord, ActionResult, Event};
pub use host::{COMMAND_LIMIT, Host, Process};
pub use ledger::{Acknowledged, Ledger, LedgerPlan, LedgerReport, OUTAGE_FLOOR, Outage};
pub use log::Line;
pub use network::{CLIENT_ADDRESS, Port, SUBNET};
pub use nix::sys::signal::Signal;
pub use probe::{PrimariesProbe, Primary, TwoPrimaries, two_primaries};
pub use reader::{Reader, ReaderPlan, Readings};
pub use requirements::{Requirement, requirements};
pub use standing::{Data, standing};
pub use state::{Failure, Node, Resource, Role, State};
pub use wire::Rows;
