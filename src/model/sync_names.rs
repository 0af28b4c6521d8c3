//! The value of `synchronous_standby_names`.

use std::fmt;

/// Whom commits wait for: the standbys of `synchronous_standby_names`, all of them.
///
/// Without standbys outside of the cluster there is one name or none, as with the stock agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncNames(Vec<String>);

impl SyncNames {
    /// Commits wait for nobody.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(Vec::new())
    }

    /// Commits wait for each of these application names.
    #[must_use]
    pub fn all_of(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Tells whether commits wait for nobody.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether commits wait for this application name.
    #[must_use]
    pub fn contains(&self, application_name: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(application_name))
    }

    /// Returns the application names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Reads a value that this agent or the stock agent wrote: `"a"`, `FIRST 2 ("a", "b")`, or
    /// names without quotes. The keyword and its count are not kept: both agents only write
    /// a count that is the number of names.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let inner = match (value.find('('), value.rfind(')')) {
            (Some(open), Some(close)) if open < close => &value[open + 1..close],
            (Some(_) | None, Some(_) | None) => value,
        };
        let unquote = |name: &str| name.trim().trim_matches('"').replace("\"\"", "\"");
        Self(inner.split(',').map(unquote).filter(|name| !name.is_empty()).collect())
    }
}

impl fmt::Display for SyncNames {
    /// Writes the value of the setting, each name quoted as an identifier.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<_> =
            self.0.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
        match quoted.len() {
            0 | 1 => f.write_str(&quoted.concat()),
            count => write!(f, "FIRST {count} ({})", quoted.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back() {
        for (names, text) in [
            (vec![], ""),
            (vec!["pm02"], "\"pm02\""),
            (vec!["pm02", "dr-1.example"], "FIRST 2 (\"pm02\", \"dr-1.example\")"),
        ] {
            let names = SyncNames::all_of(names.into_iter().map(str::to_owned));
            assert_eq!(names.to_string(), text);
            assert_eq!(SyncNames::parse(text), names);
        }
        assert_eq!(SyncNames::parse("pm02, pm03").iter().collect::<Vec<_>>(), ["pm02", "pm03"]);
    }
}
