//! `GET /health`: can this daemon work? No keys asked: probes have none.

use std::time::Duration;

use antumbra_jobs::{JobId, StoreError};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::http::{ApiError, Body, Shared, json};

/// Answers 200 when the store answers, 503 otherwise. The body has the same shape both times.
pub(super) async fn handle(shared: &Shared) -> Result<Response<Body>, ApiError> {
    let (code, status) = if store_answers(shared).await {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
    };
    json(code, &Health { status, version: env!("CARGO_PKG_VERSION") })
}

/// Mimics a real call: a job that cannot exist is looked for.
async fn store_answers(shared: &Shared) -> bool {
    let answer = tokio::time::timeout(PATIENCE, shared.store().job(JobId::generate())).await;
    match answer {
        Ok(Ok(_) | Err(StoreError::NotFound { .. })) => true,
        Ok(Err(error)) => {
            tracing::warn!(code = error.code(), %error, "the store does not answer as it should");
            false
        }
        Err(_) => {
            tracing::warn!("the store does not answer in time");
            false
        }
    }
}

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
}

/// Shorter than probes wait.
const PATIENCE: Duration = Duration::from_secs(3);
