//! Where do a job's sealed objects live, and what binds each of them to its place?

use std::fmt;
use std::sync::Arc;

use antumbra_crypto::Context;
use antumbra_crypto::stream::DataKey;
use object_store::ObjectStore;
use object_store::path::Path;

use crate::BundleError;
use crate::stored::{self, StoredObjects};

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
        StoredObjects::new(Arc::clone(&self.store), &self.job).delete_all().await?;
        Ok(())
    }

    /// Deletes one object, which no record may name; one that is not there is no error.
    ///
    /// # Errors
    /// [`BundleError::Store`].
    pub async fn delete(&self, object: &str) -> Result<(), BundleError> {
        StoredObjects::new(Arc::clone(&self.store), &self.job).delete(object).await?;
        Ok(())
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn key(&self) -> &DataKey {
        &self.key
    }

    pub(crate) fn path(&self, object: &str) -> Path {
        stored::path(&self.job, object)
    }

    /// Names the place that an object is sealed for: what Tink calls its associated data.
    #[must_use]
    pub fn context(&self, object: &str) -> Context {
        Context::new("antumbra/object").with(&*self.tenant).with(&*self.job).with(object)
    }
}

impl fmt::Debug for JobObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobObjects").field("job", &self.job).finish_non_exhaustive()
    }
}
