//! The table of the examples: one line is one file, one test and one fault. A file without a line fails a test.

use std::collections::BTreeSet;
use std::path::Path;

use crate::loading::EXAMPLES;
use crate::story::{self, Fault, Shape};

/// Makes a test of each line, and the list that is compared with the directory.
macro_rules! examples {
    ($($test:ident: $file:literal, $shape:ident, $fault:ident;)*) => {
        const FILES: &[&str] = &[$($file),*];
        $(
            #[test]
            fn $test() {
                story::tell($file, &$shape, Fault::$fault);
            }
        )*
    };
}

examples! {
    three_hosts_crm: "three-hosts.crm", THREE_HOSTS, PowerFails;
    three_hosts_pcs: "three-hosts.pcs.sh", THREE_HOSTS, PostmasterDies;
    three_hosts_paf_order_crm: "three-hosts-paf-order.crm", PAF_ORDER, Move;
    three_hosts_paf_order_pcs: "three-hosts-paf-order.pcs.sh", PAF_ORDER, PowerFails;
    two_hosts_clusterlabs_wiki_crm: "two-hosts-clusterlabs-wiki.crm", WIKI, PostmasterDies;
    two_hosts_clusterlabs_wiki_pcs: "two-hosts-clusterlabs-wiki.pcs.sh", WIKI, PowerFails;
    two_hosts_pg_rex_crm: "two-hosts-pg-rex.crm", PG_REX, PowerFails;
    two_hosts_pg_rex_pcs: "two-hosts-pg-rex.pcs.sh", PG_REX, PostmasterDies;
    two_hosts_pg_rex_17_crm: "two-hosts-pg-rex-17.crm", PG_REX_17, PostmasterDies;
    two_hosts_pg_rex_17_pcs: "two-hosts-pg-rex-17.pcs.sh", PG_REX_17, PowerFails;
}

const THREE_HOSTS: Shape = Shape {
    hosts: &["pm01", "pm02", "pm03"],
    resource: "pgsql",
    clone: "pgsql-clone",
    with_primary: &["vip-client", "vip-replication"],
    readers: None,
    keeps_the_timeline: false,
};

const PAF_ORDER: Shape = Shape {
    hosts: &["pm01", "pm02", "pm03"],
    resource: "pgsqld",
    clone: "pgsql-ha",
    with_primary: &["pgsql-pri-ip"],
    readers: None,
    keeps_the_timeline: false,
};

const WIKI: Shape = Shape {
    hosts: &["pm01", "pm02"],
    resource: "pgsql",
    clone: "msPostgresql",
    with_primary: &["vip-master", "vip-rep"],
    readers: None,
    keeps_the_timeline: true,
};

const PG_REX: Shape = Shape {
    hosts: &["pm01", "pm02"],
    resource: "prmPostgresql",
    clone: "msPostgresql",
    with_primary: &["vip-master", "vip-rep"],
    readers: Some("vip-slave"),
    keeps_the_timeline: false,
};

const PG_REX_17: Shape = Shape {
    hosts: &["pm01", "pm02"],
    resource: "pgsql",
    clone: "pgsql-clone",
    with_primary: &["ipaddr-primary", "ipaddr-replication"],
    readers: Some("ipaddr-standby"),
    keeps_the_timeline: false,
};

#[test]
fn every_example_has_a_test() {
    let entries = std::fs::read_dir(Path::new(EXAMPLES)).expect("the directory is there");
    let there: BTreeSet<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    let tested: BTreeSet<String> = FILES.iter().map(|&file| file.to_owned()).collect();
    assert_eq!(there, tested, "each file in crm-examples needs a line in {}", file!());
}

#[test]
fn every_example_says_how_to_load_it() {
    for file in FILES {
        let text = crate::loading::text(file);
        let header: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        let command = match file.rsplit_once('.') {
            Some((_, "crm")) => format!("crm configure load update crm-examples/{file}"),
            _ => format!("sh crm-examples/{file}"),
        };
        assert!(header.contains(&command), "{file}: the header does not say how to load it");
        for line in text.lines() {
            assert!(line.chars().count() <= 120, "{file}: longer than 120 characters: {line}");
        }
    }
}
