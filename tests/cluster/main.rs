//! The agent in real clusters: Corosync, Pacemaker, fencing and PostgreSQL on hosts made of namespaces.
//!
//! Each test boots a cluster of its own and needs root. A test that cannot run fails and says why.

mod addresses;
mod asked_as;
mod by_hand;
mod failover;
mod first_start;
mod isolated;
mod rejoin;
mod rights;
mod site;
mod sync_policy;
mod two_hosts;
mod unseen;
mod whole_cluster;
