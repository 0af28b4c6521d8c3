//! Quoting for configuration files, connection strings and `pg_ctl -o`, and reading it back.
//!
//! Pure text; the grammars are those of `src/backend/utils/misc/guc-file.l` and of
//! `conninfo_parse()` in `src/interfaces/libpq/fe-connect.c`.

/// Quotes a value for `postgresql.conf` or `recovery.conf`. A line break cannot stand in such a
/// value, its escape can.
#[must_use]
pub fn setting(value: &str) -> String {
    let mut quoted = String::from("'");
    for c in value.chars() {
        match c {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// Reads the value of the last line that sets `name` in the text of a configuration file, without
/// following its include lines.
#[must_use]
pub fn last_setting(text: &str, name: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let (key, rest) = line.trim_start().split_at_checked(name.len())?;
        let rest = rest.strip_prefix(|c: char| c == '=' || c.is_ascii_whitespace())?;
        let rest = rest.trim_start_matches(|c: char| c == '=' || c.is_ascii_whitespace());
        key.eq_ignore_ascii_case(name).then(|| read_setting(rest))?
    })
}

/// Reads a value as `GUC_scanstr()` does, up to its end.
fn read_setting(text: &str) -> Option<String> {
    let Some(body) = text.strip_prefix('\'') else {
        return text.split(|c: char| c.is_ascii_whitespace() || c == '#').next().map(str::to_owned);
    };
    let mut value = String::new();
    let mut chars = body.chars().peekable();
    loop {
        match chars.next()? {
            '\'' if chars.next_if_eq(&'\'').is_some() => value.push('\''),
            '\'' => return Some(value),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                digit @ '0'..='7' => {
                    let mut code = digit.to_digit(8)?;
                    for _ in 0..2 {
                        let Some(more) = chars.next_if(|c| c.is_digit(8)) else { break };
                        code = code * 8 + more.to_digit(8)?;
                    }
                    char::from_u32(code & 0xFF)?
                }
                c => c,
            }),
            c => value.push(c),
        }
    }
}

/// Quotes the value of a keyword in a connection string, where it must be.
#[must_use]
pub fn conninfo_value(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:/+@%*,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Reads a connection string; `None`: it is no list of keywords and values (a URI, for instance).
#[must_use]
pub fn conninfo_pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        let key = key.trim_end();
        if key.is_empty() || key.contains(|c: char| c.is_whitespace()) {
            return None;
        }
        let (value, after) = conninfo_read_value(value.trim_start())?;
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Some(pairs)
}

fn conninfo_read_value(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            c if !quoted && c.is_whitespace() => return Some((value, &text[at..])),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, ""))
}

/// Writes a connection string without the secrets in it.
#[must_use]
pub fn conninfo_without_secrets(text: &str) -> String {
    match conninfo_pairs(text) {
        Some(pairs) => {
            let shown = pairs.into_iter().map(|(key, value)| match key.as_str() {
                "password" | "sslpassword" => format!("{key}=********"),
                _ => format!("{key}={}", conninfo_value(&value)),
            });
            shown.collect::<Vec<_>>().join(" ")
        }
        None => "(not a list of keywords and values)".to_owned(),
    }
}

/// Quotes a word for the shell through which `pg_ctl` passes the text of its option `-o`.
#[must_use]
pub fn shell_word(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Splits a parameter into words as the shell of the stock agent did: at blanks, with quotes and
/// backslashes, but nothing else is special. `None`: a quote is not closed.
#[must_use]
pub fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (None | Some(_), c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_of_settings_are_read_as_the_server_reads_them() {
        for (line, value) in [
            ("a = 'x'", "x"),
            ("a='it''s'", "it's"),
            ("  A 'b\\\\c' # note", "b\\c"),
            ("a = 'tab\\there\\101\\n'", "tab\thereA\n"),
            ("a = plain # note", "plain"),
            ("a = 'one'\na = 'two'", "two"),
            ("a = ''", ""),
        ] {
            assert_eq!(last_setting(line, "a").as_deref(), Some(value), "{line}");
        }
        for line in ["", "ab = 'x'", "#a = 'x'", "a = 'open", "b = 'a'"] {
            assert_eq!(last_setting(line, "a"), None, "{line}");
        }
    }

    #[test]
    fn words_are_split_as_by_a_shell() {
        let split = |text| words(text).map(|words| words.join("|"));
        assert_eq!(split(" -w  -t 60 ").as_deref(), Some("-w|-t|60"));
        assert_eq!(
            split("-o '-c a=b' \"x \\\" y\" a\\ b ''").as_deref(),
            Some("-o|-c a=b|x \" y|a b|")
        );
        assert_eq!(split("$(reboot);`x`").as_deref(), Some("$(reboot);`x`"));
        assert_eq!(split("'open"), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = "host=a password='s\\'ecret x' user=b";
        assert_eq!(conninfo_without_secrets(text), "host=a password=******** user=b");
        assert!(!conninfo_without_secrets("postgresql://u:geheim@h/db").contains("geheim"));
        assert!(!conninfo_without_secrets("password='geheim").contains("geheim"));
    }

    proptest! {
        #[test]
        fn a_quoted_setting_reads_back(value in "[^\\x00]{0,40}") {
            let line = format!("name = {}", setting(&value));
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(last_setting(&line, "name"), Some(value));
        }

        #[test]
        fn a_quoted_conninfo_reads_back(values in proptest::collection::vec("[^\\x00]{0,20}", 1..4)) {
            let text: Vec<_> = values.iter().map(|v| format!("key={}", conninfo_value(v))).collect();
            let pairs = conninfo_pairs(&text.join(" ")).expect("parsed");
            prop_assert_eq!(pairs.into_iter().map(|(_, v)| v).collect::<Vec<_>>(), values);
        }

        #[test]
        fn a_shell_reads_a_quoted_word_back(word in "[^\\x00]{0,20}") {
            prop_assert_eq!(words(&shell_word(&word)), Some(vec![word]));
        }

        #[test]
        fn no_text_makes_a_reader_panic(text in "\\PC{0,60}") {
            let _ = (last_setting(&text, "a"), conninfo_pairs(&text), words(&text));
        }
    }
}
