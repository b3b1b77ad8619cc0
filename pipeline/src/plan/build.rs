//! How does a request become a plan?

use std::collections::BTreeMap;

use antumbra_bundle::{canonical_json, hex};
use antumbra_config::{Datapoint, DatapointKind, Endpoint, Silo, Source};
use antumbra_crypto::Retry;
use antumbra_jobs::{Request, ScopeKind};
use sha2::{Digest as _, Sha256};

use super::graph::{self, Node};
use super::model::{Plan, Planned, Provided, Rules, Skipped};
use crate::PipelineError;
use crate::runner::Sessions;
use crate::silo::{Filter, Identifiers, SectionSource, SectionSpec, Window, is_of_scope};
use crate::{SiloError, Value};

/// Plans a request over the tenant's silos: identities first, then every datapoint, in the order of settings.
///
/// A silo that fails here fails its sections when they are read; the plan goes on, unless one is `patient` with that silo and it may
/// answer later. For a request that is bound to a plan a silo that may answer later always ends it: the plan would differ from the
/// one that was approved for a moment's sake. Values found are bounded by the rules' limit.
///
/// # Errors
/// [`PipelineError::TooManyIdentifiers`]; [`PipelineError::Section`] when patient or bound.
pub async fn build(
    request: &Request,
    silos: &[Silo],
    sessions: &mut Sessions,
    rules: &Rules,
    patient: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Plan, PipelineError> {
    let mut sections = Vec::new();
    for silo in silos.iter().filter(|silo| silo.tenant.as_str() == request.tenant.as_str()) {
        for datapoint in &silo.datapoints {
            sections.push(section(request, silo, datapoint));
        }
    }
    let asked = |section: &Planned| section.skipped.is_none() && !section.spec.tenant_wide;
    let nodes: Vec<Node<'_>> =
        sections.iter().filter(|section| asked(section)).map(Node::of).collect();
    let bound = request.details.expected_plan.is_some();
    let patient = |silo: &str| bound || patient(silo);
    let found = graph::close(given(request), &nodes, sessions, rules.limit, &patient).await?;
    let places = sections.iter_mut().filter(|section| asked(section));
    for (section, counts) in places.zip(&found.values) {
        for (provided, count) in section.provided.iter_mut().zip(counts.iter().flatten()) {
            provided.values = Some(count.values);
            if count.blank > 0 {
                section.notes.push(format!(
                    "column {}: {} blank values identify nobody and were not taken for {}",
                    provided.column, count.blank, provided.identifier
                ));
            }
        }
    }
    for section in sections.iter_mut().filter(|section| section.skipped.is_none()) {
        section.skipped = unreachable(&section.spec, &found);
    }
    describe(&mut sections, &found.identifiers, sessions, bound).await?;
    Ok(Plan {
        identifiers: found.identifiers,
        sections,
        csv_formulas: rules.csv_formulas,
        guards: rules.guards,
        bound,
        origins: origins(request, silos),
    })
}

/// Looks at every section that is to be read, and counts what those had that are narrowed. A silo that fails now is asked again, and
/// heard, when the section is read; but for a request that is bound to a plan one that may answer later is an error.
async fn describe(
    sections: &mut [Planned],
    known: &Identifiers,
    sessions: &mut Sessions,
    bound: bool,
) -> Result<(), PipelineError> {
    let mut read: Vec<&mut Planned> =
        sections.iter_mut().filter(|section| section.skipped.is_none()).collect();
    let specs: Vec<&SectionSpec> = read.iter().map(|section| &section.spec).collect();
    let described = sessions.describe_all(&specs, known).await;
    for (section, described) in read.iter_mut().zip(described) {
        match described {
            Ok(described) => {
                section.shape = Some(described.shape);
                section.whole = described.whole;
            }
            Err(source) if bound && source.retry() == Retry::Later => {
                let (silo, datapoint) = (section.spec.silo.clone(), section.spec.datapoint.clone());
                return Err(PipelineError::Section { silo, datapoint, source });
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Hashes where each silo of the tenant is. Where settings refer to a secret, a URL with its password for one, the reference counts:
/// the secret itself is nowhere in a plan.
fn origins(request: &Request, silos: &[Silo]) -> BTreeMap<String, String> {
    let of_tenant = silos.iter().filter(|silo| silo.tenant.as_str() == request.tenant.as_str());
    let origins = of_tenant.map(|silo| {
        let settings = serde_json::to_value(silo).unwrap_or_default();
        let address: BTreeMap<&str, &serde_json::Value> =
            ADDRESS.iter().filter_map(|key| Some((*key, settings.get(key)?))).collect();
        let address = canonical_json(&serde_json::json!(address));
        (silo.name.as_str().to_owned(), hex(&Sha256::digest(address)))
    });
    origins.collect()
}

/// The keys of a silo's settings that say what it is and where.
const ADDRESS: [&str; 8] =
    ["type", "path", "url", "base_url", "location", "driver", "entrypoint", "options"];

fn given(request: &Request) -> Identifiers {
    let mut given = Identifiers::new();
    for identifier in &request.details.identifiers {
        let values = given.entry(identifier.name.clone()).or_default();
        let value = Value::Text(identifier.value.clone());
        if !value.is_blank() && !values.contains(&value) {
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
        Source::Table { name } => {
            SectionSource::Table { parts: name.clone(), matches: matches(datapoint) }
        }
        Source::Query { sql, tenant_sql } => {
            let chosen = if tenant_wide { tenant_sql.as_ref() } else { Some(sql) };
            if chosen.is_none() {
                skipped = Some(skip("unreachable", "it has no tenant_query"));
            }
            SectionSource::Query { sql: chosen.unwrap_or(sql).clone() }
        }
        Source::Endpoint(endpoint) => {
            let chosen = if tenant_wide { of_tenant(endpoint) } else { Some(endpoint.clone()) };
            if chosen.is_none() {
                skipped = Some(skip("unreachable", "it has no tenant_path"));
            }
            SectionSource::Endpoint { endpoint: chosen.unwrap_or_else(|| endpoint.clone()) }
        }
        Source::Files(files) => {
            SectionSource::Files { files: files.clone(), matches: matches(datapoint) }
        }
        Source::Attachment(attachment) => {
            let mut attachment = attachment.clone();
            if tenant_wide {
                attachment.path = of_everybody(&attachment.path);
            }
            SectionSource::Attachment { attachment }
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
        columns: datapoint.columns.clone(),
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
    let provided = datapoint.provides.iter().map(|(identifier, column)| Provided {
        identifier: identifier.as_str().to_owned(),
        column: column.clone(),
        values: None,
    });
    let provided = provided.collect();
    let redactions = datapoint.redact.clone();
    Planned { spec, redactions, notes, skipped, shape: None, provided, whole: None }
}

fn matches(datapoint: &Datapoint) -> Vec<(String, String)> {
    let matches = datapoint.matches.iter();
    matches.map(|(column, identifier)| (column.clone(), identifier.as_str().to_owned())).collect()
}

/// Returns what a whole tenant's rows come from; `None` if an endpoint knows one person's only.
fn of_tenant(endpoint: &Endpoint) -> Option<Endpoint> {
    let path = match &endpoint.tenant_path {
        Some(path) => path.clone(),
        None => endpoint.path.clone(),
    };
    let query = if endpoint.tenant_path.is_some() || !endpoint.tenant_query.is_empty() {
        endpoint.tenant_query.clone()
    } else {
        endpoint.query.clone()
    };
    let names = |template: &str| {
        SectionSpec::placeholders(template).into_iter().any(|name| !is_of_scope(name))
    };
    if names(&path) || query.iter().any(|(_, value)| names(value)) {
        return None;
    }
    Some(Endpoint {
        tenant_path: Some(path.clone()),
        tenant_query: query.clone(),
        path,
        query,
        ..endpoint.clone()
    })
}

/// Returns the template with a glob that matches everybody's value for each placeholder.
fn of_everybody(template: &str) -> String {
    let mut path = template.to_owned();
    for name in SectionSpec::placeholders(template) {
        path = path.replace(&format!("{{{name}}}"), "*");
    }
    path
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
