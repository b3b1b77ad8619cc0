//! How is a caller told that too many of its jobs are active?

use antumbra_jobs::{Family, ListQuery, StoreError};
use antumbra_pipeline::PipelineError;
use http::{HeaderValue, header};

use crate::auth::Caller;
use crate::http::{ApiError, Shared};

/// Turns the engine's error into the contract's: beyond the cap it says how many are active, and when to come again.
pub(super) async fn refused(shared: &Shared, caller: &Caller, error: PipelineError) -> ApiError {
    let PipelineError::Store(StoreError::TooManyActive { .. }) = error else { return error.into() };
    let seconds = shared.settings().compliance.retry_after.duration().as_secs().max(1);
    let error = ApiError::from(error).with(header::RETRY_AFTER, HeaderValue::from(seconds));
    let query = ListQuery { family: Some(Family::Compliance), state: None, limit: 1, after: None };
    match shared.store().list(caller.tenant(), query).await {
        Ok(listing) => error.about("activeCount", listing.active),
        Err(_) => error,
    }
}
