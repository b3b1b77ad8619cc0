//! Where do a job's sealed objects live, and what binds each of them to its place?

use std::fmt;
use std::sync::Arc;

use antumbra_crypto::Context;
use antumbra_crypto::stream::DataKey;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::BundleError;

/// The sealed objects of one job: `jobs/<job>/<object>` in the store, sealed with the job's data key.
///
/// The additional data of each object is (tenant, job, object), so that an object that was renamed, swapped with
/// another, or moved to another job does not open.
#[derive(Clone)]
pub struct JobObjects {
    store: Arc<dyn ObjectStore>,
    key: Arc<DataKey>,
    tenant: Arc<str>,
    job: Arc<str>,
}

impl JobObjects {
    /// Binds a store and a data key to the place (tenant, job).
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, key: DataKey, tenant: &str, job: &str) -> Self {
        Self { store, key: Arc::new(key), tenant: tenant.into(), job: job.into() }
    }

    /// Deletes every object of the job, also those that no record names.
    ///
    /// # Errors
    /// [`BundleError::Store`]; some objects may be deleted then.
    pub async fn delete_all(&self) -> Result<(), BundleError> {
        let prefix = Path::from(format!("jobs/{}", self.job));
        let names: Vec<Path> = self
            .store
            .list(Some(&prefix))
            .map_ok(|meta| meta.location)
            .try_collect()
            .await
            .map_err(BundleError::Store)?;
        for name in names {
            match self.store.delete(&name).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(BundleError::Store(error)),
            }
        }
        Ok(())
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn key(&self) -> &DataKey {
        &self.key
    }

    pub(crate) fn path(&self, object: &str) -> Path {
        Path::from(format!("jobs/{}/{object}", self.job))
    }

    pub(crate) fn context(&self, object: &str) -> Context {
        Context::new("antumbra/object").with(&*self.tenant).with(&*self.job).with(object)
    }
}

impl fmt::Debug for JobObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobObjects").field("job", &self.job).finish_non_exhaustive()
    }
}
