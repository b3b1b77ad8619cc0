//! How does a request become a plan?

use antumbra_config::{CsvFormulas, Datapoint, DatapointKind, Redaction, Silo, Source};
use antumbra_jobs::{Request, ScopeKind};

use super::graph::{self, Node};
use super::model::{Plan, Planned, Skipped};
use crate::PipelineError;
use crate::redact::RedactionKind;
use crate::runner::Sessions;
use crate::silo::{Filter, Identifiers, SectionSource, SectionSpec, Window};
use crate::{SiloError, Value};

/// Plans a request over the tenant's silos: identities first, then every datapoint, in the order of settings.
///
/// A silo that fails here fails its sections when they are read; the plan goes on, unless `patient` is set and the silo may
/// answer later. Values found are bounded by `limit`.
///
/// # Errors
/// [`PipelineError::TooManyIdentifiers`]; [`PipelineError::Section`] when patient.
pub async fn build(
    request: &Request,
    silos: &[Silo],
    sessions: &mut Sessions,
    limit: usize,
    patient: bool,
    csv_formulas: CsvFormulas,
) -> Result<Plan, PipelineError> {
    let mut sections = Vec::new();
    let mut provides = Vec::new();
    for silo in silos.iter().filter(|silo| silo.tenant.as_str() == request.tenant.as_str()) {
        for datapoint in &silo.datapoints {
            sections.push(section(request, silo, datapoint));
            let edges = datapoint.provides.iter();
            provides.push(
                edges
                    .map(|(identifier, column)| (identifier.as_str().to_owned(), column.clone()))
                    .collect::<Vec<_>>(),
            );
        }
    }
    let nodes: Vec<Node<'_>> = sections
        .iter()
        .zip(&provides)
        .filter(|(section, _)| section.skipped.is_none() && !section.spec.tenant_wide)
        .map(|(section, provides)| Node { spec: &section.spec, provides: provides.clone() })
        .collect();
    let found = graph::close(given(request), &nodes, sessions, limit, patient).await?;
    for section in &mut sections {
        if section.skipped.is_none() {
            section.skipped = unreachable(&section.spec, &found);
        }
        if section.skipped.is_none() {
            // A silo that fails now is asked again, and heard, when the section is read.
            section.shape = describe(&section.spec, &found.identifiers, sessions).await.ok();
        }
    }
    Ok(Plan { identifiers: found.identifiers, sections, csv_formulas })
}

async fn describe(
    spec: &SectionSpec,
    known: &Identifiers,
    sessions: &mut Sessions,
) -> Result<crate::silo::Shape, SiloError> {
    sessions.of(&spec.silo).await?.describe(spec, known).await
}

fn given(request: &Request) -> Identifiers {
    let mut given = Identifiers::new();
    for identifier in &request.details.identifiers {
        let values = given.entry(identifier.name.clone()).or_default();
        let value = Value::Text(identifier.value.clone());
        if !values.contains(&value) {
            values.push(value);
        }
    }
    given
}

/// Returns what a request makes of one datapoint, before anything is known of its person: its shape is not looked at yet.
#[must_use]
pub fn section(request: &Request, silo: &Silo, datapoint: &Datapoint) -> Planned {
    let tenant_wide = request.scope != ScopeKind::DataSubject;
    let mut skipped = None;
    let source = match &datapoint.source {
        Source::Table { name } => SectionSource::Table {
            parts: name.clone(),
            matches: datapoint
                .matches
                .iter()
                .map(|(column, identifier)| (column.clone(), identifier.as_str().to_owned()))
                .collect(),
        },
        Source::Query { sql, tenant_sql } => {
            let chosen = if tenant_wide { tenant_sql.as_ref() } else { Some(sql) };
            if chosen.is_none() {
                skipped = Some(skip("unreachable", "it has no tenant_query"));
            }
            SectionSource::Query { sql: chosen.unwrap_or(sql).clone() }
        }
    };
    let mut spec = SectionSpec {
        silo: silo.name.as_str().to_owned(),
        datapoint: datapoint.name.as_str().to_owned(),
        source,
        tenant_wide,
        key: datapoint.key.clone(),
        window: None,
        filters: Vec::new(),
    };
    let notes = narrow(&mut spec, request, datapoint);
    if !tenant_wide {
        if datapoint.kind == DatapointKind::Configuration {
            skipped = Some(skip("left-out", "it is configuration, not data of a person"));
        } else if spec.needs().is_empty() {
            // Without a link to the person every row would be somebody's.
            skipped = Some(skip("unreachable", "it matches no identifier"));
        }
    }
    let redactions = datapoint
        .redact
        .iter()
        .map(|(column, how)| {
            let kind = match how {
                Redaction::Drop => RedactionKind::Drop,
                Redaction::Hash => RedactionKind::Hash,
            };
            (column.clone(), kind)
        })
        .collect();
    Planned { spec, redactions, notes, skipped, shape: None }
}

/// Narrows by window and scope fields; what cannot be narrowed is exported whole, and said.
fn narrow(spec: &mut SectionSpec, request: &Request, datapoint: &Datapoint) -> Vec<String> {
    let details = &request.details;
    let mut notes = Vec::new();
    if details.window_start.is_some() || details.window_end.is_some() {
        match &datapoint.time_column {
            Some(column) => {
                spec.window = Some(Window {
                    column: column.clone(),
                    start: details.window_start,
                    end: details.window_end,
                });
            }
            None => notes.push("not narrowed by the window: it has no time column".to_owned()),
        }
    }
    for (column, field) in &datapoint.filter {
        if let Some(values) = details.scope_fields.get(field.as_str()) {
            spec.filters.push(Filter {
                column: column.clone(),
                field: field.as_str().to_owned(),
                values: values.clone(),
            });
        }
    }
    for (field, values) in &details.scope_fields {
        let declared = datapoint.filter.iter().any(|(_, known)| known.as_str() == field);
        if !values.is_empty() && !declared {
            notes.push(format!("not narrowed by {field}: no column is declared for it"));
        }
    }
    notes
}

fn unreachable(spec: &SectionSpec, found: &graph::Found) -> Option<Skipped> {
    let needs = spec.needs();
    let failed = needs.iter().flatten().find_map(|name| {
        found.failed.get(name).map(|provider| SiloError::ProviderFailed {
            identifier: name.clone(),
            provider: provider.clone(),
        })
    });
    // Also when some values are known: those of the provider that failed are missing.
    if let Some(error) = failed {
        return Some(Skipped {
            outcome: "failed".to_owned(),
            code: Some(error.code().to_owned()),
            reason: error.to_string(),
        });
    }
    if graph::is_reachable(&needs, &found.identifiers) {
        return None;
    }
    let alternatives: Vec<String> = needs.iter().map(|names| names.join(" and ")).collect();
    Some(skip("unreachable", &format!("no value of {} is known", alternatives.join(" or "))))
}

fn skip(outcome: &str, reason: &str) -> Skipped {
    Skipped { outcome: outcome.to_owned(), code: None, reason: reason.to_owned() }
}
