//! Which sections are read in parts, how many, and where does a part end? Before a natural cut: so the slices of the parts are those of
//! one stream.

use std::collections::BTreeMap;

use antumbra_config::{Format, Silo};
use antumbra_crypto::{Retry, Secret32};
use antumbra_jobs::PART_SLICES;

use super::collect::{Collector, MOST_OPEN};
use crate::SiloError;
use crate::plan::Planned;
use crate::silo::{
    BATCH_BYTES, BATCHES_WAITING, Cursor, Identifiers, SectionSpec, Session, Shape, Span,
};
use crate::slice::{SLICE_BYTES, SLICE_ROWS, Slicer};

impl Collector {
    /// Returns how many parts settings ask for; 1 for a section that is read as one stream.
    pub(super) fn parts_of(&self, ordinal: u32, planned: &Planned) -> u32 {
        if self.whole.contains(&ordinal) || planned.shape.as_ref().is_some_and(is_small) {
            return 1;
        }
        let place = (planned.spec.silo.clone(), planned.spec.datapoint.clone());
        self.partitions.get(&place).copied().unwrap_or(1)
    }
}

/// The rows of a section in one snapshot.
pub(super) struct Table<'a> {
    pub(super) spec: &'a SectionSpec,
    pub(super) known: &'a Identifiers,
    pub(super) shape: &'a Shape,
}

impl Table<'_> {
    /// Returns the last key of each part but the last one, for at most so many parts of about the same size. None where they are not
    /// worth it, or the silo cannot.
    ///
    /// The silo names keys at even distances; behind each of them the keys are read until a natural cut stands before one. The row
    /// before the cut ends the part. So every part has rows, and begins as a slice of one stream does.
    pub(super) async fn bounds(
        &self,
        session: &mut dyn Session,
        parts: u32,
        slice_key: &Secret32,
    ) -> Result<Vec<Cursor>, SiloError> {
        let Some(of_key) = self.shape.of_key().filter(|_| parts > 1 && !is_small(self.shape))
        else {
            return Ok(Vec::new());
        };
        let most = self.shape.rows.map_or(u64::MAX, |rows| rows.div_ceil(SLICE_ROWS));
        let parts = parts.min(u32::try_from(most).unwrap_or(u32::MAX)).min(MOST_PARTS);
        let slicer = Slicer::new(slice_key, &of_key);
        let found = match session.bounds(self.spec, self.known, self.shape, parts).await {
            Ok(even) => self.before_cuts(session, &even, slicer).await,
            Err(error) => Err(error),
        };
        let why = match found {
            Err(error) if error.retry() == Retry::Later => return Err(error),
            Err(error) => error.code(),
            Ok(bounds) if bounds.is_empty() => "no place to part it",
            Ok(bounds) => return Ok(bounds),
        };
        tracing::debug!(section = self.spec.name(), why, "read as one stream");
        Ok(Vec::new())
    }

    /// Returns the key before the first natural cut behind each of these keys; none where the next of them comes first.
    async fn before_cuts(
        &self,
        session: &mut dyn Session,
        even: &[Cursor],
        mut slicer: Slicer,
    ) -> Result<Vec<Cursor>, SiloError> {
        let mut bounds = Vec::new();
        let ends = even.iter().skip(1).map(Some).chain([None]);
        for (after, until) in even.iter().zip(ends) {
            let span = Span { after: Some(after.clone()), until: until.cloned(), keys_only: true };
            let mut last = after.clone();
            let mut keys = session.read_span(self.spec, self.known, self.shape, span).await?;
            while let Some(batch) = keys.next().await? {
                let cut = slicer.natural_cut(&batch);
                if let Some(row) = cut.unwrap_or_else(|| batch.num_rows()).checked_sub(1) {
                    last = slicer.cursor(&batch, row);
                }
                if cut.is_some() {
                    bounds.push(last);
                    break;
                }
            }
        }
        Ok(bounds)
    }
}

/// Says whether a section is known to be so small that parts are not worth it.
fn is_small(shape: &Shape) -> bool {
    !shape.keyed || shape.rows.is_some_and(|rows| rows < 2 * SLICE_ROWS)
}

/// Returns how many parts settings ask for, by silo and datapoint.
pub(super) fn partitions(silos: &[Silo]) -> BTreeMap<(String, String), u32> {
    let all = silos.iter().flat_map(|silo| {
        silo.datapoints.iter().filter_map(|datapoint| {
            let place = (silo.name.to_string(), datapoint.name.to_string());
            Some((place, datapoint.partitions?.get()))
        })
    });
    all.collect()
}

/// Returns how many parts may be read at once in so many bytes, at least one: of each some batches, what its text formats hold until
/// it is deflated and sealed, and a slice of Parquet: as it came, a column of it, and what is written, which grows.
pub(super) fn most_parts(bytes: u64, formats: &[Format]) -> usize {
    let batches = u64::try_from((BATCHES_WAITING + 1) * 2 * BATCH_BYTES).unwrap_or(u64::MAX);
    let lanes = formats.iter().map(|format| match format {
        Format::Json | Format::Csv | Format::Ndjson => SLICE_BYTES / 2,
        Format::Parquet => SLICE_BYTES * 4,
    });
    let each = lanes.fold(batches, u64::saturating_add);
    usize::try_from((bytes / each).min(MOST_OPEN)).unwrap_or(usize::MAX).max(1)
}

/// What can be told apart by ordinals of slices, and what ends the files behind them.
pub(super) const MOST_PARTS: u32 = u32::MAX / PART_SLICES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_files_has_an_ordinal_behind_all_parts() {
        assert!(MOST_PARTS.checked_mul(PART_SLICES).is_some());
        assert_eq!(MOST_PARTS, 4_095);
    }

    #[test]
    fn memory_bounds_how_many_parts_are_read_at_once() {
        let mebi = |count: u64| count << 20;
        assert_eq!(most_parts(mebi(256), Format::ALL), 2);
        assert_eq!(most_parts(mebi(112), &[Format::Csv]), 8);
        assert_eq!(most_parts(mebi(1 << 20), &[Format::Csv]), 8);
        assert_eq!(most_parts(mebi(256), &[Format::Parquet]), 3);
        assert_eq!(most_parts(0, &[Format::Json]), 1);
    }
}
