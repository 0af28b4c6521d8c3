//! The three hosts and their roles as a picture: a box per host, a row per moment. What led from one row to the next
//! is the time line's.

use crate::paint::{Ink, Paint, pad};
use crate::site::{CLIENT_ADDRESS, CLIENT_RESOURCE, RESOURCE};
use testbed::State;

const BOX: usize = 28;
const LABEL: usize = 10;

/// What a host is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The host.
    pub host: String,
    /// What its PostgreSQL is.
    pub role: Role,
    /// What else there is to know.
    pub note: String,
}

/// What an instance of PostgreSQL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It accepts writes.
    Primary,
    /// It follows the primary.
    Standby,
    /// It does not run, as far as the cluster knows.
    Stopped,
}

/// What every host is in that state of the cluster.
pub fn cast(state: &State, hosts: &[String]) -> Vec<Part> {
    let with_address = state.active(CLIENT_RESOURCE);
    let part = |host: &String| {
        let name = host.as_str();
        let status = status(state, name);
        let (role, note) = if state.promoted().contains(&name) {
            let note = if with_address.contains(&name) { CLIENT_ADDRESS } else { "" };
            (Role::Primary, note)
        } else if state.unpromoted().contains(&name) {
            (Role::Standby, in_words(status))
        } else {
            (Role::Stopped, if state.is_online(name) { "" } else { "(host off)" })
        };
        Part { host: host.clone(), role, note: note.to_owned() }
    };
    hosts.iter().map(part).collect()
}

/// What the agent says of a node: `PRI`, `HS:sync`, ….
pub fn status<'a>(state: &'a State, host: &str) -> &'a str {
    state.transient(host, &format!("{RESOURCE}-status")).unwrap_or_default()
}

/// The agent's status of a standby in plain words.
pub fn in_words(status: &str) -> &str {
    match status {
        "HS:sync" => "synchronous",
        "HS:async" => "asynchronous",
        "HS:potential" => "next synchronous",
        "HS:connected" => "connected",
        "HS:alone" => "without primary",
        other => other,
    }
}

/// Draws the boxes.
pub fn picture(rows: &[(&str, &[Part])], paint: Paint) -> Vec<String> {
    let [top_left, top_right, bottom_left, bottom_right, flat, upright] = paint.glyphs().frame;
    let faint = |text: &str| paint.ink(Ink::Faint, text);
    let hosts = rows.first().map_or(&[][..], |(_, parts)| parts);
    let margin = " ".repeat(LABEL + 1);
    let lid = |part: &Part| {
        let rest = flat.repeat(BOX.saturating_sub(part.host.chars().count() + 3));
        let (start, end) = (format!("{top_left}{flat} "), format!(" {rest}{top_right}"));
        format!("{}{}{}", faint(&start), paint.ink(Ink::Strong, &part.host), faint(&end))
    };
    let floor = faint(&format!("{bottom_left}{}{bottom_right}", flat.repeat(BOX)));
    let join = |cells: Vec<String>| cells.join(" ");
    let mut lines = vec![format!("{margin}{}", join(hosts.iter().map(lid).collect()))];
    for (label, parts) in rows {
        let side = faint(upright);
        let cell = |part: &Part| format!("{side}{}{side}", cell(part, paint));
        let cells = join(parts.iter().map(cell).collect());
        lines.push(format!(" {}{cells}", pad(label, LABEL)));
    }
    lines.push(format!("{margin}{}", join(vec![floor; hosts.len()])));
    lines
}

fn cell(part: &Part, paint: Paint) -> String {
    let glyphs = paint.glyphs();
    let (mark, ink, word) = match part.role {
        Role::Primary => (glyphs.dot, Ink::Good, "primary"),
        Role::Standby => (glyphs.dot, Ink::Standby, "standby"),
        Role::Stopped => (glyphs.hollow, Ink::Bad, "stopped"),
    };
    let rest = BOX - 11;
    let note: String = part.note.chars().take(rest).collect();
    format!(" {} {}", paint.ink(ink, &format!("{mark} {word}")), pad(&note, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_as_wide_as_their_lids() {
        let part =
            |host: &str, role, note: &str| Part { host: host.into(), role, note: note.into() };
        let before =
            [part("pm01", Role::Primary, CLIENT_ADDRESS), part("b", Role::Standby, "sync")];
        let after =
            [part("pm01", Role::Stopped, "a note that is much too long"), before[1].clone()];
        let lines = picture(&[("before", &before), ("after", &after)], Paint::plain());
        let widths: Vec<_> = lines.iter().map(String::len).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{lines:#?}");
        assert!(lines[1].contains("before") && lines[1].contains("| * primary 10.77.0.100"));
        assert!(lines[2].contains("o stopped"), "{lines:#?}");
    }
}
