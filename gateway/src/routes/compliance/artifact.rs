//! What is in the JSON artifact, byte by byte?
//!
//! The items of a section are its sealed JSON file as it is, or what the manifest says of its attachments, so the artifact is as long as its parts, known before the first
//! byte, and streamed in constant memory however many rows there are. Everything in it comes from what was stored: the
//! same job gives the same bytes.

use std::collections::vec_deque::VecDeque;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use antumbra_bundle::{AttachedFile, BundleError, FileContent, Manifest, SectionContent, hex};
use antumbra_jobs::{Job, Request};
use antumbra_pipeline::plan::Plan;
use antumbra_pipeline::{ByteStream, ContentEncoding, OpenBundle};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::audit_report::{AuditReport, count, is_exported, name};
use super::find::job_id;
use super::view::ScopeView;
use crate::http::{ApiError, CONTRACT_VERSION};

/// The artifact of one job, laid out.
#[derive(Debug)]
pub(super) struct Artifact {
    pieces: VecDeque<Piece>,
    len: u64,
}

/// What an artifact is made of.
#[derive(Debug)]
pub(super) struct Parts<'r> {
    pub(super) request: &'r Request,
    pub(super) job: &'r Job,
    pub(super) manifest: &'r Manifest,
    pub(super) bundle: &'r OpenBundle,
    /// What was read, if it is still known.
    pub(super) plan: Option<Plan>,
}

impl Artifact {
    /// Lays an artifact out.
    ///
    /// # Errors
    /// Internal, when a section has no JSON file.
    pub(super) fn new(parts: &Parts<'_>) -> Result<Self, ApiError> {
        let mut artifact = Self { pieces: VecDeque::new(), len: 0 };
        artifact.text(head(parts)?);
        artifact.sections(parts)?;
        artifact.text(",\"integritySha256\":\"".to_owned());
        artifact.pieces.push_back(Piece::Hash);
        artifact.len += HASH_LEN;
        let report = AuditReport::of(parts.request, parts.job, parts.manifest);
        let report = to_json(&report)?;
        let version = to_json(&CONTRACT_VERSION)?;
        artifact.text(format!("\",\"auditReport\":{report}}}}},\"contractVersion\":{version}}}"));
        Ok(artifact)
    }

    /// Returns its length.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Streams it. A piece that fails its seal, or a file that is not as long as recorded, ends the stream with an error.
    pub(super) fn read(self, bundle: OpenBundle) -> ByteStream {
        let state = Reading { bundle, pieces: self.pieces, file: None, sha256: Sha256::new() };
        let next =
            |mut state: Reading| async { Ok(state.next().await?.map(|bytes| (bytes, state))) };
        stream::try_unfold(state, next).boxed()
    }

    /// Lays out the value of `sections`, which is what `integritySha256` covers: from its first bracket to its last.
    fn sections(&mut self, parts: &Parts<'_>) -> Result<(), ApiError> {
        let narrowed = Narrowed::of(parts);
        let mut before = "[";
        let exported =
            parts.manifest.content.sections.iter().filter(|section| is_exported(section));
        for section in exported {
            let (name, count) = (to_json(&name(section))?, count(section));
            let total = to_json(&narrowed.total(section))?;
            self.hashed(format!(
                "{before}{{\"name\":{name},\"count\":{count},\"totalBeforeFilter\":{total},\"items\":"
            ));
            match &section.attachments {
                Some(attachments) => self.hashed(attached(parts.manifest, attachments)?),
                None => self.rows(parts, section)?,
            }
            before = "},";
        }
        self.hashed(if before == "[" { "[]" } else { "}]" }.to_owned());
        Ok(())
    }

    /// Lays out the rows of a section: its JSON file as it is.
    fn rows(&mut self, parts: &Parts<'_>, section: &SectionContent) -> Result<(), ApiError> {
        let file = json_file(parts.manifest, section).ok_or_else(|| missing(section))?;
        let identity = parts.bundle.file_len(file, ContentEncoding::Identity);
        let len = identity.ok_or_else(|| missing(section))?;
        self.pieces.push_back(Piece::File { name: file.to_owned(), len });
        self.len += len;
        Ok(())
    }

    fn text(&mut self, text: String) {
        self.len += length(&text);
        self.pieces.push_back(Piece::Text(text.into()));
    }

    fn hashed(&mut self, text: String) {
        self.len += length(&text);
        self.pieces.push_back(Piece::Hashed(text.into()));
    }
}

#[derive(Debug)]
enum Piece {
    Text(Bytes),
    /// As [`Self::Text`], part of `sections`.
    Hashed(Bytes),
    /// A whole file of the bundle, part of `sections`.
    File {
        name: String,
        len: u64,
    },
    /// What the parts of `sections` hash to.
    Hash,
}

/// An artifact on its way.
struct Reading {
    bundle: OpenBundle,
    pieces: VecDeque<Piece>,
    /// The file that is being sent, and how much of it is left.
    file: Option<(ByteStream, u64)>,
    sha256: Sha256,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, BundleError> {
        loop {
            if let Some(bytes) = self.next_of_file().await? {
                self.sha256.update(&bytes);
                return Ok(Some(bytes));
            }
            match self.pieces.pop_front() {
                None => return Ok(None),
                Some(Piece::Text(text)) => return Ok(Some(text)),
                Some(Piece::Hashed(text)) => {
                    self.sha256.update(&text);
                    return Ok(Some(text));
                }
                Some(Piece::Hash) => {
                    let hash = std::mem::take(&mut self.sha256).finalize();
                    return Ok(Some(hex(&hash).into()));
                }
                Some(Piece::File { name, len }) => {
                    let file = self.bundle.read_file(&name, ContentEncoding::Identity, 0..len);
                    self.file = Some((file.ok_or_else(|| another_length(&name))?, len));
                }
            }
        }
    }

    /// Returns the next bytes of the file that is being sent; none at its end, and when there is none.
    async fn next_of_file(&mut self) -> Result<Option<Bytes>, BundleError> {
        let Some((file, left)) = &mut self.file else { return Ok(None) };
        let found = file.try_next().await?;
        let taken =
            found.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        match (left.checked_sub(taken), &found) {
            (Some(after), Some(_)) => *left = after,
            (Some(0), None) => self.file = None,
            _ => return Err(another_length("a section")),
        }
        Ok(found)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("pieces", &self.pieces.len()).finish_non_exhaustive()
    }
}

/// Rows before narrowing by silo and datapoint; `None` where the silo could not say.
type Whole = BTreeMap<(String, String), Option<u64>>;

/// Which sections may hold fewer rows than their scope had before it was narrowed, and how many were there when the job was planned?
struct Narrowed {
    /// `None`: not known any more. A section that is not in it was not narrowed.
    sections: Option<Whole>,
    any: bool,
}

impl Narrowed {
    fn of(parts: &Parts<'_>) -> Self {
        let scope = &parts.manifest.content.scope;
        let window = scope.window_start.is_some() || scope.window_end.is_some();
        let sections = parts.plan.as_ref().map(|plan| {
            plan.sections
                .iter()
                .filter(|section| section.spec.window.is_some() || !section.spec.filters.is_empty())
                .map(|section| {
                    let spec = &section.spec;
                    ((spec.silo.clone(), spec.datapoint.clone()), section.whole)
                })
                .collect()
        });
        Self { sections, any: window || !scope.fields.is_empty() }
    }

    /// Returns how many rows there were before the window and the lists of the scope narrowed the section; `None` if its silo could
    /// not say. Never fewer than it has: rows may have come after they were counted.
    fn total(&self, section: &SectionContent) -> Option<u64> {
        let place = (section.silo.clone(), section.datapoint.clone());
        match &self.sections {
            None => (!self.any).then_some(count(section)),
            Some(narrowed) => match narrowed.get(&place) {
                None => Some(count(section)),
                Some(whole) => whole.map(|whole| whole.max(count(section))),
            },
        }
    }
}

/// Writes everything before `sections`.
fn head(parts: &Parts<'_>) -> Result<String, ApiError> {
    let generated_at = to_json(&parts.manifest.run.generated_at)?;
    let job = to_json(&job_id(parts.request.id))?;
    let org = to_json(&parts.request.tenant.as_str())?;
    let scope = to_json(&ScopeView::of(parts.request))?;
    Ok(format!(
        "{{\"ok\":true,\"data\":{{\"artifact\":{{\"schemaVersion\":\"{SCHEMA_VERSION}\",\
         \"generatedAt\":{generated_at},\"jobId\":{job},\"orgId\":{org},\"scope\":{scope},\"sections\":"
    ))
}

/// Writes what is said of files that are handed out as they are: they themselves are in the bundle alone.
fn attached(manifest: &Manifest, attachments: &[AttachedFile]) -> Result<String, ApiError> {
    let files: HashMap<&str, &FileContent> =
        manifest.content.files.iter().map(|file| (file.name.as_str(), file)).collect();
    let items = attachments.iter().map(|attached| {
        let file = files.get(attached.name.as_str());
        let file = file.ok_or_else(|| ApiError::internal("an attachment has no file"))?;
        Ok(AttachmentView {
            file_name: &attached.name,
            original_name: &attached.original_name,
            bytes: file.bytes,
            sha256: &file.sha256,
        })
    });
    to_json(&items.collect::<Result<Vec<_>, ApiError>>()?)
}

/// An item of a section of attachments.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentView<'m> {
    /// Its place in the bundle.
    file_name: &'m str,
    original_name: &'m str,
    bytes: u64,
    sha256: &'m str,
}

fn json_file<'m>(manifest: &'m Manifest, section: &SectionContent) -> Option<&'m str> {
    let files = &manifest.content.files;
    let file = files.iter().find(|file| {
        file.silo == section.silo && file.datapoint == section.datapoint && file.format == "JSON"
    })?;
    Some(&file.name)
}

fn missing(section: &SectionContent) -> ApiError {
    ApiError::internal(format!("section {} has no JSON file", name(section)))
}

fn another_length(what: &str) -> BundleError {
    BundleError::Corrupt { what: format!("length of {what}") }
}

fn to_json(value: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(ApiError::internal)
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// Of the artifact's own shape.
const SCHEMA_VERSION: &str = "1.0";
/// SHA-256 in hex.
const HASH_LEN: u64 = 64;
