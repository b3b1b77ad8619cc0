//! What is worth saying of a plan? Names and counts; no value of the data, none of the request.

use std::collections::{BTreeMap, BTreeSet};

use antumbra_config::{GuardAction, Settings};
use antumbra_jobs::Request;
use serde::Serialize;

use super::fingerprint::Fingerprint;
use super::model::{Plan, Planned, Rules};

/// A plan without its values.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outline {
    /// What the plan hashes to: see [`Fingerprint::hash`]. `None` where the tenant's secret was not at hand.
    pub plan_hash: Option<String>,
    /// What its parts hash to: see [`Fingerprint::parts`].
    pub plan_parts: BTreeMap<String, String>,
    /// Whose silos.
    pub tenant: String,
    /// How much.
    pub scope: &'static str,
    /// Every identifier that is known or could be, by name.
    pub identifiers: Vec<Known>,
    /// How identifiers lead to others.
    pub provides: Vec<Edge>,
    /// Every datapoint of the tenant, in the order of settings.
    pub sections: Vec<Section>,
    /// Rows of all sections that could say.
    pub rows_expected: Option<u64>,
    /// Formats that are asked for.
    pub formats: Vec<String>,
    /// What happens to values that have the shape of a secret: `off`, `note` or `redact`.
    pub secrets: &'static str,
    /// What happens to e-mail addresses that are none of the person's: `off`, `note` or `redact`; `off` for a whole tenant.
    pub foreign_identifiers: &'static str,
}

/// Code and reason of sections that could not be looked at, by `silo/datapoint`.
pub type Faults = BTreeMap<String, (String, String)>;

/// How many values of an identifier there are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// Its name.
    pub name: String,
    /// By the request.
    pub given: usize,
    /// In all, with what datapoints provided.
    pub known: usize,
}

/// A datapoint that provides an identifier.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// `silo/datapoint`.
    pub section: String,
    /// What it needs: any one of these alternatives.
    pub needs: Vec<Vec<String>>,
    /// The identifier it provides.
    pub identifier: String,
    /// The column its values are in.
    pub column: String,
    /// How many values were found there; `None` if nobody asked, because what it needs is not known, or it failed.
    pub values: Option<usize>,
}

/// What is known of a section before it is read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// The silo's name.
    pub silo: String,
    /// The datapoint's name.
    pub datapoint: String,
    /// `planned`, `unreachable`, `left-out` or `failed`.
    pub outcome: String,
    /// The fixed word of a fault.
    pub code: Option<String>,
    /// Why it is not read, or would fail.
    pub reason: Option<String>,
    /// The identifiers it needs: any one of these alternatives.
    pub needs: Vec<Vec<String>>,
    /// The statement or request, parameters by name.
    pub statement: Option<String>,
    /// The columns that leave, in the order of the silo.
    pub columns: Vec<Column>,
    /// Columns that settings do not list: they do not leave.
    pub unlisted: Vec<String>,
    /// The columns that order the rows.
    pub ordered_by: Vec<String>,
    /// The order is proven unique: it is cut into slices and resumed.
    pub keyed: bool,
    /// Rows, counted or estimated.
    pub rows: Option<u64>,
    /// Rows without window and lists, if it is narrowed and the silo could say.
    pub rows_before_filter: Option<u64>,
    /// What narrows it: columns, and the members of the scope they are compared with.
    pub narrowed_by: Vec<String>,
    /// Columns whose values are withheld, and how.
    pub redactions: BTreeMap<String, String>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// A column and its types.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What the silo calls its type.
    pub declared: String,
    /// The Arrow type it becomes.
    pub r#type: String,
}

impl Outline {
    /// Takes from a plan what may be shown.
    pub(super) fn of(
        request: &Request,
        settings: &Settings,
        plan: &Plan,
        faults: &Faults,
        fingerprint: Option<Fingerprint>,
    ) -> Self {
        let provides = edges(plan);
        let given = |name: &String| {
            request.details.identifiers.iter().filter(|given| given.name == *name).count()
        };
        let mut names: BTreeSet<&String> = plan.identifiers.keys().collect();
        names.extend(provides.iter().map(|edge| &edge.identifier));
        let identifiers = names.into_iter().map(|name| Known {
            name: name.clone(),
            given: given(name),
            known: plan.identifiers.get(name).map_or(0, Vec::len),
        });
        let identifiers = identifiers.collect();
        let tenant_wide = request.scope != antumbra_jobs::ScopeKind::DataSubject;
        let guards = Rules::of(settings).guards;
        let (plan_hash, plan_parts) = match fingerprint {
            Some(Fingerprint { hash, parts }) => (Some(hash), parts),
            None => (None, BTreeMap::new()),
        };
        Self {
            plan_hash,
            plan_parts,
            tenant: request.tenant.as_str().to_owned(),
            scope: request.scope.as_str(),
            identifiers,
            provides,
            sections: plan.sections.iter().map(|planned| section(planned, faults)).collect(),
            rows_expected: plan.rows_expected(),
            formats: request.formats.clone(),
            secrets: guards.secrets.as_str(),
            foreign_identifiers: match tenant_wide {
                true => GuardAction::Off.as_str(),
                false => guards.foreign_identifiers.as_str(),
            },
        }
    }

    /// Says whether nothing failed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.sections.iter().all(|section| section.outcome != FAILED)
    }

    /// Returns who provides an identifier, in words.
    #[must_use]
    pub fn providers(&self, identifier: &str) -> Vec<String> {
        let edges = self.provides.iter().filter(|edge| edge.identifier == identifier);
        edges.map(|edge| format!("{} ({})", edge.section, edge.column)).collect()
    }
}

fn edges(plan: &Plan) -> Vec<Edge> {
    let of_section = |planned: &Planned| {
        let (section, needs) = (planned.spec.name(), planned.spec.needs());
        let edges = planned.provided.iter().map(move |provided| Edge {
            section: section.clone(),
            needs: needs.clone(),
            identifier: provided.identifier.clone(),
            column: provided.column.clone(),
            values: provided.values,
        });
        edges.collect::<Vec<_>>()
    };
    plan.sections.iter().flat_map(of_section).collect()
}

fn section(planned: &Planned, faults: &Faults) -> Section {
    let fault = faults.get(&planned.spec.name());
    let (outcome, code, reason) = match (&planned.skipped, fault) {
        (Some(skipped), _) => {
            (skipped.outcome.clone(), skipped.code.clone(), Some(skipped.reason.clone()))
        }
        (None, Some((code, reason))) => {
            (FAILED.to_owned(), Some(code.clone()), Some(reason.clone()))
        }
        (None, None) => ("planned".to_owned(), None, None),
    };
    let shape = planned.shape.as_ref();
    let mut notes = planned.notes.clone();
    notes.extend(shape.iter().flat_map(|shape| shape.notes.iter().cloned()));
    let leaves =
        |name: &String| planned.spec.columns.is_empty() || planned.spec.columns.contains(name);
    let all = || shape.iter().flat_map(|shape| &shape.columns);
    let unlisted = all().filter(|column| !leaves(&column.name)).map(|column| column.name.clone());
    let columns = all().filter(|column| leaves(&column.name)).map(|column| Column {
        name: column.name.clone(),
        declared: column.declared.clone(),
        r#type: column.kind.data_type().to_string(),
    });
    Section {
        silo: planned.spec.silo.clone(),
        datapoint: planned.spec.datapoint.clone(),
        outcome,
        code,
        reason,
        needs: planned.spec.needs(),
        statement: shape.map(|shape| shape.statement.clone()),
        columns: columns.collect(),
        unlisted: unlisted.collect(),
        ordered_by: shape.map(|shape| shape.ordered_by.clone()).unwrap_or_default(),
        keyed: shape.is_some_and(|shape| shape.keyed),
        rows: shape.and_then(|shape| shape.rows),
        rows_before_filter: planned.whole,
        narrowed_by: narrowed_by(planned),
        redactions: planned
            .redactions
            .iter()
            .map(|(column, how)| (column.clone(), how.to_string()))
            .collect(),
        notes,
    }
}

fn narrowed_by(planned: &Planned) -> Vec<String> {
    let spec = &planned.spec;
    let window = spec.window.iter().flat_map(|window| {
        let ends = [(window.start, ">=", "windowStart"), (window.end, "<", "windowEnd")];
        let ends = ends.into_iter().filter(|(end, _, _)| end.is_some());
        ends.map(|(_, compare, name)| format!("{} {compare} {name}", window.column))
    });
    let filters = spec.filters.iter();
    window.chain(filters.map(|filter| format!("{} in {}", filter.column, filter.field))).collect()
}

const FAILED: &str = "failed";
