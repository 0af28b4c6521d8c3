//! What the cluster believes at present: `crm_mon` and `cibadmin` read into plain data. It runs nothing and waits for
//! nothing; that is `watch`'s business.

use crate::error::Error;
use crate::history::{self, ActionRecord};
use roxmltree::{Document, Node as Xml};
use std::collections::BTreeMap;

/// The cluster as one host sees it.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The host that was asked.
    pub seen_by: String,
    /// The designated controller, once elected.
    pub dc: Option<String>,
    /// Whether the asked host's partition has quorum.
    pub quorum: bool,
    /// Whether the whole cluster is in maintenance mode.
    pub maintenance: bool,
    /// Every node that the cluster knows.
    pub nodes: Vec<Node>,
    /// Every instance of every resource.
    pub resources: Vec<Resource>,
    /// What went wrong and was not cleaned up.
    pub failures: Vec<Failure>,
    /// The last monitor of each interval whose result was a new one.
    pub monitors: Vec<ActionRecord>,
    transient: BTreeMap<(String, String), String>,
    permanent: BTreeMap<(String, String), String>,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "crm_mon's own words")]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is a member.
    pub online: bool,
    /// Whether it may not run resources.
    pub standby: bool,
    /// Whether it is in maintenance mode.
    pub maintenance: bool,
    /// Whether it has yet to join.
    pub pending: bool,
    /// Whether it waits to be fenced.
    pub unclean: bool,
}

/// One instance of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The resource, without the number of the instance.
    pub id: String,
    /// Its role.
    pub role: Role,
    /// Where it is active; more than one node is a fault.
    pub nodes: Vec<String>,
    /// Whether it has failed.
    pub failed: bool,
    /// Whether Pacemaker acts on it.
    pub managed: bool,
    /// Whether Pacemaker has given up on it.
    pub blocked: bool,
    /// What is under way, e.g. `Promoting`.
    pub pending: Option<String>,
}

/// A role in Pacemaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Promoted, once called master.
    Promoted,
    /// Unpromoted, once called slave.
    Unpromoted,
    /// Running, for a resource without these roles.
    Started,
    /// Not running.
    Stopped,
    /// On its way, or not known.
    Other,
}

/// A failed action that Pacemaker still remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub node: String,
    /// E.g. `pgsqld_start_0`.
    pub operation: String,
    /// The exit status in Pacemaker's words.
    pub exit_status: String,
    /// The agent's own reason.
    pub reason: String,
}

impl State {
    /// Reads the two programs' answers.
    pub(crate) fn parse(seen_by: &str, crm_mon: &str, cib: &str) -> Result<Self, Error> {
        let mut state = Self { seen_by: seen_by.to_owned(), ..Self::default() };
        state.read_crm_mon(&document("crm_mon", crm_mon)?);
        let cib = document("cibadmin", cib)?;
        state.read_cib(&cib);
        state.read_monitors(&cib);
        Ok(state)
    }

    fn read_crm_mon(&mut self, document: &Document) {
        for element in document.descendants().filter(Xml::is_element) {
            let text = |name| element.attribute(name).unwrap_or_default().to_owned();
            let is = |name| element.attribute(name) == Some("true");
            let parent = element.parent_element().map_or("", |parent| parent.tag_name().name());
            match (parent, element.tag_name().name()) {
                (_, "current_dc") => {
                    self.dc = element.attribute("name").map(str::to_owned);
                    self.quorum = is("with_quorum");
                }
                (_, "cluster_options") => self.maintenance = is("maintenance-mode"),
                ("nodes", "node") => self.nodes.push(Node {
                    name: text("name"),
                    online: is("online"),
                    standby: is("standby"),
                    maintenance: is("maintenance"),
                    pending: is("pending"),
                    unclean: is("unclean"),
                }),
                (_, "resource") => self.resources.push(resource(element)),
                ("failures", "failure") => self.failures.push(Failure {
                    node: text("node"),
                    operation: text("op_key"),
                    exit_status: text("exitstatus"),
                    reason: text("exitreason"),
                }),
                _ => {}
            }
        }
    }

    fn read_cib(&mut self, document: &Document) {
        for element in document.descendants().filter(|element| element.has_tag_name("nvpair")) {
            let (Some(name), Some(value)) = (element.attribute("name"), element.attribute("value"))
            else {
                continue;
            };
            for above in element.ancestors() {
                let list = match above.tag_name().name() {
                    "node" => &mut self.permanent,
                    "node_state" => &mut self.transient,
                    _ => continue,
                };
                if let Some(node) = above.attribute("uname") {
                    list.insert((node.to_owned(), name.to_owned()), value.to_owned());
                }
            }
        }
    }

    fn read_monitors(&mut self, document: &Document) {
        let operations =
            document.descendants().filter(|element| element.has_tag_name("lrm_rsc_op"));
        self.monitors = operations.filter_map(history::monitor).collect();
    }

    /// Names of the nodes that are online and have joined.
    #[must_use]
    pub fn online(&self) -> Vec<&str> {
        self.nodes
            .iter()
            .filter(|node| node.online && !node.pending && !node.unclean)
            .map(|node| node.name.as_str())
            .collect()
    }

    /// Whether that node is online and has joined.
    #[must_use]
    pub fn is_online(&self, node: &str) -> bool {
        self.online().contains(&node)
    }

    /// The nodes where a resource is promoted.
    #[must_use]
    pub fn promoted(&self) -> Vec<&str> {
        self.with_role(Role::Promoted)
    }

    /// The nodes where a resource runs unpromoted.
    #[must_use]
    pub fn unpromoted(&self) -> Vec<&str> {
        self.with_role(Role::Unpromoted)
    }

    fn with_role(&self, role: Role) -> Vec<&str> {
        let matching = self
            .resources
            .iter()
            .filter(|resource| resource.role == role && resource.pending.is_none());
        matching.flat_map(|resource| &resource.nodes).map(String::as_str).collect()
    }

    /// Whether a resource is promoted on that node, and nowhere else.
    #[must_use]
    pub fn is_promoted_only_on(&self, node: &str) -> bool {
        self.promoted() == [node]
    }

    /// The nodes where that resource is active, in whatever role.
    #[must_use]
    pub fn active(&self, resource: &str) -> Vec<&str> {
        let matching = self
            .resources
            .iter()
            .filter(|known| known.id == resource && known.role != Role::Stopped);
        matching.flat_map(|known| &known.nodes).map(String::as_str).collect()
    }

    /// A node attribute that lives until the node leaves the cluster.
    #[must_use]
    pub fn transient(&self, node: &str, name: &str) -> Option<&str> {
        self.transient.get(&(node.to_owned(), name.to_owned())).map(String::as_str)
    }

    /// A node attribute that is kept in the configuration.
    #[must_use]
    pub fn permanent(&self, node: &str, name: &str) -> Option<&str> {
        self.permanent.get(&(node.to_owned(), name.to_owned())).map(String::as_str)
    }
}

fn document<'a>(program: &str, text: &'a str) -> Result<Document<'a>, Error> {
    Document::parse(text).map_err(|error| Error::Parse {
        what: format!("the answer of {program}"),
        reason: error.to_string(),
    })
}

fn resource(element: Xml) -> Resource {
    let is = |name| element.attribute(name) == Some("true");
    let nodes = element
        .children()
        .filter(|child| child.has_tag_name("node"))
        .filter_map(|node| node.attribute("name"));
    let id = element.attribute("id").unwrap_or_default();
    Resource {
        // Instances of a clone are called `name:0` in some versions.
        id: id.split(':').next().unwrap_or(id).to_owned(),
        role: match element.attribute("role") {
            Some("Promoted" | "Master") => Role::Promoted,
            Some("Unpromoted" | "Slave") => Role::Unpromoted,
            Some("Started") => Role::Started,
            Some("Stopped") => Role::Stopped,
            _ => Role::Other,
        },
        nodes: nodes.map(str::to_owned).collect(),
        failed: is("failed"),
        managed: is("managed"),
        blocked: is("blocked"),
        // A monitor that was cancelled early stays on record as pending, and changes no role.
        pending: element
            .attribute("pending")
            .filter(|what| *what != "Monitoring")
            .map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::ActionResult;

    const CRM_MON: &str = r#"<pacemaker-result><summary><current_dc name="pm02" with_quorum="true"/>
        <cluster_options maintenance-mode="false"/></summary>
        <nodes><node name="pm01" online="false" unclean="true"/><node name="pm02" online="true" unclean="false"/></nodes>
        <resources><clone id="ms"><resource id="pgsqld" role="Promoted" managed="true"><node name="pm02"/></resource>
        <resource id="pgsqld" role="Stopped"/></clone></resources>
        <failures><failure op_key="pgsqld_start_0" node="pm01" exitstatus="error" exitreason="no"/></failures></pacemaker-result>"#;
    const CIB: &str = r#"<cib><configuration><nodes><node id="1" uname="pm01"><instance_attributes id="a">
        <nvpair id="b" name="pgsqld-data-status" value="DISCONNECT"/></instance_attributes></node></nodes></configuration>
        <status><node_state id="2" uname="pm02"><transient_attributes id="2"><instance_attributes id="c">
        <nvpair id="d" name="pgsqld-status" value="PRI"/></instance_attributes></transient_attributes>
        <lrm><lrm_resources><lrm_resource id="pgsqld"><lrm_rsc_op operation="monitor" rc-code="8" op-status="0"
        last-rc-change="1795171100" exec-time="18"/></lrm_resource></lrm_resources></lrm></node_state></status></cib>"#;

    #[test]
    fn a_cluster_after_a_failure_is_read() {
        let state = State::parse("pm02", CRM_MON, CIB).expect("both texts are XML");
        assert!(state.quorum && state.is_promoted_only_on("pm02"));
        assert_eq!(state.online(), ["pm02"]);
        assert_eq!(state.transient("pm02", "pgsqld-status"), Some("PRI"));
        assert_eq!(state.permanent("pm01", "pgsqld-data-status"), Some("DISCONNECT"));
        assert_eq!(state.monitors[0].result, ActionResult::Exit(8));
        assert_eq!(state.failures[0].operation, "pgsqld_start_0");
    }
}
