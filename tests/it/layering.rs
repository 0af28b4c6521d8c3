//! Modules use each other only downwards, and each keeps to what is its own.
//!
//! The table below is the one in `src/lib.rs`, spelled out. A new module or a new arrow has to be
//! entered here, which is the moment to ask whether it should be.

use std::fs;

use crate::source::{self, ROOT, Source};

/// Which modules a module may use.
const ARROWS: [(&str, &[&str]); 15] = [
    ("main", &["cli"]),
    ("cli", &["agent", "command", "ocf", "model"]),
    ("command", &["engine", "observe", "facts", "ocf", "world", "model", "pacemaker", "system"]),
    (
        "agent",
        &[
            "engine",
            "observe",
            "execute",
            "facts",
            "ocf",
            "world",
            "model",
            "pacemaker",
            "postgres",
            "system",
        ],
    ),
    ("observe", &["engine", "world", "postgres", "pacemaker", "model"]),
    ("execute", &["world", "postgres", "pacemaker", "model"]),
    ("world", &["postgres", "pacemaker", "system", "model"]),
    ("facts", &["ocf", "postgres", "system", "model"]),
    ("engine", &["decide", "model"]),
    ("decide", &["model"]),
    ("ocf", &["model"]),
    ("postgres", &["system", "model"]),
    ("pacemaker", &["system", "model"]),
    ("system", &[]),
    ("model", &[]),
];

/// The same within `decide`, from the actions down.
const FLOORS: [(&str, &[&str]); 9] = [
    ("action", &["standby", "rejoin", "primary", "server", "rules", "own_record", "steps"]),
    ("standby", &["primary", "server", "rules", "own_record", "steps"]),
    ("rejoin", &["server", "rules", "steps"]),
    ("primary", &["server", "rules", "own_record", "steps"]),
    ("server", &["rules", "steps"]),
    ("rules", &["steps"]),
    ("own_record", &["steps"]),
    ("steps", &[]),
    ("invariants", &["rules"]),
];

/// The modules that neither touch nor ask anything: values in, values out.
const PURE: [&str; 2] = ["decide", "model"];

/// What a pure module has no business with.
const IMPURE: [&str; 9] = [
    "std::fs",
    "std::env",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// How statements begin, and what only statements speak of.
const SQL_BEGINS: [&str; 5] = ["select ", "insert into ", "delete from ", "alter system ", "set "];
const SQL_NAMES: [&str; 6] =
    ["pg_stat_", "pg_catalog.", "pg_is_in_recovery", "pg_last_wal", "pg_current_wal", "pg_create_"];

/// The operator's statement is a parameter, and this is its default.
const SQL_OF_A_PARAMETER: (&str, &str) = ("src/ocf/parameter/instance.rs", "select now();\"");

#[test]
fn modules_use_each_other_only_downwards() {
    let faults: Vec<_> = source::of_the_program().iter().flat_map(wrong_arrows).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn decisions_use_each_other_only_downwards_and_in_no_circle() {
    let mut uses: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for source in source::of_the_program() {
        let from: Vec<String> = source.module().iter().map(|name| (*name).to_owned()).collect();
        let [first, floor, ..] = &from[..] else { continue };
        if first != "decide" || floor == "tests" {
            continue;
        }
        let allowed = FLOORS.iter().find(|(name, _)| name == floor);
        let allowed = allowed.unwrap_or_else(|| panic!("enter {floor} into the table")).1;
        for (line, path) in paths(&source) {
            let ["crate", "decide", to, rest @ ..] = &path[..] else { continue };
            let below = to == floor || allowed.contains(to);
            assert!(below, "{}:{line}: {floor} ▶ {to}", source.path);
            let file = [&["decide", to], rest].concat();
            uses.push((from.clone(), file.iter().map(|name| (*name).to_owned()).collect()));
        }
    }
    let files: Vec<_> = uses.iter().map(|(from, _)| from.clone()).collect();
    let mut left: Vec<_> = files.clone();
    left.sort();
    left.dedup();
    // A file that uses none of those left is in no circle with them.
    loop {
        let uses_one = |file: &Vec<String>| {
            let own = uses.iter().filter(|(from, _)| from == file);
            own.into_iter().any(|(_, to)| left.iter().any(|l| l != file && to.starts_with(l)))
        };
        let (rest, free): (Vec<_>, Vec<_>) = left.iter().cloned().partition(uses_one);
        if free.is_empty() {
            assert!(rest.is_empty(), "a circle: {rest:?}");
            break;
        }
        left = rest;
    }
}

#[test]
fn pure_modules_import_nothing_that_acts() {
    let faults: Vec<_> = source::of_the_program().iter().flat_map(impurities).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn programs_sql_and_the_words_of_ocf_have_one_home_each() {
    let faults: Vec<_> = source::of_the_program().iter().flat_map(strays).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_knows_every_module() {
    for source in source::of_the_program() {
        let Some(module) = source.module().first().map(|name| (*name).to_owned()) else { continue };
        let known = ARROWS.iter().any(|(name, _)| *name == module);
        assert!(known, "{} is of no known module: enter {module} into the table", source.path);
    }
}

#[test]
fn a_forbidden_line_is_caught() {
    let arrows = [
        ("src/decide/x.rs", "use crate::postgres::session;", "postgres"),
        ("src/decide/x.rs", "use crate::{model::wal, system::command};", "system"),
        ("src/decide/x.rs", "fn f() { super::super::ocf::log::report(&[]); }", "ocf"),
        ("src/postgres/x/y.rs", "fn f() { let _ = crate::pacemaker::cib::parse; }", "pacemaker"),
        ("src/main.rs", "fn main() { pgsql_ha::agent::run() }", "agent"),
        ("src/model/x.rs", "pub use crate::decide::decide as d;", "decide"),
    ];
    for (path, line, target) in arrows {
        let faults = wrong_arrows(&Source::new(path, line));
        assert_eq!(faults.len(), 1, "{line}: {faults:?}");
        assert!(faults[0].contains(&format!("{path}:1")), "{faults:?}");
        assert!(faults[0].ends_with(&format!("▶ {target}")), "{faults:?}");
    }
    for line in [
        "use std::{fmt, time::{Duration, Instant}};",
        "use log::debug;",
        "fn f() { nix::unistd::getpid(); }",
        "#[derive(thiserror::Error)] struct S;",
        "use std::fs::read as r;",
    ] {
        let faults = impurities(&Source::new("src/decide/x.rs", line));
        assert_eq!(faults.len(), 1, "{line}: {faults:?}");
    }
    for (path, line) in [
        ("src/agent.rs", "use std::process::{Command, ExitCode};"),
        ("src/execute.rs", "const Q: &str = \"SELECT 1\";"),
        ("src/observe.rs", "const Q: &str = \"... from pg_stat_replication\";"),
        ("src/execute.rs", "const V: &str = \"OCF_RESKEY_pgdata\";"),
        ("src/agent.rs", "fn f() -> ExitCode { ExitCode::from(7) }"),
    ] {
        let faults = strays(&Source::new(path, line));
        assert_eq!(faults.len(), 1, "{line}: {faults:?}");
    }
}

#[test]
fn an_allowed_line_is_let_through() {
    let line = "use crate::model::wal; use super::{fail, ladder::bring_down};
                use std::time::Duration; // crate::postgres, std::fs
                #[cfg(test)] mod tests { use crate::postgres::session; use proptest::prop; }";
    let source = Source::new("src/decide/x.rs", line);
    let faults = [wrong_arrows(&source), impurities(&source), strays(&source)].concat();
    assert!(faults.is_empty(), "{faults:?}");
}

/// Returns the paths of a source with their lines: each one that a `use` brings in, and each one
/// that is written in place.
fn paths(source: &Source) -> Vec<(usize, Vec<&str>)> {
    let tokens = source.tokens();
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].1 == "use" {
            at = use_tree(&tokens, at + 1, &[], &mut paths);
            continue;
        }
        let mut path = vec![tokens[at].1];
        let line = tokens[at].0;
        while tokens.get(at + 1).is_some_and(|(_, sign)| *sign == "::") && at + 2 < tokens.len() {
            path.push(tokens[at + 2].1);
            at += 2;
        }
        if path.len() > 1 {
            paths.push((line, path));
        }
        at += 1;
    }
    paths
}

/// Reads one branch of a `use`, and those within its braces; returns where the next one begins.
fn use_tree<'a>(
    tokens: &[(usize, &'a str)],
    mut at: usize,
    above: &[&'a str],
    paths: &mut Vec<(usize, Vec<&'a str>)>,
) -> usize {
    let mut path = above.to_vec();
    let line = tokens.get(at).map_or(0, |(line, _)| *line);
    while let Some((_, token)) = tokens.get(at) {
        match *token {
            "::" => {}
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|(_, token)| *token != "}") {
                    at = use_tree(tokens, at, &path, paths);
                    at += usize::from(tokens.get(at).is_some_and(|(_, token)| *token == ","));
                }
                return at + 1;
            }
            "as" => at += 1,
            ";" | "," | "}" => break,
            word => path.push(word),
        }
        at += 1;
    }
    paths.push((line, path));
    at
}

fn wrong_arrows(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(from) = module.first() else { return Vec::new() };
    let allowed = ARROWS.iter().find(|(name, _)| name == from).map_or([].as_slice(), |row| row.1);
    let target = |path: &[&str]| {
        let supers = path.iter().take_while(|name| **name == "super").count();
        let to = match path.first() {
            Some(&("crate" | "pgsql_ha")) => path.get(1),
            Some(&"super") if supers >= module.len() => path.get(supers),
            Some(_) | None => None,
        };
        to.map(|to| (*to).to_owned())
    };
    paths(source)
        .into_iter()
        .filter_map(|(line, path)| target(&path).map(|to| (line, to)))
        .filter(|(_, to)| to != from && !allowed.contains(&to.as_str()))
        .map(|(line, to)| format!("{}:{line}: {from} ▶ {to}", source.path))
        .collect()
}

fn impurities(source: &Source) -> Vec<String> {
    if !source.module().first().is_some_and(|module| PURE.contains(module)) {
        return Vec::new();
    }
    let crates = dependencies();
    let faulty = |path: &str| {
        let below = |above: &str| {
            path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        IMPURE.iter().any(|path| below(path)) || crates.iter().any(|name| below(name))
    };
    paths(source)
        .into_iter()
        .map(|(line, path)| (line, path.join("::")))
        .filter(|(_, path)| faulty(path))
        .map(|(line, path)| format!("{}:{line}: {path}", source.path))
        .collect()
}

/// Reads the names of the crates that `Cargo.toml` lets the program use.
fn dependencies() -> Vec<String> {
    let manifest = fs::read_to_string(format!("{ROOT}/Cargo.toml")).expect("a manifest");
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let names: Vec<_> = lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect();
    assert!(names.iter().any(|name| name == "log"), "{names:?}");
    names
}

fn strays(source: &Source) -> Vec<String> {
    let is_in = |module: &str| source.module().first() == Some(&module);
    let mut faults = Vec::new();
    let mut fault = |line: usize, what: &str| {
        faults.push(format!("{}:{line}: {what}", source.path));
    };
    for (line, path) in paths(source) {
        let spawns = path.windows(2).any(|pair| pair == ["process", "Command"]);
        if spawns && source.path != "src/system/command.rs" {
            fault(line, "only system::command starts programs");
        }
        let makes_code = path.ends_with(&["ExitCode", "from"]) || path == ["process", "exit"];
        if makes_code && !is_in("ocf") {
            fault(line, "only ocf knows the numbers of exit codes");
        }
    }
    for (line, text) in &source.literals {
        let lower = text.trim_start().to_lowercase();
        let is_sql = SQL_BEGINS.iter().any(|word| lower.starts_with(word) && !is_prose(&lower))
            || SQL_NAMES.iter().any(|name| lower.contains(name));
        let is_parameter = (source.path.as_str(), text.as_str()) == SQL_OF_A_PARAMETER;
        if is_sql && !is_in("postgres") && !is_parameter {
            fault(*line, "only postgres speaks SQL");
        }
        let codes = ["OCF_SUCCESS", "OCF_ERR_", "OCF_NOT_RUNNING", "OCF_RUNNING_", "OCF_RESKEY"];
        if codes.iter().any(|word| text.contains(word)) && !is_in("ocf") {
            fault(*line, "only ocf knows the words of OCF");
        }
    }
    faults
}

/// "set" begins English sentences as well; as a statement it has a sign in it.
fn is_prose(text: &str) -> bool {
    text.starts_with("set ") && !text.contains(" = ") && !text.contains(" to '")
}
