//! The house style, as far as a machine can see it.

use std::path::Path;
use std::process::Command;

use crate::source::{self, ROOT, Source};

/// A file is cut by its subject, a function by its sense, not by length: these are guards against the unreadable.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 90;

#[test]
fn every_module_says_what_it_is_for() {
    let faults = source::below("src").into_iter().chain(source::below("tests"));
    let faults = faults.filter(|source| !source.text.starts_with("//! "));
    let faults: Vec<_> = faults.map(|source| source.path).collect();
    assert!(faults.is_empty(), "no `//!` at the head of {}", faults.join(", "));
}

#[test]
fn nothing_unfinished_and_nothing_that_panics_unexplained() {
    let everywhere = source::below("src").into_iter().chain(source::below("tests"));
    let mut faults: Vec<String> = everywhere.flat_map(|s| lines_with(&s, &UNFINISHED)).collect();
    for source in source::of_the_program() {
        faults.extend(lines_with(&source, &[".unwrap()"]));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

const UNFINISHED: [&str; 3] = ["todo!", "dbg!", "unimplemented!"];

#[test]
fn decisions_name_every_case() {
    let sources = source::of_the_program();
    let decide = sources.iter().filter(|source| source.module().first() == Some(&"decide"));
    let faults: Vec<_> = decide.flat_map(|source| lines_with(source, &["_ =>"])).collect();
    assert!(faults.is_empty(), "a new variant would fall through here:\n{}", faults.join("\n"));
}

#[test]
fn files_fit_into_one_look() {
    let sources = source::below("src").into_iter().chain(source::below("tests/it"));
    let lengths = sources.map(|source| (source.text.lines().count(), source.path));
    let faults: Vec<_> = lengths
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(faults.is_empty(), "more than {FILE_LINES_MAX}:\n{}", faults.join("\n"));
}

#[test]
fn functions_fit_onto_one_screen() {
    let sources = source::below("src").into_iter().chain(source::below("tests/it"));
    let faults: Vec<_> = sources
        .flat_map(|source| {
            let long = functions(&source).into_iter().filter(|(.., n)| *n > FUNCTION_LINES_MAX);
            long.map(|(line, name, n)| format!("{}:{line}: {name} has {n} lines", source.path))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(faults.is_empty(), "more than {FUNCTION_LINES_MAX}:\n{}", faults.join("\n"));
}

#[test]
fn no_file_speaks_of_the_machine_it_was_written_on() {
    // Put together here, so that this file does not speak of them either.
    let words = [
        ["/wo", "rk/"].concat(),
        ["npmjs", ".org"].concat(),
        ["npmjs", ".com"].concat(),
        ["static.crates", ".io"].concat(),
        ["index.crates", ".io"].concat(),
        ["pypi", ".org"].concat(),
        ["deb.debian", ".org"].concat(),
        ["proxy.golang", ".org"].concat(),
    ];
    let mut faults = Vec::new();
    for path in tracked_files() {
        let Ok(bytes) = std::fs::read(Path::new(ROOT).join(&path)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in text.lines().enumerate() {
            let found = words.iter().filter(|word| line.contains(word.as_str()));
            faults.extend(found.map(|word| format!("{path}:{}: {word}", number + 1)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_project_introduces_itself() {
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"] {
        let path = Path::new(ROOT).join(name);
        assert!(path.metadata().is_ok_and(|file| file.len() > 0), "{name} is missing");
    }
}

#[test]
fn an_untidy_line_is_caught() {
    let text = "fn short() {}\nfn long(x: [u8; 3]) {\n    match x {\n        _ => {\n        }\n    \
                }\n}\ntrait T {\n    fn none(&self);\n}\n// dbg! .unwrap()\n";
    let source = Source::new("src/decide/x.rs", text);
    let found = functions(&source);
    let found: Vec<_> = found.iter().map(|(line, name, n)| (*line, &**name, *n)).collect();
    assert_eq!(found, [(1, "short", 1), (2, "long", 6), (9, "none", 1)]);
    assert_eq!(lines_with(&source, &["_ =>"]).len(), 1);
    assert!(lines_with(&source, &["dbg!", ".unwrap()"]).is_empty());
}

/// Returns the places at which the code holds one of these.
fn lines_with(source: &Source, words: &[&str]) -> Vec<String> {
    let stands_alone = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| {
            !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                || word.starts_with('.')
        })
    };
    let lines = source.code.lines().enumerate();
    let found = lines.flat_map(|(number, line)| {
        let words = words.iter().filter(move |word| stands_alone(line, word));
        words.map(move |word| (number + 1, *word))
    });
    found.map(|(number, word)| format!("{}:{number}: {word}", source.path)).collect()
}

/// Returns line, name and number of lines of each function.
fn functions(source: &Source) -> Vec<(usize, String, usize)> {
    let tokens = source.tokens();
    let mut functions = Vec::new();
    for (at, (line, word)) in tokens.iter().enumerate() {
        let Some((_, name)) = tokens.get(at + 1).filter(|_| *word == "fn") else { continue };
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            continue;
        }
        let (mut round, mut curly) = (0_i32, 0_i32);
        let end = tokens[at..].iter().find(|(_, sign)| {
            match *sign {
                "(" | "[" => round += 1,
                ")" | "]" => round -= 1,
                "{" => curly += 1,
                "}" => curly -= 1,
                _ => {}
            }
            round == 0 && curly == 0 && matches!(*sign, "}" | ";")
        });
        let end = end.map_or(*line, |(line, _)| *line);
        functions.push((*line, (*name).to_owned(), end - line + 1));
    }
    functions
}

/// Returns what git tracks, or would track.
fn tracked_files() -> Vec<String> {
    let output = Command::new("git")
        .args(["-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .expect("this test needs git");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git does not list the files: {error}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
