//! The integration tests that need no cluster: the program's contract with Pacemaker and with the
//! system, against a real PostgreSQL, and the rules that the sources keep.
//!
//! Most of them need root, PostgreSQL and Debian's package resource-agents. A test that cannot run
//! fails and says why.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests call the program, the layers are its own"
)]

mod agent;
mod any_values;
mod bad_files;
mod bad_programs;
mod bad_values;
mod bad_world;
mod broken_cluster;
mod contract;
mod install;
mod layering;
mod ocf_tester;
mod paper_cluster;
mod parameters;
mod secrets;
mod server;
mod server_names;
mod session;
mod slave;
mod slots;
mod source;
mod symlinks;
mod tidy;
mod tls;
