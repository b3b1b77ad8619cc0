//! What is worth saying of a plan? Names and counts; no value of the data, none of the request.

use std::collections::{BTreeMap, BTreeSet};

use antumbra_config::{Settings, Silo};
use antumbra_pipeline::plan::{Plan, Planned};
use serde::Serialize;

use crate::cli::selection::Selection;

/// A plan without its values.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outline {
    /// Whose silos.
    pub(super) tenant: String,
    /// How much.
    pub(super) scope: &'static str,
    /// Every identifier that is known or could be, by name.
    pub(super) identifiers: Vec<Known>,
    /// How identifiers lead to others.
    pub(super) provides: Vec<Edge>,
    /// Every datapoint of the tenant, in the order of settings.
    pub(super) sections: Vec<Section>,
    /// Rows of all sections that could say.
    pub(super) rows_expected: Option<u64>,
}

/// How many values of an identifier there are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Known {
    pub(super) name: String,
    /// By the flags.
    pub(super) given: usize,
    /// In all, with what datapoints provided.
    pub(super) known: usize,
}

/// A datapoint that provides an identifier.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Edge {
    /// `silo/datapoint`.
    pub(super) section: String,
    /// What it needs: any one of these alternatives.
    pub(super) needs: Vec<Vec<String>>,
    /// The identifier it provides.
    pub(super) identifier: String,
    /// The column its values are in.
    pub(super) column: String,
}

/// What is known of a section before it is read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Section {
    pub(super) silo: String,
    pub(super) datapoint: String,
    /// `planned`, `unreachable`, `left-out` or `failed`.
    pub(super) outcome: String,
    /// The fixed word of a fault.
    pub(super) code: Option<String>,
    /// Why it is not read, or would fail.
    pub(super) reason: Option<String>,
    /// The statement, parameters by name.
    pub(super) statement: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) ordered_by: Vec<String>,
    /// The order is proven unique: it is cut into slices and resumed.
    pub(super) keyed: bool,
    /// Rows, counted or estimated.
    pub(super) rows: Option<u64>,
    /// Columns whose values are withheld, and how.
    pub(super) redactions: BTreeMap<String, String>,
    pub(super) notes: Vec<String>,
}

/// A column and its types.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Column {
    pub(super) name: String,
    /// What the silo calls its type.
    pub(super) declared: String,
    /// The Arrow type it becomes.
    pub(super) r#type: String,
}

impl Outline {
    /// Takes from a plan what may be shown. `faults`: code and reason by `silo/datapoint`.
    pub(super) fn of(
        selection: &Selection,
        settings: &Settings,
        plan: &Plan,
        faults: &BTreeMap<String, (String, String)>,
    ) -> Self {
        let given = selection.given();
        let tenant = selection.tenant().as_str();
        let silos: Vec<&Silo> =
            settings.silos.iter().filter(|silo| silo.tenant.as_str() == tenant).collect();
        let provides = edges(&silos, plan);
        let mut names: BTreeSet<&String> = plan.identifiers.keys().collect();
        names.extend(provides.iter().map(|edge| &edge.identifier));
        let identifiers = names
            .into_iter()
            .map(|name| Known {
                name: name.clone(),
                given: given.get(name).copied().unwrap_or(0),
                known: plan.identifiers.get(name).map_or(0, Vec::len),
            })
            .collect();
        Self {
            tenant: tenant.to_owned(),
            scope: selection.scope().as_str(),
            identifiers,
            provides,
            sections: plan.sections.iter().map(|planned| section(planned, faults)).collect(),
            rows_expected: plan.rows_expected(),
        }
    }

    /// Says whether nothing failed.
    pub(super) fn is_whole(&self) -> bool {
        self.sections.iter().all(|section| section.outcome != FAILED)
    }

    /// Returns who provides an identifier, in words.
    pub(super) fn providers(&self, identifier: &str) -> Vec<String> {
        let edges = self.provides.iter().filter(|edge| edge.identifier == identifier);
        edges.map(|edge| format!("{} ({})", edge.section, edge.column)).collect()
    }
}

fn edges(silos: &[&Silo], plan: &Plan) -> Vec<Edge> {
    let mut edges = Vec::new();
    for silo in silos {
        for datapoint in &silo.datapoints {
            let section = format!("{}/{}", silo.name, datapoint.name);
            let planned = plan.sections.iter().find(|planned| planned.spec.name() == section);
            let needs = planned.map(|planned| planned.spec.needs()).unwrap_or_default();
            for (identifier, column) in &datapoint.provides {
                edges.push(Edge {
                    section: section.clone(),
                    needs: needs.clone(),
                    identifier: identifier.as_str().to_owned(),
                    column: column.clone(),
                });
            }
        }
    }
    edges
}

fn section(planned: &Planned, faults: &BTreeMap<String, (String, String)>) -> Section {
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
    let columns = shape.iter().flat_map(|shape| &shape.columns).map(|column| Column {
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
        statement: shape.map(|shape| shape.statement.clone()),
        columns: columns.collect(),
        ordered_by: shape.map(|shape| shape.ordered_by.clone()).unwrap_or_default(),
        keyed: shape.is_some_and(|shape| shape.keyed),
        rows: shape.and_then(|shape| shape.rows),
        redactions: planned
            .redactions
            .iter()
            .map(|(column, how)| (column.clone(), how.as_str().to_owned()))
            .collect(),
        notes,
    }
}

const FAILED: &str = "failed";
