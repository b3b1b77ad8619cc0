//! How does a collected job become a bundle? One verifying read, the report, the manifest, the signature, one transaction.

use std::collections::HashMap;

use antumbra_bundle::{
    BundleError, Content, Entry, FileContent, JobObjects, MANIFEST_NAME, Manifest, Method,
    PackWriter, Run, RunReport, SIGNATURE_NAME, ScopeContent, SectionContent, Segment,
    SegmentWriter, SettingsContent, ZipLayout, hex,
};
use antumbra_config::OnSiloError;
use antumbra_jobs::{FileRecord, Job, Lease, Published, Request, ScopeKind};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::attachments::RAW;
use super::{records, report};
use crate::plan::Plan;
use crate::slice::{SLICE_BYTES, SLICE_ROWS};
use crate::{Engine, PipelineError, SiloError, crash_point};

/// What is packaged, and by whom.
pub(super) struct Packaging<'a> {
    pub(super) engine: &'a Engine,
    pub(super) lease: &'a Lease,
    pub(super) request: &'a Request,
    pub(super) job: &'a Job,
    pub(super) plan: &'a Plan,
    pub(super) objects: &'a JobObjects,
    pub(super) stop: &'a CancellationToken,
    /// A silo was connected to again while this run collected: sections come from several of its snapshots.
    pub(super) reconnected: bool,
    /// Counts from 1 under this lease: names of objects are never used twice.
    pub(super) attempt: u32,
}

/// Packages a job whose sections all ended, and publishes it.
pub(super) async fn package(packaging: &Packaging<'_>) -> Result<(), PipelineError> {
    let Packaging { engine, lease, request, job, plan, objects, stop, .. } = *packaging;
    let store = engine.store();
    store.start_packaging(lease).await?;
    crash_point("package.started");
    let sections = sections(engine, lease).await?;
    refuse_partial(engine, &sections)?;
    let (files, mut entries) = data_files(engine, lease, &sections, request).await?;
    let now = engine.clock().now();
    let expires_at = after(now, engine.settings().export.bundle_ttl.duration());
    let content = content(engine, request, plan, sections, &files);
    let facts = report::Facts { request, job, content: &content, made_at: now, expires_at };
    let (report_file, report_entry) = report_file(packaging, &report::html(&facts)).await?;
    crash_point("package.report");

    let run = Run {
        producer: format!("antumbra {}", env!("CARGO_PKG_VERSION")),
        request_id: request.id.to_string(),
        job_id: job.id.to_string(),
        requested_at: request.created_at.to_string(),
        generated_at: now.to_string(),
        expires_at: expires_at.to_string(),
        worker: lease.worker.to_string(),
        leases: lease.fence.0,
        resumed: lease.fence.0 > 1 || packaging.reconnected,
        is_test: request.is_test,
        report: RunReport {
            name: report_file.entry.clone(),
            bytes: report_file.plain_len,
            sha256: hex(&report_file.sha256),
        },
    };
    let content_sha256 = content.sha256();
    let partial = content.outcome == "partial";
    let manifest = Manifest::new(content, run).to_bytes();
    let signature = engine.ring().signing().sign_detached(&manifest)?.into_bytes();

    let mut published_files = files;
    published_files.push(report_file);
    let segments = report_segments(&report_entry);
    entries.push(report_entry);
    entries.push(Entry::inline(MANIFEST_NAME, manifest.clone()));
    entries.push(Entry::inline(SIGNATURE_NAME, signature.clone()));
    let layout = ZipLayout::new(&entries, request.created_at)?;
    let bundle_sha256 = read_all(&layout, objects, stop).await?;
    crash_point("package.verified");
    let published = Published {
        manifest,
        signature,
        content_sha256,
        bundle_len: layout.len(),
        bundle_sha256,
        bundle_time: request.created_at,
        files: published_files,
        segments,
        partial,
        expires_at,
    };
    store.publish(lease, published).await?;
    crash_point("package.published");
    Ok(())
}

async fn sections(engine: &Engine, lease: &Lease) -> Result<Vec<SectionContent>, PipelineError> {
    let unreadable = || PipelineError::Document { what: "section" };
    let mut sections = Vec::new();
    for record in engine.store().sections(lease.job).await? {
        let document = record.outcome.ok_or_else(unreadable)?;
        sections.push(serde_json::from_slice(&document).map_err(|_| unreadable())?);
    }
    Ok(sections)
}

/// The last word of the policy: whatever a run before this one decided, a job that must be whole is not published in part.
fn refuse_partial(engine: &Engine, sections: &[SectionContent]) -> Result<(), PipelineError> {
    let failed = sections.iter().find(|section| section.outcome == "failed");
    match (engine.settings().export.on_silo_error, failed) {
        (OnSiloError::Fail, Some(section)) => Err(PipelineError::Section {
            silo: section.silo.clone(),
            datapoint: section.datapoint.clone(),
            source: SiloError::Settings { what: section.reason.clone().unwrap_or_default() },
        }),
        _ => Ok(()),
    }
}

/// The data files in the order of sections and formats, each compared with its segments.
async fn data_files(
    engine: &Engine,
    lease: &Lease,
    sections: &[SectionContent],
    request: &Request,
) -> Result<(Vec<FileRecord>, Vec<Entry>), PipelineError> {
    let store = engine.store();
    let mut by_place: HashMap<(String, String, String), FileRecord> = HashMap::new();
    let mut raw: HashMap<String, FileRecord> = HashMap::new();
    for file in store.files(lease.job).await? {
        if file.format == RAW {
            raw.insert(file.entry.clone(), file);
            continue;
        }
        by_place.insert((file.silo.clone(), file.datapoint.clone(), file.format.clone()), file);
    }
    let mut segments = records::by_entry(store.all_segments(lease.job).await?);
    let mut files = Vec::new();
    let mut entries = Vec::new();
    for section in sections {
        if !matches!(section.outcome.as_str(), "complete" | "empty") {
            continue;
        }
        let found: Vec<Option<FileRecord>> = match &section.attachments {
            Some(attachments) => {
                attachments.iter().map(|attached| raw.remove(&attached.name)).collect()
            }
            None => {
                let place = |format: &String| {
                    (section.silo.clone(), section.datapoint.clone(), format.clone())
                };
                request.formats.iter().map(|format| by_place.remove(&place(format))).collect()
            }
        };
        for file in found {
            let file = file.ok_or(PipelineError::Document { what: "file record" })?;
            let entry = records::to_entry(&file, segments.remove(&file.entry).unwrap_or_default());
            if !records::fits(&entry, &file) {
                let what = format!("entry {}", file.entry);
                return Err(BundleError::Corrupt { what }.into());
            }
            files.push(file);
            entries.push(entry);
        }
    }
    Ok((files, entries))
}

fn content(
    engine: &Engine,
    request: &Request,
    plan: &Plan,
    sections: Vec<SectionContent>,
    files: &[FileRecord],
) -> Content {
    let failed = sections.iter().any(|section| section.outcome == "failed");
    let details = &request.details;
    let count = |values: &Vec<crate::Value>| values.len() as u64;
    Content {
        tenant: request.tenant.to_string(),
        action: request.action.clone(),
        scope: ScopeContent {
            kind: scope_word(request.scope).to_owned(),
            window_start: details.window_start.map(|at| at.to_string()),
            window_end: details.window_end.map(|at| at.to_string()),
            fields: details.scope_fields.clone(),
            identifiers: plan
                .identifiers
                .iter()
                .map(|(name, values)| (name.clone(), count(values)))
                .collect(),
        },
        formats: request.formats.clone(),
        settings: SettingsContent {
            slice_rows: SLICE_ROWS,
            slice_bytes: SLICE_BYTES,
            on_silo_error: match engine.settings().export.on_silo_error {
                OnSiloError::Fail => "fail".to_owned(),
                OnSiloError::Partial => "partial".to_owned(),
            },
            csv_formulas: plan.csv_formulas.as_str().to_owned(),
            secrets: plan.guards.secrets.as_str().to_owned(),
            foreign_identifiers: plan.guards.foreign_identifiers.as_str().to_owned(),
        },
        sections,
        files: files.iter().map(file_content).collect(),
        outcome: if failed { "partial".to_owned() } else { "complete".to_owned() },
    }
}

fn file_content(file: &FileRecord) -> FileContent {
    FileContent {
        name: file.entry.clone(),
        silo: file.silo.clone(),
        datapoint: file.datapoint.clone(),
        format: file.format.clone(),
        media_type: file.media_type.clone(),
        rows: file.rows.unwrap_or_default(),
        bytes: file.plain_len,
        sha256: hex(&file.sha256),
    }
}

/// The word of a scope on the wire.
pub(super) const fn scope_word(scope: ScopeKind) -> &'static str {
    match scope {
        ScopeKind::DataSubject => "DATA_SUBJECT",
        ScopeKind::TenantFull => "TENANT_FULL",
        ScopeKind::TenantSlice => "TENANT_SLICE",
    }
}

/// Seals the report into a pack of its own.
async fn report_file(
    packaging: &Packaging<'_>,
    html: &str,
) -> Result<(FileRecord, Entry), PipelineError> {
    let name = format!("{:04}-{:05}-report", packaging.lease.fence.0, packaging.attempt);
    let segment = sealed(packaging.objects, name, html).await.map_err(PipelineError::writing)?;
    let entry =
        Entry::of_segments(report::NAME, Method::Deflated, segment.into_iter().collect::<Vec<_>>());
    let file = FileRecord {
        entry: report::NAME.to_owned(),
        silo: String::new(),
        datapoint: String::new(),
        format: "HTML".to_owned(),
        media_type: "text/html; charset=utf-8".to_owned(),
        rows: None,
        deflated: true,
        plain_len: entry.plain_len,
        stored_len: entry.stored_len(),
        crc32: entry.crc32,
        sha256: Sha256::digest(html.as_bytes()).into(),
    };
    Ok((file, entry))
}

async fn sealed(
    objects: &JobObjects,
    name: String,
    text: &str,
) -> Result<Option<Segment>, BundleError> {
    let mut pack = PackWriter::create(objects, name).await?;
    let mut writer = SegmentWriter::new(Method::Deflated, 6);
    writer.write(text.as_bytes(), &mut pack).await?;
    let segment = writer.finish(&mut pack).await?;
    pack.finish().await?;
    Ok(segment)
}

fn report_segments(entry: &Entry) -> Vec<antumbra_jobs::SegmentRecord> {
    let antumbra_bundle::Body::Segments(segments) = &entry.body else { return Vec::new() };
    (0..)
        .zip(segments)
        .map(|(ordinal, segment)| records::to_record(&entry.name, ordinal, segment.clone()))
        .collect()
}

/// Reads the whole zip as a client would: every chunk of every object is authenticated, and the hash is the bundle's.
async fn read_all(
    layout: &ZipLayout,
    objects: &JobObjects,
    stop: &CancellationToken,
) -> Result<[u8; 32], PipelineError> {
    let mut sha256 = Sha256::new();
    let mut len = 0;
    let mut stream = layout.read(objects, 0..layout.len());
    while let Some(bytes) = stream.try_next().await? {
        if stop.is_cancelled() {
            return Err(PipelineError::Interrupted);
        }
        sha256.update(&bytes);
        len += bytes.len() as u64;
    }
    if len != layout.len() {
        let what = "length of the bundle".to_owned();
        return Err(BundleError::Corrupt { what }.into());
    }
    Ok(sha256.finalize().into())
}

fn after(now: Timestamp, by: std::time::Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
