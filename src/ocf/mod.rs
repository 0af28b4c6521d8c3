//! The OCF contract: the only place that knows its numbers, names, parameters and XML.
//!
//! Nothing here starts a program, asks the cluster or the server, or decides.

pub mod environment;
pub mod exit_code;
pub mod fault;
pub mod log;
pub mod meta_data;
pub mod notification;
pub mod parameter;
pub mod settings;
mod timestamp;
pub mod usage;
pub mod validate;
mod value;
pub mod word;

pub use self::log::{Log, exit_reason, report};
pub use environment::Environment;
pub use exit_code::{ExitCode, of_failure, of_outcome};
pub use fault::{Fault, Severity, worst};
pub use meta_data::meta_data;
pub use usage::{methods, usage};
pub use validate::{Context, Fact, Facts, validate};
