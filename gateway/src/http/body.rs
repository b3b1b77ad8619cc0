//! What is a body? One boxed type for requests, one for answers.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, combinators::UnsyncBoxBody};
use serde::Serialize;

use super::ApiError;

/// Any error a body can end with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The body of a request, limited in length by the stack.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// Returns a body that holds `bytes`.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Body::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

/// Returns a body without bytes.
pub(crate) fn empty() -> Body {
    full(Bytes::new())
}

/// Returns an answer that holds `value` as JSON.
///
/// # Errors
/// An internal error when the value cannot be written as JSON: a map with keys that are no strings.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>, ApiError> {
    let text = serde_json::to_vec(value).map_err(ApiError::internal)?;
    let mut answer = Response::new(full(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, JSON);
    Ok(answer)
}

/// Reads a whole request body.
///
/// # Errors
/// Too large, when it is longer than the limit the stack set; malformed, when the client stopped in the middle.
pub(crate) async fn read(body: RequestBody) -> Result<Bytes, ApiError> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if is_too_long(&*error) => Err(ApiError::too_large()),
        Err(error) => {
            Err(ApiError::malformed("the body ended before it was complete").because(error))
        }
    }
}

fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<LengthLimitError>() {
            return true;
        }
        next = error.source();
    }
    false
}

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
