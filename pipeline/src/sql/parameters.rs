//! Where in a statement are its named parameters?
//!
//! The tokenizer knows what hides a colon: string literals (with backslashes, where an `E` stands before them), quoted names, `::`
//! casts, dollar quotes and comments. Nothing else of SQL matters here.
//!
//! Which dialect it reads it does not know: `[my col]` is a name in SQLite, `array[:email]` and `a[:n]` are arrays in PostgreSQL.
//! Where a bracket stands tells them apart.

use std::collections::BTreeSet;

/// A statement cut at its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    parts: Vec<Part>,
    numbered: bool,
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
        let mut numbered = false;
        // How many brackets of arrays are open here.
        let mut depth = 0_u32;
        // Where the last piece that is neither space nor comment ends.
        let mut said_to = 0;
        while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
            let before = sql.get(..at).unwrap_or_default();
            numbered |= is_numbered(rest, before);
            let comment = rest.starts_with("--") || rest.starts_with("/*");
            if rest.starts_with('[') {
                let said = sql.get(..said_to).unwrap_or_default();
                if depth > 0 || opens_array(said, said_to == at) {
                    depth += 1;
                    at += 1;
                } else {
                    at += rest.find(']').map_or(rest.len(), |end| end + 1);
                }
            } else if let Some(hidden) = hidden(rest, before) {
                at += hidden;
            } else if let Some(name) = parameter(rest).filter(|_| depth == 0 || !ends_value(before))
            {
                let before = sql.get(text_from..at).unwrap_or_default();
                parts.push(Part::Text(before.to_owned()));
                let after = rest.get(1 + name.len()..).unwrap_or_default();
                let list = opens_list(before) && after.trim_start().starts_with(')');
                parts.push(Part::Parameter { name: name.to_owned(), list });
                at += 1 + name.len();
                text_from = at;
            } else {
                depth = depth.saturating_sub(u32::from(rest.starts_with(']')));
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
            if !comment && !rest.starts_with(char::is_whitespace) {
                said_to = at;
            }
        }
        parts.push(Part::Text(sql.get(text_from..).unwrap_or_default().to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Self { parts, numbered }
    }

    /// Returns the pieces in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Says whether it has parameters by number, `$1`, which would be taken for those that stand for names.
    #[must_use]
    pub const fn is_numbered(&self) -> bool {
        self.numbered
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
        '\'' if escapes(before) => Some(escaped(rest)),
        '\'' | '"' | '`' => Some(quoted(rest, first)),
        '-' if rest.starts_with("--") => Some(rest.find('\n').map_or(rest.len(), |end| end + 1)),
        '/' if rest.starts_with("/*") => Some(comment(rest)),
        '$' => dollar_quoted(rest, before),
        ':' if rest.starts_with("::") => Some(2),
        _ => None,
    }
}

/// Says whether a bracket behind `said` is one of an array, not a quote around a name: it follows the word `array`, or it is put
/// directly behind a value. Behind a reserved word no array can stand, but a name can.
fn opens_array(said: &str, directly: bool) -> bool {
    let word = last_word(said);
    if word.eq_ignore_ascii_case("array") {
        return true;
    }
    directly && ends_value(said) && !RESERVED.iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// Says whether a value may end here: a colon directly behind it stands between the limits of a slice, `a[i:j]`.
fn ends_value(before: &str) -> bool {
    before.ends_with(|c: char| is_word(c) || matches!(c, '"' | ')' | ']'))
}

fn last_word(text: &str) -> &str {
    let from = text.trim_end_matches(is_word).len();
    text.get(from..).unwrap_or_default()
}

/// A doubled quote inside is the quote itself; as two quoted texts side by side it hides the same bytes.
fn quoted(rest: &str, quote: char) -> usize {
    rest.get(1..).and_then(|inner| inner.find(quote)).map_or(rest.len(), |end| end + 2)
}

/// A literal behind an `E` that is a word of its own.
fn escapes(before: &str) -> bool {
    let mut last = before.chars().rev();
    last.next().is_some_and(|c| c.eq_ignore_ascii_case(&'e')) && !last.next().is_some_and(is_word)
}

/// A backslash hides the character behind it, a quote too.
fn escaped(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '\'' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_numbered(rest: &str, before: &str) -> bool {
    let digit = rest.strip_prefix('$').and_then(|rest| rest.chars().next());
    digit.is_some_and(|c| c.is_ascii_digit()) && !before.chars().next_back().is_some_and(is_word)
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
    last_word(before.trim_end()).eq_ignore_ascii_case("in")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words that a name in brackets may follow without a space.
const RESERVED: [&str; 24] = [
    "all",
    "and",
    "as",
    "between",
    "by",
    "case",
    "distinct",
    "else",
    "except",
    "exists",
    "from",
    "having",
    "in",
    "intersect",
    "is",
    "join",
    "like",
    "not",
    "on",
    "or",
    "select",
    "then",
    "when",
    "where",
];

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
            "select a[1:n], a[i:j], a[f(1):n], a[b[1]:n], \"a\"[\"i\":n]",
            "select [a:b :c], t.[:d] from [:e] as [f :g] where [it's :h] = 1",
            "select[a :b]from[c :d]",
            "select x [:a], 1 /* array */ [:b] -- array\n, [:c]",
            "select [:a",
            "select E'it\\'s :a'",
            "select e'\\\\\\' :a'",
            "select ':a",
            "/* :a",
        ] {
            assert_eq!(names(sql), [], "{sql}");
        }
    }

    #[test]
    fn what_follows_a_hidden_part_is_read_again() {
        for sql in [
            "select '' , :a",
            "-- x\n:a",
            "/**/:a",
            "$x$ $x$:a",
            "b::text, :a",
            "[x]:a",
            "E'\\\\' :a",
            "some'\\' :a",
        ] {
            assert_eq!(names(sql), [("a".to_owned(), false)], "{sql}");
        }
    }

    #[test]
    fn brackets_of_arrays_hide_nothing() {
        for (sql, expected) in [
            ("select * from t where e = any(array[:email])", &["email"][..]),
            ("e = any(ARRAY [ :a, lower(:b) ])", &["a", "b"]),
            ("array/* of [ */[:a]", &["a"]),
            ("array['a]', :x]", &["x"]),
            ("array['[', :x], [:y]", &["x"]),
            ("array[[:a, 1], [2, :b]], :c", &["a", "b", "c"]),
            ("array[(select :a), case when :b then :c end]", &["a", "b", "c"]),
            ("a[:i], (f(x))[:j], m[1][:k], \"a b\"[:l], :m", &["i", "j", "k", "l", "m"]),
            ("a[1:n], a[:lo:hi], a[:lo : :hi], :x", &["lo", "lo", "hi", "x"]),
            ("'{}'::text[], '{1}'::int[3], :a", &["a"]),
            ("array[:a::text, 'x'::text]", &["a"]),
            ("array_of [:a], :b", &["b"]),
            ("select [a]]b :c], :d", &["c", "d"]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|name| ((*name).to_owned(), false)).collect();
            assert_eq!(names(sql), expected, "{sql}");
        }
        assert!(Statement::parse("select array[$1]").is_numbered());
        assert!(!Statement::parse("select [$1]").is_numbered());
    }

    #[test]
    fn a_word_that_ends_in_in_opens_no_list() {
        assert_eq!(names("select begin(:a)"), [("a".to_owned(), false)]);
        assert_eq!(names("x not in (:a)"), [("a".to_owned(), true)]);
    }

    #[test]
    fn parameters_by_number_are_noticed_where_they_are_some() {
        for (sql, numbered) in [
            ("select $1", true),
            ("x=$12 and y = :a", true),
            ("select '$1', \"$1\", a$1, $$ $1 $$", false),
            ("-- $1\nselect :a", false),
        ] {
            assert_eq!(Statement::parse(sql).is_numbered(), numbered, "{sql}");
        }
    }

    #[test]
    fn a_trailing_semicolon_is_dropped() {
        assert_eq!(Statement::parse("select 1 ; ").parts(), [Part::Text("select 1".to_owned())]);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_statement(sql in "[a-zE:'\"$ /*()\\\\\\-\n\u{e9}]{0,60}") {
            let parsed = Statement::parse(&sql);
            let joined: String = parsed.parts().iter().map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Parameter { name, .. } => format!(":{name}"),
            }).collect();
            prop_assert_eq!(joined, sql.trim().trim_end_matches(';').trim_end());
        }

        #[test]
        fn the_parts_of_brackets_are_the_statement(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "[", "]", "array", ":a", ":", "::", "a", "1", " ", "'", "\"", "(", ")", ",", ".", "$", "$1", "E", "--", "/*", "*/",
                    "\n", "\\", ";", "\u{e9}", "\u{2028}",
                ]),
                0..40,
            ),
        ) {
            let sql = pieces.concat();
            let parsed = Statement::parse(&sql);
            let joined: String = parsed.parts().iter().map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Parameter { name, .. } => format!(":{name}"),
            }).collect();
            prop_assert_eq!(joined, sql.trim().trim_end_matches(';').trim_end());
        }

        #[test]
        fn an_array_of_parameters_shows_them_all(count in 1_usize..6, space in "[ \n]{0,2}") {
            let list: Vec<String> = (0..count).map(|n| format!("{space}:p{n}{space}")).collect();
            let sql = format!("select array{space}[{}] || '{{}}'::text[]", list.join(","));
            prop_assert_eq!(names(&sql).len(), count);
        }
    }
}
