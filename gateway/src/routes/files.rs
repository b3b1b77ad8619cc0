//! `GET /v1/files`: sends what a download key opens (`sombra.md` §3.7).
//!
//! The key stands in `downloadKey` or `key` and suffices; the setting `sombra.files_require_headers` asks for both
//! headers, too. What exists and ended is 410.

use std::sync::Arc;

use antumbra_jobs::{Actor, Download, Grant, Job, JobState, Scope};
use antumbra_pipeline::{OpenBundle, PipelineError};
use http::{HeaderValue, Method, Response, StatusCode, header};

use crate::auth::admit;
use crate::delivery::{Answer, CLIENT_WORDS, Representation, Sending, decide, open, send};
use crate::http::{ApiError, Body, Call, Query, Shared, empty};

/// Sends a file or the whole zip: whole, a range of it, or nothing when the client has it.
pub(super) async fn handle(shared: Arc<Shared>, call: &Call) -> Result<Response<Body>, ApiError> {
    let grant = open(&shared, key(&call.query()?)?).await?;
    if shared.settings().sombra.files_require_headers {
        check_headers(&shared, call, &grant).await?;
    }
    let job = current_job(&shared, &grant).await?;
    let bundle = shared.engine().open_bundle(&job).await.map_err(|error| match error {
        // It ended between the two questions.
        PipelineError::Gone { .. } => ended().because(error),
        error => error.into(),
    })?;
    let headers = &call.head.headers;
    let form = Representation::choose(&bundle, &grant, headers)
        .ok_or_else(|| ApiError::not_found("file"))?;
    let answer = decide(&call.head.method, headers, &form.etag, form.len)?;
    if answer == Answer::NotModified {
        let mut answer = Response::new(empty());
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.headers_mut() = form.validators();
        return Ok(answer);
    }
    respond(shared, call, &grant, &bundle, form, answer).await
}

/// Returns the download key of the query.
fn key(query: &Query) -> Result<&str, ApiError> {
    match (query.one("downloadKey")?, query.one("key")?) {
        (Some(key), None) | (None, Some(key)) => Ok(key),
        (Some(_), Some(_)) => Err(ApiError::field("key", "`downloadKey` is there, too")),
        (None, None) => {
            Err(ApiError::unauthorized("download_key_invalid", "`downloadKey` is missing")
                .mentioning(CLIENT_WORDS))
        }
    }
}

async fn check_headers(shared: &Shared, call: &Call, grant: &Grant) -> Result<(), ApiError> {
    let caller = admit(shared, &call.head.headers, Scope::CompilationRead).await?;
    if caller.tenant() == &grant.tenant { Ok(()) } else { Err(ApiError::not_found("file")) }
}

/// Returns the grant's job while its bundle can be downloaded.
async fn current_job(shared: &Shared, grant: &Grant) -> Result<Job, ApiError> {
    let state = shared.store().expire_if_due(grant.job).await?;
    let job = shared.store().job(grant.job).await?;
    let same = job.tenant == grant.tenant && job.request == grant.request;
    if !same {
        return Err(ApiError::not_found("file"));
    }
    if state == JobState::Expired {
        return Err(ended());
    }
    Ok(job)
}

fn ended() -> ApiError {
    ApiError::gone("bundle_expired", "the bundle's time is over").mentioning(CLIENT_WORDS)
}

async fn respond(
    shared: Arc<Shared>,
    call: &Call,
    grant: &Grant,
    bundle: &OpenBundle,
    form: Representation,
    answer: Answer,
) -> Result<Response<Body>, ApiError> {
    let mut headers = form.headers();
    let (status, range) = match answer {
        Answer::Part(range) => {
            let value = format!("bytes {}-{}/{}", range.start, range.end - 1, form.len);
            let value = HeaderValue::try_from(value).expect("digits and ASCII punctuation");
            headers.insert(header::CONTENT_RANGE, value);
            (StatusCode::PARTIAL_CONTENT, range)
        }
        Answer::Whole | Answer::NotModified => (StatusCode::OK, 0..form.len),
    };
    let len = range.end - range.start;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));

    let body = if call.head.method == Method::HEAD {
        empty()
    } else {
        let sending = Sending {
            len,
            whole: status == StatusCode::OK,
            download: download(grant, range.start),
        };
        let stream = match &form.entry {
            None => bundle.read_bundle(range),
            Some(entry) => bundle
                .read_file(entry, form.encoding, range)
                .ok_or_else(|| ApiError::not_found("file"))?,
        };
        send(shared, stream, sending).await?
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn download(grant: &Grant, start: u64) -> Download {
    Download {
        job: grant.job,
        file: grant.file.clone(),
        actor: Actor::Grant(grant.id),
        start,
        sent: 0,
        complete: false,
    }
}
