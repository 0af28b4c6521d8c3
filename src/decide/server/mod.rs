//! How a server is brought up and brought down.

pub(in crate::decide) mod bring_up;
pub(in crate::decide) mod shutdown;
