//! The vocabulary: plain data that every layer speaks.
//!
//! Nothing here reads the world, logs or decides, and nothing outside `std` is imported, so that a
//! decision can be tested from values alone.

pub mod action;
pub mod cluster;
pub mod exit_reason;
pub mod instance;
pub mod invariant;
pub mod node;
pub mod notification;
pub mod observation;
pub mod policy;
pub mod recovery_timeline;
pub mod rejoin;
pub mod settings;
pub mod slot;
pub mod status;
pub mod step;
pub mod sync_names;
pub mod sync_quorum;
pub mod timeline_history;
pub mod verdict;
pub mod wal;
pub mod warning;
