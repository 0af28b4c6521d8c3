//! What a primary does: its record, whom commits wait for, and its slots.

pub(in crate::decide) mod by_hand;
pub(in crate::decide) mod claim;
pub(in crate::decide) mod grants;
pub(in crate::decide) mod isolated;
pub(in crate::decide) mod old_slots;
pub(in crate::decide) mod publish;
pub(in crate::decide) mod quorum_commit;
pub(in crate::decide) mod slots;
pub(in crate::decide) mod standby_names;
pub(in crate::decide) mod standbys;
pub(in crate::decide) mod sync_policy;
