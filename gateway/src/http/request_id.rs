//! Which id does a request carry through logs and answers?

use http::{HeaderName, Request};

/// The header that carries the id.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Drops an id that is repeated or not 1 to 64 of `A–Z a–z 0–9 _ - .`, so that a fresh one is made.
///
/// The id goes into every log line of the request: a caller must not be able to write anything else there.
pub(super) fn keep_if_plain<B>(mut request: Request<B>) -> Request<B> {
    let mut values = request.headers().get_all(X_REQUEST_ID).iter();
    let plain = match (values.next(), values.next()) {
        (Some(id), None) => (1..=64).contains(&id.len()) && id.as_bytes().iter().all(is_plain),
        _ => false,
    };
    if !plain {
        request.headers_mut().remove(X_REQUEST_ID);
    }
    request
}

fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(ids: &[&str]) -> bool {
        let mut request = Request::builder();
        for id in ids {
            request = request.header(X_REQUEST_ID, *id);
        }
        keep_if_plain(request.body(()).unwrap()).headers().contains_key(X_REQUEST_ID)
    }

    #[test]
    fn only_one_plain_id_is_kept() {
        assert!(kept(&["abc-1.2_3"]));
        assert!(!kept(&[]));
        assert!(!kept(&[""]));
        assert!(!kept(&["a", "b"]));
        assert!(!kept(&["jane@example.org"]));
        assert!(!kept(&["a b"]));
        assert!(!kept(&["x".repeat(65).as_str()]));
    }
}
