//! The decisions as tables, stories and properties.

mod commits;
mod demote;
mod election;
mod enumeration;
mod hard_cases;
mod hidden;
mod isolated;
mod kinship;
mod monitor;
mod notify;
mod old_slots;
mod out_of_time;
mod promote;
mod properties;
mod publish;
mod quorum;
mod rejoin;
mod rights;
mod scene;
mod slots;
mod start;
mod stop;
mod sync_policy;
mod verdicts;
