//! How does a job look to its caller? Every member of the contract, always; null until it exists.

use antumbra_bundle::hex;
use antumbra_jobs::{
    Actor, Delivery, Failure, Job, JobState, Progress, Request, SectionRecord, SectionState,
    TimelineEntry,
};
use jiff::Timestamp;
use serde::Serialize;

use super::find::job_id;
use super::submission::DATA_SUBJECT_ID;
use crate::http::{ApiError, Shared};

/// A job, in the contract's words.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobView<'r> {
    id: String,
    org_id: &'r str,
    created_at: Timestamp,
    updated_at: Timestamp,
    state: &'static str,
    format: &'r str,
    scope: ScopeView<'r>,
    requested_by: &'r str,
    request_notes: Option<&'r str>,
    progress: Option<ProgressView<'r>>,
    delivery: Option<DeliveryView<'r>>,
    failure: Option<FailureView<'r>>,
    timeline: Vec<TimelineView<'r>>,
}

impl<'r> JobView<'r> {
    /// Shows a request and its latest job to `actor`, with a link that works while there is something to download.
    ///
    /// # Errors
    /// The store's error.
    pub(super) async fn of(
        shared: &Shared,
        actor: Actor,
        request: &'r Request,
        job: &'r Job,
    ) -> Result<Self, ApiError> {
        let downloadable = matches!(job.state, JobState::Ready | JobState::Delivered);
        let url =
            if downloadable { Some(shared.links().url(shared, job, actor).await?) } else { None };
        let failure = match &job.failure {
            Some(failure) => {
                Some(FailureView::of(failure, &shared.store().sections(job.id).await?))
            }
            None => None,
        };
        Ok(Self {
            id: job_id(request.id),
            org_id: request.tenant.as_str(),
            created_at: request.created_at,
            updated_at: request.updated_at.max(job.updated_at),
            state: job.state.as_str(),
            format: format(request),
            scope: ScopeView::of(request),
            requested_by: requested_by(request, job),
            request_notes: request.details.notes.as_deref(),
            progress: ProgressView::of(job),
            delivery: job.delivery.as_ref().map(|delivery| DeliveryView::of(job, delivery, url)),
            failure,
            timeline: job.timeline.iter().map(TimelineView::of).collect(),
        })
    }
}

impl std::fmt::Debug for JobView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobView").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Returns the one format of a request.
pub(super) fn format(request: &Request) -> &str {
    request.formats.first().map_or("JSON", String::as_str)
}

/// Returns who asked. When the request's details are forgotten, the timeline still knows whose key it was.
pub(super) fn requested_by<'r>(request: &'r Request, job: &'r Job) -> &'r str {
    let first = || job.timeline.first().map(|entry| entry.actor.as_str());
    request.details.requested_by.as_deref().or_else(first).unwrap_or_default()
}

/// How much a job covers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScopeView<'r> {
    kind: &'static str,
    data_subject_id: Option<&'r str>,
    window_start: Option<Timestamp>,
    window_end: Option<Timestamp>,
    campaign_ids: &'r [String],
    substrates: &'r [String],
}

impl<'r> ScopeView<'r> {
    /// Shows a request's scope.
    pub(super) fn of(request: &'r Request) -> Self {
        let details = &request.details;
        let subject = details.identifiers.iter().find(|known| known.name == DATA_SUBJECT_ID);
        let list = |name: &str| details.scope_fields.get(name).map_or(&[][..], Vec::as_slice);
        Self {
            kind: request.scope.as_str(),
            data_subject_id: subject.map(|subject| subject.value.as_str()),
            window_start: details.window_start,
            window_end: details.window_end,
            campaign_ids: list("campaignIds"),
            substrates: list("substrates"),
        }
    }
}

impl std::fmt::Debug for ScopeView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScopeView").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProgressView<'r> {
    rows_collected: u64,
    rows_expected: Option<u64>,
    bytes_packaged: u64,
    last_heartbeat_at: Option<Timestamp>,
    worker_id: Option<&'r str>,
}

impl<'r> ProgressView<'r> {
    /// There is progress as soon as a worker took the job up.
    fn of(job: &'r Job) -> Option<Self> {
        let progress = &job.progress;
        let worker = progress.worker.as_ref()?;
        Some(Self {
            rows_collected: progress.rows_collected,
            rows_expected: rows_expected(job.state, progress),
            bytes_packaged: progress.bytes_packaged,
            last_heartbeat_at: progress.heartbeat_at,
            worker_id: Some(worker.as_str()),
        })
    }
}

/// What no silo could estimate is known once everything is collected.
fn rows_expected(state: JobState, progress: &Progress) -> Option<u64> {
    let collected = match state {
        JobState::Packaging | JobState::Ready | JobState::Delivered | JobState::Expired => true,
        JobState::Requested | JobState::Collecting | JobState::Failed | JobState::Cancelled => {
            false
        }
    };
    progress.rows_expected.or_else(|| collected.then_some(progress.rows_collected))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryView<'r> {
    bundle_r2_key: String,
    bundle_size_bytes: u64,
    bundle_sha256: String,
    bundle_url: Option<String>,
    expires_at: Timestamp,
    downloaded_at: Option<Timestamp>,
    downloaded_by: Option<&'r str>,
}

impl<'r> DeliveryView<'r> {
    /// Size and hash are those of the zip, which is what the link leads to.
    fn of(job: &Job, delivery: &'r Delivery, url: Option<String>) -> Self {
        Self {
            bundle_r2_key: format!("jobs/{}", job.id),
            bundle_size_bytes: delivery.bundle_len,
            bundle_sha256: hex(&delivery.bundle_sha256),
            bundle_url: url,
            expires_at: delivery.expires_at,
            downloaded_at: delivery.downloaded_at,
            downloaded_by: delivery.downloaded_by.as_deref(),
        }
    }
}

impl std::fmt::Debug for DeliveryView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeliveryView").field("key", &self.bundle_r2_key).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureView<'r> {
    message: String,
    failed_at: Timestamp,
    worker_id: Option<&'r str>,
}

impl<'r> FailureView<'r> {
    /// The recorded message may quote data, so this one is made of fixed words and names alone.
    fn of(failure: &'r Failure, sections: &[SectionRecord]) -> Self {
        let failed: Vec<String> = sections
            .iter()
            .filter(|section| section.state == SectionState::Failed)
            .map(|section| format!("{}/{}", section.silo, section.datapoint))
            .collect();
        let what = match storage_fault(&failure.code) {
            Some(fault) => fault.to_owned(),
            None if failed.is_empty() => "the operator sees why".to_owned(),
            None => failed.join(", "),
        };
        let message = format!("{}: {what}", failure.code);
        let worker_id = failure.worker.as_ref().map(|worker| worker.as_str());
        Self { message, failed_at: failure.at, worker_id }
    }
}

#[derive(Debug, Serialize)]
struct TimelineView<'r> {
    at: Timestamp,
    actor: &'r str,
    notes: &'r str,
}

impl<'r> TimelineView<'r> {
    fn of(entry: &'r TimelineEntry) -> Self {
        Self { at: entry.at, actor: &entry.actor, notes: &entry.notes }
    }
}

/// Says what the storage failed to do, if that is why a job failed. The contract has one code for all of it.
pub(super) fn storage_fault(code: &str) -> Option<&'static str> {
    match code {
        "package_write_failed" => Some("the export could not be written to the storage"),
        // Everything that was stored is read back before a bundle is published.
        "object_store" | "object_lost" => {
            Some("what was written could not be read back from the storage to verify it")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_that_does_not_give_back_is_told_from_one_that_does_not_take() {
        let told = |code: &str| {
            let failure = Failure {
                code: code.to_owned(),
                message: "of the operator".to_owned(),
                at: Timestamp::UNIX_EPOCH,
                worker: None,
            };
            FailureView::of(&failure, &[]).message
        };
        assert!(told("package_write_failed").contains("could not be written"));
        for code in ["object_store", "object_lost"] {
            let message = told(code);
            assert!(message.starts_with(&format!("{code}: ")), "{message}");
            assert!(message.contains("could not be read back"), "{message}");
            assert!(!message.contains("could not be written"), "{message}");
        }
        assert_eq!(told("root_key_unusable"), "root_key_unusable: the operator sees why");
    }
}
