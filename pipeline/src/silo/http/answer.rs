//! What did the service answer? A body of JSON, and the items in it.

use std::ops::Range;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use url::Url;

use super::fault::strange;
use crate::SiloError;
use crate::silo::items::{Elements, at_pointer, whole};

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Where it came from, redirects followed.
    pub(super) url: Url,
}

/// A page: a body that was found to be well-formed, and where its items are.
pub(super) struct Page {
    text: String,
    items: Items,
}

enum Items {
    None,
    /// The elements of an array.
    Elements(Range<usize>),
    /// One value that is no array.
    One(Range<usize>),
    /// A value a line.
    Lines,
}

impl Page {
    /// Reads a body. An answer without content has no items.
    ///
    /// # Errors
    /// What it should have been, without what it was.
    pub(super) fn read(answer: &mut Answer, pointer: &str) -> Result<Self, SiloError> {
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Self { text: String::new(), items: Items::None });
        }
        let encoding = answer.headers.get(CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            return Err(strange("an answer is compressed, which was not asked for"));
        }
        let mut text = String::from_utf8(std::mem::take(&mut answer.body))
            .map_err(|_| strange("an answer is not UTF-8"))?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let items = if is_lines(&answer.headers) {
            for (index, line) in lines(&text).enumerate() {
                if whole(line).is_err() {
                    let what = format!("line {} of an answer is no well-formed JSON", index + 1);
                    return Err(strange(&what));
                }
            }
            Items::Lines
        } else {
            let document = whole(&text).map_err(|error| {
                strange(&format!("an answer is no well-formed JSON, at byte {}", error.at))
            })?;
            let Some(found) = at_pointer(document, pointer) else {
                let what = format!("an answer has nothing at {pointer}, where its items should be");
                return Err(strange(&what));
            };
            let start = found.as_ptr().addr().saturating_sub(text.as_ptr().addr());
            let range = start..start + found.len();
            match found.as_bytes().first() {
                Some(b'[') => Items::Elements(range),
                Some(b'n') => Items::None,
                _ => Items::One(range),
            }
        };
        Ok(Self { text, items })
    }

    /// Iterates over the items.
    pub(super) fn items(&self) -> Box<dyn Iterator<Item = &str> + Send + '_> {
        let part = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        match &self.items {
            Items::None => Box::new(std::iter::empty()),
            Items::One(range) => Box::new(std::iter::once(part(range))),
            // Well-formed, so that none is left out.
            Items::Elements(range) => {
                Box::new(Elements::of(part(range)).into_iter().flatten().map_while(Result::ok))
            }
            Items::Lines => Box::new(lines(&self.text)),
        }
    }

    /// The text that holds the items.
    pub(super) fn items_text(&self) -> &str {
        match &self.items {
            Items::None => "",
            Items::One(range) | Items::Elements(range) => {
                self.text.get(range.clone()).unwrap_or_default()
            }
            Items::Lines => &self.text,
        }
    }

    /// What a pointer points to beside the items; `None` also where the items are lines.
    pub(super) fn at(&self, pointer: &str) -> Option<&str> {
        match self.items {
            Items::Lines => None,
            _ => at_pointer(self.text.trim_matches([' ', '\t', '\r', '\n']), pointer),
        }
    }

    /// Whether the items are lines, beside which there is nothing.
    pub(super) const fn is_lines(&self) -> bool {
        matches!(self.items, Items::Lines)
    }

    /// About how many bytes it takes.
    pub(super) const fn len(&self) -> usize {
        self.text.len()
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .map(|line| line.trim_matches([' ', '\t', '\r']))
        .filter(|line| !line.is_empty())
}

fn is_lines(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    LINES.contains(&media.as_str())
}

const LINES: [&str; 6] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, media: &str, body: &[u8], pointer: &str) -> Result<Page, SiloError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media.parse().unwrap());
        let mut answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.to_vec(),
            url: Url::parse("http://x.example/").unwrap(),
        };
        Page::read(&mut answer, pointer)
    }

    fn items(media: &str, body: &str, pointer: &str) -> Vec<String> {
        page(200, media, body.as_bytes(), pointer).unwrap().items().map(str::to_owned).collect()
    }

    #[test]
    fn items_are_where_the_pointer_points() {
        let json = "application/json; charset=utf-8";
        assert_eq!(items(json, "\u{feff} [1, {\"a\":2}] ", ""), ["1", "{\"a\":2}"]);
        assert_eq!(items(json, " {\"d\":{\"i\":[1,2]},\"next\":\"x\"}", "/d/i"), ["1", "2"]);
        assert_eq!(items(json, "{\"a\":1}", ""), ["{\"a\":1}"]);
        assert!(items(json, "{\"i\":null}", "/i").is_empty());
        assert!(items(json, "[]", "").is_empty());
        assert_eq!(items("application/x-ndjson", "{\"a\":1}\r\n\n[2]\n", ""), ["{\"a\":1}", "[2]"]);
        assert!(page(204, "text/plain", b"", "/x").unwrap().items().next().is_none());
    }

    #[test]
    fn what_is_broken_is_said_without_quoting_it() {
        for (media, body, pointer, said) in [
            ("application/json", &b"{\"canary\":}"[..], "", "at byte 10"),
            ("application/json", b"", "", "at byte 0"),
            ("application/json", b"{\"canary\":1}", "/items", "nothing at /items"),
            ("application/json", b"\"\xff\"", "", "not UTF-8"),
            ("application/x-ndjson", b"{}\n{\"canary\":\n", "", "line 2"),
        ] {
            let error = page(200, media, body, pointer).err().unwrap().to_string();
            assert!(error.contains(said) && !error.contains("canary"), "{error}");
        }
    }
}
