//! What Pacemaker's operation history says of the resource on a node.

use crate::model::cluster::ClusterRole;
use crate::model::node::ResourceName;
use roxmltree::Node;

/// Operation status of an operation that is under way (`PCMK_EXEC_PENDING`).
const PENDING: &str = "-1";

/// Reads the role from a node's `node_state`: the last operation that ended tells it.
///
/// Sources: `lrm_rsc_op` in Pacemaker's schema `status-1.0.rng`; exit codes of the OCF API.
#[must_use]
pub(super) fn role(node_state: Node<'_, '_>, resource: &ResourceName) -> ClusterRole {
    let mut last: Option<(i64, ClusterRole)> = None;
    let operations = operations_of(node_state, resource);
    if operations.iter().any(|op| is_pending(*op) && op.attribute("operation") == Some("start")) {
        return ClusterRole::Starting;
    }
    for operation in operations.into_iter().filter(|operation| !is_pending(*operation)) {
        let call = operation.attribute("call-id").and_then(|id| id.parse().ok()).unwrap_or(-1);
        let Some(role) = role_after(operation) else { continue };
        if last.is_none_or(|(latest, _)| call >= latest) {
            last = Some((call, role));
        }
    }
    last.map_or(ClusterRole::Unknown, |(_, role)| role)
}

fn operations_of<'a, 'i>(node_state: Node<'a, 'i>, resource: &ResourceName) -> Vec<Node<'a, 'i>> {
    let of_resource = |node: &Node<'_, '_>| {
        node.has_tag_name("lrm_resource")
            && node.attribute("id").is_some_and(|id| ResourceName::from_instance(id) == *resource)
    };
    node_state
        .descendants()
        .filter(of_resource)
        .flat_map(|history| history.children())
        .filter(|node| node.has_tag_name("lrm_rsc_op"))
        .collect()
}

/// Tells whether an operation is under way. Its record takes the place of the one before it, with
/// an exit code that means nothing yet (`controld_record_pending_op`).
fn is_pending(operation: Node<'_, '_>) -> bool {
    operation.attribute("op-status") == Some(PENDING)
}

/// The role after an operation; `None` when it says nothing.
fn role_after(operation: Node<'_, '_>) -> Option<ClusterRole> {
    match (operation.attribute("operation")?, operation.attribute("rc-code")?) {
        ("start", "0") => Some(ClusterRole::Unpromoted),
        ("start", _) => Some(ClusterRole::StartFailed),
        ("promote", "0") => Some(ClusterRole::Promoted),
        ("demote", "0") => Some(ClusterRole::Unpromoted),
        ("stop", "0") => Some(ClusterRole::Stopped),
        ("monitor", "8") => Some(ClusterRole::Promoted),
        ("monitor", "0") => Some(ClusterRole::Unpromoted),
        ("monitor", "7") => Some(ClusterRole::Stopped),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role_of(operations: &str) -> ClusterRole {
        let xml = format!(
            "<node_state><lrm><lrm_resources><lrm_resource id=\"other\">\
             <lrm_rsc_op operation=\"promote\" rc-code=\"0\" op-status=\"0\" call-id=\"99\"/>\
             </lrm_resource><lrm_resource id=\"pgsql\">{operations}</lrm_resource></lrm_resources>\
             </lrm></node_state>"
        );
        let document = roxmltree::Document::parse(&xml).expect("valid XML");
        role(document.root_element(), &ResourceName::from_instance("pgsql"))
    }

    fn operation(call: i64, name: &str, code: i32) -> String {
        format!(
            "<lrm_rsc_op operation=\"{name}\" rc-code=\"{code}\" op-status=\"0\" call-id=\"{call}\"/>"
        )
    }

    #[test]
    fn the_last_operation_tells_the_role() {
        type Operations<'a> = &'a [(i64, &'a str, i32)];
        let table: [(Operations<'_>, ClusterRole); 8] = [
            (&[], ClusterRole::Unknown),
            (&[(1, "monitor", 7)], ClusterRole::Stopped),
            (&[(1, "monitor", 7), (2, "start", 0)], ClusterRole::Unpromoted),
            (&[(3, "start", 1), (1, "monitor", 7)], ClusterRole::StartFailed),
            (&[(5, "promote", 0), (6, "monitor", 8), (2, "start", 0)], ClusterRole::Promoted),
            (&[(5, "promote", 0), (6, "monitor", 7)], ClusterRole::Stopped),
            (&[(7, "demote", 0), (6, "monitor", 8)], ClusterRole::Unpromoted),
            (&[(8, "stop", 0), (6, "monitor", 8), (7, "demote", 0)], ClusterRole::Stopped),
        ];
        for (operations, expected) in table {
            let text: String =
                operations.iter().map(|(id, op, rc)| operation(*id, op, *rc)).collect();
            assert_eq!(role_of(&text), expected, "{operations:?}");
        }
    }

    #[test]
    fn a_start_under_way_is_neither_a_failure_nor_a_success() {
        let pending =
            "<lrm_rsc_op operation=\"start\" rc-code=\"193\" op-status=\"-1\" call-id=\"-1\"/>";
        assert_eq!(role_of(pending), ClusterRole::Starting);
        let monitor = pending.replace("start", "monitor");
        assert_eq!(role_of(&(monitor + &operation(2, "start", 0))), ClusterRole::Unpromoted);
    }
}
