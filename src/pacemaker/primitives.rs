//! The resources of the agent `pgsql` in the cluster information base, and their parameters.

use std::time::Instant;

use roxmltree::{Document, Node};

use super::{ENVIRONMENT, PacemakerError, Tools};
use crate::system::command::Command;

/// The name of the agent, whoever provides it.
const AGENT: &str = "pgsql";

/// A resource of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primitive {
    /// Its name.
    pub id: String,
    /// Its parameters, as they are written.
    pub parameters: Vec<(String, String)>,
}

impl Tools {
    /// Reads the resources of the agent.
    ///
    /// # Errors
    /// The tool failed or did not end by the deadline, or printed no XML.
    pub fn primitives(&self, deadline: Instant) -> Result<Vec<Primitive>, PacemakerError> {
        let output = Command::new(self.path("cibadmin"))
            .args(["--query", "--local", "--scope", "resources"])
            .inherit(ENVIRONMENT)
            .deadline(deadline)
            .run()?;
        parse(&output.stdout)
    }
}

/// Finds them in the section `resources`.
fn parse(xml: &str) -> Result<Vec<Primitive>, PacemakerError> {
    let document = Document::parse(xml)?;
    let root = document.root_element();
    let ours = |node: Node<'_, '_>| {
        let template = node.attribute("template").and_then(|id| template(root, id));
        let kind = node.attribute("type").or_else(|| template.and_then(|t| t.attribute("type")));
        if kind != Some(AGENT) {
            return None;
        }
        let id = node.attribute("id")?.to_owned();
        let mut parameters = parameters(node);
        for (name, value) in template.into_iter().flat_map(self::parameters) {
            if parameters.iter().all(|(known, _)| *known != name) {
                parameters.push((name, value));
            }
        }
        Some(Primitive { id, parameters })
    };
    let primitives = root.descendants().filter(|node| node.has_tag_name("primitive"));
    Ok(primitives.filter_map(ours).collect())
}

fn template<'a, 'i>(root: Node<'a, 'i>, id: &str) -> Option<Node<'a, 'i>> {
    root.descendants()
        .find(|node| node.has_tag_name("template") && node.attribute("id") == Some(id))
}

fn parameters(node: Node<'_, '_>) -> Vec<(String, String)> {
    let sets = node.children().filter(|child| child.has_tag_name("instance_attributes"));
    let pairs = sets.flat_map(|set| set.children()).filter(|child| child.has_tag_name("nvpair"));
    let read = |pair: Node<'_, '_>| {
        Some((pair.attribute("name")?.to_owned(), pair.attribute("value")?.to_owned()))
    };
    pairs.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_of_the_agent_are_found_wherever_they_are_and_inherit_from_their_template() {
        let xml = r#"<resources>
          <primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/>
          <template id="common" class="ocf" provider="heartbeat" type="pgsql">
            <instance_attributes id="c"><nvpair id="1" name="rep_mode" value="sync"/>
              <nvpair id="2" name="pgdata" value="/common"/></instance_attributes>
          </template>
          <clone id="c1"><primitive id="pgsql" template="common">
            <instance_attributes id="d"><nvpair id="3" name="pgdata" value="/data"/></instance_attributes>
          </primitive></clone>
          <primitive id="single" class="ocf" provider="pgsql-ha" type="pgsql"/>
        </resources>"#;
        let found = parse(xml).expect("resources");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let parameters = vec![pair("pgdata", "/data"), pair("rep_mode", "sync")];
        let expected = [
            Primitive { id: "pgsql".to_owned(), parameters },
            Primitive { id: "single".to_owned(), parameters: Vec::new() },
        ];
        assert_eq!(found, expected);
        assert!(parse("nonsense").is_err());
    }
}
