//! Which page comes next, by the `Link` header?

use http::HeaderMap;
use http::header::LINK;
use url::Url;

use super::fault::strange;
use crate::SiloError;

/// Returns the target of the first link of relation `next` ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)), made whole by the
/// address it came from.
///
/// # Errors
/// A link that leads away from the service, or to nothing.
pub(super) fn next(headers: &HeaderMap, from: &Url) -> Result<Option<Url>, SiloError> {
    for header in headers.get_all(LINK) {
        let text = header.to_str().map_err(|_| strange("the link to the next page is no text"))?;
        if let Some(target) = target(text) {
            let next = from
                .join(target)
                .map_err(|_| strange("the link to the next page is no address"))?;
            if next.origin() != from.origin() {
                return Err(strange("the link to the next page leads to another host"));
            }
            return Ok(Some(next));
        }
    }
    Ok(None)
}

/// The target of the first link of relation `next` in a header.
fn target(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let (parameters, following) = until_comma(after);
        if parameters.split_rel().any(|rel| rel.eq_ignore_ascii_case("next")) {
            return Some(target.trim());
        }
        rest = following;
    }
}

/// The parameters of a link.
struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    /// The words of the first `rel`; others do not count.
    fn split_rel(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut found = "";
        for parameter in pieces(self.0, b';') {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            if name.trim().eq_ignore_ascii_case("rel") {
                found = value.trim().trim_matches('"');
                break;
            }
        }
        found.split_ascii_whitespace()
    }
}

fn until_comma(text: &str) -> (Parameters<'_>, &str) {
    let first = pieces(text, b',').next().unwrap_or_default();
    (Parameters(first), text.get(first.len() + 1..).unwrap_or_default())
}

/// Splits at a separator that stands in no quotes.
fn pieces(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = whole.bytes().position(|byte| {
            let ends = !quoted && byte == separator;
            if byte == b'"' && !escaped {
                quoted = !quoted;
            }
            escaped = quoted && byte == b'\\' && !escaped;
            ends
        });
        rest = end.and_then(|end| whole.get(end + 1..));
        Some(end.and_then(|end| whole.get(..end)).unwrap_or(whole))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn follow(header: &str) -> Result<Option<String>, SiloError> {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, header.parse().unwrap());
        let from = Url::parse("https://api.example/v1/a/b?page=1").unwrap();
        Ok(next(&headers, &from)?.map(String::from))
    }

    #[test]
    fn the_link_of_relation_next_is_followed() {
        for (header, expected) in [
            ("<https://api.example/x?page=2>; rel=\"next\"", Some("https://api.example/x?page=2")),
            ("<?page=2>; rel=next", Some("https://api.example/v1/a/b?page=2")),
            (
                "</p,1>; title=\"a, <b>; rel=next\"; rel=\"prev\", <c>; REL=\"x NEXT\"",
                Some("https://api.example/v1/a/c"),
            ),
            ("<a>; rel=prev", None),
            ("<a>; title=\"rel=next\"", None),
            ("<a>", None),
            ("next", None),
            ("<a>; rel=last; rel=next", None),
        ] {
            assert_eq!(follow(header).unwrap().as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn a_link_that_leaves_the_service_is_refused() {
        for header in [
            "<https://evil.example/>; rel=next",
            "<//evil.example/>; rel=next",
            "<http://api.example/>; rel=next",
            "<https://api.example:444/>; rel=next",
            "<file:///etc/passwd>; rel=next",
            "<https://[>; rel=next",
        ] {
            assert!(follow(header).is_err(), "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_answered(header in "[<>;,=\"\\\\ a-z]{0,40}") {
            drop(follow(&header));
        }
    }
}
