//! The decisions as tables, stories and properties.

mod by_hand;
mod commits;
mod demote;
mod election;
mod enumeration;
mod hard_cases;
mod kinship;
mod monitor;
mod notify;
mod promote;
mod properties;
mod publish;
mod quorum;
mod rejoin;
mod scene;
mod slots;
mod start;
mod stop;
mod sync_policy;
mod unproven;
mod verdicts;
