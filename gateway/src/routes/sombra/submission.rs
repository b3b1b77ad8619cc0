//! What does a submitted body ask for?
//!
//! Tolerant where the contract's clients are loose (unknown members, null for absent), strict on types, and never quiet
//! about a wish that is not served. An e-mail address is not demanded: this gateway sends no mail.

use antumbra_config::{Format, IdentifierName, Settings};
use antumbra_jobs::{
    Actor, Attribute, Family, Identifier, NewRequest, Region, RequestDetails, RequestId, ScopeKind,
    TenantId,
};

use super::words::{
    ACCESS, ACTIONS, CUSTOM, NOT_SERVED, OF_PLANS, SATISFIED_SWITCHES, WITHOUT_EFFECT,
};
use crate::http::ApiError;
use crate::routes::fields::{Field, parse};
use crate::routes::window::window;

/// Reads a submitted body into a request of `tenant`, made by `actor`.
///
/// # Errors
/// Malformed, naming the field.
pub(super) fn read(
    body: &[u8],
    settings: &Settings,
    tenant: TenantId,
    actor: Actor,
) -> Result<NewRequest, ApiError> {
    let value = parse(body)?;
    let root = Field::root(&value)?;
    let action = action(&root)?;
    let subject_type = subject_type(&root)?;
    refuse_what_is_not_served(&root)?;
    let formats = formats(&root, settings)?;
    let subject = root.require("subject")?;
    let most = usize::try_from(settings.export.max_identifier_values.get()).unwrap_or(usize::MAX);
    let mut details = subject_details(&subject, most)?;
    details.locale = optional_text(&root, "locale")?;
    details.details = optional_text(&root, "details")?;
    details.region = region(&root)?;
    details.attributes = attributes(&root)?;
    (details.window_start, details.window_end) = window(&root)?;

    Ok(NewRequest {
        id: RequestId::generate(),
        tenant,
        family: Family::Sombra,
        action,
        subject_type,
        scope: ScopeKind::DataSubject,
        formats,
        is_test: switch(&root, "isTest")?,
        is_silent: switch(&root, "isSilent")?,
        subject_key: subject_key(&details),
        active_limit: None,
        details,
        actor,
    })
}

fn action(root: &Field<'_>) -> Result<String, ApiError> {
    let field = root.require("type")?;
    match field.text()? {
        ACCESS => Ok(ACCESS.to_owned()),
        word if ACTIONS.contains(&word) => {
            Err(field.fault("this gateway serves ACCESS requests only"))
        }
        _ => Err(field.fault("is no action of the contract; ACCESS is served")),
    }
}

/// It is stored and shown in clear, so it can only be a slug: there is no room for an e-mail address.
fn subject_type(root: &Field<'_>) -> Result<String, ApiError> {
    let field = root.require("subjectType")?;
    let text = field.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(field.fault(SUBJECT_TYPE))
    }
}

fn refuse_what_is_not_served(root: &Field<'_>) -> Result<(), ApiError> {
    if let (Some(only), Some(_)) = (root.get("dataSiloIds")?, root.get("ignoreDataSiloIds")?) {
        return Err(only.fault("`ignoreDataSiloIds` is there, too; only one of them may be"));
    }
    for name in NOT_SERVED {
        if let Some(field) = root.get(name)?.filter(|field| !field.asks_nothing()) {
            return Err(field.fault("is not supported by this gateway"));
        }
    }
    for (name, field) in root.members()? {
        if OF_PLANS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(field.fault("is not known here: the request would be carried out as it is"));
        }
    }
    for name in SATISFIED_SWITCHES {
        switch(root, name)?;
    }
    optional_text(root, "emailReceiptTemplateId")?;
    for name in WITHOUT_EFFECT {
        if let Some(field) = root.get(name)? {
            field.items()?.iter().try_for_each(|item| item.text().map(drop))?;
        }
    }
    Ok(())
}

/// `formats` counts, then `format`, then the settings. The contract turns an unknown `format` into JSON.
fn formats(root: &Field<'_>, settings: &Settings) -> Result<Vec<String>, ApiError> {
    let mut formats: Vec<Format> = Vec::new();
    if let Some(list) = root.get("formats")? {
        for item in list.items()? {
            let format = item.text()?.parse().map_err(|_| item.fault(&unknown_format()))?;
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        if formats.is_empty() {
            return Err(list.fault("expected at least one format"));
        }
    } else if let Some(field) = root.get("format")? {
        formats.push(field.text()?.parse().unwrap_or(Format::Json));
    } else {
        formats.clone_from(&settings.export.formats);
    }
    Ok(formats.into_iter().map(|format| format.as_str().to_owned()).collect())
}

fn unknown_format() -> String {
    let known: Vec<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
    format!("is no known format; there are {}", known.join(", "))
}

fn subject_details(subject: &Field<'_>, most: usize) -> Result<RequestDetails, ApiError> {
    let core_identifier = optional_word(subject, CORE_IDENTIFIER)?;
    let email = optional_word(subject, EMAIL)?;
    switch(subject, "emailIsVerified")?;

    let mut identifiers = Vec::new();
    let known = [(EMAIL, &email), (CORE_IDENTIFIER, &core_identifier)];
    for (name, value) in known {
        identifiers.extend(value.as_ref().map(|value| identifier(name, value)));
    }
    if let Some(extras) = subject.get("attestedExtraIdentifiers")? {
        for (kind, list) in extras.members()? {
            for item in list.items()? {
                let extra = extra(kind, &list, &item)?;
                if !identifiers.contains(&extra) {
                    identifiers.push(extra);
                }
                if identifiers.len() > most {
                    return Err(extras.fault(&format!("holds more than {most} identifiers")));
                }
            }
        }
    }
    if identifiers.is_empty() {
        return Err(
            subject.fault("expected at least one identifier: `email`, `coreIdentifier` or others")
        );
    }
    Ok(RequestDetails { core_identifier, email, identifiers, ..RequestDetails::default() })
}

/// Reads `{value, name?}`. The identifier is called by its type, or by its own name if the type is `custom`.
fn extra(kind: &str, list: &Field<'_>, item: &Field<'_>) -> Result<Identifier, ApiError> {
    let value = item.require("value")?.word()?;
    let (name, field) = if kind == CUSTOM {
        let own = item.require("name")?;
        (own.text()?, own)
    } else {
        optional_text(item, "name")?;
        (kind, list.clone())
    };
    let name: IdentifierName = name.parse().map_err(|_| field.fault(IDENTIFIER_NAME))?;
    Ok(identifier(name.as_str(), value))
}

fn identifier(name: &str, value: &str) -> Identifier {
    Identifier { name: name.to_owned(), value: value.to_owned() }
}

/// Whose open request makes a second one a duplicate.
fn subject_key(details: &RequestDetails) -> Option<Identifier> {
    let core = details.core_identifier.as_deref().map(|value| identifier(CORE_IDENTIFIER, value));
    core.or_else(|| details.email.as_deref().map(|value| identifier(EMAIL, value)))
}

fn region(root: &Field<'_>) -> Result<Region, ApiError> {
    let Some(region) = root.get("region")? else { return Ok(Region::default()) };
    let code = |name: &str, valid: fn(&str) -> bool, expected: &str| {
        let Some(field) = region.get(name)? else { return Ok(None) };
        let text = field.text()?;
        if valid(text) { Ok(Some(text.to_owned())) } else { Err(field.fault(expected)) }
    };
    Ok(Region {
        country: code("country", is_country, "expected an ISO 3166-1 code such as DE")?,
        country_sub_division: code(
            "countrySubDivision",
            is_subdivision,
            "expected an ISO 3166-2 code such as US-CA",
        )?,
    })
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_subdivision(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    text.split_once('-').is_some_and(|(country, part)| {
        is_country(country) && (1..=3).contains(&part.len()) && part.bytes().all(known)
    })
}

fn attributes(root: &Field<'_>) -> Result<Vec<Attribute>, ApiError> {
    let Some(list) = root.get("attributes")? else { return Ok(Vec::new()) };
    let items = list.items()?;
    let attribute = |item: &Field<'_>| {
        let values = item.require("values")?.items()?;
        Ok(Attribute {
            key: item.require("key")?.word()?.to_owned(),
            values: values
                .iter()
                .map(|value| value.text().map(str::to_owned))
                .collect::<Result<_, _>>()?,
        })
    };
    items.iter().map(attribute).collect()
}

fn optional_text(parent: &Field<'_>, name: &str) -> Result<Option<String>, ApiError> {
    let Some(field) = parent.get(name)? else { return Ok(None) };
    field.text().map(|text| Some(text.to_owned()))
}

fn optional_word(parent: &Field<'_>, name: &str) -> Result<Option<String>, ApiError> {
    let Some(field) = parent.get(name)? else { return Ok(None) };
    field.word().map(|text| Some(text.to_owned()))
}

fn switch(parent: &Field<'_>, name: &str) -> Result<bool, ApiError> {
    parent.get(name)?.map_or(Ok(false), |field| field.boolean())
}

const IDENTIFIER_NAME: &str =
    "an identifier is named by 1 to 64 letters, digits or `_`, no digit first";
const SUBJECT_TYPE: &str = "expected 1 to 64 ASCII letters, digits, `_`, `.` or `-`";
const EMAIL: &str = "email";
const CORE_IDENTIFIER: &str = "coreIdentifier";

#[cfg(test)]
mod tests {
    use antumbra_jobs::ApiKeyId;
    use serde_json::{Value, json};

    use super::*;

    fn submit(body: &Value) -> Result<NewRequest, String> {
        let tenant = TenantId::new("acme").unwrap();
        let actor = Actor::ApiKey(ApiKeyId(uuid::Uuid::nil()));
        read(body.to_string().as_bytes(), &Settings::default(), tenant, actor)
            .map_err(|error| error.message().to_owned())
    }

    fn least() -> Value {
        json!({ "type": "ACCESS", "subjectType": "customer", "subject": { "email": "a@example.org" } })
    }

    fn with(pointer: &str, value: Value) -> Result<NewRequest, String> {
        let mut body = least();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        submit(&body)
    }

    fn fault(pointer: &str, value: Value) -> String {
        with(pointer, value).expect_err(pointer)
    }

    #[test]
    fn what_binds_to_plans_elsewhere_is_refused_in_any_case() {
        for name in ["planHash", "planhash", "planParts", "dryRun", "DRYRUN"] {
            let fault = fault(&format!("/{name}"), json!("true"));
            assert!(fault.contains("is not known here"), "{fault}");
        }
    }

    #[test]
    fn the_least_body_asks_for_the_default_formats() {
        let request = submit(&least()).unwrap();
        assert_eq!(request.formats, ["JSON"]);
        assert_eq!(request.action, "ACCESS");
        assert_eq!(request.details.identifiers, [identifier("email", "a@example.org")]);
        assert_eq!(request.subject_key, Some(identifier("email", "a@example.org")));
        assert!(!request.is_silent && !request.is_test);
    }

    #[test]
    fn every_documented_extra_is_accepted() {
        let body = json!({
            "type": "ACCESS", "subjectType": "customer", "isSilent": true, "isTest": true,
            "skipSendingReceipt": true, "skipWaitingPeriod": false, "locale": "de-DE", "details": "hi",
            "region": { "country": "US", "countrySubDivision": "US-CA" },
            "attributes": [{ "key": "tier", "values": ["gold", "old"] }],
            "dataSiloIds": [], "completedRequestStatus": null, "requestId": null, "createdAt": null,
            "emailReceiptTemplateId": "t", "replyToEmailAddresses": ["x@example.org"],
            "skipEnrichmentChecks": ["a"], "skipSecondaryLookup": true, "additionalIdentifiers": {},
            "subject": {
                "coreIdentifier": "c-1", "email": "a@example.org", "emailIsVerified": true,
                "name": "A", "phone": 7,
                "attestedExtraIdentifiers": {
                    "phone": [{ "value": "+49 1" }, { "value": "+49 1" }],
                    "custom": [{ "value": "7", "name": "customer_id" }],
                    "idfa": null,
                },
            },
        });
        let request = submit(&body).unwrap();
        let identifiers = [
            identifier("email", "a@example.org"),
            identifier("coreIdentifier", "c-1"),
            identifier("customer_id", "7"),
            identifier("phone", "+49 1"),
        ];
        assert_eq!(request.details.identifiers, identifiers);
        assert_eq!(request.subject_key, Some(identifier("coreIdentifier", "c-1")));
        assert_eq!(request.details.region.country_sub_division.as_deref(), Some("US-CA"));
        assert_eq!(request.details.attributes[0].values, ["gold", "old"]);
        assert!(request.is_silent && request.is_test);
    }

    #[test]
    fn a_wrong_type_names_its_path() {
        let cases = [
            ("/type", json!(1), "`type`: expected a string, found a number"),
            ("/type", json!(null), "`type`: is missing"),
            ("/subject", json!([]), "`subject`: expected an object, found an array"),
            ("/subjectType", json!(7), "`subjectType`: expected a string, found a number"),
            ("/windowStart", json!(7), "`windowStart`: expected a string, found a number"),
            ("/subject/email", json!(["x"]), "`subject.email`: expected a string, found an array"),
            ("/subject/email", json!(" "), "`subject.email`: must not be empty"),
            ("/isSilent", json!("true"), "`isSilent`: expected `true` or `false`, found a string"),
            (
                "/skipSendingReceipt",
                json!(1),
                "`skipSendingReceipt`: expected `true` or `false`, found a number",
            ),
            (
                "/replyToEmailAddresses",
                json!([1]),
                "`replyToEmailAddresses[0]`: expected a string, found a number",
            ),
            ("/attributes", json!([{ "key": "k" }]), "`attributes[0].values`: is missing"),
            (
                "/region",
                json!({ "country": "Germany" }),
                "`region.country`: expected an ISO 3166-1 code such as DE",
            ),
            (
                "/formats",
                json!(["JSON", "XLS"]),
                "`formats[1]`: is no known format; there are JSON, CSV, NDJSON, PARQUET",
            ),
            ("/formats", json!([]), "`formats`: expected at least one format"),
            ("/formats", json!("JSON"), "`formats`: expected an array, found a string"),
            ("/format", json!(1), "`format`: expected a string, found a number"),
        ];
        for (pointer, value, expected) in cases {
            assert_eq!(fault(pointer, value), expected);
        }
    }

    #[test]
    fn a_subject_type_is_a_slug_and_another_text_is_not_repeated() {
        let longest = "a".repeat(64);
        for slug in ["customer", "B2B_partner-v1.2", "7", &longest] {
            assert_eq!(with("/subjectType", json!(slug)).unwrap().subject_type, slug);
        }
        let too_long = "a".repeat(65);
        for text in ["", " ", "jane@example.org", "a b", "a/b", "a\n", "kündin", &too_long] {
            assert_eq!(
                fault("/subjectType", json!(text)),
                "`subjectType`: expected 1 to 64 ASCII letters, digits, `_`, `.` or `-`"
            );
        }
    }

    #[test]
    fn a_window_is_kept_with_the_details() {
        let mut body = least();
        body["windowStart"] = json!("2026-01-01T00:00:00Z");
        body["windowEnd"] = json!("2026-02-01T00:00:00+01:00");
        let details = submit(&body).unwrap().details;
        assert_eq!(details.window_start, Some("2026-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(details.window_end, Some("2026-01-31T23:00:00Z".parse().unwrap()));
    }

    #[test]
    fn an_extra_identifier_names_its_place() {
        let at = "/subject/attestedExtraIdentifiers";
        let wrong = fault(at, json!({ "phone": [{ "value": 7 }] }));
        assert_eq!(
            wrong,
            "`subject.attestedExtraIdentifiers.phone[0].value`: expected a string, found a number"
        );
        let nameless = fault(at, json!({ "custom": [{ "value": "7" }] }));
        assert_eq!(nameless, "`subject.attestedExtraIdentifiers.custom[0].name`: is missing");
        let odd = fault(at, json!({ "custom": [{ "value": "7", "name": "a b" }] }));
        assert!(odd.starts_with("`subject.attestedExtraIdentifiers.custom[0].name`: "), "{odd}");
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        for (name, value) in [
            ("completedRequestStatus", json!("COMPLETED")),
            ("requestId", json!("7")),
            ("restartIdentifierStrategy", json!("COPY")),
            ("createdAt", json!("2020-01-01T00:00:00Z")),
            ("dataSiloIds", json!(["7"])),
            ("ignoreDataSiloIds", json!(["7"])),
        ] {
            let message = fault(&format!("/{name}"), value);
            assert_eq!(message, format!("`{name}`: is not supported by this gateway"));
        }
        assert!(fault("/type", json!("ERASURE")).contains("ACCESS"));
        assert!(fault("/type", json!("access")).starts_with("`type`: "));
        let mut both = least();
        both["dataSiloIds"] = json!([]);
        both["ignoreDataSiloIds"] = json!([]);
        assert!(submit(&both).unwrap_err().starts_with("`dataSiloIds`: "));
    }

    #[test]
    fn formats_are_named_once_in_any_case() {
        let formats = |pointer: &str, value| with(pointer, value).unwrap().formats;
        assert_eq!(formats("/formats", json!(["parquet", "JSON", "PARQUET"])), ["PARQUET", "JSON"]);
        assert_eq!(formats("/format", json!("parquet")), ["PARQUET"]);
        assert_eq!(formats("/format", json!("XLS")), ["JSON"]);
    }

    #[test]
    fn a_person_needs_an_identifier() {
        assert!(fault("/subject", json!({})).starts_with("`subject`: "));
        let extras = json!({ "attestedExtraIdentifiers": { "phone": [{ "value": "1" }] } });
        assert_eq!(with("/subject", extras).unwrap().subject_key, None);
    }
}
