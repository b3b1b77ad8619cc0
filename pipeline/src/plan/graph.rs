//! Which identifiers does a person have? Edges from datapoint to datapoint, followed to a fixed point.

use std::collections::{BTreeMap, BTreeSet};

use antumbra_crypto::Retry;

use super::model::Planned;
use crate::runner::Sessions;
use crate::silo::{Identifiers, SectionSpec};
use crate::{PipelineError, SiloError, Value};

/// A datapoint that may provide identifiers.
pub(super) struct Node<'a> {
    pub(super) spec: &'a SectionSpec,
    /// Identifier and column.
    pub(super) provides: Vec<(String, String)>,
}

impl<'a> Node<'a> {
    pub(super) fn of(section: &'a Planned) -> Self {
        let provides = section.provided.iter();
        let provides = provides.map(|edge| (edge.identifier.clone(), edge.column.clone()));
        Self { spec: &section.spec, provides: provides.collect() }
    }
}

/// What following the edges found.
pub(super) struct Found {
    pub(super) identifiers: Identifiers,
    /// Providers that failed, by the identifiers they would have provided.
    pub(super) failed: BTreeMap<String, String>,
    /// Of each node what each of its columns has; `None` for a node that was not asked, or failed.
    pub(super) values: Vec<Option<Vec<Counted>>>,
}

/// How many values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// Those that identify somebody.
    pub(super) values: usize,
    /// Blank ones, which identify nobody and were left out.
    pub(super) blank: usize,
}

/// Follows the edges until nothing new is found. Cycles are fine: values only grow, up to `limit` each.
///
/// `patient`: a silo that may answer later ends the attempt if this says so of it, so that it is asked again; otherwise it counts as
/// failed.
pub(super) async fn close(
    start: Identifiers,
    nodes: &[Node<'_>],
    sessions: &mut Sessions,
    limit: usize,
    patient: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Found, PipelineError> {
    let values = vec![None; nodes.len()];
    let mut found = Found { identifiers: start, failed: BTreeMap::new(), values };
    for name in found.identifiers.keys() {
        check_limit(&found.identifiers, name, "the request", limit)?;
    }
    let mut changed: BTreeSet<String> = found.identifiers.keys().cloned().collect();
    let mut asked = vec![false; nodes.len()];
    while !changed.is_empty() {
        let mut next = BTreeSet::new();
        for ((node, asked), counts) in nodes.iter().zip(&mut asked).zip(&mut found.values) {
            let needs = node.spec.needs();
            let reachable = is_reachable(&needs, &found.identifiers);
            let touched = needs.iter().flatten().any(|name| changed.contains(name)) || !*asked;
            if node.provides.is_empty() || !reachable || !touched {
                continue;
            }
            *asked = true;
            let columns: Vec<String> =
                node.provides.iter().map(|(_, column)| column.clone()).collect();
            match ask(node.spec, &found.identifiers, &columns, sessions, limit).await {
                Ok(values) => {
                    *counts = Some(values.iter().map(|column| column.counted()).collect());
                    for ((identifier, _), column) in node.provides.iter().zip(values) {
                        if merge(&mut found.identifiers, identifier, column.values) {
                            next.insert(identifier.clone());
                        }
                        check_limit(&found.identifiers, identifier, &node.spec.name(), limit)?;
                    }
                }
                Err(source)
                    if source.is_held()
                        || source.retry() == Retry::Later && patient(&node.spec.silo) =>
                {
                    let (silo, datapoint) = (node.spec.silo.clone(), node.spec.datapoint.clone());
                    return Err(PipelineError::Section { silo, datapoint, source });
                }
                Err(_) => {
                    *counts = None;
                    for (identifier, _) in &node.provides {
                        found.failed.insert(identifier.clone(), node.spec.name());
                    }
                }
            }
        }
        changed = next;
    }
    pass_on(nodes, &mut found.failed);
    Ok(found)
}

/// A datapoint that needs what a failed one would have provided was asked for too little or not at all: what it provides is
/// as incomplete.
fn pass_on(nodes: &[Node<'_>], failed: &mut BTreeMap<String, String>) {
    let mut grew = true;
    while grew {
        grew = false;
        for node in nodes {
            if !node.spec.needs().iter().flatten().any(|name| failed.contains_key(name)) {
                continue;
            }
            for (identifier, _) in &node.provides {
                if !failed.contains_key(identifier) {
                    failed.insert(identifier.clone(), node.spec.name());
                    grew = true;
                }
            }
        }
    }
}

/// Says whether one of the alternatives is known completely; no alternative needs nothing.
pub(super) fn is_reachable(needs: &[Vec<String>], known: &Identifiers) -> bool {
    let has = |name: &String| known.get(name).is_some_and(|values| !values.is_empty());
    needs.is_empty() || needs.iter().any(|names| names.iter().all(has))
}

/// The values of a column, blank ones left out.
struct Column {
    values: Vec<Value>,
    blank: usize,
}

impl Column {
    fn of(mut values: Vec<Value>) -> Self {
        let all = values.len();
        values.retain(|value| !value.is_blank());
        Self { blank: all - values.len(), values }
    }

    const fn counted(&self) -> Counted {
        Counted { values: self.values.len(), blank: self.blank }
    }
}

/// Asks for the values of columns: all of them, or of one more than `limit`.
async fn ask(
    spec: &SectionSpec,
    known: &Identifiers,
    columns: &[String],
    sessions: &mut Sessions,
    limit: usize,
) -> Result<Vec<Column>, SiloError> {
    let mut most = limit;
    loop {
        let answer = sessions.of(&spec.silo).await?.distinct(spec, known, columns, most).await?;
        let found: Vec<Column> = answer.into_iter().map(Column::of).collect();
        // Blank values may have taken the places of others in an answer that was cut off.
        let is_cut = |column: &Column| {
            column.values.len() <= limit && column.values.len() + column.blank > most
        };
        if !found.iter().any(is_cut) {
            return Ok(found);
        }
        most = most.saturating_mul(2).saturating_add(1);
    }
}

fn merge(known: &mut Identifiers, identifier: &str, values: Vec<Value>) -> bool {
    let have = known.entry(identifier.to_owned()).or_default();
    let before = have.len();
    for value in values {
        if !have.contains(&value) {
            have.push(value);
        }
    }
    have.len() > before
}

/// Refuses more values than settings allow; `source` is where the last of them came from.
fn check_limit(
    known: &Identifiers,
    identifier: &str,
    source: &str,
    limit: usize,
) -> Result<(), PipelineError> {
    let found = known.get(identifier).map_or(0, Vec::len);
    if found <= limit {
        return Ok(());
    }
    let (identifier, source_of) = (identifier.to_owned(), source.to_owned());
    Err(PipelineError::TooManyIdentifiers { identifier, source_of, found, limit })
}
