//! One file per action: what it decides, in the order in which it looks.

pub(in crate::decide) mod demote;
pub(in crate::decide) mod monitor;
pub(in crate::decide) mod notify;
pub(in crate::decide) mod promote;
pub(in crate::decide) mod start;
pub(in crate::decide) mod stop;
