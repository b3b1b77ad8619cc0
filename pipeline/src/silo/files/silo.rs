//! The silo and its session.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use antumbra_config::{Attachment, ColumnWord, FileFormat, FileSet};
use arrow_array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::bytes::Stop;
use super::job::{self, Job};
use super::place::{Found, Place};
use super::select::{self, Selection};
use super::{attach, bucket, explain, fault, parquet, text, values};
use crate::silo::batches::stopped;
use crate::silo::items::unseen;
use crate::silo::{
    Attached, Batches, ColumnShape, Cursor, Explained, Identifiers, SectionSource, SectionSpec,
    Session, Shape, Silo,
};
use crate::{SiloError, Value};

/// Files in a directory or a bucket.
#[derive(Debug)]
pub struct FilesSilo {
    place: Place,
}

impl FilesSilo {
    /// Names the place; nothing is asked of it yet. Reads secrets and certificates, so it blocks.
    ///
    /// # Errors
    /// A sentence that names the setting and never what it holds.
    pub fn new(
        settings: &antumbra_config::FilesSilo,
        environment: &[(String, String)],
    ) -> Result<Self, String> {
        Ok(Self { place: bucket::open(&settings.location, environment)? })
    }

    #[cfg(test)]
    pub(super) const fn at(place: Place) -> Self {
        Self { place }
    }
}

#[async_trait]
impl Silo for FilesSilo {
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        Ok(Box::new(FilesSession { place: self.place.clone(), listings: Arc::default() }))
    }
}

/// Reads files as they were when it, or a session beside it, first listed them.
struct FilesSession {
    place: Place,
    listings: Listings,
}

/// Files by the pattern that names them.
type Listings = Arc<Mutex<HashMap<String, Arc<[Found]>>>>;

#[async_trait]
impl Session for FilesSession {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let (set, matches) = rows_of(section)?;
        let selection = Selection::new(section, matches, known, false);
        let columns = columns.to_vec();
        self.with_job(set, move |job| {
            // As JSON, no value of theirs is left out for not being of a type.
            let shape = shape(&job, &columns, &mut |_, _| {})?;
            let missing =
                |name: &&String| !shape.columns.iter().any(|column| column.name == **name);
            if let Some(name) = columns.iter().find(missing) {
                return Err(SiloError::Missing { what: format!("column: {name}") });
            }
            let mut found = Distinct::new(columns, limit);
            let ended = read(&job, &shape, &selection, &mut |batch| found.add(&batch));
            if found.is_full() {
                return Ok(found.values);
            }
            ended.map(|()| found.values)
        })
        .await
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        if let SectionSource::Attachment { attachment } = &section.source {
            return self.describe_attachments(section, attachment, known).await;
        }
        let (set, matches) = rows_of(section)?;
        let selection = Selection::new(section, matches, known, true);
        let (section, matches) = (section.clone(), matches.to_vec());
        self.with_job(set, move |job| {
            let mut lacks = Ok(());
            let made = shape(&job, &[], &mut |index, names| {
                if lacks.is_ok() {
                    let checked = selection.check_file(names);
                    lacks = checked.map_err(|column| job.lacks(index, &column));
                }
            });
            // Names that differ in case only cannot stand together: that a file lacks the right one is the reason.
            if made.is_err() {
                lacks.clone()?;
            }
            let mut shape = made?;
            let has = |name: &str| shape.columns.iter().any(|column| column.name == name);
            let unseen = match job.set.format {
                // Their columns are those of a sample.
                FileFormat::Ndjson | FileFormat::Json => {
                    unseen(select::narrowing(&section), &shape.columns)?
                }
                FileFormat::Csv | FileFormat::Parquet => {
                    select::check_columns(select::narrowing(&section), has)?;
                    Vec::new()
                }
            };
            select::check_columns(select::matched(&section, &matches), has)?;
            shape.notes.extend(unseen);
            lacks?;
            shape.statement = select::statement(&section, &job.set.pattern, &matches);
            if let Some(window) = &section.window {
                shape.notes.push(format!("rows without {} are outside the window", window.column));
            }
            if !section.key.is_empty() {
                shape.notes.push(explain::NO_KEY.to_owned());
            }
            let narrowed = section.window.is_some() || !section.filters.is_empty();
            if section.tenant_wide && !narrowed && job.set.format == FileFormat::Parquet {
                shape.rows = Some(parquet::count(&job)?);
            }
            Ok(shape)
        })
        .await
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        if after.is_some() {
            return Err(fault::settings("files have no order that reading could go on in"));
        }
        let (set, matches) = rows_of(section)?;
        let selection = Selection::new(section, matches, known, true);
        let files = self.files(&set.pattern).await?;
        let (place, set, shape) = (self.place.clone(), set.clone(), shape.clone());
        let handle = Handle::current();
        Ok(Batches::start(move |sender| {
            let stop = Stop::Receiver(sender.clone());
            let job = Job { place, files, set, handle, stop };
            read(&job, &shape, &selection, &mut |batch| {
                let sent = sender.blocking_send(batch);
                sent.map_err(|_| fault::unavailable("reading was interrupted"))
            })
        }))
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        if let SectionSource::Attachment { attachment } = &section.source {
            let is_empty = attach::is_empty(&self.place, &attachment.path).await?;
            return Ok(explain::attachments(&attachment.path, is_empty));
        }
        let (set, matches) = rows_of(section)?;
        let selection = Selection::new(section, matches, known, true);
        let (section, matches) = (section.clone(), matches.to_vec());
        self.with_job(set, move |job| {
            let mut lacking = Vec::new();
            let shape = shape(&job, &[], &mut |index, names| {
                if let Err(column) = selection.check_file(names) {
                    lacking.push((column, job.file(index)));
                }
            })?;
            let rows = (job.set.format == FileFormat::Parquet && section.tenant_wide)
                .then(|| parquet::count(&job))
                .transpose()?;
            let mut explained = explain::rows(&job, &section, &matches, &shape.columns, rows);
            // One for all files is enough where none has the column.
            if explained.advice.is_empty() {
                explained.advice.extend(explain::lacking(&lacking));
            }
            Ok(explained)
        })
        .await
    }

    async fn beside(&mut self) -> Result<Option<Box<dyn Session>>, SiloError> {
        let (place, listings) = (self.place.clone(), Arc::clone(&self.listings));
        Ok(Some(Box::new(Self { place, listings })))
    }

    async fn attachments(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Vec<Attached>, SiloError> {
        let SectionSource::Attachment { attachment } = &section.source else {
            return Err(section.source.is_strange_to("files"));
        };
        Ok(attach::select(&self.place, section, attachment, known).await?.files)
    }

    async fn attachment(
        &mut self,
        attached: &Attached,
    ) -> Result<BoxStream<'static, Result<Bytes, SiloError>>, SiloError> {
        self.place.open(&attach::found(attached)).await
    }
}

impl FilesSession {
    /// Lists the files of a pattern, once for all sessions of a run.
    async fn files(&self, pattern: &str) -> Result<Arc<[Found]>, SiloError> {
        let listed = || self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = listed().get(pattern) {
            return Ok(Arc::clone(files));
        }
        let files = job::list(&self.place, pattern).await?;
        if files.is_empty() {
            return Err(SiloError::Missing { what: format!("every file that {pattern} names") });
        }
        Ok(Arc::clone(listed().entry(pattern.to_owned()).or_insert(files)))
    }

    /// Runs blocking work over the files of a section; it ends when nobody waits for it any more.
    async fn with_job<T: Send + 'static>(
        &self,
        set: &FileSet,
        work: impl FnOnce(Job) -> Result<T, SiloError> + Send + 'static,
    ) -> Result<T, SiloError> {
        let token = CancellationToken::new();
        let _until_dropped = token.clone().drop_guard();
        let job = Job {
            place: self.place.clone(),
            files: self.files(&set.pattern).await?,
            set: set.clone(),
            handle: Handle::current(),
            stop: Stop::Token(token),
        };
        tokio::task::spawn_blocking(move || work(job)).await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn describe_attachments(
        &self,
        section: &SectionSpec,
        attachment: &Attachment,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        let selected = attach::select(&self.place, section, attachment, known).await?;
        Ok(Shape {
            columns: Vec::new(),
            ordered_by: Vec::new(),
            keyed: false,
            statement: format!("files {}", attachment.path),
            notes: selected.notes,
            rows: None,
        })
    }
}

/// The files of a section, and its matches: column and identifier.
type RowsOf<'a> = (&'a FileSet, &'a [(String, String)]);

fn rows_of(section: &SectionSpec) -> Result<RowsOf<'_>, SiloError> {
    match &section.source {
        SectionSource::Files { files, matches } => Ok((files, matches)),
        other => Err(other.is_strange_to("files")),
    }
}

/// Columns and what is said of them; `as_json`: columns of items that are taken whatever they hold. `look` sees the columns of
/// each file that says them itself: CSV and Parquet.
fn shape(job: &Job, as_json: &[String], look: &mut job::Look<'_>) -> Result<Shape, SiloError> {
    let (columns, notes): (Vec<ColumnShape>, Vec<String>) = match job.set.format {
        FileFormat::Parquet => parquet::columns(job, look)?,
        FileFormat::Csv => {
            (text::columns(&without_types(job, as_json), as_json, look)?, Vec::new())
        }
        FileFormat::Ndjson | FileFormat::Json => (text::columns(job, as_json, look)?, Vec::new()),
    };
    Ok(Shape {
        columns,
        ordered_by: Vec::new(),
        keyed: false,
        statement: String::new(),
        notes,
        rows: None,
    })
}

/// Identifiers of a CSV file are taken as they are written.
fn without_types(job: &Job, names: &[String]) -> Job {
    let mut job = job.clone();
    job.set.columns.retain(|(column, word)| *word == ColumnWord::Text || !names.contains(column));
    job
}

fn read(
    job: &Job,
    shape: &Shape,
    selection: &Selection,
    send: &mut job::Send<'_>,
) -> Result<(), SiloError> {
    match job.set.format {
        FileFormat::Parquet => parquet::read(job, shape, selection, send),
        _ => text::read(job, shape, selection, send),
    }
}

/// The distinct values of columns.
struct Distinct {
    columns: Vec<String>,
    limit: usize,
    seen: Vec<BTreeSet<Vec<u8>>>,
    values: Vec<Vec<Value>>,
}

impl Distinct {
    fn new(columns: Vec<String>, limit: usize) -> Self {
        let (seen, values) =
            (vec![BTreeSet::new(); columns.len()], vec![Vec::new(); columns.len()]);
        Self { columns, limit, seen, values }
    }

    /// One column has more values than are asked for: the answer is known.
    fn is_full(&self) -> bool {
        self.values.iter().any(|values| values.len() > self.limit)
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), SiloError> {
        for ((name, seen), values) in self.columns.iter().zip(&mut self.seen).zip(&mut self.values)
        {
            let Some(array) = batch.column_by_name(name) else { continue };
            let field = batch.schema_ref().field_with_name(name).ok();
            let json = field.and_then(arrow_schema::Field::extension_type_name).is_some();
            for row in 0..array.len() {
                let Some(value) =
                    values::identifier(array, row, json).map_err(|what| SiloError::Settings {
                        what: format!("column {name} provides identifiers and {what}"),
                    })?
                else {
                    continue;
                };
                let mut key = Vec::new();
                value.encode(&mut key);
                if values.len() <= self.limit && seen.insert(key) {
                    values.push(value);
                }
            }
        }
        if self.is_full() { Err(fault::unavailable("enough was seen")) } else { Ok(()) }
    }
}
