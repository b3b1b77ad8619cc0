//! How do the rows of Parquet files become batches of a section's columns?

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};

use super::super::fault;
use super::super::job::{Job, Look, Send, distinct_names};
use super::super::select::Selection;
use super::super::values::{self, ArrowCell, Scalar, scalar};
use super::file::{Opened, UNREADABLE, of};
use super::pace::Pace;
use super::pages::Pages;
use super::prune::{Left, prune};
use crate::SiloError;
use crate::silo::{BATCH_BYTES, BATCH_ROWS, ColumnShape, ColumnType, Shape};

/// Says which columns the files have, and has `look` see those of each: those of all of them by name, as text where their types differ.
pub(in super::super) fn columns(
    job: &Job,
    look: &mut Look<'_>,
) -> Result<(Vec<ColumnShape>, Vec<String>), SiloError> {
    let mut columns: Vec<ColumnShape> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut notes = Vec::new();
    let mut cut = HashSet::new();
    for (index, found) in job.files.iter().enumerate() {
        let opened = job.stop.wait(&job.handle, Opened::of(&job.place, found, false));
        let opened = opened.map_err(|error| job.at(index, error))?;
        let names: Vec<&str> = opened.columns.iter().map(|column| column.name.as_str()).collect();
        look(index, &names);
        distinct_names(names.iter().copied())?;
        for column in opened.columns {
            if column.int96 && cut.insert(column.name.clone()) {
                notes.push(format!(
                    "column {} holds INT96 moments: digits below a microsecond are cut off",
                    column.name
                ));
            }
            let known = places.get(&column.name).and_then(|place| columns.get_mut(*place));
            match known {
                None => {
                    places.insert(column.name.clone(), columns.len());
                    columns.push(ColumnShape {
                        name: column.name,
                        declared: column.declared,
                        kind: column.kind,
                    });
                }
                // A column without values has whatever type another file has.
                Some(known) if known.declared == EMPTY => {
                    known.declared = column.declared;
                    known.kind = column.kind;
                }
                Some(known)
                    if known.kind != column.kind
                        && known.declared != MIXED
                        && column.declared != EMPTY =>
                {
                    notes.push(format!("column {} has different types in the files", known.name));
                    known.declared = MIXED.to_owned();
                    known.kind = ColumnType::Text;
                }
                Some(_) => {}
            }
        }
    }
    distinct_names(columns.iter().map(|column| column.name.as_str()))?;
    Ok((columns, notes))
}

/// Counts all rows by the footers.
pub(in super::super) fn count(job: &Job) -> Result<u64, SiloError> {
    let mut rows = 0_u64;
    for (index, found) in job.files.iter().enumerate() {
        let opened = job.stop.wait(&job.handle, Opened::of(&job.place, found, false));
        let opened = opened.map_err(|error| job.at(index, error))?;
        let of_file = opened.metadata.metadata().file_metadata().num_rows();
        rows = rows.saturating_add(u64::try_from(of_file).unwrap_or_default());
    }
    Ok(rows)
}

/// Sends the selected rows of all files, in the order of the files and in their own.
pub(in super::super) fn read(
    job: &Job,
    shape: &Shape,
    selection: &Selection,
    send: &mut Send<'_>,
) -> Result<(), SiloError> {
    let mut rows = 0;
    for index in 0..job.files.len() {
        let read = file(job, index, shape, selection, &mut rows, send);
        read.map_err(|error| job.at(index, error))?;
    }
    Ok(())
}

fn file(
    job: &Job,
    index: usize,
    shape: &Shape,
    selection: &Selection,
    rows: &mut u64,
    send: &mut Send<'_>,
) -> Result<(), SiloError> {
    let Some(found) = job.files.get(index) else { return Ok(()) };
    let opened = Opened::of(&job.place, found, selection.matches().is_some());
    let opened = job.stop.wait(&job.handle, opened)?;
    let names: Vec<&str> = opened.columns.iter().map(|column| column.name.as_str()).collect();
    selection.check_file(&names).map_err(|column| job.lacks(index, &column))?;
    let schema = shape.schema();
    for (group, pages) in left(&opened, selection) {
        let Some(metadata) = opened.metadata.metadata().row_groups().get(group) else { continue };
        let group = Group {
            opened: &opened,
            pages: Pages::of(job, found, metadata)?,
            index: group,
            rows: usize::try_from(metadata.num_rows()).unwrap_or(usize::MAX),
            bytes: usize::try_from(metadata.total_byte_size()).unwrap_or(usize::MAX),
        };
        let Some(selected) = group.select(selection, pages)? else { continue };
        group.each(selected.as_ref(), &mut |batch| {
            for part in parts(batch) {
                let made = leaving(&part, &opened, shape, &schema, *rows)?;
                *rows += made.num_rows() as u64;
                send(made)?;
            }
            Ok(())
        })?;
    }
    // What was fetched range by range was compared range by range; a change after the last is none of ours, one between them is.
    job.stop.wait(&job.handle, job.place.check(found))
}

/// Leaves out what statistics exclude.
fn left(opened: &Opened, selection: &Selection) -> Vec<Left> {
    let Some(matches) = selection.matches() else {
        return (0..opened.metadata.metadata().num_row_groups())
            .map(|group| (group, None))
            .collect();
    };
    let in_file: Vec<_> = matches
        .iter()
        .filter_map(|(column, wanted)| Some((selection.columns().get(*column)?, wanted)))
        .filter(|(name, _)| opened.place_of(name).is_some())
        .map(|(name, wanted)| (name.as_str(), wanted))
        .collect();
    prune(&opened.metadata, &in_file)
}

/// A row group of a file. One is read after the other, so that a batch holds pages of one alone.
struct Group<'a> {
    opened: &'a Opened,
    pages: Pages,
    index: usize,
    rows: usize,
    /// Plain bytes of all its pages.
    bytes: usize,
}

impl Group<'_> {
    /// Looks at the columns that select, before others are read. `None`: no row is selected.
    fn select(
        &self,
        selection: &Selection,
        pages: Option<RowSelection>,
    ) -> Result<Option<Option<RowSelection>>, SiloError> {
        if selection.columns().is_empty() && selection.matches().is_none() {
            return Ok(Some(pages));
        }
        let columns: Vec<Option<usize>> =
            selection.columns().iter().map(|name| self.opened.place_of(name)).collect();
        let uuid = |place: &Option<usize>| {
            place.and_then(|place| self.opened.columns.get(place)).is_some_and(|column| column.uuid)
        };
        let uuids: Vec<bool> = columns.iter().map(uuid).collect();
        let roots = columns.iter().copied().flatten();
        let mask = ProjectionMask::roots(self.opened.metadata.parquet_schema(), roots);
        let mut kept = Vec::new();
        let batch_rows = self.batch_rows(pages.as_ref());
        for batch in self.reader(mask, pages.clone(), batch_rows)? {
            let batch = batch.map_err(|error| self.fault(&error))?;
            let arrays: Vec<Option<&ArrayRef>> =
                selection.columns().iter().map(|name| batch.column_by_name(name)).collect();
            let mut keep = Vec::with_capacity(batch.num_rows());
            for row in 0..batch.num_rows() {
                let cell = |column: usize| ArrowCell {
                    value: match arrays.get(column) {
                        Some(Some(array)) => scalar(array, row),
                        _ => Scalar::Null,
                    },
                    uuid: uuids.get(column).copied().unwrap_or_default(),
                };
                keep.push(selection.selects(cell).map_err(|column| SiloError::Corrupt {
                    reason: format!("a time of time column {column} cannot be read as a time"),
                })?);
            }
            kept.push(BooleanArray::from(keep));
        }
        let selected = RowSelection::from_filters(&kept);
        if !selected.selects_any() {
            return Ok(None);
        }
        Ok(Some(Some(match pages {
            Some(pages) => pages.and_then(&selected),
            None => selected,
        })))
    }

    /// Reads all columns of selected rows (`None`: of all) in batches. Where rows are far wider than their average, a batch holds on to
    /// more pages than it may: then it is read again in smaller ones.
    fn each(
        &self,
        selected: Option<&RowSelection>,
        take: &mut impl FnMut(&RecordBatch) -> Result<(), SiloError>,
    ) -> Result<(), SiloError> {
        // Of columns of lists even the pages of rows that are left out are read.
        let schema = self.opened.metadata.parquet_schema();
        let flat = schema.columns().iter().all(|column| column.max_rep_level() == 0);
        let wanted = selected.map_or(self.rows, RowSelection::row_count);
        let mut pace = Pace::of(self.batch_rows(selected));
        let mut taken = 0;
        'reading: loop {
            let rest = self.behind(selected, taken);
            self.pages.begin(false);
            let mut reader = self.reader(ProjectionMask::all(), rest, pace.rows)?;
            loop {
                self.pages.begin(pace.rows > 1 && flat);
                match reader.next() {
                    Some(Ok(batch)) => {
                        taken += batch.num_rows();
                        take(&batch)?;
                        if pace.is_faster_now() {
                            continue 'reading;
                        }
                    }
                    Some(Err(_)) if self.pages.too_much() => {
                        pace.slow_down();
                        continue 'reading;
                    }
                    Some(Err(error)) => return Err(self.fault(&error)),
                    None if taken == wanted => return Ok(()),
                    None => return Err(SiloError::Corrupt { reason: UNREADABLE.to_owned() }),
                }
            }
        }
    }

    /// Returns what is selected (`None`: all rows) without so many rows of it.
    fn behind(&self, selected: Option<&RowSelection>, taken: usize) -> Option<RowSelection> {
        if taken == 0 {
            return selected.cloned();
        }
        let wanted = selected.map_or(self.rows, RowSelection::row_count);
        let left = wanted.saturating_sub(taken);
        let rest = RowSelection::from(vec![RowSelector::skip(taken), RowSelector::select(left)]);
        Some(selected.map_or_else(|| rest.clone(), |selected| selected.and_then(&rest)))
    }

    /// Reads columns of selected rows; `None`: of all.
    fn reader(
        &self,
        columns: ProjectionMask,
        selected: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, SiloError> {
        let metadata = self.opened.metadata.clone();
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.pages.clone(), metadata)
                .with_row_groups(vec![self.index])
                .with_projection(columns)
                .with_batch_size(batch_rows);
        if let Some(selected) = selected {
            builder = builder.with_row_selection(selected);
        }
        builder.build().map_err(|error| self.pages.failed().unwrap_or_else(|| of(&error)))
    }

    /// A batch is as wide as its rows, and holds on to the pages that they come from: few rows of many pages make a small one.
    fn batch_rows(&self, selected: Option<&RowSelection>) -> usize {
        let row = (self.bytes / self.rows.max(1)).max(1);
        let rows = (BATCH_BYTES / row).clamp(1, BATCH_ROWS);
        let Some(selected) = selected else { return rows };
        let page = (PAGE / row).max(1);
        let (mut taken, mut touched) = (0_usize, 1_usize);
        for run in selected.iter() {
            let near = if run.skip { run.row_count.min(page) } else { run.row_count };
            taken += if run.skip { 0 } else { run.row_count };
            touched = touched.saturating_add(near);
        }
        let share = PAGES_HELD.saturating_mul(taken) / touched.saturating_mul(row);
        rows.min(share.max(1))
    }

    fn fault(&self, error: &ArrowError) -> SiloError {
        // Words of Arrow may quote values.
        self.pages.failed().unwrap_or_else(|| {
            let ours = fault::source::<SiloError>(error).cloned();
            ours.unwrap_or_else(|| SiloError::Corrupt { reason: UNREADABLE.to_owned() })
        })
    }
}

/// Cuts a batch where its bytes are enough: rows may be far wider than their average.
fn parts(batch: &RecordBatch) -> Vec<RecordBatch> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0_usize);
    for row in 0..batch.num_rows() {
        let width: usize = batch.columns().iter().map(|column| values::width(column, row)).sum();
        bytes = bytes.saturating_add(width);
        if bytes >= BATCH_BYTES {
            parts.push(batch.slice(start, row + 1 - start));
            (start, bytes) = (row + 1, 0);
        }
    }
    if start < batch.num_rows() {
        parts.push(batch.slice(start, batch.num_rows() - start));
    }
    parts
}

/// Turns a batch of a file into one of the section: columns in its order, NULL where the file has none.
fn leaving(
    batch: &RecordBatch,
    opened: &Opened,
    shape: &Shape,
    schema: &SchemaRef,
    before: u64,
) -> Result<RecordBatch, SiloError> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(shape.columns.len());
    for column in &shape.columns {
        let Some(place) = opened.place_of(&column.name) else {
            arrays.push(new_null_array(&column.kind.data_type(), batch.num_rows()));
            continue;
        };
        let uuid = opened.columns.get(place).is_some_and(|column| column.uuid);
        let array = batch.columns().get(place).ok_or(SiloError::ShapeChanged)?;
        let array = if array.data_type() == &arrow_schema::DataType::Null {
            new_null_array(&column.kind.data_type(), batch.num_rows())
        } else if kind_in(opened, place) != Some(column.kind) && column.kind != ColumnType::Text {
            return Err(SiloError::ShapeChanged);
        } else {
            let converted = values::convert(array, uuid, column.kind);
            converted.ok_or_else(|| SiloError::Value {
                row: before + 1,
                column: column.name.clone(),
                what: "a moment of this batch is further away than microseconds reach".to_owned(),
            })?
        };
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(|_| SiloError::ShapeChanged)
}

fn kind_in(opened: &Opened, place: usize) -> Option<ColumnType> {
    opened.columns.get(place).map(|column| column.kind)
}

/// Plain bytes of a page, as most writers make them.
const PAGE: usize = 1 << 20;
/// Plain bytes of the pages that the rows of a batch come from, about.
const PAGES_HELD: usize = 4 * BATCH_BYTES;
const MIXED: &str = "different types";
/// What Arrow calls the type of a column that has none.
const EMPTY: &str = "Null";
