//! The tools with which resource-agents tests its agents, run against ours inside of testbed hosts: `ocft` with
//! upstream's file and with our own (`ocf/pgsql-ha.ocft`), and `ocf-tester` in a live cluster.
//!
//! Each test boots hosts of its own and needs root. A test that cannot run fails and says why.

mod ocf_tester;
mod ocft;
#[path = "../cluster/site.rs"]
#[expect(dead_code, reason = "the cluster tests use the rest of it")]
mod site;
