//! `.pgpass` of the database user, as libpq reads it (`passwordFromFile()` in `fe-connect.c`).

use std::os::unix::fs::MetadataExt;

use crate::model::settings::Secret;
use crate::system::files;
use crate::system::identity::{User, as_user};

const BYTES_MAX: u64 = 1 << 20;

/// What a line of the file must match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    /// Host; a socket directory counts as `localhost`, too.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// Finds the password; a file that others can read is ignored, as libpq does.
pub(super) fn password(owner: &User, key: Key<'_>) -> Option<Secret> {
    let path = owner.home.join(".pgpass");
    let text = as_user(owner, || {
        let metadata = std::fs::metadata(&path).ok()?;
        match metadata.mode() & 0o077 {
            0 => files::read(&path, BYTES_MAX).ok()?,
            _ => {
                log::warn!("{} is ignored: others than its owner can read it", path.display());
                None
            }
        }
    });
    find(&text.ok()??, key).map(|password| Secret::new(&password))
}

fn find(text: &str, key: Key<'_>) -> Option<String> {
    let port = key.port.to_string();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let [host, line_port, database, user, password] = fields(line)?;
        let is = |field: &str, value: &str| field == "*" || unescaped(field) == value;
        let matches = (is(&host, key.host) || key.host.starts_with('/') && is(&host, "localhost"))
            && is(&line_port, &port)
            && is(&database, key.database)
            && is(&user, key.user);
        matches.then(|| unescaped(&password))
    })
}

/// Splits a line at colons that no backslash precedes; the password reaches to the next such colon.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let last = fields.last_mut()?;
        match c {
            ':' => fields.push(String::new()),
            '\\' => {
                last.push('\\');
                last.extend(chars.next());
            }
            c => last.push(c),
        }
    }
    fields.truncate(5);
    fields.try_into().ok()
}

fn unescaped(field: &str) -> String {
    let mut text = String::new();
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# a comment:*:*:*:no
db:5432:app:monitor:wrong
localhost:5432:*:monitor:lo\\:cal\\\\
*:*:*:\\*:literal
*:*:template1:rep:any
short:line
";

    #[test]
    fn the_first_matching_line_counts() {
        let key = Key { host: "/run/x", port: 5432, database: "template1", user: "monitor" };
        assert_eq!(find(FILE, key).as_deref(), Some("lo:cal\\"));
        assert_eq!(find(FILE, Key { host: "db", ..key }), None);
        assert_eq!(find(FILE, Key { port: 1, ..key }), None);
        assert_eq!(find(FILE, Key { user: "rep", ..key }).as_deref(), Some("any"));
        assert_eq!(find(FILE, Key { user: "*", ..key }).as_deref(), Some("literal"));
    }
}
