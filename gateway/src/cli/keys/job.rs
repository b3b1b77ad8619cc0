//! Which job is meant? Its id, and a helpful answer to the id of its request.

use antumbra_config::Settings;
use antumbra_jobs::{Job, JobId, JobStore, RequestId, StoreError, TenantId};

use crate::cli::exit::Fault;

/// Finds a job by its id.
///
/// # Errors
/// [`Fault::Usage`] when there is none; it names the latest job if the text is the id of a request, with or without `dsar:`.
/// Requests show under their own ids everywhere else, and one request may have had several jobs.
pub(super) async fn find(
    store: &dyn JobStore,
    settings: &Settings,
    text: &str,
) -> anyhow::Result<Job> {
    let bare = text.strip_prefix(DSAR);
    if bare.is_none()
        && let Ok(id) = text.parse::<JobId>()
    {
        match store.job(id).await {
            Ok(job) => return Ok(job),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let Ok(request) = bare.unwrap_or(text).parse::<RequestId>() else {
        return Err(Fault::Usage("--job takes the id of a job, a UUID".to_owned()).into());
    };
    for tenant in tenants(settings) {
        match store.latest_job(&tenant, request).await {
            Ok(job) => {
                return Err(Fault::Usage(format!(
                    "{request} is a request; its latest job is {}",
                    job.id
                ))
                .into());
            }
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Fault::Usage(format!("there is no job {request}")).into())
}

/// Every tenant that the settings name.
fn tenants(settings: &Settings) -> Vec<TenantId> {
    let silos = settings.silos.iter().map(|silo| silo.tenant.as_str());
    let mut names: Vec<&str> =
        std::iter::once(settings.organization.tenant.as_str()).chain(silos).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| TenantId::new(name).ok()).collect()
}

/// How the compliance API writes a request's id.
const DSAR: &str = "dsar:";
