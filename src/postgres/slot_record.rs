//! `PGSQL.slots`: which replication slots of this server the agent has made, and for whom.
//!
//! A name that looks like one of ours can be somebody else's, and one of ours need not look so any more.

use super::PostgresError;
use crate::model::node::NodeName;
use crate::model::settings::Settings;
use crate::model::slot::{MadeSlot, SlotName};
use crate::system::files::{self, Attributes};
use crate::system::identity::{User, as_user};

const BYTES_MAX: u64 = 256 * 1024;

/// Reads the list; one that is not there is empty.
///
/// # Errors
/// It cannot be read.
pub fn read(settings: &Settings, user: &User) -> Result<Vec<MadeSlot>, PostgresError> {
    let path = settings.slot_record();
    let text = as_user(user, || files::read(&path, BYTES_MAX))??;
    Ok(text.map(|text| parse(&text)).unwrap_or_default())
}

/// Writes the list.
///
/// # Errors
/// It cannot be written.
pub fn write(settings: &Settings, user: &User, made: &[MadeSlot]) -> Result<(), PostgresError> {
    let path = settings.slot_record();
    let line = |slot: &MadeSlot| format!("{} {}\n", slot.name, slot.node);
    let text: String = made.iter().map(line).collect();
    as_user(user, || files::replace(&path, &text, Attributes::PRIVATE))??;
    Ok(())
}

/// Reads the lines that name a slot and a node; others name nothing of ours.
fn parse(text: &str) -> Vec<MadeSlot> {
    let slot = |line: &str| {
        let (name, node) = line.split_once(' ')?;
        let node = Some(node.trim()).filter(|node| !node.is_empty())?;
        Some(MadeSlot { name: SlotName::parse(name)?, node: NodeName::new(node) })
    };
    text.lines().filter_map(slot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tests::Fake;

    #[test]
    fn the_list_reads_back_and_what_names_no_slot_is_left_out() {
        let fake = Fake::new();
        assert_eq!(read(&fake.settings, &fake.user).expect("read"), []);
        let nodes = ["PM-01", "pm02.example"].map(NodeName::new);
        let made = nodes.clone().map(|node| {
            let name = SlotName::of("s", &node, &nodes);
            MadeSlot { name, node }
        });
        write(&fake.settings, &fake.user, &made).expect("written");
        assert_eq!(read(&fake.settings, &fake.user).expect("read"), made);
        let torn = "s_a a\ns_b\n\nS c\ns; d\ns_e \n";
        assert_eq!(parse(torn).len(), 1);
        std::fs::remove_file(fake.settings.slot_record()).expect("removed");
        std::fs::create_dir(fake.settings.slot_record()).expect("made");
        read(&fake.settings, &fake.user).expect_err("unreadable is not empty");
    }
}
