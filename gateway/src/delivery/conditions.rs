//! What do the conditions and the range of a request come to? RFC 9110 §13 and §14.
//!
//! There are no modification times, so conditions on dates never hold for `If-Range` and are ignored otherwise.

use std::ops::Range;

use http::{HeaderMap, HeaderName, Method, header};

use super::range::{Wanted, wanted};
use crate::http::ApiError;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200 and everything.
    Whole,
    /// 206 and a part.
    Part(Range<u64>),
    /// 304 and no body.
    NotModified,
}

/// Decides by the strong entity tag and the length of what would be sent.
///
/// # Errors
/// Precondition failed for `If-Match`; range not satisfiable.
pub(crate) fn decide(
    method: &Method,
    headers: &HeaderMap,
    etag: &str,
    len: u64,
) -> Result<Answer, ApiError> {
    if headers.contains_key(header::IF_MATCH) && !names(headers, &header::IF_MATCH, etag, false) {
        return Err(ApiError::precondition_failed());
    }
    if names(headers, &header::IF_NONE_MATCH, etag, true) {
        return Ok(Answer::NotModified);
    }
    // Ranges are defined for GET only.
    if method != Method::GET || !range_still_fits(headers, etag) {
        return Ok(Answer::Whole);
    }
    match wanted(headers, len) {
        Wanted::Whole => Ok(Answer::Whole),
        Wanted::Part(range) => Ok(Answer::Part(range)),
        Wanted::Nothing => Err(ApiError::range_not_satisfiable(len)),
    }
}

/// Says whether a list of entity tags holds `etag`, or is `*`. Weak tags count where `weak` says so.
fn names(headers: &HeaderMap, list: &HeaderName, etag: &str, weak: bool) -> bool {
    let values = headers.get_all(list).iter().filter_map(|value| value.to_str().ok());
    // Our own tags hold no comma, so a foreign tag that does is split into parts that match nothing.
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag == etag || (weak && tag.strip_prefix("W/") == Some(etag)))
}

/// `If-Range` holds only for the exact strong tag; without the header a range is always fine.
fn range_still_fits(headers: &HeaderMap, etag: &str) -> bool {
    let mut values = headers.get_all(header::IF_RANGE).iter();
    match (values.next(), values.next()) {
        (None, _) => true,
        (Some(value), None) => value.as_bytes() == etag.as_bytes(),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    const ETAG: &str = "\"abc\"";

    fn answer(pairs: &[(HeaderName, &str)]) -> Result<Answer, StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().unwrap());
        }
        decide(&Method::GET, &headers, ETAG, 10).map_err(|error| error.status())
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        for tags in [ETAG, "*", "\"x\", \"abc\"", "W/\"abc\""] {
            assert_eq!(answer(&[(header::IF_NONE_MATCH, tags)]), Ok(Answer::NotModified), "{tags}");
        }
        assert_eq!(answer(&[(header::IF_NONE_MATCH, "\"abc-gzip\"")]), Ok(Answer::Whole));
        let both = [(header::IF_NONE_MATCH, ETAG), (header::RANGE, "bytes=99-")];
        assert_eq!(answer(&both), Ok(Answer::NotModified));
    }

    #[test]
    fn if_match_wants_the_strong_tag() {
        assert_eq!(answer(&[(header::IF_MATCH, ETAG)]), Ok(Answer::Whole));
        let weak = answer(&[(header::IF_MATCH, "W/\"abc\"")]);
        assert_eq!(weak, Err(StatusCode::PRECONDITION_FAILED));
    }

    #[test]
    fn a_range_of_another_version_gets_everything() {
        let range = (header::RANGE, "bytes=2-3");
        assert_eq!(answer(std::slice::from_ref(&range)), Ok(Answer::Part(2..4)));
        let fits = [range.clone(), (header::IF_RANGE, ETAG)];
        assert_eq!(answer(&fits), Ok(Answer::Part(2..4)));
        for other in ["\"other\"", "W/\"abc\"", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            let changed = [range.clone(), (header::IF_RANGE, other)];
            assert_eq!(answer(&changed), Ok(Answer::Whole), "{other}");
        }
    }

    #[test]
    fn a_range_outside_is_416_unless_it_does_not_count() {
        let range = (header::RANGE, "bytes=10-");
        assert_eq!(answer(std::slice::from_ref(&range)), Err(StatusCode::RANGE_NOT_SATISFIABLE));
        let changed = [range, (header::IF_RANGE, "\"other\"")];
        assert_eq!(answer(&changed), Ok(Answer::Whole));
    }

    #[test]
    fn head_has_no_ranges() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=99-".parse().unwrap());
        assert_eq!(decide(&Method::HEAD, &headers, ETAG, 10).unwrap(), Answer::Whole);
    }
}
