//! How do items become batches of a shape that no longer changes?

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};

use super::cell::Column;
use super::infer::INFERRED;
use super::scan::{Members, text_of};
use super::{ItemFault, MORE, scan};
use crate::silo::{ColumnShape, ColumnType};
use crate::text;

/// Builds batches of frozen columns. What has no column, or does not fit the one it has, goes into [`MORE`]; without such a column
/// (the last of the shape) it is a fault. After a fault no batch may be taken.
#[derive(Debug)]
pub(in crate::silo) struct ItemRows {
    schema: SchemaRef,
    /// All columns but [`MORE`].
    columns: Vec<Named>,
    by_name: HashMap<String, usize>,
    more: Option<Column>,
    /// The object of [`MORE`] that is being written.
    left: String,
    rows: usize,
    bytes: usize,
    /// Items so far.
    items: u64,
}

#[derive(Debug)]
struct Named {
    name: String,
    column: Column,
    /// The item that filled it last.
    filled: u64,
}

impl ItemRows {
    /// Begins with the columns that [`Inferred`](super::Inferred) found, or any others.
    pub(in crate::silo) fn new(columns: &[ColumnShape]) -> Self {
        let fields: Vec<_> = columns.iter().map(|column| column.kind.field(&column.name)).collect();
        let more = columns.last().filter(|last| last.name == MORE && last.kind == ColumnType::Json);
        let named = columns.len() - usize::from(more.is_some());
        let columns: Vec<Named> = columns
            .iter()
            .take(named)
            .map(|shape| Named {
                name: shape.name.clone(),
                column: Column::new(shape.kind, !shape.declared.starts_with(INFERRED)),
                filled: 0,
            })
            .collect();
        let by_name = columns.iter().enumerate().map(|(index, named)| (named.name.clone(), index));
        Self {
            schema: Arc::new(Schema::new(fields)),
            by_name: by_name.collect(),
            columns,
            more: more.map(|more| Column::new(more.kind, true)),
            left: String::new(),
            rows: 0,
            bytes: 0,
            items: 0,
        }
    }

    /// Appends an item: the text of one JSON value.
    ///
    /// # Errors
    /// [`ItemFault`] if it is no JSON or longer than a batch can hold.
    pub(in crate::silo) fn push(&mut self, item: &str) -> Result<(), ItemFault> {
        self.begin(item.len())?;
        match Members::of(item) {
            Some(members) => {
                // Members mostly come in the order of the columns.
                let mut expected = 0;
                for member in members {
                    let (name, value) = member.map_err(|_| self.fault(None, NO_JSON))?;
                    let index = text_of(name).and_then(|name| self.place(&name, expected));
                    expected = index.map_or(expected, |index| index + 1);
                    if !index.is_some_and(|index| self.fill(index, value)) {
                        self.keep(index, name, value)?;
                    }
                }
            }
            None => match scan::whole(item).map_err(|_| self.fault(None, NO_JSON))? {
                // NULL throughout.
                "null" => {}
                item => self.left.push_str(item),
            },
        }
        self.end()
    }

    /// Appends a row of texts with the names of their columns, as a CSV file has them. `None` is NULL; a text that is no value of its
    /// column's type, or has no column, goes into [`MORE`] as a string.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(in crate::silo) fn push_texts<'a>(
        &mut self,
        cells: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<(), ItemFault> {
        self.begin(0)?;
        let mut expected = 0;
        let mut len = 0_usize;
        for (name, text) in cells {
            let index = self.place(name, expected);
            expected = index.map_or(expected, |index| index + 1);
            let Some(text) = text else { continue };
            len = len.saturating_add(text.len());
            if len > MAX_ITEM {
                return Err(self.fault(None, TOO_LONG));
            }
            let taken = index
                .and_then(|index| self.columns.get_mut(index))
                .filter(|named| named.filled != self.items);
            let fits = taken.is_some_and(|named| match named.column.push_text(text) {
                Some(bytes) => {
                    named.filled = self.items;
                    self.bytes += bytes;
                    true
                }
                None => false,
            });
            if !fits {
                let (mut token, mut value) = (Vec::new(), Vec::new());
                text::json::string(name, &mut token);
                text::json::string(text, &mut value);
                self.keep(
                    index,
                    &String::from_utf8_lossy(&token),
                    &String::from_utf8_lossy(&value),
                )?;
            }
        }
        self.end()
    }

    /// Returns how many rows the batch has so far.
    pub(in crate::silo) const fn rows(&self) -> usize {
        self.rows
    }

    /// Returns about how many bytes of column data the batch has so far.
    pub(in crate::silo) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ends the batch; the next begins empty, its items go on being counted.
    ///
    /// # Errors
    /// [`ItemFault`] if the columns are none that items can fill.
    pub(in crate::silo) fn finish(&mut self) -> Result<RecordBatch, ItemFault> {
        let columns = self.columns.iter_mut().map(|named| &mut named.column).chain(&mut self.more);
        let arrays: Result<Vec<_>, _> = columns.map(Column::finish).collect();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        arrays
            .and_then(|arrays| {
                RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            })
            .map_err(|_| self.fault(None, "the columns are none that items have"))
    }

    fn begin(&mut self, len: usize) -> Result<(), ItemFault> {
        self.items += 1;
        self.left.clear();
        if len > MAX_ITEM {
            return Err(self.fault(None, TOO_LONG));
        }
        Ok(())
    }

    fn place(&self, name: &str, expected: usize) -> Option<usize> {
        if self.columns.get(expected).is_some_and(|named| named.name == name) {
            return Some(expected);
        }
        self.by_name.get(name).copied()
    }

    /// Puts a value into its column, unless the item had one of this name before or it does not fit.
    fn fill(&mut self, index: usize, value: &str) -> bool {
        let Some(named) = self.columns.get_mut(index) else { return false };
        if named.filled == self.items {
            return false;
        }
        let bytes = if value == "null" {
            named.column.push_null();
            Some(1)
        } else {
            named.column.push(value)
        };
        if let Some(bytes) = bytes {
            named.filled = self.items;
            self.bytes += bytes;
        }
        bytes.is_some()
    }

    /// Adds a member, by its tokens, to what is left.
    fn keep(&mut self, index: Option<usize>, name: &str, value: &str) -> Result<(), ItemFault> {
        if self.more.is_none() {
            let named = index.and_then(|index| self.columns.get(index));
            return Err(self.fault(named.map(|named| named.name.clone()), NO_COLUMN));
        }
        self.left.push(if self.left.is_empty() { '{' } else { ',' });
        self.left.push_str(name);
        self.left.push(':');
        self.left.push_str(value);
        Ok(())
    }

    fn end(&mut self) -> Result<(), ItemFault> {
        for named in &mut self.columns {
            if named.filled != self.items {
                named.column.push_null();
                self.bytes += 1;
            }
        }
        if self.left.starts_with('{') {
            self.left.push('}');
        }
        match &mut self.more {
            Some(more) if self.left.is_empty() => more.push_null(),
            Some(more) => match more.push(&self.left) {
                Some(bytes) => self.bytes += bytes,
                None => return Err(self.fault(None, NO_JSON)),
            },
            None if self.left.is_empty() => {}
            None => return Err(self.fault(None, NO_COLUMN)),
        }
        self.rows += 1;
        Ok(())
    }

    fn fault(&self, member: Option<String>, what: &'static str) -> ItemFault {
        ItemFault { item: self.items, member, what }
    }
}

const NO_JSON: &str = "no well-formed JSON";
const NO_COLUMN: &str = "a value fits no column";
const TOO_LONG: &str = "longer than a batch of rows can hold";
/// Arrow counts the bytes of a column in 31 bits; what waits in the batch already must fit as well.
const MAX_ITEM: usize = 1 << 30;
