//! Where in a statement are its named parameters?
//!
//! The tokenizer knows what hides a colon: string literals, quoted names, `::` casts, dollar quotes and comments. Nothing
//! else of SQL matters here.

use std::collections::BTreeSet;

/// A statement cut at its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    parts: Vec<Part>,
}

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that is passed on as it is.
    Text(String),
    /// `:name`.
    Parameter {
        /// The name, without the colon.
        name: String,
        /// It stands alone in parentheses after `in`: a list may be bound.
        list: bool,
    },
}

impl Statement {
    /// Cuts `sql` at its parameters. Any text is accepted: an unclosed quote hides everything after it, and the silo refuses it.
    #[must_use]
    pub fn parse(sql: &str) -> Self {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        let mut parts = Vec::new();
        let mut text_from = 0;
        let mut at = 0;
        while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(hidden) = hidden(rest, sql.get(..at).unwrap_or_default()) {
                at += hidden;
            } else if let Some(name) = parameter(rest) {
                let before = sql.get(text_from..at).unwrap_or_default();
                parts.push(Part::Text(before.to_owned()));
                let after = rest.get(1 + name.len()..).unwrap_or_default();
                let list = opens_list(before) && after.trim_start().starts_with(')');
                parts.push(Part::Parameter { name: name.to_owned(), list });
                at += 1 + name.len();
                text_from = at;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        parts.push(Part::Text(sql.get(text_from..).unwrap_or_default().to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Self { parts }
    }

    /// Returns the pieces in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the names of all parameters.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Parameter { name, .. } => Some(name.as_str()),
                Part::Text(_) => None,
            })
            .collect()
    }
}

/// Returns the length of what starts here and hides colons, if something does. Never 0.
fn hidden(rest: &str, before: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    match first {
        '\'' | '"' | '`' => Some(quoted(rest, first)),
        '[' => Some(rest.find(']').map_or(rest.len(), |end| end + 1)),
        '-' if rest.starts_with("--") => Some(rest.find('\n').map_or(rest.len(), |end| end + 1)),
        '/' if rest.starts_with("/*") => Some(comment(rest)),
        '$' => dollar_quoted(rest, before),
        ':' if rest.starts_with("::") => Some(2),
        _ => None,
    }
}

/// A doubled quote inside is the quote itself; as two quoted texts side by side it hides the same bytes.
fn quoted(rest: &str, quote: char) -> usize {
    rest.get(1..).and_then(|inner| inner.find(quote)).map_or(rest.len(), |end| end + 2)
}

/// Comments nest in PostgreSQL.
fn comment(rest: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// `$tag$ … $tag$`; `$1` and `a$b` are none.
fn dollar_quoted(rest: &str, before: &str) -> Option<usize> {
    if before.chars().next_back().is_some_and(is_word) {
        return None;
    }
    let end = rest.get(1..)?.find('$')? + 2;
    let tag = rest.get(..end)?;
    let inner = tag.get(1..tag.len() - 1)?;
    if !inner.chars().all(is_word) || inner.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(rest.get(end..)?.find(tag).map_or(rest.len(), |close| end + close + end))
}

fn parameter(rest: &str) -> Option<&str> {
    let name = rest.strip_prefix(':')?;
    let len = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
    let name = name.get(..len)?;
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

fn opens_list(before: &str) -> bool {
    let Some(before) = before.trim_end().strip_suffix('(') else { return false };
    let before = before.trim_end();
    let word = before.rfind(|c: char| !is_word(c)).map_or(before, |at| {
        before.get(at..).unwrap_or_default().trim_start_matches(|c: char| !is_word(c))
    });
    word.eq_ignore_ascii_case("in")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(sql: &str) -> Vec<(String, bool)> {
        let parse = Statement::parse(sql);
        let named = parse.parts().iter().filter_map(|part| match part {
            Part::Parameter { name, list } => Some((name.clone(), *list)),
            Part::Text(_) => None,
        });
        named.collect()
    }

    #[test]
    fn finds_a_list_and_a_single_parameter() {
        let sql = "select * from t where a in (:a) and b = :b and c IN ( :c ) and d in (:d, :e)";
        let expected = [("a", true), ("b", false), ("c", true), ("d", false), ("e", false)];
        assert_eq!(names(sql), expected.map(|(name, list)| (name.to_owned(), list)));
    }

    #[test]
    fn colons_that_are_hidden_are_no_parameters() {
        for sql in [
            "select ':a'",
            "select 'it''s :a'",
            "select \":a\" from t",
            "select `:a`, [:a] from t",
            "select x::text from t",
            "select 1 -- :a",
            "select /* :a /* :b */ :c */ 1",
            "select $$ :a $$, $tag$ :b $$ :c $tag$",
            "select '12:30' , a[1:2]",
            "select ':a",
            "/* :a",
        ] {
            assert_eq!(names(sql), [], "{sql}");
        }
    }

    #[test]
    fn what_follows_a_hidden_part_is_read_again() {
        for sql in ["select '' , :a", "-- x\n:a", "/**/:a", "$x$ $x$:a", "b::text, :a", "[x]:a"] {
            assert_eq!(names(sql), [("a".to_owned(), false)], "{sql}");
        }
    }

    #[test]
    fn a_word_that_ends_in_in_opens_no_list() {
        assert_eq!(names("select begin(:a)"), [("a".to_owned(), false)]);
        assert_eq!(names("x not in (:a)"), [("a".to_owned(), true)]);
    }

    #[test]
    fn a_trailing_semicolon_is_dropped() {
        assert_eq!(Statement::parse("select 1 ; ").parts(), [Part::Text("select 1".to_owned())]);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_statement(sql in "[a-z:'\"$ /*()\\-\n\u{e9}]{0,60}") {
            let parsed = Statement::parse(&sql);
            let joined: String = parsed.parts().iter().map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Parameter { name, .. } => format!(":{name}"),
            }).collect();
            prop_assert_eq!(joined, sql.trim().trim_end_matches(';').trim_end());
        }
    }
}
