//! What is around every answer? `{"ok": true, "data": …, "contractVersion": "v1.0"}`; `http/shape.rs` has its counterpart.

use http::{Response, StatusCode};
use serde::Serialize;

use crate::http::{ApiError, Body, CONTRACT_VERSION, json};

/// Answers 200 with `data` in the envelope.
pub(super) fn answer(data: &impl Serialize) -> Result<Response<Body>, ApiError> {
    json(StatusCode::OK, &Envelope { ok: true, data, contract_version: CONTRACT_VERSION })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'d, T> {
    ok: bool,
    data: &'d T,
    contract_version: &'static str,
}
