//! What a standby does without a primary: it says how far it is, and may ask to be promoted.

pub(in crate::decide) mod candidacy;
pub(in crate::decide) mod catch_up;
pub(in crate::decide) mod election;
pub(in crate::decide) mod unasked;
