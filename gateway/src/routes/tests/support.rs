//! What these tests share.

use http::{StatusCode, header};

use crate::http::testing::Answer;

pub(super) const SUBMIT: &str = "/v1/data-subject-request";
pub(super) const NOBODY: &str = "/v1/data-subject-request/01890000-0000-7000-8000-000000000000";

pub(super) fn keys_of(id: &str) -> String {
    format!("{SUBMIT}/{id}/download-keys")
}

pub(super) fn refused_in_shape(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
    let body = answer.json();
    assert_eq!(body["message"], body["error"], "{what}");
    assert!(!answer.message().is_empty(), "{what}");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json", "{what}");
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer", "{what}");
}
