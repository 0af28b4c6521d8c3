//! The value of `synchronous_standby_names`.

use std::fmt;

/// What the commits of a strict primary wait for while it knows no standby; none has this name.
pub const NO_STANDBY_YET: &str = "no-standby-yet";

/// How standbys are chosen from the list (PostgreSQL: "Planning for High Availability" in the
/// chapter on synchronous replication).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncMethod {
    /// `FIRST n`: the first that are connected.
    #[default]
    First,
    /// `ANY n`: whichever are quickest (PostgreSQL 10 and later).
    Any,
}

/// Whom commits wait for: `count` of the standbys named in `synchronous_standby_names`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncNames {
    method: SyncMethod,
    count: usize,
    names: Vec<String>,
}

impl SyncNames {
    /// Commits wait for nobody.
    #[must_use]
    pub const fn nobody() -> Self {
        Self { method: SyncMethod::First, count: 0, names: Vec::new() }
    }

    /// Commits wait for each of these application names.
    #[must_use]
    pub fn all_of(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        Self { method: SyncMethod::First, count: names.len(), names }
    }

    /// Commits wait for the first of these application names that is connected.
    #[must_use]
    pub fn one_of(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        Self { method: SyncMethod::First, count: names.len().min(1), names }
    }

    /// Commits wait for any `count` of these application names.
    #[must_use]
    pub fn any_of(count: usize, names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        match count.min(names.len()) {
            0 => Self::nobody(),
            count => Self { method: SyncMethod::Any, count, names },
        }
    }

    /// Tells whether commits wait for nobody.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.names.is_empty()
    }

    /// Tells whether commits wait for every standby named, so that each has all of them.
    #[must_use]
    pub fn is_all_of(&self) -> bool {
        self.method == SyncMethod::First && self.count >= self.names.len()
    }

    /// Returns how standbys are chosen from the list.
    #[must_use]
    pub const fn method(&self) -> SyncMethod {
        self.method
    }

    /// Returns for how many of the names a commit waits.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Tells whether this application name is named.
    #[must_use]
    pub fn contains(&self, application_name: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(application_name))
    }

    /// Returns the application names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Reads a value that this agent or the stock agent wrote: `"a"`, `FIRST 2 ("a", "b")`,
    /// `ANY 1 ("a", "b")`, `2 (a, b)`, or names without quotes, which mean the first of them.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let (head, inner) = match (value.find('('), value.rfind(')')) {
            (Some(open), Some(close)) if open < close && !value[..open].contains('"') => {
                (&value[..open], &value[open + 1..close])
            }
            (Some(_) | None, Some(_) | None) => ("1", value),
        };
        let unquote = |name: &str| name.trim().trim_matches('"').replace("\"\"", "\"");
        let names: Vec<_> = inner.split(',').map(unquote).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Self::nobody();
        }
        let mut words = head.split_whitespace();
        let any = words.clone().next().is_some_and(|word| word.eq_ignore_ascii_case("any"));
        let count = words.find_map(|word| word.parse().ok()).unwrap_or(1);
        let method = if any { SyncMethod::Any } else { SyncMethod::First };
        Self { method, count, names }
    }
}

impl fmt::Display for SyncNames {
    /// Writes the value of the setting, each name quoted as an identifier.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<_> =
            self.names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
        let names = quoted.join(", ");
        match (self.method, self.count) {
            // Without a word and a number the list means the first of them, in every version.
            (SyncMethod::First, 0 | 1) => f.write_str(&names),
            (SyncMethod::First, count) => write!(f, "FIRST {count} ({names})"),
            (SyncMethod::Any, count) => write!(f, "ANY {count} ({names})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (wanted, text) in [
            (SyncNames::all_of([]), ""),
            (SyncNames::one_of([]), ""),
            (SyncNames::any_of(1, []), ""),
            (SyncNames::all_of(names(&["pm02"])), "\"pm02\""),
            (SyncNames::one_of(names(&["pm02", "pm03"])), "\"pm02\", \"pm03\""),
            (
                SyncNames::all_of(names(&["pm02", "dr-1.example"])),
                "FIRST 2 (\"pm02\", \"dr-1.example\")",
            ),
            (SyncNames::any_of(1, names(&["pm02"])), "ANY 1 (\"pm02\")"),
            (SyncNames::any_of(9, names(&["a", "b"])), "ANY 2 (\"a\", \"b\")"),
        ] {
            assert_eq!(wanted.to_string(), text);
            assert_eq!(SyncNames::parse(text), wanted, "{text}");
        }
        assert_eq!(SyncNames::parse("pm02, pm03"), SyncNames::one_of(names(&["pm02", "pm03"])));
        assert_eq!(SyncNames::parse("2 (a, b)"), SyncNames::all_of(names(&["a", "b"])));
        assert_eq!(SyncNames::parse("any 1(a, b)"), SyncNames::any_of(1, names(&["a", "b"])));
    }

    #[test]
    fn only_a_list_that_is_waited_for_as_a_whole_is_all_of_it() {
        for (text, all) in [
            ("", true),
            ("a", true),
            ("a, b", false),
            ("FIRST 2 (a, b)", true),
            ("FIRST 1 (a, b)", false),
            ("ANY 2 (a, b)", false),
        ] {
            assert_eq!(SyncNames::parse(text).is_all_of(), all, "{text}");
        }
    }
}
