//! The agent's description in XML, from the table of parameters and from [`Word`].
//!
//! Valid against `ra-api-1.dtd` and `metadata.rng` of the resource-agents.

use std::fmt::{self, Write as _};

use crate::model::action::Action;

use super::parameter::{self, Parameter};
use super::word::{Printout, Word};

/// The beginning: name and version are the stock agent's, the name since it is what `crm` and `pcs`
/// know the agent by.
const HEAD: &str = r#"<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="pgsql" version="1.0">
<version>1.0</version>

"#;

const SHORTDESC: &str = "Manages a PostgreSQL server with streaming replication";

const LONGDESC: &str = "\
Manages a PostgreSQL server: one instance, a promotable clone with asynchronous or synchronous \
streaming replication (rep_mode=async or sync), or a standby of a primary elsewhere \
(rep_mode=slave).
Attributes, files, parameters and exit codes are those of ocf:heartbeat:pgsql, which it replaces \
without change of the configuration, one node after the other if need be.
A promotable clone needs the meta attributes promoted-max=1 and notify=true, two monitors with \
different intervals (one of them with role=Promoted), and fencing.";

/// How often the meta-data advises to monitor, by role. Pacemaker tells two recurring actions of
/// one name apart by their interval only, so they must differ.
const MONITORS: [(u32, &str); 2] = [(30, ""), (29, "Promoted")];

/// Returns the agent's description.
#[must_use]
pub fn meta_data() -> String {
    let mut xml = String::from(HEAD);
    // Writing to a String cannot fail.
    let _ = write_agent(&mut xml);
    xml
}

fn write_agent(xml: &mut String) -> fmt::Result {
    write_descriptions(xml, LONGDESC, SHORTDESC)?;
    writeln!(xml, "\n<parameters>")?;
    for parameter in parameter::ALL {
        write_parameter(xml, parameter)?;
    }
    writeln!(xml, "</parameters>\n\n<actions>")?;
    for word in Word::all() {
        write_action(xml, word)?;
    }
    writeln!(xml, "</actions>\n</resource-agent>")
}

fn write_descriptions(xml: &mut String, long: &str, short: &str) -> fmt::Result {
    writeln!(xml, "<longdesc lang=\"en\">\n{}\n</longdesc>", escape(long))?;
    writeln!(xml, "<shortdesc lang=\"en\">{}</shortdesc>", escape(short))
}

fn write_parameter(xml: &mut String, parameter: &Parameter) -> fmt::Result {
    let Parameter { name, kind, default, unique, required, .. } = parameter;
    let (unique, required) = (u8::from(*unique), u8::from(*required));
    let (kind, default) = (kind.content_type(), escape(default));
    writeln!(xml, r#"<parameter name="{name}" unique="{unique}" required="{required}">"#)?;
    write_descriptions(xml, parameter.longdesc, parameter.shortdesc)?;
    writeln!(xml, r#"<content type="{kind}" default="{default}" />"#)?;
    writeln!(xml, "</parameter>\n")
}

fn write_action(xml: &mut String, word: Word) -> fmt::Result {
    let (name, timeout) = (word.name(), word.advised_timeout().as_secs());
    match word {
        Word::Action(Action::Monitor) => MONITORS.iter().try_for_each(|(interval, role)| {
            let role = if role.is_empty() { String::new() } else { format!(" role=\"{role}\"") };
            write!(xml, r#"<action name="{name}" depth="0" timeout="{timeout}s" "#)?;
            writeln!(xml, r#"interval="{interval}s"{role} />"#)
        }),
        // Not an action of a cluster manager.
        Word::Printout(Printout::Usage) => Ok(()),
        Word::Action(
            Action::Start
            | Action::Stop
            | Action::Status
            | Action::Promote
            | Action::Demote
            | Action::Notify,
        )
        | Word::Printout(Printout::MetaData | Printout::ValidateAll | Printout::Methods) => {
            writeln!(xml, r#"<action name="{name}" timeout="{timeout}s" />"#)
        }
    }
}

/// Escapes text for content and for attributes in double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::environment::Environment;
    use super::*;

    /// To renew it: `UPDATE_SNAPSHOT=1 cargo test meta_data`, then read the difference.
    const SNAPSHOT: &str = "ocf/meta-data.xml";

    fn assert_reviewed(made: &str, file: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if Environment::from_process().filled("UPDATE_SNAPSHOT").is_some() {
            std::fs::write(&path, made).expect("the snapshot can be written");
        }
        assert_eq!(made, std::fs::read_to_string(&path).expect("the snapshot can be read"));
    }

    #[test]
    fn the_meta_data_is_the_reviewed_one() {
        assert_reviewed(&meta_data(), SNAPSHOT);
    }

    /// The page of the parameters for people, from the same table.
    const PAGE: &str = "docs/parameters.md";

    fn page() -> String {
        let head = "# Parameters\n\nFor whoever configures a resource; back to [README](../README.md). This page is made from \
                    the agent's table of\nparameters, as is what `crm ra info ocf:pgsql-ha:pgsql` shows. Booleans are \
                    `true` and `false`, times are seconds or have a\nunit (`10s`, `2min`), sizes have one (`16MB`).\n";
        parameter::ALL.iter().fold(head.to_owned(), |text, row| {
            let default = match row.default {
                "" => "none".to_owned(),
                default => format!("`{default}`"),
            };
            let modes = match row.scope {
                parameter::Scope::Always => "every `rep_mode`",
                parameter::Scope::Standby => "`rep_mode` async, sync, slave",
                parameter::Scope::Replication => "`rep_mode` async, sync",
                parameter::Scope::Synchronous => "`rep_mode` sync",
            };
            let (name, short, long) = (row.name, row.shortdesc, row.longdesc);
            text + &format!("\n## `{name}`\n\n{short}. Default: {default}; {modes}.\n\n{long}\n")
        })
    }

    #[test]
    fn the_page_of_the_parameters_is_the_reviewed_one() {
        assert_reviewed(&page(), PAGE);
    }

    #[test]
    fn what_is_written_is_what_the_table_says() {
        let xml = meta_data();
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document =
            roxmltree::Document::parse_with_options(&xml, options).expect("it is well-formed");
        let named = |name| document.descendants().filter(move |node| node.has_tag_name(name));
        let contents = named("parameter").zip(named("content")).map(|(row, content)| {
            let attribute =
                |node: roxmltree::Node, name| node.attribute(name).unwrap_or("?").to_owned();
            [
                attribute(row, "name"),
                attribute(row, "unique"),
                attribute(row, "required"),
                attribute(content, "type"),
                attribute(content, "default"),
            ]
        });
        let table = parameter::ALL.map(|row| {
            [row.name, "0", "0", row.kind.content_type(), row.default].map(str::to_owned)
        });
        assert_eq!(contents.collect::<Vec<_>>(), table);
        assert_eq!(named("longdesc").count(), parameter::ALL.len() + 1);
    }

    #[test]
    fn the_actions_are_those_of_the_stock_agent() {
        let xml = meta_data();
        let actions: Vec<_> = xml.lines().filter(|line| line.starts_with("<action ")).collect();
        let stock = [
            r#"<action name="start" timeout="120s" />"#,
            r#"<action name="stop" timeout="120s" />"#,
            r#"<action name="status" timeout="60s" />"#,
            r#"<action name="monitor" depth="0" timeout="30s" interval="30s" />"#,
            r#"<action name="monitor" depth="0" timeout="30s" interval="29s" role="Promoted" />"#,
            r#"<action name="promote" timeout="120s" />"#,
            r#"<action name="demote" timeout="120s" />"#,
            r#"<action name="notify" timeout="90s" />"#,
            r#"<action name="meta-data" timeout="5s" />"#,
            r#"<action name="validate-all" timeout="5s" />"#,
            r#"<action name="methods" timeout="5s" />"#,
        ];
        assert_eq!(actions, stock);
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape(r#"a<b> & "c""#), "a&lt;b&gt; &amp; &quot;c&quot;");
    }
}
