//! What does a body ask to export?
//!
//! Members that the contract does not name are ignored, and null means absent, as in Sombra bodies. What would widen an
//! export by mistake is refused: a person named beside a scope of the whole tenant, a window without its other end.

use std::collections::BTreeMap;

use antumbra_config::{DatapointName, Format, ScopeField, Settings, SiloName};
use antumbra_jobs::{
    ExpectedPlan, Family, Identifier, NewRequest, RequestDetails, RequestId, ScopeKind, TenantId,
};

use crate::auth::Caller;
use crate::http::ApiError;
use crate::routes::fields::{Field, parse};
use crate::routes::window::window;

/// The identifier that a scope's subject starts from; datapoints may match on it.
pub(super) const DATA_SUBJECT_ID: &str = "dataSubjectId";

/// Parts of a plan beside sections, and sections that are not in settings any more.
const SPARE_PARTS: usize = 64;

/// Reads a body into a request of the caller's tenant.
///
/// # Errors
/// Malformed, naming the field.
pub(super) fn read(
    body: &[u8],
    settings: &Settings,
    caller: &Caller,
) -> Result<NewRequest, ApiError> {
    let actor = caller.actor();
    let asked = Asked::read(body, settings)?;
    let details = RequestDetails {
        requested_by: Some(asked.requested_by.unwrap_or_else(|| actor.to_string())),
        ..asked.details
    };
    Ok(request(caller.tenant().clone(), asked.kind, asked.format, details, actor))
}

/// What a body says, whoever sent it.
struct Asked {
    kind: ScopeKind,
    format: Format,
    requested_by: Option<String>,
    details: RequestDetails,
}

impl Asked {
    fn read(body: &[u8], settings: &Settings) -> Result<Self, ApiError> {
        let value = parse(body)?;
        let root = Field::root(&value)?;
        let scope = root.require("scope")?;
        let subject = subject(&scope)?;
        let (window_start, window_end) = window(&scope)?;
        let kind = kind(&scope, subject, window_start.is_some() && window_end.is_some())?;
        let most =
            usize::try_from(settings.export.max_identifier_values.get()).unwrap_or(usize::MAX);
        let requested_by = root.get("requestedBy")?.map(|field| field.word().map(str::to_owned));
        let notes = root.get("requestNotes")?.map(|field| field.text().map(str::to_owned));
        let details = RequestDetails {
            window_start,
            window_end,
            scope_fields: scope_fields(&scope, most)?,
            notes: notes.transpose()?,
            expected_plan: expected_plan(&root, most_parts(settings))?,
            ..subject.map(of_subject).unwrap_or_default()
        };
        let format = format(&root)?;
        Ok(Self { kind, format, requested_by: requested_by.transpose()?, details })
    }
}

/// Reads which plan the request is bound to. Parts without a hash bind to nothing, which nobody means.
///
/// What is meant to bind, or to do nothing but look, and is spelled otherwise or stands in the wrong place, is refused.
fn expected_plan(root: &Field<'_>, most_parts: usize) -> Result<Option<ExpectedPlan>, ApiError> {
    for (name, field) in root.members()? {
        if name.eq_ignore_ascii_case("dryRun") {
            return Err(field.fault("goes into the query: `?dryRun=true`"));
        }
        let is_other = |known: &str| name != known && name.eq_ignore_ascii_case(known);
        if is_other("planHash") || is_other("planParts") {
            return Err(field.fault("expected `planHash` and `planParts`"));
        }
    }
    let parts = root.get("planParts")?;
    let Some(field) = root.get("planHash")? else {
        return match parts {
            Some(parts) => Err(parts.fault("goes only with `planHash`")),
            None => Ok(None),
        };
    };
    let hash = field.text()?.to_ascii_lowercase();
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(field.fault("expected 64 hexadecimal digits"));
    }
    let mut expected = ExpectedPlan { hash, parts: BTreeMap::new() };
    if let Some(parts) = parts {
        let members = parts.members()?;
        if members.len() > most_parts {
            return Err(parts.fault("holds more parts than a plan has"));
        }
        // They come back in refusals and stand in the failures of jobs: nothing but names and hashes may.
        for (name, part) in members {
            let value = part.text()?;
            if !is_part(name) {
                return Err(parts.fault("expected `silo/datapoint`, `identifiers` or `settings`"));
            }
            if value.len() != 16 || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(part.fault("expected 16 hexadecimal digits"));
            }
            expected.parts.insert(name.to_owned(), value.to_ascii_lowercase());
        }
    }
    Ok(Some(expected))
}

/// Says whether a name can be that of a part: a silo and a datapoint as settings may call them, identifiers, or settings.
fn is_part(name: &str) -> bool {
    match name.split_once('/') {
        Some((silo, datapoint)) => {
            silo.parse::<SiloName>().is_ok() && datapoint.parse::<DatapointName>().is_ok()
        }
        None => matches!(name, "identifiers" | "settings"),
    }
}

/// Returns how many parts the plan of a request may have had: datapoints may have gone since.
fn most_parts(settings: &Settings) -> usize {
    let sections: usize = settings.silos.iter().map(|silo| silo.datapoints.len()).sum();
    sections.saturating_mul(2).saturating_add(SPARE_PARTS)
}

fn request(
    tenant: TenantId,
    kind: ScopeKind,
    format: Format,
    details: RequestDetails,
    actor: antumbra_jobs::Actor,
) -> NewRequest {
    let of_person = kind == ScopeKind::DataSubject;
    NewRequest {
        id: RequestId::generate(),
        tenant,
        family: Family::Compliance,
        action: "ACCESS".to_owned(),
        subject_type: if of_person { "dataSubject" } else { "tenant" }.to_owned(),
        scope: kind,
        formats: vec![format.as_str().to_owned()],
        is_test: false,
        is_silent: true,
        details,
        // The contract knows no duplicates: the cap of active jobs bounds what one may ask at once.
        subject_key: None,
        // The engine sets it, with what else settings say about this contract's jobs.
        active_limit: None,
        actor,
    }
}

/// Returns the person's id; a blank one names nobody.
fn subject<'v>(scope: &Field<'v>) -> Result<Option<&'v str>, ApiError> {
    let Some(field) = scope.get(DATA_SUBJECT_ID)? else { return Ok(None) };
    field.word().map(Some)
}

/// Reads the kind, or finds it by what else the scope says, and checks that the scope has what its kind needs.
fn kind(
    scope: &Field<'_>,
    subject: Option<&str>,
    whole_window: bool,
) -> Result<ScopeKind, ApiError> {
    let Some(field) = scope.get("kind")? else {
        return Ok(match subject {
            Some(_) => ScopeKind::DataSubject,
            None if whole_window => ScopeKind::TenantSlice,
            None => ScopeKind::TenantFull,
        });
    };
    let text = field.text()?;
    let known = ScopeKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
    let kind = known.ok_or_else(|| field.fault(KINDS))?;
    match kind {
        ScopeKind::DataSubject => scope.require(DATA_SUBJECT_ID).map(drop)?,
        // Whoever names a person does not mean everybody.
        ScopeKind::TenantFull | ScopeKind::TenantSlice if subject.is_some() => {
            return Err(scope.require(DATA_SUBJECT_ID)?.fault("does not go with this `kind`"));
        }
        ScopeKind::TenantSlice => {
            scope.require("windowStart")?;
            scope.require("windowEnd")?;
        }
        ScopeKind::TenantFull => {}
    }
    Ok(kind)
}

/// Datapoints match on whichever name settings use for a person's id, and on the address if it is one.
fn of_subject(subject: &str) -> RequestDetails {
    let identifier = |name: &str| Identifier { name: name.to_owned(), value: subject.to_owned() };
    let is_address = is_address(subject);
    let address = is_address.then(|| identifier("email"));
    RequestDetails {
        core_identifier: Some(subject.to_owned()),
        email: is_address.then(|| subject.to_owned()),
        identifiers: [identifier(DATA_SUBJECT_ID), identifier("coreIdentifier")]
            .into_iter()
            .chain(address)
            .collect(),
        ..RequestDetails::default()
    }
}

/// Says whether a text is built like an e-mail address.
fn is_address(text: &str) -> bool {
    let plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let halves = text.split_once('@');
    plain
        && halves
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// Reads the lists that narrow sections; an empty one narrows nothing.
fn scope_fields(scope: &Field<'_>, most: usize) -> Result<BTreeMap<String, Vec<String>>, ApiError> {
    let mut fields = BTreeMap::new();
    for name in ScopeField::ALL {
        let Some(list) = scope.get(name.as_str())? else { continue };
        let mut values: Vec<String> = Vec::new();
        for item in list.items()? {
            let value = item.word()?;
            if !values.iter().any(|known| known == value) {
                values.push(value.to_owned());
            }
            if values.len() > most {
                return Err(list.fault(&format!("holds more than {most} values")));
            }
        }
        if !values.is_empty() {
            fields.insert(name.as_str().to_owned(), values);
        }
    }
    Ok(fields)
}

/// Whatever is no known format is JSON: the contract says so, and it is no error.
fn format(root: &Field<'_>) -> Result<Format, ApiError> {
    let format = root.get("format")?;
    Ok(format.and_then(|field| field.text().ok()?.parse().ok()).unwrap_or(Format::Json))
}

const KINDS: &str = "is no known kind; there are DATA_SUBJECT, TENANT_FULL, TENANT_SLICE";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(body: &Value) -> Result<Asked, String> {
        Asked::read(body.to_string().as_bytes(), &Settings::default())
            .map_err(|error| error.message().to_owned())
    }

    fn scoped(scope: Value) -> Result<Asked, String> {
        let mut body = json!({});
        body["scope"] = scope;
        asked(&body)
    }

    fn fault(scope: Value) -> String {
        scoped(scope).err().unwrap_or_default()
    }

    const START: &str = "2026-01-01T00:00:00Z";
    const END: &str = "2026-02-01T00:00:00Z";

    #[test]
    fn a_missing_kind_is_found_by_what_the_scope_says() {
        let window = json!({ "windowStart": START, "windowEnd": END });
        let both = json!({ "dataSubjectId": "p", "windowStart": START, "windowEnd": END });
        for (scope, kind) in [
            (json!({ "dataSubjectId": "p" }), ScopeKind::DataSubject),
            (both, ScopeKind::DataSubject),
            (window, ScopeKind::TenantSlice),
            (json!({ "windowStart": START }), ScopeKind::TenantFull),
            (json!({ "windowEnd": END, "kind": null }), ScopeKind::TenantFull),
            (json!({ "campaignIds": ["7"] }), ScopeKind::TenantFull),
            (json!({}), ScopeKind::TenantFull),
        ] {
            assert_eq!(scoped(scope.clone()).unwrap().kind, kind, "{scope}");
        }
    }

    #[test]
    fn every_kind_has_what_it_needs_or_the_fault_names_the_field() {
        let slice = json!({ "kind": "tenant_slice", "windowStart": START, "windowEnd": END });
        assert_eq!(scoped(slice).unwrap().kind, ScopeKind::TenantSlice);
        let full = json!({ "kind": "TENANT_FULL", "windowStart": START });
        assert_eq!(scoped(full).unwrap().kind, ScopeKind::TenantFull);
        for (scope, expected) in [
            (json!({ "kind": "DATA_SUBJECT" }), "`scope.dataSubjectId`: is missing"),
            (
                json!({ "kind": "DATA_SUBJECT", "dataSubjectId": null }),
                "`scope.dataSubjectId`: is missing",
            ),
            (
                json!({ "kind": "DATA_SUBJECT", "dataSubjectId": " " }),
                "`scope.dataSubjectId`: must not be empty",
            ),
            (json!({ "dataSubjectId": "" }), "`scope.dataSubjectId`: must not be empty"),
            (json!({ "kind": "TENANT_SLICE" }), "`scope.windowStart`: is missing"),
            (
                json!({ "kind": "TENANT_SLICE", "windowStart": START }),
                "`scope.windowEnd`: is missing",
            ),
            (
                json!({ "kind": "TENANT_SLICE", "windowEnd": END }),
                "`scope.windowStart`: is missing",
            ),
            (
                json!({ "kind": "TENANT_FULL", "dataSubjectId": "p" }),
                "`scope.dataSubjectId`: does not go with this `kind`",
            ),
            (json!({ "kind": "EVERYBODY" }), &format!("`scope.kind`: {KINDS}")),
            (json!({ "kind": 7 }), "`scope.kind`: expected a string, found a number"),
            (json!("all"), "`scope`: expected an object, found a string"),
            (json!(null), "`scope`: is missing"),
        ] {
            assert_eq!(fault(scope.clone()), expected, "{scope}");
        }
    }

    #[test]
    fn a_window_names_the_end_that_is_wrong() {
        for (scope, expected) in [
            (json!({ "windowStart": END, "windowEnd": START }), "`scope.windowEnd`: must be after"),
            (json!({ "windowStart": START, "windowEnd": START }), "`scope.windowEnd`: must be "),
            (json!({ "windowStart": "yesterday" }), "`scope.windowStart`: expected an RFC 3339"),
            (json!({ "windowEnd": "2026-02-01" }), "`scope.windowEnd`: expected an RFC 3339"),
            (json!({ "windowEnd": 7 }), "`scope.windowEnd`: expected a string"),
        ] {
            assert!(fault(scope.clone()).starts_with(expected), "{scope}");
        }
    }

    #[test]
    fn a_subject_is_known_by_every_name_that_datapoints_use() {
        let names = |id: &str| {
            let details = scoped(json!({ "dataSubjectId": id })).unwrap().details;
            assert!(details.identifiers.iter().all(|identifier| identifier.value == id));
            let names = details.identifiers.iter().map(|identifier| identifier.name.clone());
            (names.collect::<Vec<_>>().join(" "), details.email)
        };
        assert_eq!(names("p-1"), ("dataSubjectId coreIdentifier".to_owned(), None));
        let address = "jane@example.org".to_owned();
        let expected = "dataSubjectId coreIdentifier email".to_owned();
        assert_eq!(names(&address), (expected, Some(address.clone())));
        for id in ["@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "ab"] {
            assert!(!is_address(id), "{id:?}");
        }
        assert!(scoped(json!({})).unwrap().details.identifiers.is_empty());
    }

    #[test]
    fn a_plan_binds_by_its_hash_and_tells_by_its_parts() {
        let hash = "AB".repeat(32);
        let bound = |body: Value| {
            let asked = asked(&body).map(|asked| asked.details.expected_plan);
            asked.map(|plan| plan.map(|plan| (plan.hash, plan.parts)))
        };
        let parts = json!({ "shop/orders": "0123456789ABCDEF" });
        let body = json!({ "scope": {}, "planHash": hash, "planParts": parts });
        let (found, parts) = bound(body).unwrap().unwrap();
        let told = parts["shop/orders"].as_str();
        assert_eq!((found, told), (hash.to_lowercase(), "0123456789abcdef"));
        assert_eq!(bound(json!({ "scope": {}, "planHash": null })), Ok(None));
        for (body, fault) in [
            (
                json!({ "scope": {}, "planHash": "abc" }),
                "`planHash`: expected 64 hexadecimal digits",
            ),
            (
                json!({ "scope": {}, "planHash": 7 }),
                "`planHash`: expected a string, found a number",
            ),
            (json!({ "scope": {}, "planParts": {} }), "`planParts`: goes only with `planHash`"),
            (
                json!({ "scope": {}, "planHash": hash, "planParts": { "a": 7 } }),
                "`planParts.a`: expected a string, found a number",
            ),
        ] {
            assert_eq!(bound(body).unwrap_err(), fault);
        }
    }

    #[test]
    fn lists_narrow_unless_they_are_empty() {
        let scope = json!({ "campaignIds": ["7", "8", "7"], "substrates": [] });
        let fields = scoped(scope).unwrap().details.scope_fields;
        let expected = BTreeMap::from([("campaignIds".to_owned(), vec!["7".into(), "8".into()])]);
        assert_eq!(fields, expected);
        for (scope, expected) in [
            (
                json!({ "campaignIds": "7" }),
                "`scope.campaignIds`: expected an array, found a string",
            ),
            (
                json!({ "substrates": [7] }),
                "`scope.substrates[0]`: expected a string, found a number",
            ),
            (json!({ "substrates": ["a", ""] }), "`scope.substrates[1]`: must not be empty"),
        ] {
            assert_eq!(fault(scope.clone()), expected, "{scope}");
        }
        let many: Vec<_> = (0..100_000).map(|n| n.to_string()).collect();
        assert!(
            fault(json!({ "campaignIds": many })).starts_with("`scope.campaignIds`: holds more")
        );
    }

    #[test]
    fn an_unknown_format_is_json_and_case_does_not_matter() {
        for (format, expected) in [
            (json!("ndjson"), Format::Ndjson),
            (json!("Csv"), Format::Csv),
            (json!("PARQUET"), Format::Parquet),
            (json!("json"), Format::Json),
            (json!("XML"), Format::Json),
            (json!(""), Format::Json),
            (json!(7), Format::Json),
            (json!(null), Format::Json),
        ] {
            let asked = asked(&json!({ "scope": {}, "format": format.clone() })).unwrap();
            assert_eq!(asked.format, expected, "{format}");
        }
        assert_eq!(scoped(json!({})).unwrap().format, Format::Json);
    }

    #[test]
    fn who_asked_and_why_are_kept_and_other_members_are_ignored() {
        let body = json!({
            "scope": { "other": [1] }, "requestedBy": "ada", "requestNotes": "", "colour": {},
        });
        let read = asked(&body).unwrap();
        assert_eq!(read.requested_by.as_deref(), Some("ada"));
        assert_eq!(read.details.notes.as_deref(), Some(""));
        let none = asked(&json!({ "scope": {}, "requestedBy": null })).unwrap();
        assert_eq!((none.requested_by, none.details.notes), (None, None));
        for (body, expected) in [
            (json!({ "scope": {}, "requestedBy": "" }), "`requestedBy`: must not be empty"),
            (
                json!({ "scope": {}, "requestedBy": 1 }),
                "`requestedBy`: expected a string, found a number",
            ),
            (
                json!({ "scope": {}, "requestNotes": [] }),
                "`requestNotes`: expected a string, found an array",
            ),
            (json!({}), "`scope`: is missing"),
            (json!([]), "the body: expected an object, found an array"),
        ] {
            assert_eq!(asked(&body).err().as_deref(), Some(expected), "{body}");
        }
    }
}
