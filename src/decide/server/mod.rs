//! How a server is brought up and brought down.

pub(in crate::decide) mod ensure_running;
pub(in crate::decide) mod shutdown;
