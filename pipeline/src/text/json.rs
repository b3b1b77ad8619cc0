//! JSON text as a silo holds it: is it one value, and what is it without whitespace?
//!
//! Nothing is parsed into a tree: the digits of a number, duplicate keys and escapes stay as they are, and nesting costs a byte a
//! level and no stack.

/// Returns the text of one JSON value ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)) without whitespace outside its strings,
/// and so without line feeds; `None` if it is not exactly one well-formed value.
///
/// Digits of numbers, the order of members, duplicate keys and escapes are kept, also an escape that is half a surrogate pair.
pub(crate) fn minify_json(text: &str) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    scan(text, |token| kept.push_str(token))?;
    Some(kept)
}

/// Says whether a text is what [`minify_json`] returns.
pub(crate) fn is_minified(text: &str) -> bool {
    let mut kept = 0;
    scan(text, |token| kept += token.len()).is_some() && kept == text.len()
}

/// Appends a text as a JSON string: quotes, backslashes and control characters are escaped, everything else is as it is.
pub(crate) fn string(value: &str, out: &mut Vec<u8>) {
    if super::free_of(value.as_bytes(), |byte| (byte == b'"') | (byte == b'\\') | (byte < b' ')) {
        out.reserve(value.len() + 2);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
        return;
    }
    serde_json::to_writer(out, value).expect("a text serialises, and a vector takes every byte");
}

/// Appends a part of a text as it stands in a JSON string, without the quotes around it.
pub(crate) fn in_string(part: &str, out: &mut Vec<u8>) {
    let start = out.len();
    string(part, out);
    out.pop();
    out.copy_within(start + 1.., start);
    out.pop();
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// Hands the tokens of one value to `keep`, in order; `None` at the first thing that is not well-formed.
fn scan<'a>(text: &'a str, mut keep: impl FnMut(&'a str)) -> Option<()> {
    let bytes = text.as_bytes();
    // The open arrays (`]`) and objects (`}`), by what ends them.
    let mut open = Vec::new();
    let mut next = Next::Value;
    let mut at = 0;
    loop {
        at += bytes.get(at..)?.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        let Some(byte) = bytes.get(at) else { break };
        let rest = bytes.get(at..)?;
        let after_value =
            |open: &[u8]| if open.is_empty() { Next::Nothing } else { Next::CommaOrEnd };
        let len = match (next, byte) {
            (Next::Value | Next::ValueOrEnd, b'{') => {
                open.push(b'}');
                next = Next::KeyOrEnd;
                1
            }
            (Next::Value | Next::ValueOrEnd, b'[') => {
                open.push(b']');
                next = Next::ValueOrEnd;
                1
            }
            (Next::ValueOrEnd, b']') | (Next::KeyOrEnd, b'}') | (Next::CommaOrEnd, b']' | b'}') => {
                if open.pop() != Some(*byte) {
                    return None;
                }
                next = after_value(&open);
                1
            }
            (Next::Value | Next::ValueOrEnd, _) => {
                next = after_value(&open);
                scalar(rest)?
            }
            (Next::Key | Next::KeyOrEnd, b'"') => {
                next = Next::Colon;
                quoted(rest)?
            }
            (Next::Colon, b':') => {
                next = Next::Value;
                1
            }
            (Next::CommaOrEnd, b',') => {
                next = if open.last() == Some(&b'}') { Next::Key } else { Next::Value };
                1
            }
            _ => return None,
        };
        keep(text.get(at..at + len)?);
        at += len;
    }
    (next == Next::Nothing).then_some(())
}

/// The length of the string, number or word that `bytes` begin with.
fn scalar(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => quoted(bytes),
        b'-' | b'0'..=b'9' => number(bytes),
        _ => [&b"true"[..], b"false", b"null"]
            .into_iter()
            .find(|word| bytes.starts_with(word))
            .map(<[u8]>::len),
    }
}

/// The length of the string that `bytes` begin with, both quotes included.
fn quoted(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += bytes
            .get(at..)?
            .iter()
            .take_while(|byte| !matches!(byte, b'"' | b'\\' | ..b' '))
            .count();
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match bytes.get(at + 1)? {
                b'u' => {
                    let digits = bytes.get(at + 2..at + 6)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    at += 6;
                }
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                _ => return None,
            },
            _ => return None,
        }
    }
}

/// The length of the number that `bytes` begin with.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = |at: usize| {
        bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent == 0 {
            return None;
        }
        at += 1 + sign + exponent;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whitespace_goes_and_everything_else_stays() {
        for (text, minified) in [
            (
                " { \"a b\" : [ 1 , 2.50e+03 ] ,\n\"a b\":{ } , \"\\u00e9\\n \" :\t\"\\ud800\" }\r\n",
                "{\"a b\":[1,2.50e+03],\"a b\":{},\"\\u00e9\\n \":\"\\ud800\"}",
            ),
            ("9007199254740993", "9007199254740993"),
            ("-1e400", "-1e400"),
            ("-0.0", "-0.0"),
            ("0E+0", "0E+0"),
            ("[ ]", "[]"),
            ("[[],{}]", "[[],{}]"),
            (" null ", "null"),
            ("\"\"", "\"\""),
            ("\"\u{1f600} \\\" \\\\\"", "\"\u{1f600} \\\" \\\\\""),
        ] {
            assert_eq!(minify_json(text).as_deref(), Some(minified), "{text}");
            assert!(is_minified(minified), "{minified}");
            assert_eq!(is_minified(text), text == minified, "{text}");
        }
    }

    #[test]
    fn what_is_not_exactly_one_value_is_refused() {
        let refused = [
            "",
            " ",
            "1 2",
            "[1,]",
            "[,1]",
            "[1",
            "1]",
            "[1}",
            "{\"a\":1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "{,}",
            "[1 2]",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e+",
            "0x1",
            "NaN",
            "Infinity",
            "tru",
            "truefalse",
            "nul",
            "TRUE",
            "'a'",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "\"\u{0}\"",
            "[1],",
            "{}{}",
            "\u{feff}1",
            "1\u{a0}",
            "//\n1",
            ":",
            ",",
            "]",
        ];
        for text in refused {
            assert_eq!(minify_json(text), None, "{text:?}");
            assert!(!is_minified(text), "{text:?}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{}1{}", "[{\"a\": ".repeat(500_000), "}]".repeat(500_000));
        let minified = minify_json(&deep).unwrap();
        assert_eq!(minified.len(), deep.len() - 500_000);
        assert!(is_minified(&minified));
        assert_eq!(minify_json(&"[".repeat(1_000_000)), None);
    }

    /// Any JSON, as pieces of text with whitespace strewn in.
    fn document() -> impl Strategy<Value = String> {
        let space = "[ \t\r\n]{0,2}";
        let scalar = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?",
            any::<String>().prop_map(|value| serde_json::to_string(&value).unwrap()),
        ];
        scalar.prop_recursive(4, 40, 5, move |inner| {
            let item = (space, inner, space).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
            let key = any::<String>().prop_map(|value| serde_json::to_string(&value).unwrap());
            let member = (space, key, space, item.clone())
                .prop_map(|(a, key, b, item)| format!("{a}{key}{b}:{item}"));
            prop_oneof![
                prop::collection::vec(item, 1..5)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec(member, 1..5)
                    .prop_map(|items| format!("{{{}}}", items.join(","))),
            ]
        })
    }

    #[test]
    fn every_character_is_escaped_as_the_library_does_wherever_it_stands() {
        for character in
            (0..=0x2_ff_u32).filter_map(char::from_u32).chain(['\u{2028}', '\u{1f600}'])
        {
            for before in [0, 1, 15, 16, 17, 31, 40] {
                let value = format!("{}{character}{}", "x".repeat(before), "y".repeat(40 - before));
                let mut out = Vec::new();
                string(&value, &mut out);
                assert_eq!(out, serde_json::to_vec(&value).unwrap(), "{character:?} at {before}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_document_means_the_same_when_minified(text in document()) {
            let minified = minify_json(&text).expect("it is one value");
            prop_assert!(is_minified(&minified));
            prop_assert!(!minified.contains('\n'));
            let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&minified).unwrap(), whole);
        }

        #[test]
        fn what_serde_json_takes_is_taken_and_nothing_else(text in "[\\[\\]{},:\"\\\\0-9eE+\\-. \ntrufalsn]{0,12}") {
            // serde_json refuses numbers beyond a double, which are well-formed.
            let taken = match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
                Ok(_) => true,
                Err(error) if error.to_string().contains("out of range") => return Ok(()),
                Err(_) => false,
            };
            prop_assert_eq!(minify_json(&text).is_some(), taken);
        }
    }
}
