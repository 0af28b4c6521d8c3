//! What several decisions rest on: rights, the record, quorum, histories. Nothing here is a step.

pub(in crate::decide) mod authority;
pub(in crate::decide) mod fitness;
pub(in crate::decide) mod history;
pub(in crate::decide) mod nodes;
pub(in crate::decide) mod quorum;
