//! Rust sources as the checks of this crate read them: without comments, literals and tests.
//!
//! A small lexer, no parser: what it cannot tell apart (macros that build paths) it does not see.

use std::fs;
use std::path::Path;

/// The directory of the repository.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// One source file.
pub struct Source {
    /// Its path below the repository.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The same with comments, literals and test items blanked, line by line.
    pub code: String,
    /// Line and content of each literal outside of tests.
    pub literals: Vec<(usize, String)>,
    /// Files, and directories of files, that are only there for tests; without `.rs`.
    of_tests: Vec<String>,
}

impl Source {
    /// Takes a source apart.
    pub fn new(path: &str, text: &str) -> Self {
        let (mut code, literals) = blank(text);
        let of_tests = remove_tests(path, text, &mut code);
        let code = String::from_utf8_lossy(&code).into_owned();
        let is_left = |at: usize| code.as_bytes()[at] == b'"';
        let literals = literals.into_iter().filter(|(at, _)| is_left(*at));
        let literals = literals.map(|(at, content)| (line_of(text, at), content)).collect();
        let (path, text) = (path.to_owned(), text.to_owned());
        Self { path, text, code, literals, of_tests }
    }

    /// Returns the names of the modules that lead to this file: `src/decide/start.rs` is
    /// `decide`, `start`; `src/lib.rs` is the root.
    pub fn module(&self) -> Vec<&str> {
        let home = home(&self.path).strip_prefix("src").unwrap_or(&self.path);
        home.split('/').filter(|name| !name.is_empty()).collect()
    }

    /// Returns the words and signs of the code, each with its line.
    pub fn tokens(&self) -> Vec<(usize, &str)> {
        let mut tokens = Vec::new();
        for (number, line) in self.code.lines().enumerate() {
            let mut rest = line.trim_start();
            while let Some(first) = rest.chars().next() {
                let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let length = match word.unwrap_or(rest.len()) {
                    0 if rest.starts_with("::") || rest.starts_with("=>") => 2,
                    0 => first.len_utf8(),
                    length => length,
                };
                tokens.push((number + 1, &rest[..length]));
                rest = rest[length..].trim_start();
            }
        }
        tokens
    }
}

/// Returns the directory of a file's modules.
fn home(path: &str) -> &str {
    let path = path.trim_end_matches(".rs");
    let is_root = |name: &&str| path.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'));
    match ["mod", "lib"].iter().find(|name| is_root(name)) {
        Some(name) => &path[..path.len() - name.len() - 1],
        None => path,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Blanks comments and literals; of a literal its first quotation mark stays.
fn blank(text: &str) -> (Vec<u8>, Vec<(usize, String)>) {
    let mut code = text.as_bytes().to_vec();
    let mut literals = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let in_word = at > 0 && (code[at - 1].is_ascii_alphanumeric() || code[at - 1] == b'_');
        let Some((length, prefix, is_literal)) = opaque(rest, in_word) else {
            at += 1;
            continue;
        };
        let end = at + length;
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        if is_literal {
            code[at] = b'"';
            literals.push((at, String::from_utf8_lossy(&rest[prefix..length]).into_owned()));
        }
        at = end;
    }
    (code, literals)
}

/// Tells how long the comment or literal is that begins here, where its content begins, and
/// whether it is a literal.
fn opaque(rest: &[u8], in_word: bool) -> Option<(usize, usize, bool)> {
    let until = |from: usize, end: &[u8]| {
        let found = rest[from..].windows(end.len()).position(|window| window == end);
        found.map_or(rest.len(), |at| from + at + end.len())
    };
    if rest.starts_with(b"//") {
        return Some((until(2, b"\n") - 1, 0, false));
    }
    if rest.starts_with(b"/*") {
        return Some((until(2, b"*/"), 0, false));
    }
    let raw = rest.iter().skip_while(|byte| **byte == b'b').take(1).eq(b"r");
    if raw && !in_word {
        let start = rest.iter().position(|byte| *byte == b'r')? + 1;
        let hashes = rest[start..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(start + hashes) == Some(&b'"') {
            let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
            let from = start + hashes + 1;
            return Some((until(from, &end), from, true));
        }
    }
    match *rest.first()? {
        b'"' => {
            let mut at = 1;
            while at < rest.len() && rest[at] != b'"' {
                at += if rest[at] == b'\\' { 2 } else { 1 };
            }
            Some((at + 1, 1, true))
        }
        b'\'' if rest.get(1) == Some(&b'\\') => Some((until(3, b"'"), 1, true)),
        b'\'' => {
            let quote = rest.iter().take(6).skip(2).position(|byte| *byte == b'\'')? + 2;
            let one = std::str::from_utf8(&rest[1..quote]).is_ok_and(|c| c.chars().count() == 1);
            one.then_some((quote + 1, 1, true))
        }
        _ => None,
    }
}

/// Blanks what stands under `#[cfg(test)]`; returns the files to which it leads.
fn remove_tests(path: &str, text: &str, code: &mut [u8]) -> Vec<String> {
    const MARK: &[u8] = b"#[cfg(test)]";
    let mut files = Vec::new();
    while let Some(start) = code.windows(MARK.len()).position(|window| window == MARK) {
        let end = end_of_item(code, start + MARK.len());
        let item = &text[start + MARK.len()..end];
        let name = item.strip_suffix(';').and_then(|item| item.rsplit_once("mod "));
        let elsewhere = item.split_once("#[path = \"").and_then(|(_, rest)| rest.split_once(".rs"));
        match (name, elsewhere, path.rsplit_once('/')) {
            (_, Some((name, _)), Some((directory, _))) => files.push(format!("{directory}/{name}")),
            (Some((_, name)), ..) => files.push(format!("{}/{name}", home(path))),
            (None, ..) => {}
        }
        code[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    files
}

fn end_of_item(code: &[u8], from: usize) -> usize {
    let (mut round, mut curly) = (0_usize, 0_usize);
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round = round.saturating_sub(1),
            b'{' => curly += 1,
            b'}' if curly == 1 && round == 0 => return at + 1,
            b'}' => curly = curly.saturating_sub(1),
            b';' if curly == 0 && round == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Reads every source below a directory of the repository.
pub fn below(directory: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    collect(&Path::new(ROOT).join(directory), &mut sources);
    assert!(!sources.is_empty(), "no sources below {directory}");
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn collect(directory: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("a directory of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(ROOT).expect("in the repository").to_string_lossy();
            sources.push(Source::new(&name, &fs::read_to_string(&path).expect("a source")));
        }
    }
}

/// Reads the sources of the program itself, without the files that are only there for tests.
pub fn of_the_program() -> Vec<Source> {
    let sources = below("src");
    let of_tests: Vec<_> = sources.iter().flat_map(|source| source.of_tests.clone()).collect();
    let is_test = |path: &str| {
        of_tests.iter().any(|test| {
            path.strip_prefix(test).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    sources.into_iter().filter(|source| !is_test(&source.path)).collect()
}

#[test]
fn comments_literals_and_tests_are_not_code() {
    let text = "// a::b\nfn f<'a>(x: &'a str) -> char { /* c::d */ g(\"e::\\\"f\", r#\"g\"h\"#); \
                '{' }\n#[cfg(test)]\nmod tests {\n use h::i; const S: &str = \"j\";\n}\n\
                #[cfg(test)]\nmod more;\nuse k::l;\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod y;";
    let source = Source::new("src/a/b.rs", text);
    assert_eq!(source.code.lines().count(), text.lines().count());
    let words = source.code.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words, "fn f<'a>(x: &'a str) -> char { g(\" , \" ); \" } use k::l;");
    let literals: Vec<_> = source.literals.iter().map(|(line, text)| (*line, &**text)).collect();
    assert_eq!(literals, [(2, "e::\\\"f\""), (2, "g\"h\"#"), (2, "{'")]);
    assert_eq!(source.of_tests, ["src/a/b/more", "src/a/x"]);
    assert_eq!(source.module(), ["a", "b"]);
    assert_eq!(Source::new("src/a/mod.rs", "").module(), ["a"]);
    assert!(Source::new("src/lib.rs", "").module().is_empty());
}
