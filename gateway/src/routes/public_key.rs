//! `GET /public-keys/sombra-general-signing-key`: which key checks the gateway's signatures?
//!
//! No keys asked: published clients send only one of the two, or none (`sombra.md` §3.1).

use http::{HeaderValue, Response, header};

use crate::http::{Body, Shared, full};

/// Answers with the raw PEM; clients pass the body to their JWT library as it is.
pub(super) fn handle(shared: &Shared) -> Response<Body> {
    let pem = shared.engine().ring().signing().public_pem();
    let mut answer = Response::new(full(pem));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // Clients may keep it for an hour; after a rotation the old key stays valid at least that long.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    answer
}
