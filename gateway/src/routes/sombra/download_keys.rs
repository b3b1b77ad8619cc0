//! `GET /v1/data-subject-request/{id}/download-keys`: what can be downloaded (`sombra.md` §3.6).
//!
//! Before the bundle is ready, and after the job failed, the list is empty and the answer 200: the contract says
//! nothing, and its clients poll the status first. Once the bundle's time is over, or its key was destroyed, the answer is 410.

use antumbra_jobs::{GRANT_BUNDLE, Job, JobState, NewGrant, Published, RequestId, Scope};
use http::{Response, StatusCode};
use serde::Serialize;

use super::node::{Node, Nodes};
use super::poll::current;
use crate::auth::{Caller, admit};
use crate::delivery::mint;
use crate::http::{ApiError, Body, Call, Query, Shared, json};

/// Answers with one page of files, each with a key. `?bundle=true` puts the whole zip in front of them.
pub(in crate::routes) async fn download_keys(
    shared: &Shared,
    call: &Call,
) -> Result<Response<Body>, ApiError> {
    let caller = admit(shared, &call.head.headers, Scope::CompilationRead).await?;
    let page = Page::read(&call.query()?)?;
    let (request, job) = current(shared, caller.tenant(), call.params.get("id")).await?;
    if let Some(gone) = gone(shared, &job) {
        return Err(gone);
    }
    let published = match job.state {
        JobState::Ready | JobState::Delivered => shared.store().published(job.id).await?,
        _ => None,
    };
    let entries = published.as_ref().map_or_else(Vec::new, |published| page.entries(published));
    let nodes = match &published {
        Some(published) => nodes(shared, &caller, &job, published, page.cut(&entries)).await?,
        None => Vec::new(),
    };
    let total = entries.len();
    let links = page.links(shared, request.id, total);
    json(StatusCode::OK, &Listing { nodes, total_count: total, links })
}

/// Says so if the job's data is not kept any more.
fn gone(shared: &Shared, job: &Job) -> Option<ApiError> {
    let over = job.delivery.as_ref().is_some_and(|delivery| delivery.expires_at <= shared.now());
    match job.state {
        JobState::Expired if over => {
            Some(ApiError::gone("bundle_expired", "the bundle's time is over"))
        }
        // This contract has no call that cancels: somebody destroyed the key of a job that ran.
        JobState::Expired | JobState::Cancelled => {
            Some(ApiError::gone("bundle_destroyed", "the request's data was destroyed"))
        }
        _ => None,
    }
}

/// Grants the entries of a page and shows them.
async fn nodes(
    shared: &Shared,
    caller: &Caller,
    job: &Job,
    published: &Published,
    entries: &[&str],
) -> Result<Vec<Node>, ApiError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = NewGrant {
        tenant: job.tenant.clone(),
        request: job.request,
        job: job.id,
        files: entries.iter().map(|&entry| entry.to_owned()).collect(),
        ttl: shared.settings().export.download_key_ttl.duration(),
        actor: caller.actor(),
    };
    let grants = shared.store().grants(wanted).await?;
    let tokens = shared.engine().ring().tokens();
    let view = Nodes { settings: shared.settings(), request: job.request, published };
    grants
        .iter()
        .filter_map(|grant| view.node(&grant.file).map(|node| (grant, node)))
        .map(|(grant, node)| {
            let key = mint(&tokens, grant).map_err(ApiError::internal)?;
            Ok(node.with_key(key))
        })
        .collect()
}

/// Which part of the list.
#[derive(Debug, Clone, Copy)]
struct Page {
    limit: usize,
    offset: usize,
    bundle: bool,
}

impl Page {
    fn read(query: &Query) -> Result<Self, ApiError> {
        let number = |name, least, most, default| {
            query
                .number(name, least, most, default)
                .map(|n| usize::try_from(n).unwrap_or(usize::MAX))
        };
        Ok(Self {
            limit: number("limit", 1, 100, 25)?,
            offset: number("offset", 0, u64::from(u32::MAX), 0)?,
            bundle: query.flag("bundle")?,
        })
    }

    /// Returns everything that can be listed, in order.
    fn entries(self, published: &Published) -> Vec<&str> {
        let bundle = self.bundle.then_some(GRANT_BUNDLE);
        bundle.into_iter().chain(published.files.iter().map(|file| file.entry.as_str())).collect()
    }

    fn cut<'e, 'n>(self, entries: &'e [&'n str]) -> &'e [&'n str] {
        let rest = entries.get(self.offset..).unwrap_or_default();
        rest.get(..self.limit).unwrap_or(rest)
    }

    fn links(self, shared: &Shared, request: RequestId, total: usize) -> Links {
        let at = |offset: usize| {
            let bundle = if self.bundle { "&bundle=true" } else { "" };
            shared.url(&format!(
                "/v1/data-subject-request/{request}/download-keys?limit={}&offset={offset}{bundle}",
                self.limit
            ))
        };
        let after = self.offset.saturating_add(self.limit);
        let previous = (self.offset > 0).then(|| at(self.offset.saturating_sub(self.limit)));
        Links {
            own: at(self.offset),
            next: (after < total).then(|| at(after)),
            prev: previous.clone(),
            previous,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    nodes: Vec<Node>,
    total_count: usize,
    #[serde(rename = "_links")]
    links: Links,
}

/// The command line client reads `previous`, the generated client `prev`; null means that there is none.
#[derive(Debug, Serialize)]
struct Links {
    #[serde(rename = "self")]
    own: String,
    next: Option<String>,
    previous: Option<String>,
    prev: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_reaches_beyond_the_list() {
        let entries = ["a", "b", "c"];
        let cut = |limit, offset| Page { limit, offset, bundle: false }.cut(&entries).join("");
        assert_eq!(cut(25, 0), "abc");
        assert_eq!(cut(2, 0), "ab");
        assert_eq!(cut(2, 2), "c");
        assert_eq!(cut(2, 3), "");
        assert_eq!(cut(2, usize::MAX), "");
    }
}
