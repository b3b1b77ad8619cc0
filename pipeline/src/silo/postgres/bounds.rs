//! Which keys part the rows of a section evenly? The server numbers the rows and sends every so many-eth key; nothing but keys leaves it.

use std::pin::pin;

use arrow_array::RecordBatch;
use futures::TryStreamExt;

use super::batch::BatchBuilder;
use super::link::Link;
use super::read::{key_columns, unchanged};
use super::{bind, describe, fault};
use crate::silo::{Cursor, Identifiers, SectionSpec, Shape};
use crate::sql::quote;
use crate::{SiloError, slice};

/// Returns the keys at which the rows can be parted, fewer than `parts`.
///
/// How many rows there are is an estimate, or not known. So more keys are asked for than are needed, and the even ones taken of those
/// that came: the estimate may be wrong by a factor of [`SPARE`], in either direction.
pub(super) async fn bounds(
    link: &Link,
    section: &SectionSpec,
    known: &Identifiers,
    shape: &Shape,
    parts: u32,
) -> Result<Vec<Cursor>, SiloError> {
    let Some(of_key) = shape.of_key() else { return Ok(Vec::new()) };
    let (rows, facts) = unchanged(link, section, known, shape).await?;
    let columns = key_columns(&facts, shape)?;
    let wanted = u64::from(parts).saturating_mul(SPARE);
    // Powers of two: the statement is prepared once for tables of about one size.
    let step = (shape.rows.unwrap_or(UNKNOWN_ROWS) / wanted + 1).next_power_of_two();
    let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
    let names = names.join(", ");
    let order = describe::order(&columns, &shape.ordered_by, true);
    let numbered = rows.select(&format!("{names}, row_number() over (order by {order}) as {ROW}"));
    let sql = format!(
        "select {names} from ({numbered}) as \"antumbra keys\" where {ROW} % {step} = 0 order by {ROW}"
    );
    let statement =
        link.ready(facts.generation, &sql).await.map_err(|error| fault::preparing(&error))?;
    let binds = bind::all(&rows.slots, statement.params());
    let found = link.client().query_raw(&statement, binds).await;
    let mut found = pin!(found.map_err(|error| refused(&error))?);
    let mut batch = BatchBuilder::new(of_key.schema(), &columns, (0..columns.len()).collect());
    let mut keys = Evenly::default();
    loop {
        let row = found.try_next().await.map_err(|error| refused(&error))?;
        if let Some(row) = &row {
            batch.append(row)?;
        }
        if batch.is_full() || row.is_none() {
            let taken = batch.finish()?;
            for at in 0..taken.num_rows() {
                keys.push(key(&taken, at)?);
            }
        }
        if row.is_none() {
            return Ok(keys.parted(parts));
        }
    }
}

/// What takes the server too long for this is not asked again, and the section not parted: reading it needs no pass over all keys first.
fn refused(error: &tokio_postgres::Error) -> SiloError {
    match fault::running(error) {
        SiloError::Unavailable { reason } if error.as_db_error().is_some() => {
            SiloError::Query { reason }
        }
        other => other,
    }
}

fn key(batch: &RecordBatch, row: usize) -> Result<Cursor, SiloError> {
    let values: Option<Vec<_>> =
        batch.columns().iter().map(|column| slice::value(column, row)).collect();
    values.map(Cursor).ok_or(SiloError::ShapeChanged)
}

/// Keys at even distances; when there are too many, every second one of them.
#[derive(Default)]
struct Evenly {
    keys: Vec<Cursor>,
    /// One of so many is kept, as a power of two.
    thinned: u32,
    seen: u64,
}

impl Evenly {
    fn push(&mut self, key: Cursor) {
        self.seen += 1;
        if !self.seen.is_multiple_of(1 << self.thinned) {
            return;
        }
        self.keys.push(key);
        if self.keys.len() >= MOST_KEYS {
            let mut place = 0;
            self.keys.retain(|_| {
                place += 1;
                place % 2 == 0
            });
            self.thinned += 1;
        }
    }

    /// Takes those that part what was seen into so many runs.
    fn parted(self, parts: u32) -> Vec<Cursor> {
        let parts = usize::try_from(parts).unwrap_or(usize::MAX).max(1);
        // The runs are between keys, before the first and behind the last.
        let runs = self.keys.len() + 1;
        let mut next = 1;
        let mut kept = Vec::new();
        for (before, key) in (1..).zip(self.keys) {
            if next < parts && before * parts >= next * runs {
                kept.push(key);
                next = before * parts / runs + 1;
            }
        }
        kept
    }
}

/// How many keys are asked for where one is needed.
const SPARE: u64 = 16;
/// Keys that are held at most; then they are thinned.
const MOST_KEYS: usize = 1 << 16;
/// Rows of a section that nobody could count.
const UNKNOWN_ROWS: u64 = 1 << 20;
/// The name of the number, which no column has.
const ROW: &str = "\"antumbra row\"";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Value;

    fn parted(keys: i64, parts: u32) -> Vec<i64> {
        let mut evenly = Evenly::default();
        (1..=keys).for_each(|key| evenly.push(Cursor(vec![Value::Integer(key)])));
        let number = |cursor: Cursor| match cursor.0.as_slice() {
            [Value::Integer(number)] => *number,
            other => panic!("{} values", other.len()),
        };
        evenly.parted(parts).into_iter().map(number).collect()
    }

    #[test]
    fn runs_are_about_equally_long() {
        assert_eq!(parted(99, 4), [25, 50, 75]);
        assert_eq!(parted(99, 3), [34, 67]);
        assert_eq!(parted(2, 7), [1, 2]);
        assert_eq!(parted(1, 2), [1]);
        assert_eq!(parted(0, 9), [0; 0]);
        assert_eq!(parted(50, 1), [0; 0]);
    }

    #[test]
    fn keys_without_end_are_thinned() {
        let keys = i64::try_from(MOST_KEYS).unwrap() * 5;
        let found = parted(keys, 5);
        assert_eq!(found.len(), 4);
        for (place, key) in (1..).zip(found) {
            assert!((key - keys / 5 * place).abs() < 64, "{key}");
        }
    }

    proptest! {
        #[test]
        fn keys_ascend_and_are_fewer_than_parts(keys in 0_i64..3_000, parts in 1_u32..5_000) {
            let found = parted(keys, parts);
            prop_assert!(found.len() < usize::try_from(parts).unwrap());
            prop_assert!(found.is_sorted_by(|a, b| a < b));
            prop_assert!(found.len() >= usize::try_from(keys).unwrap().min(usize::try_from(parts).unwrap() - 1).min(1));
        }
    }
}
