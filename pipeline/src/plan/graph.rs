//! Which identifiers does a person have? Edges from datapoint to datapoint, followed to a fixed point.

use std::collections::{BTreeMap, BTreeSet};

use antumbra_crypto::Retry;

use crate::runner::Sessions;
use crate::silo::{Identifiers, SectionSpec};
use crate::{PipelineError, SiloError, Value};

/// A datapoint that may provide identifiers.
pub(super) struct Node<'a> {
    pub(super) spec: &'a SectionSpec,
    /// Identifier and column.
    pub(super) provides: Vec<(String, String)>,
}

/// What following the edges found.
pub(super) struct Found {
    pub(super) identifiers: Identifiers,
    /// Providers that failed, by the identifiers they would have provided.
    pub(super) failed: BTreeMap<String, String>,
}

/// Follows the edges until nothing new is found. Cycles are fine: values only grow, up to `limit` each.
///
/// `patient`: a silo that may answer later ends the attempt, so that it is asked again; otherwise it counts as failed.
pub(super) async fn close(
    start: Identifiers,
    nodes: &[Node<'_>],
    sessions: &mut Sessions,
    limit: usize,
    patient: bool,
) -> Result<Found, PipelineError> {
    let mut found = Found { identifiers: start, failed: BTreeMap::new() };
    check_limit(&found.identifiers, limit)?;
    let mut changed: BTreeSet<String> = found.identifiers.keys().cloned().collect();
    let mut asked = vec![false; nodes.len()];
    while !changed.is_empty() {
        let mut next = BTreeSet::new();
        for (node, asked) in nodes.iter().zip(&mut asked) {
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
                    for ((identifier, _), values) in node.provides.iter().zip(values) {
                        if merge(&mut found.identifiers, identifier, values) {
                            next.insert(identifier.clone());
                        }
                    }
                    check_limit(&found.identifiers, limit)?;
                }
                Err(source) if patient && source.retry() == Retry::Later => {
                    let (silo, datapoint) = (node.spec.silo.clone(), node.spec.datapoint.clone());
                    return Err(PipelineError::Section { silo, datapoint, source });
                }
                Err(_) => {
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

async fn ask(
    spec: &SectionSpec,
    known: &Identifiers,
    columns: &[String],
    sessions: &mut Sessions,
    limit: usize,
) -> Result<Vec<Vec<Value>>, SiloError> {
    sessions.of(&spec.silo).await?.distinct(spec, known, columns, limit).await
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

fn check_limit(known: &Identifiers, limit: usize) -> Result<(), PipelineError> {
    match known.iter().find(|(_, values)| values.len() > limit) {
        None => Ok(()),
        Some((identifier, _)) => {
            Err(PipelineError::TooManyIdentifiers { identifier: identifier.clone(), limit })
        }
    }
}
