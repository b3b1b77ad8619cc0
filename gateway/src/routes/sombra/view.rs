//! How does a request look to its caller? The union of what published clients decode.

use antumbra_jobs::{Attribute, Request};
use jiff::Timestamp;
use serde::Serialize;

use crate::http::Shared;

/// A request, in the contract's words.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestView<'r> {
    id: String,
    link: String,
    status: &'static str,
    #[serde(rename = "type")]
    action: &'r str,
    subject_type: &'r str,
    email: Option<&'r str>,
    /// A string to every client; without one the e-mail stands in, else it is empty.
    core_identifier: &'r str,
    is_silent: bool,
    is_test: bool,
    country: Option<&'r str>,
    country_sub_division: Option<&'r str>,
    locale: Option<&'r str>,
    attribute_values: Vec<AttributeValue<'r>>,
    /// Always empty: this gateway sends no mail.
    reply_to_email_addresses: [&'r str; 0],
    formats: &'r [String],
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'r> RequestView<'r> {
    /// Shows a request.
    pub(super) fn of(shared: &Shared, request: &'r Request) -> Self {
        let details = &request.details;
        let email = details.email.as_deref();
        Self {
            id: request.id.to_string(),
            link: shared.url(&format!("/v1/data-subject-request/{}", request.id)),
            status: request.status.as_str(),
            action: &request.action,
            subject_type: &request.subject_type,
            email,
            core_identifier: details.core_identifier.as_deref().or(email).unwrap_or_default(),
            is_silent: request.is_silent,
            is_test: request.is_test,
            country: details.region.country.as_deref(),
            country_sub_division: details.region.country_sub_division.as_deref(),
            locale: details.locale.as_deref(),
            attribute_values: details.attributes.iter().flat_map(AttributeValue::each).collect(),
            reply_to_email_addresses: [],
            formats: &request.formats,
            created_at: request.created_at,
            updated_at: request.updated_at,
        }
    }
}

impl std::fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestView").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One value of an attribute.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttributeValue<'r> {
    attribute_key: AttributeKey<'r>,
    name: &'r str,
}

impl<'r> AttributeValue<'r> {
    fn each(attribute: &'r Attribute) -> impl Iterator<Item = Self> {
        let attribute_key = AttributeKey { name: &attribute.key };
        attribute.values.iter().map(move |name| Self { attribute_key, name })
    }
}

#[derive(Clone, Copy, Serialize)]
struct AttributeKey<'r> {
    name: &'r str,
}
