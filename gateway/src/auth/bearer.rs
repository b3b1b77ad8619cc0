//! What does a `Bearer` header hold?

use http::{HeaderMap, HeaderName};

/// Why a header holds no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BearerFault {
    /// There is no such header.
    Missing,
    /// There are several: guessing which one counts would be a decision about access.
    Repeated,
    /// It is not the word `Bearer`, one space and a token.
    Malformed,
}

/// Returns the token of the only header of that name ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
///
/// # Errors
/// See [`BearerFault`].
pub(super) fn bearer<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<&'h str, BearerFault> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(BearerFault::Missing)?;
    if values.next().is_some() {
        return Err(BearerFault::Repeated);
    }
    let text = value.to_str().map_err(|_| BearerFault::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(BearerFault::Malformed)?;
    let plain = !token.is_empty() && token.bytes().all(is_token_byte);
    if scheme.eq_ignore_ascii_case("bearer") && plain {
        Ok(token)
    } else {
        Err(BearerFault::Malformed)
    }
}

/// RFC 6750's `b64token`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;

    fn read(values: &[&str]) -> Result<String, BearerFault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers, &AUTHORIZATION).map(str::to_owned)
    }

    #[test]
    fn the_token_of_one_bearer_header_is_read() {
        assert_eq!(read(&["Bearer ant_x-1"]).as_deref(), Ok("ant_x-1"));
        assert_eq!(read(&["bearer AAEC+/8="]).as_deref(), Ok("AAEC+/8="));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(read(&[]), Err(BearerFault::Missing));
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err(BearerFault::Repeated));
        for value in
            ["", "Bearer", "Bearer ", "Bearer  a", "Basic a", "a", "Bearer a,b", "Bearer a b"]
        {
            assert_eq!(read(&[value]), Err(BearerFault::Malformed), "{value:?}");
        }
    }
}
