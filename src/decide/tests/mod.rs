//! The decisions as tables, stories and properties.

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
mod rejoin;
mod scene;
mod start;
mod stop;
mod verdicts;
