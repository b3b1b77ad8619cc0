//! `GET /v1/compliance/dsar/{id}/download`: the artifact, or the zip for formats other than JSON.

use std::sync::Arc;

use antumbra_jobs::{Download, GRANT_BUNDLE, Job, JobState, Request};
use antumbra_pipeline::plan::Plan;
use antumbra_pipeline::{ByteStream, OpenBundle, PipelineError};
use http::{HeaderMap, HeaderValue, Method, Response, header};

use super::artifact::{Artifact, Parts};
use super::audit_report::manifest;
use super::find::{current, job_id};
use super::view::format;
use crate::auth::admit_compliance;
use crate::delivery::{Sending, send};
use crate::http::{ApiError, Body, Call, Shared, empty};

/// Sends what a READY or DELIVERED job has. The first complete download of a READY job delivers it; HEAD never does.
pub(in crate::routes) async fn download(
    shared: Arc<Shared>,
    call: &Call,
) -> Result<Response<Body>, ApiError> {
    let caller = admit_compliance(&shared, &call.head.headers).await?;
    let (request, job) = current(&shared, caller.tenant(), call).await?;
    let bundle = open(&shared, &job).await?;
    let outgoing = match Outgoing::of(&shared, &request, &job, bundle).await {
        Ok(outgoing) => outgoing,
        Err(error) => return Err(unless_ended(&shared, &job, error).await),
    };
    let headers = outgoing.headers(&request)?;
    let body = if call.head.method == Method::HEAD {
        empty()
    } else {
        let download = Download {
            job: job.id,
            file: outgoing.name.to_owned(),
            actor: caller.actor(),
            start: 0,
            sent: 0,
            complete: false,
        };
        let sending = Sending { len: outgoing.len, whole: true, download };
        send(shared, outgoing.stream, sending).await.map_err(ApiError::of_artifact)?
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    Ok(response)
}

/// Opens a job's bundle, every object of which is there.
async fn open(shared: &Shared, job: &Job) -> Result<OpenBundle, ApiError> {
    if !matches!(job.state, JobState::Ready | JobState::Delivered) {
        return Err(ApiError::invalid_state(job.state));
    }
    if !shared.engine().bundle_is_intact(job).await.map_err(refused)? {
        return Err(unless_ended(shared, job, ApiError::artifact_gone()).await);
    }
    shared.engine().open_bundle(job).await.map_err(refused)
}

/// Tells a job that was destroyed or ended since it was looked at from one that cannot be read.
async fn unless_ended(shared: &Shared, job: &Job, error: ApiError) -> ApiError {
    match shared.store().job(job.id).await {
        Ok(now) if !matches!(now.state, JobState::Ready | JobState::Delivered) => {
            ApiError::invalid_state(now.state)
        }
        _ => error,
    }
}

/// It ended since it was looked at, or its key was destroyed: to this contract both are a state.
fn refused(error: PipelineError) -> ApiError {
    match error {
        PipelineError::Gone { .. } => ApiError::invalid_state(JobState::Expired).because(error),
        error => ApiError::from(error).of_artifact(),
    }
}

/// What is about to be sent.
struct Outgoing {
    stream: ByteStream,
    len: u64,
    /// What the audit log calls it.
    name: &'static str,
    suffix: &'static str,
    media_type: HeaderValue,
}

impl Outgoing {
    async fn of(
        shared: &Shared,
        request: &Request,
        job: &Job,
        bundle: OpenBundle,
    ) -> Result<Self, ApiError> {
        if format(request) != "JSON" {
            let len = bundle.bundle_len();
            return Ok(Self {
                stream: bundle.read_bundle(0..len),
                len,
                name: GRANT_BUNDLE,
                suffix: "zip",
                media_type: HeaderValue::from_static("application/zip"),
            });
        }
        let manifest = manifest(shared, job).await?;
        let plan = shared.store().plan(job.id).await?;
        let plan = plan.map(|bytes| Plan::from_bytes(&bytes)).transpose()?;
        let parts = Parts { request, job, manifest: &manifest, bundle: &bundle, plan };
        let artifact = Artifact::new(&parts)?;
        Ok(Self {
            len: artifact.len(),
            stream: artifact.read(bundle),
            name: "artifact",
            suffix: "json",
            media_type: HeaderValue::from_static("application/json"),
        })
    }

    fn headers(&self, request: &Request) -> Result<HeaderMap, ApiError> {
        let name = format!("enfinitos-dsar-export-{}.{}", job_id(request.id), self.suffix);
        let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, self.media_type.clone());
        headers.insert(header::CONTENT_DISPOSITION, disposition.map_err(ApiError::internal)?);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.len));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
        Ok(headers)
    }
}
