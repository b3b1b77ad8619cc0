//! Is a plan the one that somebody looked at? A hash over everything that decides the result.

use std::collections::BTreeMap;

use antumbra_bundle::{canonical_json, hex};
use antumbra_crypto::Secret32;
use antumbra_jobs::{ExpectedPlan, Request};
use ring::hmac;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::model::{Plan, Planned};
use crate::PipelineError;

/// What a plan hashes to, as a whole and in parts.
///
/// The hash is SHA-256 over canonical JSON (RFC 8785) of specs, statements, columns and types, redactions, guards, formats, hashes of
/// the silos' addresses and whatever else decides the result, but for the data itself. Estimates are not in it. Values of identifiers are in it as an HMAC
/// with a secret of the tenant, so that nobody who guesses a value can prove the guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 in hex.
    pub hash: String,
    /// The first digits of the hash of each part: of each section by `silo/datapoint`, of `identifiers`, of `settings`. They say
    /// what changed when the whole did.
    pub parts: BTreeMap<String, String>,
}

impl Fingerprint {
    /// Takes the fingerprint of a plan that was made for a request. `secret` is the tenant's for plans.
    #[must_use]
    pub fn of(plan: &Plan, request: &Request, secret: &Secret32) -> Self {
        let identifiers = json!(identifiers(plan, secret));
        let settings = json!({
            "csvFormulas": plan.csv_formulas.as_str(),
            "foreignIdentifiers": plan.guards.foreign_identifiers.as_str(),
            "formats": request.formats,
            "origins": plan.origins,
            "scope": request.scope.as_str(),
            "secrets": plan.guards.secrets.as_str(),
            "tenant": request.tenant.as_str(),
            "version": VERSION,
        });
        let mut parts = BTreeMap::new();
        let mut sections = Vec::new();
        for planned in &plan.sections {
            let section = section(planned);
            parts.insert(planned.spec.name(), short(&section));
            sections.push(section);
        }
        parts.insert(IDENTIFIERS.to_owned(), short(&identifiers));
        parts.insert(SETTINGS.to_owned(), short(&settings));
        let whole = json!({
            "identifiers": identifiers,
            "sections": sections,
            "settings": settings,
        });
        Self { hash: sha256(&whole), parts }
    }

    /// Compares with the plan that a request is bound to.
    ///
    /// # Errors
    /// [`PipelineError::PlanChanged`], which says what changed as far as the parts of the expected plan are known.
    pub fn check(&self, expected: &ExpectedPlan) -> Result<(), PipelineError> {
        if self.hash == expected.hash {
            return Ok(());
        }
        Err(PipelineError::PlanChanged { changes: self.changes(&expected.parts) })
    }

    /// Compares a plan that was made with the one that its request is bound to.
    ///
    /// # Errors
    /// As [`check`](Self::check); [`PipelineError::PlanChanged`] too where a section could not be looked at: nobody knows what would
    /// be read.
    pub(super) fn check_whole(
        &self,
        plan: &Plan,
        expected: &ExpectedPlan,
    ) -> Result<(), PipelineError> {
        self.check(expected)?;
        let unknown = plan.sections.iter().filter(|s| s.skipped.is_none() && s.shape.is_none());
        let changes: Vec<String> =
            unknown.map(|section| format!("{} is not known", section.spec.name())).collect();
        if changes.is_empty() { Ok(()) } else { Err(PipelineError::PlanChanged { changes }) }
    }

    fn changes(&self, expected: &BTreeMap<String, String>) -> Vec<String> {
        if expected.is_empty() {
            return Vec::new();
        }
        let now = self.parts.iter().filter_map(|(name, part)| match expected.get(name) {
            Some(before) if before == part => None,
            Some(_) => Some(format!("{name} changed")),
            None => Some(format!("{name} is new")),
        });
        let gone = expected.keys().filter(|name| !self.parts.contains_key(*name));
        now.chain(gone.map(|name| format!("{name} is gone"))).collect()
    }
}

/// What decides the rows of a section and their form.
fn section(planned: &Planned) -> Value {
    let spec = &planned.spec;
    let shape = planned.shape.as_ref();
    json!({
        "columns": shape.map(|shape| &shape.columns),
        "keyed": shape.is_some_and(|shape| shape.keyed),
        "orderedBy": shape.map(|shape| &shape.ordered_by),
        "redactions": planned.redactions,
        "skipped": planned.skipped.as_ref().map(|skipped| &skipped.outcome),
        "spec": spec,
        "statement": shape.map(|shape| &shape.statement),
    })
}

/// Names and values, whatever order the values were found in.
fn identifiers(plan: &Plan, secret: &Secret32) -> String {
    let names: BTreeMap<&String, Vec<String>> = plan
        .identifiers
        .iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| {
            let mut values: Vec<String> =
                values.iter().map(|value| json!(value).to_string()).collect();
            values.sort_unstable();
            (name, values)
        })
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    hex(hmac::sign(&key, &canonical_json(&json!(names))).as_ref())
}

fn sha256(value: &Value) -> String {
    hex(&Sha256::digest(canonical_json(value)))
}

fn short(value: &Value) -> String {
    let mut hash = sha256(value);
    hash.truncate(SHORT);
    hash
}

/// Of what is hashed.
const VERSION: u32 = 1;
const IDENTIFIERS: &str = "identifiers";
const SETTINGS: &str = "settings";
const SHORT: usize = 16;
/// The name of the tenant's secret for plans.
pub(super) const PURPOSE: &str = "plan";

#[cfg(test)]
mod tests {
    use antumbra_config::{CsvFormulas, GuardAction, Redaction};
    use antumbra_jobs::{Family, RequestDetails, RequestId, RequestStatus, ScopeKind, TenantId};
    use jiff::Timestamp;

    use super::super::model::Guards;
    use super::*;
    use crate::Value as Known;
    use crate::silo::{ColumnShape, ColumnType, SectionSource, SectionSpec, Shape};

    fn request() -> Request {
        Request {
            id: RequestId::generate(),
            tenant: TenantId::new("acme").unwrap(),
            family: Family::Compliance,
            action: "ACCESS".to_owned(),
            subject_type: "dataSubject".to_owned(),
            scope: ScopeKind::DataSubject,
            formats: vec!["JSON".to_owned()],
            is_test: false,
            is_silent: true,
            details: RequestDetails::default(),
            status: RequestStatus::RequestMade,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn planned(name: &str) -> Planned {
        Planned {
            spec: SectionSpec {
                silo: "shop".to_owned(),
                datapoint: name.to_owned(),
                source: SectionSource::Query { sql: "select :email".to_owned() },
                tenant_wide: false,
                key: vec![],
                window: None,
                filters: vec![],
                columns: vec![],
            },
            redactions: vec![],
            notes: vec![],
            skipped: None,
            shape: Some(Shape {
                columns: vec![ColumnShape {
                    name: "id".to_owned(),
                    declared: "int".to_owned(),
                    kind: ColumnType::Integer,
                }],
                ordered_by: vec![],
                keyed: false,
                statement: "select :email".to_owned(),
                notes: vec![],
                rows: Some(7),
            }),
            provided: vec![],
            whole: None,
        }
    }

    fn plan() -> Plan {
        let text = |text: &str| Known::Text(text.to_owned());
        Plan {
            identifiers: [("email".to_owned(), vec![text("a"), text("b")])].into(),
            sections: vec![planned("orders"), planned("events")],
            csv_formulas: CsvFormulas::Defuse,
            guards: Guards::default(),
            bound: true,
            origins: [("shop".to_owned(), "ab".to_owned())].into(),
        }
    }

    fn of(plan: &Plan) -> Fingerprint {
        Fingerprint::of(plan, &request(), &Secret32::from_slice(&[1; 32]).unwrap())
    }

    fn expected(plan: &Plan) -> ExpectedPlan {
        let Fingerprint { hash, parts } = of(plan);
        ExpectedPlan { hash, parts }
    }

    #[test]
    fn estimates_and_the_order_of_values_do_not_count() {
        let mut other = plan();
        other.identifiers.get_mut("email").unwrap().reverse();
        other.identifiers.insert("unknown".to_owned(), vec![]);
        for section in &mut other.sections {
            section.shape.as_mut().unwrap().rows = None;
            section.whole = Some(9);
        }
        assert_eq!(of(&other), of(&plan()));
        of(&other).check(&expected(&plan())).unwrap();
    }

    type Change = fn(&mut Plan);

    #[test]
    fn whatever_decides_the_result_changes_the_hash_and_is_named() {
        let changes: [(&str, Change); 10] = [
            ("identifiers changed", |plan| {
                plan.identifiers.get_mut("email").unwrap().pop();
            }),
            ("settings changed", |plan| plan.csv_formulas = CsvFormulas::Keep),
            ("settings changed", |plan| {
                plan.origins.insert("shop".to_owned(), "cd".to_owned());
            }),
            ("settings changed", |plan| plan.guards.secrets = GuardAction::Note),
            ("shop/orders changed", |plan| {
                plan.sections[0].redactions.push(("id".to_owned(), Redaction::Drop));
            }),
            ("shop/orders changed", |plan| plan.sections[0].spec.columns.push("id".to_owned())),
            ("shop/orders changed", |plan| plan.sections[0].shape = None),
            ("shop/orders changed", |plan| {
                plan.sections[0].shape.as_mut().unwrap().columns[0].kind = ColumnType::Text;
            }),
            ("shop/events is gone", |plan| drop(plan.sections.pop())),
            ("shop/more is new", |plan| plan.sections.push(planned("more"))),
        ];
        for (told, change) in changes {
            let mut changed = plan();
            change(&mut changed);
            let error = of(&changed).check(&expected(&plan())).unwrap_err();
            let PipelineError::PlanChanged { changes } = error else { panic!("{error}") };
            assert_eq!(changes, [told]);
        }
    }

    #[test]
    fn what_nobody_could_look_at_is_bound_to_nothing() {
        let mut unknown = plan();
        unknown.sections[1].shape = None;
        let error = of(&unknown).check_whole(&unknown, &expected(&unknown)).unwrap_err();
        let PipelineError::PlanChanged { changes } = error else { panic!("{error}") };
        assert_eq!(changes, ["shop/events is not known"]);
        of(&plan()).check_whole(&plan(), &expected(&plan())).unwrap();
    }

    #[test]
    fn no_value_is_in_the_hash_without_the_secret() {
        let other = Secret32::from_slice(&[2; 32]).unwrap();
        let other = Fingerprint::of(&plan(), &request(), &other);
        assert_ne!(other.parts["identifiers"], of(&plan()).parts["identifiers"]);
        assert_eq!(other.parts["shop/orders"], of(&plan()).parts["shop/orders"]);
    }

    #[test]
    fn without_parts_only_the_whole_is_compared() {
        let hash = of(&plan()).hash;
        assert_eq!(hash.len(), 64);
        let bound = ExpectedPlan { hash, parts: BTreeMap::new() };
        of(&plan()).check(&bound).unwrap();
        let mut changed = plan();
        changed.sections.pop();
        let error = of(&changed).check(&bound).unwrap_err();
        assert_eq!(error.to_string(), "the plan is not the one that was approved");
    }
}
