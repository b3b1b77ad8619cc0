//! How do pages become a shape, identifiers and batches?

use std::collections::HashSet;
use std::pin::pin;

use antumbra_config::Endpoint;

use super::narrow::{Narrow, member};
use super::pages::{Collected, Pages};
use super::template;
use crate::silo::items::{Inferred, ItemRows, text_of, unseen};
use crate::silo::{BATCH_BYTES, BATCH_ROWS, BatchSender, SectionSpec, Shape};
use crate::{SiloError, Value};

/// Looks at the first items, up to the sample, and says what rows look like. Pages come back if they were all there are.
pub(super) async fn describe(
    section: &SectionSpec,
    endpoint: &Endpoint,
    requests: usize,
    pages: &mut Pages,
) -> Result<(Shape, Option<Collected>), SiloError> {
    let narrow = Narrow::new(section, endpoint);
    let sample = u64::from(endpoint.sample.get());
    let mut inferred = Inferred::new(&endpoint.columns);
    let mut collected = Collected::default();
    let (mut looked, mut rows) = (0, 0);
    let mut all = true;
    while let Some(page) = pages.next().await? {
        for item in page.items() {
            if looked == sample {
                all = false;
                break;
            }
            looked += 1;
            inferred.look(item)?;
            rows += u64::from(narrow.keeps(item));
        }
        if !all {
            break;
        }
        collected.push(&page);
    }
    let columns = inferred.columns();
    let mut told = notes(section, endpoint, &narrow, requests);
    told.extend(unseen(narrow.members(), &columns)?);
    let shape = Shape {
        columns,
        ordered_by: Vec::new(),
        keyed: false,
        statement: template::shown(endpoint),
        notes: told,
        rows: all.then_some(rows),
    };
    Ok((shape, all.then_some(collected)))
}

/// Returns the distinct values of members over all items, at most `limit` + 1 of each.
pub(super) async fn distinct(
    columns: &[String],
    limit: usize,
    pages: &mut Pages,
) -> Result<(Vec<Vec<Value>>, Collected), SiloError> {
    let mut seen: Vec<HashSet<String>> = vec![HashSet::new(); columns.len()];
    let mut found: Vec<Vec<Value>> = vec![Vec::new(); columns.len()];
    let mut collected = Collected::default();
    while let Some(page) = pages.next().await? {
        for item in page.items() {
            for ((column, seen), found) in columns.iter().zip(&mut seen).zip(&mut found) {
                let Some(token) = member(item, column).filter(|token| *token != "null") else {
                    continue;
                };
                if found.len() > limit || seen.contains(token) {
                    continue;
                }
                let value = value(column, token)?;
                if !found.contains(&value) {
                    found.push(value);
                }
                seen.insert(token.to_owned());
            }
        }
        collected.push(&page);
    }
    Ok((found, collected))
}

/// Sends the rows; ends when all are sent or nobody receives.
pub(super) async fn rows(
    narrow: Narrow,
    shape: Shape,
    mut pages: Pages,
    sender: BatchSender,
) -> Result<(), SiloError> {
    let mut rows = ItemRows::new(&shape.columns);
    let mut closed = pin!(sender.closed());
    loop {
        let page = tokio::select! {
            biased;
            () = &mut closed => return Ok(()),
            page = pages.next() => page?,
        };
        let Some(page) = page else { break };
        for item in page.items() {
            if narrow.keeps(item) {
                rows.push(item)?;
            }
            if (rows.rows() >= BATCH_ROWS || rows.bytes() >= BATCH_BYTES)
                && sender.send(rows.finish()?).await.is_err()
            {
                return Ok(());
            }
        }
    }
    if rows.rows() > 0 {
        // Nobody receives any more: nothing is owed.
        drop(sender.send(rows.finish()?).await);
    }
    Ok(())
}

/// What is true of the rows whatever they are.
fn notes(
    section: &SectionSpec,
    endpoint: &Endpoint,
    narrow: &Narrow,
    requests: usize,
) -> Vec<String> {
    let mut notes = narrow.notes();
    if requests > 1 {
        notes.push(
            "each combination of identifiers is asked for on its own: rows may repeat".to_owned(),
        );
    }
    if !SectionSpec::placeholders(&endpoint.path).is_empty() {
        notes.push("a path that the service answers with 404 or 410 has no rows".to_owned());
    }
    if !section.key.is_empty() {
        notes.push(format!("key ({}) is not used: a service proves none", section.key.join(", ")));
    }
    notes
}

fn value(column: &str, token: &str) -> Result<Value, SiloError> {
    let several = || SiloError::Settings {
        what: format!(
            "column {column} provides identifiers and holds more than one value in an item"
        ),
    };
    match token.as_bytes().first() {
        Some(b'"') => Ok(Value::Text(text_of(token).ok_or_else(several)?.into_owned())),
        Some(b'{' | b'[') => Err(several()),
        _ => Ok(token.parse().map_or_else(|_| Value::Text(token.to_owned()), Value::Integer)),
    }
}
