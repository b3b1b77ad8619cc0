//! How far is a job, and what came of it? What this gateway adds to the contract's answer.

use antumbra_bundle::hex;
use antumbra_jobs::{Failure, Job, JobState, Progress, SectionRecord, SectionState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The latest job of a request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobView<'r> {
    job: JobName,
    progress: ProgressView,
    sections: Vec<SectionView<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView<'r>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    bundle: Option<BundleView>,
}

impl<'r> JobView<'r> {
    /// Shows a job, its sections, and whether it stands still in this process until the root of the keys answers.
    pub(super) fn of(job: &'r Job, sections: &'r [SectionRecord], waits_for_root: bool) -> Self {
        let failure = job.failure.as_ref();
        Self {
            job: JobName {
                id: job.id.to_string(),
                state: job.state.as_str(),
                attempt: job.attempt,
                leases: job.fence.0,
            },
            progress: ProgressView::of(&job.progress, waits_for_root),
            sections: sections.iter().map(SectionView::of).collect(),
            failure: failure.map(|failure| FailureView::of(failure, sections)),
            bundle: BundleView::of(job),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct JobName {
    id: String,
    state: &'static str,
    attempt: u32,
    /// How often a worker took it up; more than 1 means that it was resumed.
    leases: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProgressView {
    rows_collected: u64,
    rows_expected: Option<u64>,
    sections_done: u32,
    sections_total: u32,
    heartbeat_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<&'static str>,
}

impl ProgressView {
    fn of(progress: &Progress, waits_for_root: bool) -> Self {
        Self {
            rows_collected: progress.rows_collected,
            rows_expected: progress.rows_expected,
            sections_done: progress.sections_done,
            sections_total: progress.sections_total,
            heartbeat_at: progress.heartbeat_at,
            waits_for: waits_for_root.then_some("root-key"),
        }
    }
}

#[derive(Debug, Serialize)]
struct SectionView<'r> {
    silo: &'r str,
    datapoint: &'r str,
    state: &'static str,
    rows: u64,
    #[serde(flatten)]
    end: SectionEnd,
}

/// How a section ended, from the document that manifest and report are made of, too. No value of the data is in it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SectionEnd {
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl<'r> SectionView<'r> {
    fn of(section: &'r SectionRecord) -> Self {
        Self {
            silo: &section.silo,
            datapoint: &section.datapoint,
            state: match section.state {
                SectionState::Open => "OPEN",
                SectionState::Done => "DONE",
                SectionState::Failed => "FAILED",
            },
            rows: section.rows,
            end: SectionEnd::of(section),
        }
    }
}

impl SectionEnd {
    /// A section that did not end, or whose document another version wrote, says nothing.
    fn of(section: &SectionRecord) -> Self {
        let document = section.outcome.as_deref();
        document.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
    }
}

#[derive(Debug, Serialize)]
struct FailureView<'r> {
    code: &'r str,
    message: String,
    at: Timestamp,
}

impl<'r> FailureView<'r> {
    /// The recorded message may quote data, so this one is made of names alone.
    fn of(failure: &'r Failure, sections: &[SectionRecord]) -> Self {
        let failed: Vec<String> = sections
            .iter()
            .filter(|section| section.state == SectionState::Failed)
            .map(|section| format!("{}/{}", section.silo, section.datapoint))
            .collect();
        let message = if failed.is_empty() {
            "the job failed; the operator sees why".to_owned()
        } else {
            format!("failed: {}", failed.join(", "))
        };
        Self { code: &failure.code, message, at: failure.at }
    }
}

/// What can be downloaded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BundleView {
    /// Absent once the job's key is destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_sha256: Option<String>,
    bundle_sha256: String,
    bundle_size: u64,
    partial: bool,
    expires_at: Timestamp,
    downloaded_at: Option<Timestamp>,
}

impl BundleView {
    /// Shows a bundle that was published; a job that ended without one has none.
    fn of(job: &Job) -> Option<Self> {
        let delivery = job.delivery.as_ref()?;
        let published =
            matches!(job.state, JobState::Ready | JobState::Delivered | JobState::Expired);
        published.then(|| Self {
            content_sha256: delivery.content_sha256.as_ref().map(|sum| hex(sum)),
            bundle_sha256: hex(&delivery.bundle_sha256),
            bundle_size: delivery.bundle_len,
            partial: delivery.partial,
            expires_at: delivery.expires_at,
            downloaded_at: delivery.downloaded_at,
        })
    }
}
