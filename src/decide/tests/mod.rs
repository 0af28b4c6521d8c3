//! The decisions as tables, stories and properties.

mod demote;
mod election;
mod hard_cases;
mod monitor;
mod notify;
mod promote;
mod properties;
mod publish;
mod scene;
mod start;
mod stop;
mod verdicts;
