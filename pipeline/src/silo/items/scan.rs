//! Where do the parts of a JSON text begin and end?
//!
//! Parts are slices of the text ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)); nesting costs a byte a level and no stack.

use std::borrow::Cow;

/// A text that is not one well-formed JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::silo) struct NotJson {
    /// The byte of the text at which it stops being one.
    pub(in crate::silo) at: usize,
}

/// Returns the one value a text is, without whitespace around it.
///
/// # Errors
/// [`NotJson`] if it is none, or more than one.
pub(in crate::silo) fn whole(text: &str) -> Result<&str, NotJson> {
    let bytes = text.as_bytes();
    let start = skip(bytes, 0);
    let end = value(bytes, start)?;
    let rest = skip(bytes, end);
    if rest != bytes.len() {
        return Err(NotJson { at: rest });
    }
    text.get(start..end).ok_or(NotJson { at: start })
}

/// Returns what a JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) points to in a value that [`whole`] returned;
/// `None` if there is nothing. Of members of one name the first counts.
pub(in crate::silo) fn at_pointer<'a>(document: &'a str, pointer: &str) -> Option<&'a str> {
    if pointer.is_empty() {
        return Some(document);
    }
    let mut here = document;
    for step in pointer.strip_prefix('/')?.split('/') {
        let step = step.replace("~1", "/").replace("~0", "~");
        here = match here.as_bytes().first()? {
            b'{' => Members::of(here)?
                .map_while(Result::ok)
                .find(|(name, _)| text_of(name).is_some_and(|name| name == step))
                .map(|(_, value)| value)?,
            b'[' => {
                let index: usize = step.parse().ok()?;
                // As the RFC has it: no sign, no zero in front.
                (index.to_string() == step).then_some(())?;
                Elements::of(here)?.map_while(Result::ok).nth(index)?
            }
            _ => return None,
        };
    }
    Some(here)
}

/// Returns the text a string token stands for; `None` if it is no string, or holds half of a surrogate pair.
pub(in crate::silo) fn text_of(token: &str) -> Option<Cow<'_, str>> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(token).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// The elements of an array, one after the other; each is checked when it is reached.
#[derive(Debug, Clone)]
pub(in crate::silo) struct Elements<'a>(Parts<'a>);

impl<'a> Elements<'a> {
    /// Begins with an array's text; `None` if it is none.
    pub(in crate::silo) fn of(array: &'a str) -> Option<Self> {
        Some(Self(Parts::of(array, b'[', b']')?))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a str, NotJson>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next(Parts::value)
    }
}

/// The members of an object, one after the other: the name's token, quotes included, and the value.
#[derive(Debug, Clone)]
pub(in crate::silo) struct Members<'a>(Parts<'a>);

impl<'a> Members<'a> {
    /// Begins with an object's text; `None` if it is none.
    pub(in crate::silo) fn of(object: &'a str) -> Option<Self> {
        Some(Self(Parts::of(object, b'{', b'}')?))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<(&'a str, &'a str), NotJson>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next(|parts| {
            let bytes = parts.text.as_bytes();
            let start = parts.at;
            if bytes.get(start) != Some(&b'"') {
                return Err(NotJson { at: start });
            }
            let end = quoted(bytes, start)?;
            let name = parts.text.get(start..end).ok_or(NotJson { at: start })?;
            let colon = skip(bytes, end);
            if bytes.get(colon) != Some(&b':') {
                return Err(NotJson { at: colon });
            }
            parts.at = skip(bytes, colon + 1);
            Ok((name, parts.value()?))
        })
    }
}

/// What stands between brackets, with commas between.
#[derive(Debug, Clone)]
struct Parts<'a> {
    text: &'a str,
    at: usize,
    close: u8,
    first: bool,
    ended: bool,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str, open: u8, close: u8) -> Option<Self> {
        let at = skip(text.as_bytes(), 0);
        (text.as_bytes().get(at) == Some(&open)).then_some(Self {
            text,
            at: at + 1,
            close,
            first: true,
            ended: false,
        })
    }

    fn next<T>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, NotJson>,
    ) -> Option<Result<T, NotJson>> {
        if self.ended {
            return None;
        }
        match self.advance() {
            Ok(true) => {
                let found = part(self);
                self.ended = found.is_err();
                Some(found)
            }
            Ok(false) => None,
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }

    /// Goes to the next part; `false`: there is none, and nothing stands behind the bracket.
    fn advance(&mut self) -> Result<bool, NotJson> {
        let bytes = self.text.as_bytes();
        self.at = skip(bytes, self.at);
        let byte = bytes.get(self.at).copied();
        if byte == Some(self.close) {
            self.ended = true;
            let rest = skip(bytes, self.at + 1);
            return if rest == bytes.len() { Ok(false) } else { Err(NotJson { at: rest }) };
        }
        if !self.first {
            if byte != Some(b',') {
                return Err(NotJson { at: self.at });
            }
            self.at = skip(bytes, self.at + 1);
        }
        self.first = false;
        Ok(true)
    }

    fn value(&mut self) -> Result<&'a str, NotJson> {
        let start = self.at;
        self.at = value(self.text.as_bytes(), start)?;
        self.text.get(start..self.at).ok_or(NotJson { at: start })
    }
}

/// What may come next inside a value.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

/// Returns where the value that begins at `at` ends.
fn value(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    match bytes.get(at) {
        Some(b'{' | b'[') => nested(bytes, at),
        _ => scalar(bytes, at),
    }
}

fn nested(bytes: &[u8], start: usize) -> Result<usize, NotJson> {
    // The open brackets, by what closes them.
    let mut open = Vec::new();
    let mut next = Next::Value;
    let mut at = start;
    loop {
        at = skip(bytes, at);
        let byte = *bytes.get(at).ok_or(NotJson { at })?;
        match (next, byte) {
            (Next::Value | Next::ValueOrEnd, b'{') => {
                open.push(b'}');
                next = Next::KeyOrEnd;
                at += 1;
            }
            (Next::Value | Next::ValueOrEnd, b'[') => {
                open.push(b']');
                next = Next::ValueOrEnd;
                at += 1;
            }
            (Next::ValueOrEnd | Next::CommaOrEnd, b']')
            | (Next::KeyOrEnd | Next::CommaOrEnd, b'}') => {
                if open.pop() != Some(byte) {
                    return Err(NotJson { at });
                }
                at += 1;
                if open.is_empty() {
                    return Ok(at);
                }
                next = Next::CommaOrEnd;
            }
            (Next::Value | Next::ValueOrEnd, _) => {
                at = scalar(bytes, at)?;
                next = Next::CommaOrEnd;
            }
            (Next::Key | Next::KeyOrEnd, b'"') => {
                at = skip(bytes, quoted(bytes, at)?);
                if bytes.get(at) != Some(&b':') {
                    return Err(NotJson { at });
                }
                at += 1;
                next = Next::Value;
            }
            (Next::CommaOrEnd, b',') => {
                next = if open.last() == Some(&b'}') { Next::Key } else { Next::Value };
                at += 1;
            }
            _ => return Err(NotJson { at }),
        }
    }
}

fn scalar(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    match bytes.get(at) {
        Some(b'"') => quoted(bytes, at),
        Some(b'-' | b'0'..=b'9') => number(bytes, at),
        _ => [&b"true"[..], b"false", b"null"]
            .into_iter()
            .find(|word| bytes.get(at..).is_some_and(|rest| rest.starts_with(word)))
            .map(|word| at + word.len())
            .ok_or(NotJson { at }),
    }
}

/// Returns where the string that begins at `at` ends, its quote included.
fn quoted(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    let mut at = at + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        at += rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))
            .unwrap_or(rest.len());
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'"'), _) => return Ok(at + 1),
            (Some(b'\\'), Some(b'u')) => {
                let digits = bytes.get(at + 2..at + 6).ok_or(NotJson { at })?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(NotJson { at });
                }
                at += 6;
            }
            (Some(b'\\'), Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => at += 2,
            _ => return Err(NotJson { at }),
        }
    }
}

/// Returns where the number that begins at `at` ends.
pub(super) fn number(bytes: &[u8], start: usize) -> Result<usize, NotJson> {
    let digits = |at: usize| {
        bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    let count = digits(at);
    if count == 0 || (count > 1 && bytes.get(at) == Some(&b'0')) {
        return Err(NotJson { at });
    }
    at += count;
    if bytes.get(at) == Some(&b'.') {
        let count = digits(at + 1);
        if count == 0 {
            return Err(NotJson { at });
        }
        at += 1 + count;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let count = digits(at + 1 + sign);
        if count == 0 {
            return Err(NotJson { at });
        }
        at += 1 + sign + count;
    }
    Ok(at)
}

fn skip(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pointers_reach_what_they_name() {
        let document =
            whole(" {\"a\":{\"b\":[1,{\"c~/\":\"x\"},[]]},\"\":7,\"\\u0061a\":true,\"a\":0} ")
                .unwrap();
        for (pointer, expected) in [
            ("", Some(document)),
            ("/a/b/0", Some("1")),
            ("/a/b/1/c~0~1", Some("\"x\"")),
            ("/a/b/2", Some("[]")),
            ("/a/b/3", None),
            ("/a/b/01", None),
            ("/a/b/-", None),
            ("/", Some("7")),
            ("/aa", Some("true")),
            ("/aa/b", None),
            ("/b", None),
            ("a", None),
        ] {
            assert_eq!(at_pointer(document, pointer), expected, "{pointer}");
        }
    }

    #[test]
    fn what_is_broken_is_said_at_its_byte() {
        for (text, at) in [
            ("", 0),
            ("[1,]", 3),
            ("{\"a\":1,}", 7),
            ("[1} ", 2),
            ("1 2", 2),
            ("{\"a\" 1}", 5),
            ("\"\\u12", 1),
        ] {
            assert_eq!(whole(text), Err(NotJson { at }), "{text}");
        }
        let broken: Vec<_> = Elements::of("[1,[2],{\"a\":}]").unwrap().collect();
        assert_eq!(broken, [Ok("1"), Ok("[2]"), Err(NotJson { at: 12 })]);
        let behind: Vec<_> = Members::of("{\"a\":1}x").unwrap().collect();
        assert_eq!(behind, [Ok(("\"a\"", "1")), Err(NotJson { at: 7 })]);
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{}1{}", "[{\"a\": ".repeat(300_000), "}]".repeat(300_000));
        assert_eq!(whole(&deep).unwrap().len(), deep.len());
        assert!(whole(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        assert_eq!(text_of("\"\\ud83d\\ude00 \\n\"").as_deref(), Some("\u{1f600} \n"));
        assert_eq!(text_of("\"\\ud83d\""), None);
        assert_eq!(text_of("12"), None);
    }

    proptest! {
        #[test]
        fn what_serde_json_takes_is_taken_and_nothing_else(text in "[\\[\\]{},:\"\\\\0-9eE+\\-. \ntrufalsn]{0,12}") {
            // serde_json refuses numbers beyond a double, which are well-formed.
            let taken = match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
                Ok(_) => true,
                Err(error) if error.to_string().contains("out of range") => return Ok(()),
                Err(_) => false,
            };
            prop_assert_eq!(whole(&text).is_ok(), taken);
        }

        #[test]
        fn parts_are_those_serde_json_sees(values in prop::collection::vec((".{0,3}", any::<Option<i32>>()), 0..6)) {
            let array: Vec<_> = values.iter().map(|(name, number)| serde_json::json!([name, number])).collect();
            let text = serde_json::to_string_pretty(&array).unwrap();
            let parts: Vec<serde_json::Value> = Elements::of(&text).unwrap()
                .map(|part| serde_json::from_str(part.unwrap()).unwrap()).collect();
            prop_assert_eq!(parts, array);
        }
    }
}
