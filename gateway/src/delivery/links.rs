//! Under which link is a job's whole bundle downloaded?
//!
//! Every grant that the store hands out is audited, whether it is new or not. Whoever shows a job shows the link, and jobs
//! are polled: the grant is remembered here, so that looking again writes nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use antumbra_jobs::{Actor, GRANT_BUNDLE, Grant, Job, JobId, NewGrant, StoreError};

use super::mint;
use crate::http::{ApiError, Shared};

/// Grants of whole bundles that this gateway handed out. Lost with the process, which costs an audit entry each.
#[derive(Debug, Default)]
pub(crate) struct BundleLinks {
    granted: Mutex<HashMap<JobId, Grant>>,
}

impl BundleLinks {
    /// Returns the absolute URL of a published job's zip, with a key that is good for what its grant has left.
    ///
    /// # Errors
    /// The store's error.
    pub(crate) async fn url(
        &self,
        shared: &Shared,
        job: &Job,
        actor: Actor,
    ) -> Result<String, ApiError> {
        let grant = match self.usable(shared, job).await? {
            Some(grant) => grant,
            None => self.granted(shared, job, actor).await?,
        };
        let tokens = shared.engine().ring().tokens();
        let key = mint(&tokens, &grant).map_err(ApiError::internal)?;
        Ok(shared.url(&format!("/v1/files?downloadKey={key}")))
    }

    /// Returns the remembered grant if the store would still honour it.
    async fn usable(&self, shared: &Shared, job: &Job) -> Result<Option<Grant>, ApiError> {
        let Some(grant) = self.remembered(job.id) else { return Ok(None) };
        if grant.expires_at <= shared.now() {
            return Ok(None);
        }
        // Somebody may have revoked it since.
        match shared.store().grant(grant.id).await {
            Ok(stored) => Ok(stored.revoked_at.is_none().then_some(stored)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn granted(&self, shared: &Shared, job: &Job, actor: Actor) -> Result<Grant, ApiError> {
        let wanted = NewGrant {
            tenant: job.tenant.clone(),
            request: job.request,
            job: job.id,
            files: vec![GRANT_BUNDLE.to_owned()],
            ttl: shared.settings().export.download_key_ttl.duration(),
            actor,
        };
        let mut grants = shared.store().grants(wanted).await?;
        let grant = grants.pop().ok_or_else(|| ApiError::internal("the store made no grant"))?;
        self.remember(shared, grant.clone());
        Ok(grant)
    }

    fn remembered(&self, job: JobId) -> Option<Grant> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).get(&job).cloned()
    }

    fn remember(&self, shared: &Shared, grant: Grant) {
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        if granted.len() >= MOST {
            let now = shared.now();
            granted.retain(|_, grant| grant.expires_at > now);
        }
        if granted.len() >= MOST {
            granted.clear();
        }
        granted.insert(grant.job, grant);
    }
}

/// Some megabytes; a tenant rarely has a hundred bundles at once.
const MOST: usize = 10_000;
