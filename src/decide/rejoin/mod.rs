//! Whether, and how, the data of an old primary come back.

pub(in crate::decide) mod compare;
pub(in crate::decide) mod start_gate;
pub(in crate::decide) mod unproven;
