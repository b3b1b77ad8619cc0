//! Which strings are in a JSON text, and what does it become when some are replaced?

use std::borrow::Cow;

/// Calls `look` with each string of a JSON text, names of members too, without its escapes, and the name of the member that was
/// named last. What `look` answers takes the string's place; nothing else of the text changes. `None`: nothing was replaced.
pub(super) fn rewrite(
    json: &str,
    mut look: impl FnMut(&str, &str) -> Option<String>,
) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut name: Cow<'_, str> = Cow::Borrowed("");
    let mut at = 0;
    while let Some(raw) = next_string(json, at) {
        at = raw.behind;
        let text = raw.text(json);
        let is_name = json.get(at..).is_some_and(|rest| rest.trim_start().starts_with(':'));
        if let Some(other) = look(if is_name { "" } else { &name }, &text) {
            out.push_str(json.get(copied..raw.start).unwrap_or_default());
            // A string is always written.
            out.push_str(&serde_json::Value::String(other).to_string());
            copied = at;
        }
        if is_name {
            name = text;
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    Some(out)
}

/// A string with its quotes.
struct Raw {
    start: usize,
    behind: usize,
    escaped: bool,
}

impl Raw {
    /// The string without quotes and escapes. One that no Rust string can hold (half a surrogate pair) keeps its escapes.
    fn text<'j>(&self, json: &'j str) -> Cow<'j, str> {
        let inner = json.get(self.start + 1..self.behind.saturating_sub(1)).unwrap_or_default();
        if self.escaped
            && let Ok(text) =
                serde_json::from_str(json.get(self.start..self.behind).unwrap_or_default())
        {
            return Cow::Owned(text);
        }
        Cow::Borrowed(inner)
    }
}

/// Finds the next string at or behind a place that is in none.
fn next_string(json: &str, from: usize) -> Option<Raw> {
    let bytes = json.as_bytes();
    let start = from + memchr::memchr(b'"', bytes.get(from..)?)?;
    let mut at = start + 1;
    let mut escaped = false;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(found) == Some(&b'"') {
            return Some(Raw { start, behind: found + 1, escaped });
        }
        (at, escaped) = (found + 2, true);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn seen(json: &str) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        assert_eq!(
            rewrite(json, |name, text| {
                seen.push((name.to_owned(), text.to_owned()));
                None
            }),
            None
        );
        seen
    }

    #[test]
    fn every_string_is_seen_without_its_escapes() {
        let json = r#"{"a":"x\"y","b\u0041":["\u0065yJ","",7,{"c" : "\\"}],"d":null}"#;
        let expected = [
            ("", "a"),
            ("a", "x\"y"),
            ("", "bA"),
            ("bA", "eyJ"),
            ("bA", ""),
            ("", "c"),
            ("c", "\\"),
            ("", "d"),
        ];
        assert_eq!(seen(json), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(seen(r#""\ud800""#), [(String::new(), "\\ud800".to_owned())]);
        assert_eq!(seen("7"), []);
    }

    #[test]
    fn only_the_string_is_replaced() {
        let json = r#"{"n":1.000000000000000000001,"n":2,"s":["keep\n","drop"]}"#;
        let out = rewrite(json, |_, text| (text == "drop").then(|| "\"gone\"".to_owned()));
        assert_eq!(
            out.unwrap(),
            r#"{"n":1.000000000000000000001,"n":2,"s":["keep\n","\"gone\""]}"#
        );
    }

    #[test]
    fn what_is_no_json_does_not_harm() {
        for text in ["\"", "\"\\", "\"a\\\"", "{\"a", ""] {
            assert_eq!(rewrite(text, |_, _| Some(String::new())), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_rewritten_stays_json(texts in prop::collection::vec(".{0,6}", 0..6)) {
            let json = json!({ "a": texts, "b": { "c": texts } });
            let out = rewrite(&json.to_string(), |_, text| (text.len() > 3).then(|| "x\"".to_owned()));
            let changed: Vec<&str> =
                texts.iter().map(|text| if text.len() > 3 { "x\"" } else { text }).collect();
            let expected = json!({ "a": changed, "b": { "c": changed } });
            let out: Value = out.map_or(json, |out| serde_json::from_str(&out).unwrap());
            prop_assert_eq!(out, expected);
        }
    }
}
