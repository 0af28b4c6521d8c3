//! The cluster information base (CIB) as one snapshot.

use std::time::Instant;

use roxmltree::{Document, Node};

use super::attribute::Attribute;
use super::{ENVIRONMENT, PacemakerError, Tools, history};
use crate::model::cluster::{
    Cluster, ClusterNode, ClusterRole, Membership, NoQuorumPolicy, QuorumRule,
};
use crate::model::node::{NodeName, ResourceName};
use crate::model::wal::{Lsn, PublishedPosition};
use crate::system::command::{Command, Running};

impl Tools {
    /// Begins to read the local copy of the CIB; the caller may do something else meanwhile.
    ///
    /// # Errors
    /// The tool could not be started.
    pub fn begin_reading(&self, deadline: Instant) -> Result<Running, PacemakerError> {
        let command = Command::new(self.path("cibadmin")).args(["--query", "--local"]);
        Ok(command.inherit(ENVIRONMENT).deadline(deadline).spawn()?)
    }

    /// Ends the reading: parses what the tool printed.
    ///
    /// # Errors
    /// The tool failed, or printed something else than a CIB with the local node in it.
    pub fn end_reading(
        &self,
        reading: Running,
        resource: &ResourceName,
        local: &NodeName,
    ) -> Result<Cluster, PacemakerError> {
        parse(&reading.wait()?.stdout, resource, local)
    }
}

/// Reads a CIB document.
///
/// Unknown or missing values become "unknown", never an error: the only faults are text that is no
/// XML, and a local node that the cluster does not have.
///
/// # Errors
/// See above.
pub fn parse(
    xml: &str,
    resource: &ResourceName,
    local: &NodeName,
) -> Result<Cluster, PacemakerError> {
    if depth(xml) > DEPTH_MAX {
        return Err(PacemakerError::TooDeep);
    }
    let document = Document::parse(xml)?;
    let cib = document.root_element();
    let nodes: Vec<_> = children(cib, &["configuration", "nodes", "node"])
        .into_iter()
        .filter_map(|node| read_node(cib, node, resource))
        .collect();
    if !nodes.iter().any(|node| node.name == *local) {
        return Err(PacemakerError::NotANode(local.to_string()));
    }
    Ok(Cluster {
        local: local.clone(),
        quorum: cib.attribute("have-quorum").is_some_and(is_true),
        quorum_rule: QuorumRule::Unknown,
        no_quorum_policy: match property(cib, "no-quorum-policy") {
            Some("ignore") => NoQuorumPolicy::Ignore,
            Some(_) | None => NoQuorumPolicy::Respect,
        },
        // Pacemaker 3.0.2 has a second name for it.
        fencing: property(cib, "fencing-enabled")
            .or_else(|| property(cib, "stonith-enabled"))
            .is_none_or(is_true),
        startup_fencing: property(cib, "startup-fencing").is_none_or(is_true),
        nodes,
    })
}

/// How deep a CIB may nest; the schema allows a handful of levels.
const DEPTH_MAX: usize = 200;

/// Returns how deep a document nests, roughly: the parser would use up the stack before it said so.
fn depth(xml: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for pair in xml.as_bytes().windows(2) {
        match pair {
            b"</" | b"/>" => depth = depth.saturating_sub(1),
            [b'<', b'!' | b'?'] => {}
            [b'<', _] => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            _ => {}
        }
    }
    deepest
}

/// Returns the elements at the end of a path of tag names.
fn children<'a, 'i>(root: Node<'a, 'i>, path: &[&str]) -> Vec<Node<'a, 'i>> {
    path.iter().fold(vec![root], |level, tag| {
        let matching = |node: &Node<'a, 'i>| node.has_tag_name(*tag);
        level.into_iter().flat_map(|node| node.children().filter(matching)).collect()
    })
}

/// Pacemaker's own reading of a boolean (`pcmk__parse_bool`).
fn is_true(text: &str) -> bool {
    ["true", "on", "yes", "y", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn property<'a>(cib: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let path = ["configuration", "crm_config", "cluster_property_set", "nvpair"];
    children(cib, &path)
        .into_iter()
        .find(|pair| pair.attribute("name") == Some(name))
        .and_then(|pair| pair.attribute("value"))
}

fn read_node(
    cib: Node<'_, '_>,
    node: Node<'_, '_>,
    resource: &ResourceName,
) -> Option<ClusterNode> {
    let name = NodeName::new(node.attribute("uname")?);
    let state = children(cib, &["status", "node_state"])
        .into_iter()
        .find(|state| state.attribute("uname").is_some_and(|uname| NodeName::new(uname) == name));
    let transient = state
        .map(|state| children(state, &["transient_attributes", "instance_attributes", "nvpair"]))
        .unwrap_or_default();
    let permanent = children(node, &["instance_attributes", "nvpair"]);
    let value = |wanted: &str| {
        let mut pairs = transient.iter().chain(&permanent);
        pairs
            .find(|pair| pair.attribute("name") == Some(wanted))
            .and_then(|pair| pair.attribute("value"))
            .filter(|value| !value.is_empty())
    };
    let read = |attribute: Attribute| value(&attribute.name(resource));
    let location = |attribute| read(attribute).and_then(|text| Lsn::from_attribute(text).ok());
    let published: Option<PublishedPosition> =
        read(Attribute::WalPosition).and_then(|text| text.parse().ok());
    let role = state.map_or(ClusterRole::Unknown, |state| history::role(state, resource));
    Some(ClusterNode {
        membership: state.map_or(Membership::NeverSeen, |state| membership(state, role)),
        standby: value("standby").is_some_and(is_true),
        role,
        status: read(Attribute::Status).and_then(|text| text.parse().ok()),
        data_status: read(Attribute::DataStatus).and_then(|text| text.parse().ok()),
        score: read(Attribute::PromotionScore).and_then(|text| text.parse().ok()),
        xlog_location: location(Attribute::XlogLocation),
        wal_position: published.map(|published| published.position),
        position_is_final: published.is_some_and(|published| published.is_final),
        address: published.and_then(|published| published.address),
        sync_quorum: read(Attribute::SyncQuorum).and_then(|text| text.parse().ok()),
        baseline: location(Attribute::Baseline),
        receiver_status: read(Attribute::ReceiverStatus).map(str::to_owned),
        name,
    })
}

/// Reads how certain a node's state is, as Pacemaker's scheduler does
/// (`determine_online_status_fencing` in `lib/pengine/unpack.c`): since 2.1.7 `in_ccm` and `crmd`
/// are times, 0 for "not"; before they are booleans and `online`/`offline`.
///
/// "Expected down" alone does not say that a node left in order: a new DC writes it of every node that is away
/// and of which it knows nothing (`join_make_offer` in `controld_join_dc.c`). Where something still runs there by
/// the history, the node has to be fenced (`process_rsc_state` in `unpack.c`); who leaves in order stops it,
/// and fencing takes the history away.
fn membership(state: Node<'_, '_>, role: ClusterRole) -> Membership {
    let since = |text: &str| is_true(text) || text.parse::<u64>().is_ok_and(|time| time > 0);
    let Some(in_ccm) = state.attribute("in_ccm") else { return Membership::NeverSeen };
    let is_member = since(in_ccm);
    let is_online = state.attribute("crmd").is_some_and(|crmd| crmd == "online" || since(crmd));
    let has_joined = state.attribute("join") == Some("member");
    let expected_up = state.attribute("expected") == Some("member");
    match (is_member && is_online, has_joined, expected_up) {
        (true, true, _) => Membership::Member,
        // On its way up or down, but nothing of it runs that we have not been told of.
        (_, _, false) => match role {
            ClusterRole::Stopped | ClusterRole::Unknown => Membership::Down,
            ClusterRole::Promoted
            | ClusterRole::Unpromoted
            | ClusterRole::Starting
            | ClusterRole::StartFailed => Membership::Lost,
        },
        (true, false, true) | (false, _, true) => Membership::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_of(attributes: &str) -> Membership {
        state_beside(attributes, ClusterRole::Unknown)
    }

    fn state_beside(attributes: &str, role: ClusterRole) -> Membership {
        let xml = format!("<node_state {attributes}/>");
        membership(Document::parse(&xml).expect("valid XML").root_element(), role)
    }

    #[test]
    fn who_is_expected_down_by_a_new_dc_and_ran_something_is_lost() {
        use ClusterRole::{Promoted, StartFailed, Starting, Stopped, Unknown, Unpromoted};
        let gone = "in_ccm='false' crmd='offline' join='down' expected='down'";
        for role in [Promoted, Unpromoted, Starting, StartFailed] {
            assert_eq!(state_beside(gone, role), Membership::Lost, "{role:?}");
        }
        for role in [Stopped, Unknown] {
            assert_eq!(state_beside(gone, role), Membership::Down, "{role:?}");
        }
    }

    #[test]
    fn membership_is_read_as_the_scheduler_reads_it() {
        use Membership::{Down, Lost, Member, NeverSeen};
        let table = [
            ("", NeverSeen),
            ("in_ccm='true' crmd='online' join='member' expected='member'", Member),
            ("in_ccm='1700000000' crmd='1700000001' join='member' expected='member'", Member),
            ("in_ccm='false' crmd='offline' join='down' expected='member'", Lost),
            ("in_ccm='0' crmd='0' join='down' expected='member'", Lost),
            ("in_ccm='true' crmd='offline' join='down' expected='member'", Lost),
            ("in_ccm='false' crmd='offline' join='down' expected='down'", Down),
            ("in_ccm='true' crmd='offline' join='down' expected='down'", Down),
            ("in_ccm='true' crmd='online' join='pending' expected='down'", Down),
        ];
        for (attributes, expected) in table {
            assert_eq!(state_of(attributes), expected, "{attributes}");
        }
    }

    #[test]
    fn what_is_no_cluster_information_base_is_an_error_and_never_a_panic() {
        let resource = ResourceName::from_instance("pgsql");
        let local = NodeName::new("pm01");
        for text in [
            "",
            "nonsense",
            "<cib",
            "<cib/>",
            "<cib><configuration><nodes><node/></nodes></configuration></cib>",
        ] {
            assert!(parse(text, &resource, &local).is_err(), "{text}");
        }
    }
}
