//! What Pacemaker says of the clone in the present transition.
//!
//! A pure parser of `OCF_RESKEY_CRM_meta_notify_*`. Only names are read here; what follows from
//! them is decided elsewhere.
//!
//! Who is told what, from `lib/pengine/pe_notif.c` (2.0.5: `lib/pacemaker/pcmk_sched_notif.c`; the
//! same in 2.0, 2.1 and 3.0), for a clone with `notify=true`:
//!
//! * `notify` itself gets `type` (pre, post), `operation` and all the lists;
//! * the start, stop, promote and demote actions of the transition get the lists, without type and
//!   operation (`create_notify_actions`), if the transition has notifications of that kind;
//! * monitor and every action that a person calls get nothing.
//!
//! All lists are of the moment when the transition was computed: in a post notification, too, the
//! `promoted` nodes are those from before it. An empty list is a single blank. The lists are `start
//! stop promote demote active` and, since 2.1, `promoted unpromoted` beside `master slave`, which
//! every version passes.

use crate::model::node::NodeName;
use crate::model::notification::{Notification, NotificationType, NotifiedOperation};

use super::environment::Environment;

/// Reads the notification, or the transition around another action.
#[must_use]
pub fn parse(environment: &Environment) -> Notification {
    let nodes = |kind: &str| node_list(environment, kind);
    let [start, stop, promote, demote] =
        ["start", "stop", "promote", "demote"].map(|kind| nodes(kind).unwrap_or_default());
    let promoted = nodes("promoted").or_else(|| nodes("master"));
    let unpromoted = nodes("unpromoted").or_else(|| nodes("slave"));
    let event = event(environment);
    // Pacemaker passes every list or none.
    let present = event.is_some() || promoted.is_some() || unpromoted.is_some();
    Notification {
        event,
        start,
        stop,
        promote,
        demote,
        promoted: promoted.unwrap_or_default(),
        unpromoted: unpromoted.unwrap_or_default(),
        present,
    }
}

/// Reads what the notification is about; `None` for kinds that do not concern us.
fn event(environment: &Environment) -> Option<(NotificationType, NotifiedOperation)> {
    let word = |name| environment.meta(name).unwrap_or_default().trim();
    let kind = match word("notify_type") {
        "pre" => NotificationType::Pre,
        "post" => NotificationType::Post,
        _ => return None,
    };
    let operation = match word("notify_operation") {
        "start" => NotifiedOperation::Start,
        "stop" => NotifiedOperation::Stop,
        "promote" => NotifiedOperation::Promote,
        "demote" => NotifiedOperation::Demote,
        _ => return None,
    };
    Some((kind, operation))
}

/// Reads a list of nodes; `None` when Pacemaker did not pass it.
fn node_list(environment: &Environment, kind: &str) -> Option<Vec<NodeName>> {
    let names = environment.meta(&format!("notify_{kind}_uname"))?;
    Some(names.split_whitespace().map(NodeName::new).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop, proptest};

    use super::*;

    fn parse_with(metas: &[(&str, &str)]) -> Notification {
        let pairs = metas.iter().map(|(name, value)| {
            (format!("OCF_RESKEY_CRM_meta_notify_{name}"), (*value).to_owned())
        });
        parse(&Environment::from_pairs(pairs))
    }

    fn names(list: &[NodeName]) -> Vec<&str> {
        list.iter().map(NodeName::as_str).collect()
    }

    #[test]
    fn without_variables_nothing_is_known() {
        assert_eq!(parse(&Environment::default()), Notification::default());
    }

    #[test]
    fn a_failover_is_read() {
        let notification = parse_with(&[
            ("type", "pre"),
            ("operation", "promote"),
            ("start_uname", " "),
            ("stop_uname", "pm01"),
            ("demote_uname", "pm01"),
            ("promote_uname", "PM-02.example"),
            ("master_uname", "pm01"),
            ("slave_uname", "PM-02.example  pm03"),
        ]);
        let event = (NotificationType::Pre, NotifiedOperation::Promote);
        assert_eq!(notification.event, Some(event));
        assert!(notification.present && notification.start.is_empty());
        assert_eq!(names(&notification.stop), ["pm01"]);
        assert_eq!(names(&notification.demote), ["pm01"]);
        assert_eq!(names(&notification.promote), ["PM-02.example"]);
        assert_eq!(names(&notification.promoted), ["pm01"]);
        assert_eq!(names(&notification.unpromoted), ["PM-02.example", "pm03"]);
    }

    #[test]
    fn new_names_and_old_names_say_the_same() {
        let old = parse_with(&[("master_uname", "a"), ("slave_uname", "b c")]);
        let new = parse_with(&[("promoted_uname", "a"), ("unpromoted_uname", "b c")]);
        let both = parse_with(&[
            ("promoted_uname", "a"),
            ("master_uname", "a"),
            ("unpromoted_uname", "b c"),
            ("slave_uname", "b c"),
        ]);
        assert_eq!(old, new);
        assert_eq!(old, both);
        assert_eq!((old.present, old.event), (true, None));
    }

    #[test]
    fn an_empty_new_list_is_not_filled_from_an_old_one() {
        let notification = parse_with(&[("promoted_uname", " "), ("master_uname", "a")]);
        assert!(notification.present && notification.promoted.is_empty());
    }

    #[test]
    fn every_kind_of_event_is_read_and_no_other() {
        use NotificationType::{Post, Pre};
        use NotifiedOperation::{Demote, Promote, Start, Stop};
        for (kind_word, kind) in [("pre", Pre), ("post", Post)] {
            for (word, operation) in
                [("start", Start), ("stop", Stop), ("promote", Promote), ("demote", Demote)]
            {
                let notification = parse_with(&[("type", kind_word), ("operation", word)]);
                assert_eq!(notification.event, Some((kind, operation)));
            }
        }
        for (kind, operation) in
            [("", ""), ("pre", ""), ("", "stop"), ("pre", "monitor"), ("confirmed-pre", "stop")]
        {
            let notification = parse_with(&[("type", kind), ("operation", operation)]);
            assert_eq!(notification, Notification::default(), "{kind} {operation}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_environment_makes_it_panic(
            values in prop::collection::vec(any::<String>(), 10),
        ) {
            let names = [
                "type", "operation", "start_uname", "stop_uname", "promote_uname", "demote_uname",
                "master_uname", "slave_uname", "promoted_uname", "unpromoted_uname",
            ];
            let pairs: Vec<_> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
            let notification = parse_with(&pairs);
            assert!(notification.present);
            assert!(notification.promote.iter().all(|node| !node.as_str().is_empty()));
        }
    }
}
