//! How do CSV, NDJSON and JSON files become batches of a section's columns?

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use antumbra_config::{ColumnWord, FileFormat};
use arrow_array::RecordBatch;

use super::csv::{CsvFile, MAX_COLUMNS};
use super::job::{Job, Look, Send};
use super::select::{Cell, Selection, time_of, time_of_number};
use super::wanted::Wanted;
use super::{bytes, json};
use crate::SiloError;
use crate::silo::items::{Inferred, ItemFault, ItemRows, MORE, Members, text_of};
use crate::silo::{BATCH_BYTES, BATCH_ROWS, ColumnShape, ColumnType, Shape};

/// Sends the selected rows of all files, in the order of the files and in their own.
pub(super) fn read(
    job: &Job,
    shape: &Shape,
    selection: &Selection,
    send: &mut Send<'_>,
) -> Result<(), SiloError> {
    let mut rows = Rows { items: ItemRows::new(&shape.columns), before: 0, send };
    let unit = if job.set.format == FileFormat::Ndjson { "line" } else { "item" };
    for (index, found) in job.files.iter().enumerate() {
        let file = bytes::open(&job.place, found, &job.handle, &job.stop)
            .map_err(|error| job.at(index, error))?;
        let read = match job.set.format {
            FileFormat::Csv => csv(job, index, file, &shape.columns, selection, &mut rows),
            _ => items(job, file, &mut |number, item| {
                let cells = picked(item, selection.columns());
                let selected = selection
                    .selects(|column| {
                        cells.get(column).copied().flatten().map_or(Token(None), |t| Token(Some(t)))
                    })
                    .map_err(|column| unreadable_time(unit, number, &column))?;
                if selected {
                    let pushed = rows.items.push(item);
                    pushed.map_err(|fault| rows.fault(fault, unit, number))?;
                    rows.send_if_full()?;
                }
                Ok(())
            }),
        };
        read.map_err(|error| job.at(index, error))?;
    }
    rows.send()
}

/// Says which columns the files have; `look` sees those of each CSV file.
pub(super) fn columns(
    job: &Job,
    as_json: &[String],
    look: &mut Look<'_>,
) -> Result<Vec<ColumnShape>, SiloError> {
    if job.set.format == FileFormat::Csv { headers(job, look) } else { sample(job, as_json) }
}

/// Calls `each` for the items of a file.
fn items(job: &Job, file: bytes::PlainBytes, each: &mut json::Each<'_>) -> Result<(), SiloError> {
    if job.set.format == FileFormat::Ndjson {
        json::lines(file, each)
    } else {
        json::document(file, &job.set.items, each)
    }
}

fn csv(
    job: &Job,
    index: usize,
    file: bytes::PlainBytes,
    columns: &[ColumnShape],
    selection: &Selection,
    rows: &mut Rows<'_, '_>,
) -> Result<(), SiloError> {
    let mut file = CsvFile::open(file, job.delimiter())?;
    let header = file.header().to_vec();
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    selection.check_file(&names).map_err(|column| job.lacks(index, &column))?;
    let place = |name: &String| header.iter().position(|column| column == name);
    let looked_at: Vec<Option<usize>> = selection.columns().iter().map(place).collect();
    let kinds: HashMap<&str, ColumnType> =
        columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
    let is_text: Vec<bool> = names
        .iter()
        .map(|name| kinds.get(name).is_none_or(|kind| *kind == ColumnType::Text))
        .collect();
    let mut row = 0;
    while let Some(record) = file.next()? {
        row += 1;
        let cell = |column: usize| {
            Text(looked_at.get(column).copied().flatten().map_or("", |index| record.cell(index)))
        };
        if selection.selects(cell).map_err(|column| unreadable_time("row", row, &column))? {
            let cells = header.iter().zip(&is_text).enumerate().map(|(index, (name, is_text))| {
                let text = record.cell(index);
                (name.as_str(), (*is_text || !text.is_empty()).then_some(text))
            });
            rows.items.push_texts(cells).map_err(|fault| rows.fault(fault, "row", row))?;
            rows.send_if_full()?;
        }
    }
    Ok(())
}

/// The columns of all headers in the order of first sight: texts, unless settings say otherwise.
fn headers(job: &Job, look: &mut Look<'_>) -> Result<Vec<ColumnShape>, SiloError> {
    let mut columns: Vec<ColumnShape> = Vec::new();
    // By the name without its case: a reader of files could not tell names apart that differ in it alone.
    let mut seen: HashMap<String, String> = HashMap::new();
    for (index, found) in job.files.iter().enumerate() {
        let read = bytes::open(&job.place, found, &job.handle, &job.stop)
            .and_then(|file| CsvFile::open(file, job.delimiter()));
        let file = read.map_err(|error| job.at(index, error))?;
        let names: Vec<&str> = file.header().iter().map(String::as_str).collect();
        look(index, &names);
        for (number, name) in (1..).zip(file.header()) {
            match seen.entry(name.to_lowercase()) {
                Entry::Vacant(place) => drop(place.insert(name.clone())),
                Entry::Occupied(known) if known.get() == name => continue,
                Entry::Occupied(_) => {
                    let file = job.file(index);
                    let what =
                        format!("column {number} of {file} has its name in another case elsewhere");
                    return Err(SiloError::Settings { what });
                }
            }
            if columns.len() == MAX_COLUMNS {
                let what = format!("the files have more than {MAX_COLUMNS} columns together");
                return Err(SiloError::Settings { what });
            }
            columns.push(ColumnShape {
                name: name.clone(),
                declared: "text".to_owned(),
                kind: ColumnType::Text,
            });
        }
    }
    // Values that are none of their declared type stay as they are, beside the columns.
    let mut declared = Inferred::new(&job.set.columns).columns();
    let more = declared.pop().filter(|_| !declared.is_empty());
    for column in declared {
        let Some(found) = columns.iter_mut().find(|found| found.name == column.name) else {
            return Err(SiloError::Missing { what: format!("column: {}", column.name) });
        };
        *found = column;
    }
    columns.extend(more);
    super::job::distinct_names(columns.iter().map(|column| column.name.as_str()))?;
    Ok(columns)
}

/// Looks at items at the beginning of files that are spread evenly over all of them. Columns in `as_json` are taken whatever
/// they hold.
fn sample(job: &Job, as_json: &[String]) -> Result<Vec<ColumnShape>, SiloError> {
    let mut declared = job.set.columns.clone();
    for name in as_json {
        declared.retain(|(column, _)| column != name);
        declared.push((name.clone(), ColumnWord::Json));
    }
    let mut inferred = Inferred::new(&declared);
    let files = job.files.len().clamp(1, SAMPLE_FILES);
    let unit = if job.set.format == FileFormat::Ndjson { "line" } else { "item" };
    let each_file = SAMPLE_ITEMS.div_ceil(files as u64);
    for step in 0..files {
        let index = step * job.files.len() / files;
        let Some(found) = job.files.get(index) else { break };
        let mut looked = 0;
        let mut enough = false;
        let file = bytes::open(&job.place, found, &job.handle, &job.stop)
            .map_err(|error| job.at(index, error))?;
        let read = items(job, file, &mut |number, item| {
            if looked == each_file {
                enough = true;
                return Err(super::fault::unavailable("enough was seen"));
            }
            looked += 1;
            inferred.look(item).map_err(|fault| SiloError::Corrupt {
                reason: format!("{unit} {number}: {}", fault.what),
            })
        });
        if !enough {
            read.map_err(|error| job.at(index, error))?;
        }
    }
    Ok(inferred.columns())
}

/// The batch that is being filled.
struct Rows<'a, 'b> {
    items: ItemRows,
    /// Rows of the section before this batch.
    before: u64,
    send: &'a mut Send<'b>,
}

impl Rows<'_, '_> {
    fn send_if_full(&mut self) -> Result<(), SiloError> {
        if self.items.rows() >= BATCH_ROWS || self.items.bytes() >= BATCH_BYTES {
            return self.send();
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), SiloError> {
        let rows = self.items.rows();
        if rows == 0 {
            return Ok(());
        }
        let batch: RecordBatch = self.items.finish().map_err(SiloError::from)?;
        self.before += rows as u64;
        (self.send)(batch)
    }

    fn fault(&self, fault: ItemFault, unit: &str, number: u64) -> SiloError {
        SiloError::Value {
            row: self.before + self.items.rows() as u64 + 1,
            column: fault.member.unwrap_or_else(|| MORE.to_owned()),
            what: format!("{} ({unit} {number} of its file)", fault.what),
        }
    }
}

/// The members of an item that a selection looks at; the first of each name counts, as it has the column.
fn picked<'a>(item: &'a str, columns: &[String]) -> Vec<Option<&'a str>> {
    let mut picked = vec![None; columns.len()];
    let members = if columns.is_empty() { None } else { Members::of(item) };
    for (name, value) in members.into_iter().flatten().map_while(Result::ok) {
        let place =
            text_of(name).and_then(|name| columns.iter().position(|column| *column == name));
        if let Some(slot) = place.and_then(|place| picked.get_mut(place)) {
            slot.get_or_insert(value);
        }
    }
    picked
}

/// A cell of a CSV file; nothing in it is NULL.
struct Text<'a>(&'a str);

impl Cell for Text<'_> {
    fn is_null(&self) -> bool {
        self.0.is_empty()
    }

    fn is_in(&self, wanted: &Wanted) -> bool {
        wanted.has_text(self.0)
    }

    fn nanos(&self) -> Option<i128> {
        // A bare number could be seconds, milliseconds or a day without its hyphens: the cell does not say which.
        time_of(self.0)
    }
}

/// A member's value as JSON.
struct Token<'a>(Option<&'a str>);

impl Cell for Token<'_> {
    fn is_null(&self) -> bool {
        self.0.is_none_or(|token| token == "null")
    }

    fn is_in(&self, wanted: &Wanted) -> bool {
        let Some(token) = self.0 else { return false };
        match token.as_bytes().first() {
            Some(b'"') => text_of(token).is_some_and(|text| wanted.has_text(&text)),
            Some(b'-' | b'0'..=b'9') => wanted.has_number(token),
            _ => false,
        }
    }

    fn nanos(&self) -> Option<i128> {
        let token = self.0?;
        match text_of(token) {
            Some(text) => time_of(&text),
            None => time_of_number(token),
        }
    }
}

fn unreadable_time(unit: &str, number: u64, column: &str) -> SiloError {
    SiloError::Corrupt {
        reason: format!("{unit} {number}: its time column {column} cannot be read as a time"),
    }
}

/// Items that are looked at to learn the columns.
const SAMPLE_ITEMS: u64 = 1_000;
/// Files that they come from, at most.
const SAMPLE_FILES: usize = 32;
