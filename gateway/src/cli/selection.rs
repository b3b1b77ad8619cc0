//! Whose data does a command line ask for? From flags to a request, checked, without repeating a personal value.

use std::collections::BTreeMap;

use antumbra_config::{Format, IdentifierName, Settings};
use antumbra_jobs::{
    Actor, ExpectedPlan, Family, Identifier, NewRequest, Request, RequestDetails, RequestId,
    RequestStatus, ScopeKind, TenantId,
};
use jiff::Timestamp;

use super::args::{Personal, SelectionArgs, WindowArgs};
use super::exit::Fault;

/// What the flags select.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    tenant: TenantId,
    scope: ScopeKind,
    details: RequestDetails,
}

impl Selection {
    /// Checks the flags.
    ///
    /// # Errors
    /// [`Fault::Usage`], naming the flag.
    pub(super) fn read(args: &SelectionArgs, settings: &Settings) -> Result<Self, Fault> {
        let tenant = match &args.tenant {
            Some(tenant) => tenant.clone(),
            None => TenantId::new(settings.organization.tenant.as_str())
                .map_err(|error| Fault::Usage(format!("organization.tenant: {error}")))?,
        };
        check_window(&args.window)?;
        let scope = scope(args.who.tenant_full, &args.window);
        let mut details = RequestDetails {
            window_start: args.window.window_start,
            window_end: args.window.window_end,
            scope_fields: scope_fields(&args.window),
            ..RequestDetails::default()
        };
        if let Some(email) = &args.who.email {
            details.email = Some(word(email, "--email")?.to_owned());
            add(&mut details, EMAIL, email.expose());
        }
        for given in &args.who.identifiers {
            let (name, value) = identifier(given)?;
            if name.as_str() == CORE_IDENTIFIER && details.core_identifier.is_none() {
                details.core_identifier = Some(value.to_owned());
            }
            if name.as_str() == EMAIL && details.email.is_none() {
                details.email = Some(value.to_owned());
            }
            add(&mut details, name.as_str(), value);
        }
        Ok(Self { tenant, scope, details })
    }

    /// Selects with no identifier: for looking at datapoints themselves.
    pub(super) fn of_nobody(tenant: TenantId, scope: ScopeKind) -> Self {
        Self { tenant, scope, details: RequestDetails::default() }
    }

    /// Binds the request to a plan.
    pub(super) fn bind(&mut self, plan: Option<ExpectedPlan>) {
        self.details.expected_plan = plan;
    }

    /// Returns a request to be recorded.
    pub(super) fn to_record(&self, formats: Vec<String>) -> NewRequest {
        NewRequest {
            id: RequestId::generate(),
            tenant: self.tenant.clone(),
            family: Family::Sombra,
            action: ACTION.to_owned(),
            subject_type: self.subject_type().to_owned(),
            scope: self.scope,
            formats,
            is_test: false,
            is_silent: true,
            details: self.details.clone(),
            subject_key: None,
            active_limit: None,
            actor: Actor::Operator,
        }
    }

    /// Returns a request that is nowhere recorded, for a plan.
    pub(super) fn to_plan(&self, now: Timestamp) -> Request {
        Request {
            id: RequestId::generate(),
            tenant: self.tenant.clone(),
            family: Family::Sombra,
            action: ACTION.to_owned(),
            subject_type: self.subject_type().to_owned(),
            scope: self.scope,
            formats: Vec::new(),
            is_test: true,
            is_silent: true,
            details: self.details.clone(),
            status: RequestStatus::RequestMade,
            created_at: now,
            updated_at: now,
        }
    }

    /// Returns whose silos.
    pub(super) const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    const fn subject_type(&self) -> &'static str {
        match self.scope {
            ScopeKind::DataSubject => "person",
            ScopeKind::TenantFull | ScopeKind::TenantSlice => "tenant",
        }
    }
}

/// Returns the formats that are asked for, each once; those of settings if none is.
pub(super) fn formats(asked: &[Format], settings: &Settings) -> Vec<String> {
    let asked = if asked.is_empty() { settings.export.formats.as_slice() } else { asked };
    let mut formats = Vec::new();
    for format in asked {
        let format = format.as_str().to_owned();
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    formats
}

/// Says which scope a window makes of a whole tenant.
pub(super) const fn scope(tenant_full: bool, window: &WindowArgs) -> ScopeKind {
    match (tenant_full, window.window_start.is_some() && window.window_end.is_some()) {
        (false, _) => ScopeKind::DataSubject,
        (true, false) => ScopeKind::TenantFull,
        (true, true) => ScopeKind::TenantSlice,
    }
}

/// Checks that a window has a moment in it.
///
/// # Errors
/// [`Fault::Usage`].
pub(super) fn check_window(window: &WindowArgs) -> Result<(), Fault> {
    match (window.window_start, window.window_end) {
        (Some(start), Some(end)) if start >= end => {
            Err(Fault::Usage("--window-end must be after --window-start".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Joins what several flags say of one scope field.
pub(super) fn scope_fields(window: &WindowArgs) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for given in &window.scope_fields {
        let values = fields.entry(given.field.as_str().to_owned()).or_default();
        for value in &given.values {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
    }
    fields
}

/// Takes a text that is not blank.
///
/// # Errors
/// [`Fault::Usage`], naming the flag.
pub(super) fn word<'a>(text: &'a Personal, flag: &str) -> Result<&'a str, Fault> {
    let text = text.expose();
    if text.trim().is_empty() {
        return Err(Fault::Usage(format!("{flag} must not be empty")));
    }
    Ok(text)
}

fn identifier(given: &Personal) -> Result<(IdentifierName, &str), Fault> {
    let wrong = |why: &str| Fault::Usage(format!("--identifier: {why} (not shown)"));
    let (name, value) =
        given.expose().split_once('=').ok_or_else(|| wrong("expected NAME=VALUE, found no `=`"))?;
    let name: IdentifierName = name
        .trim()
        .parse()
        .map_err(|_| wrong("the name is 1 to 64 letters, digits or `_`, no digit first"))?;
    if value.trim().is_empty() {
        return Err(Fault::Usage(format!("--identifier {name}: the value must not be empty")));
    }
    Ok((name, value))
}

fn add(details: &mut RequestDetails, name: &str, value: &str) {
    let identifier = Identifier { name: name.to_owned(), value: value.to_owned() };
    if !details.identifiers.contains(&identifier) {
        details.identifiers.push(identifier);
    }
}

const ACTION: &str = "ACCESS";
const EMAIL: &str = "email";
const CORE_IDENTIFIER: &str = "coreIdentifier";

#[cfg(test)]
mod tests {
    use super::super::args::WhoArgs;
    use super::*;

    fn args(email: Option<&str>, identifiers: &[&str], window: WindowArgs) -> SelectionArgs {
        SelectionArgs {
            who: WhoArgs {
                email: email.map(|text| text.parse().unwrap()),
                identifiers: identifiers.iter().map(|text| text.parse().unwrap()).collect(),
                tenant_full: email.is_none() && identifiers.is_empty(),
            },
            tenant: None,
            window,
        }
    }

    fn read(args: &SelectionArgs) -> Result<Selection, String> {
        Selection::read(args, &Settings::default()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn flags_become_the_identifiers_of_a_request() {
        let args = args(
            Some("a@example.org"),
            &["coreIdentifier=c-1", "phone=+49=1", "phone=2", "phone=2"],
            WindowArgs::default(),
        );
        let selection = read(&args).unwrap();
        let request = selection.to_record(vec!["CSV".to_owned()]);
        assert_eq!(request.scope, ScopeKind::DataSubject);
        assert_eq!(request.details.email.as_deref(), Some("a@example.org"));
        assert_eq!(request.details.core_identifier.as_deref(), Some("c-1"));
        let values: Vec<_> = request
            .details
            .identifiers
            .iter()
            .map(|identifier| (identifier.name.as_str(), identifier.value.as_str()))
            .collect();
        let expected = [
            ("email", "a@example.org"),
            ("coreIdentifier", "c-1"),
            ("phone", "+49=1"),
            ("phone", "2"),
        ];
        assert_eq!(values, expected);
        assert_eq!(selection.tenant().as_str(), "default");
        assert_eq!(request.subject_key, None);
    }

    #[test]
    fn a_window_makes_a_slice_of_a_tenant() {
        let at = |text: &str| Some(text.parse().unwrap());
        let window = WindowArgs {
            window_start: at("2026-01-01T00:00:00Z"),
            window_end: at("2026-02-01T00:00:00Z"),
            scope_fields: vec![
                "campaignIds=a".parse().unwrap(),
                "campaignIds=b,a".parse().unwrap(),
            ],
        };
        let selection = read(&args(None, &[], window.clone())).unwrap();
        assert_eq!(selection.scope, ScopeKind::TenantSlice);
        assert_eq!(selection.details.scope_fields["campaignIds"], ["a", "b"]);
        let open = WindowArgs { window_end: None, ..window.clone() };
        assert_eq!(read(&args(None, &[], open)).unwrap().scope, ScopeKind::TenantFull);
        let empty = WindowArgs { window_end: window.window_start, ..window };
        assert_eq!(
            read(&args(None, &[], empty)).unwrap_err(),
            "--window-end must be after --window-start"
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_a_value_is_not_repeated() {
        for wrong in ["jane@example.org", "7=jane@example.org", "=jane@example.org", "a b=jane"] {
            let fault = read(&args(None, &[wrong], WindowArgs::default())).unwrap_err();
            assert!(fault.starts_with("--identifier: "), "{fault}");
            assert!(!fault.contains("jane"), "{fault}");
        }
        let blank = read(&args(None, &["phone= "], WindowArgs::default())).unwrap_err();
        assert_eq!(blank, "--identifier phone: the value must not be empty");
        let blank = read(&args(Some(" "), &[], WindowArgs::default())).unwrap_err();
        assert_eq!(blank, "--email must not be empty");
    }
}
