//! `POST /v1/data-subject-request`: records a request (`sombra.md` §3.2).

use antumbra_jobs::Scope;
use http::{Response, StatusCode};
use serde::Serialize;

use super::submission;
use super::view::RequestView;
use crate::auth::admit;
use crate::http::{ApiError, Body, Call, RequestBody, Shared, json, read};

/// Records a request and its first job, and answers with the request. A content type is not asked for.
pub(in crate::routes) async fn submit(
    shared: &Shared,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, ApiError> {
    let caller = admit(shared, &call.head.headers, Scope::RequestSubmit).await?;
    call.query()?.refuse_dry_run()?;
    let body = read(body).await?;
    let tenant = caller.tenant().clone();
    let request = submission::read(&body, shared.settings(), tenant, caller.actor())?;
    let created = shared.engine().submit(request).await?;
    json(StatusCode::OK, &Submitted { request: RequestView::of(shared, &created.request) })
}

#[derive(Debug, Serialize)]
struct Submitted<'r> {
    request: RequestView<'r>,
}
