//! Which row groups and pages cannot hold a wanted value, by their statistics?

use arrow_array::{Array, ArrayRef};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection, RowSelector};
use parquet::file::metadata::RowGroupMetaData;

use super::super::values::{Scalar, scalar};
use super::super::wanted::Wanted;

/// A row group that is left to read, and which of its rows; `None`: all of them.
pub(super) type Left = (usize, Option<RowSelection>);

/// Keeps what may hold a value that is wanted in any of the columns, which all are in the file.
pub(super) fn prune(metadata: &ArrowReaderMetadata, matches: &[(&str, &Wanted)]) -> Vec<Left> {
    let groups = metadata.metadata().row_groups();
    let columns: Vec<Column<'_>> =
        matches.iter().map(|(name, wanted)| Column::new(metadata, name, wanted)).collect();
    let in_group = |group| columns.iter().filter(move |column| column.is_in_group(group));
    let left = groups.iter().enumerate().filter(|(_, group)| in_group(group).next().is_some());
    left.map(|(index, group)| {
        let rows = usize::try_from(group.num_rows()).unwrap_or(usize::MAX);
        let of_columns: Option<Vec<RowSelection>> =
            in_group(group).map(|column| column.pages(metadata, index, rows)).collect();
        let pages =
            of_columns.and_then(|each| each.into_iter().reduce(|one, other| one.union(&other)));
        (index, pages)
    })
    .collect()
}

/// A column that values are wanted in.
struct Column<'a> {
    wanted: &'a Wanted,
    statistics: Option<StatisticsConverter<'a>>,
}

impl<'a> Column<'a> {
    fn new(metadata: &'a ArrowReaderMetadata, name: &'a str, wanted: &'a Wanted) -> Self {
        let statistics =
            StatisticsConverter::try_new(name, metadata.schema(), metadata.parquet_schema());
        let orders = metadata.metadata().file_metadata().column_orders();
        let statistics =
            statistics.ok().map(|found| found.with_column_orders(orders.map(Vec::as_slice)));
        Self { wanted, statistics }
    }

    fn is_in_group(&self, group: &RowGroupMetaData) -> bool {
        let Some(statistics) = &self.statistics else { return !self.wanted.is_empty() };
        let old = statistics
            .parquet_column_index()
            .and_then(|index| group.columns().get(index))
            .and_then(|column| column.statistics())
            .is_none_or(|found| found.is_min_max_deprecated());
        if old {
            return !self.wanted.is_empty();
        }
        let least = statistics.row_group_mins([group]);
        let most = statistics.row_group_maxes([group]);
        let (Ok(least), Ok(most)) = (least, most) else { return !self.wanted.is_empty() };
        self.may_hold(&least, &most, 0)
    }

    /// Selects the pages of a row group that may hold a wanted value; `None` if the file has no index of them.
    fn pages(
        &self,
        metadata: &ArrowReaderMetadata,
        group: usize,
        rows: usize,
    ) -> Option<RowSelection> {
        let index = metadata.metadata().page_index()?.as_ref();
        let statistics = self.statistics.as_ref()?;
        let least = statistics.data_page_mins(index, [&group]).ok()?;
        let most = statistics.data_page_maxes(index, [&group]).ok()?;
        let groups = metadata.metadata().row_groups();
        let counts = statistics.data_page_row_counts(index, groups, [&group]).ok()??;
        if counts.len() != least.len() || counts.len() != most.len() || counts.null_count() > 0 {
            return None;
        }
        let mut selectors = Vec::with_capacity(counts.len());
        for (page, count) in counts.values().iter().enumerate() {
            let count = usize::try_from(*count).ok()?;
            selectors.push(if self.may_hold(&least, &most, page) {
                RowSelector::select(count)
            } else {
                RowSelector::skip(count)
            });
        }
        let all: usize = selectors.iter().map(|selector| selector.row_count).sum();
        (all == rows).then(|| RowSelection::from(selectors))
    }

    /// Limits may be shortened, but only so that they lie further apart.
    fn may_hold(&self, least: &ArrayRef, most: &ArrayRef, place: usize) -> bool {
        if self.wanted.is_empty() {
            return false;
        }
        if place >= least.len() || place >= most.len() {
            return true;
        }
        match (scalar(least, place), scalar(most, place)) {
            (Scalar::Integer(least), Scalar::Integer(most)) => {
                self.wanted.has_integer_within(least, most)
            }
            (Scalar::Text(least), Scalar::Text(most)) => {
                self.wanted.has_bytes_within(least.as_bytes(), most.as_bytes())
            }
            // Other types are read; so is what has no limits, though it may hold NULL alone.
            _ => true,
        }
    }
}
