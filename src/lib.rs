//! pgsql-ha: the OCF resource agent for PostgreSQL streaming replication under Pacemaker.
//!
//! The program says one sentence:
//!
//! ```text
//! parse the OCF environment → loop { observe → decide → execute one step } → exit code
//! ```
//!
//! Modules use each other only downwards (`tests/it/layering.rs` checks it):
//!
//! ```text
//! main ▶ cli ▶ agent ▶ engine, observe, execute, facts, ocf, world
//!           cli ▶ command ▶ engine, observe, facts, ocf, world
//! observe, execute ▶ world ▶ postgres, pacemaker, model      observe ▶ engine
//! engine ▶ decide ▶ model                 postgres, pacemaker ▶ system, model
//! ocf ▶ model                             system, model ▶ std
//! ```

pub mod agent;
pub mod cli;
pub mod command;
pub mod decide;
pub mod engine;
pub mod execute;
pub mod facts;
pub mod model;
pub mod observe;
pub mod ocf;
pub mod pacemaker;
pub mod postgres;
pub mod system;
pub mod world;
