//! What is in the object store, whoever sealed it? Names and sizes: finding and deleting objects needs no key.

use std::fmt;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::BundleError;

/// The objects of one job, as the store has them.
#[derive(Clone)]
pub struct StoredObjects {
    store: Arc<dyn ObjectStore>,
    job: Arc<str>,
}

/// An object that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// The job it stands under, as its name says; no job need have that name.
    pub job: String,
    /// Its name within the job.
    pub object: String,
    /// Its sealed length in bytes.
    pub bytes: u64,
}

impl StoredObject {
    /// Returns where it stands in the store.
    #[must_use]
    pub fn path(&self) -> Path {
        path(&self.job, &self.object)
    }
}

impl StoredObjects {
    /// Binds a store to a job.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, job: &str) -> Self {
        Self { store, job: job.into() }
    }

    /// Lists the objects of all jobs; those of one job need not stand together.
    ///
    /// Uploads that were not finished are not listed, nor is what does not stand under a job.
    pub fn list_all(
        store: &Arc<dyn ObjectStore>,
    ) -> BoxStream<'static, Result<StoredObject, BundleError>> {
        store
            .list(Some(&Path::from(ROOT)))
            .map_err(BundleError::Store)
            .try_filter_map(|meta| std::future::ready(Ok(named(&meta.location, meta.size))))
            .boxed()
    }

    /// Returns every object of the job, also those that no record names, in the order of their names.
    ///
    /// # Errors
    /// [`BundleError::Store`].
    pub async fn list(&self) -> Result<Vec<StoredObject>, BundleError> {
        let prefix = Path::from(format!("{ROOT}/{}", self.job));
        let mut found: Vec<StoredObject> = self
            .store
            .list(Some(&prefix))
            .map_err(BundleError::Store)
            .try_filter_map(|meta| std::future::ready(Ok(named(&meta.location, meta.size))))
            .try_collect()
            .await?;
        found.sort_by(|one, other| one.object.cmp(&other.object));
        Ok(found)
    }

    /// Says whether an object is there; its bytes are not looked at.
    ///
    /// # Errors
    /// [`BundleError::Store`].
    pub async fn has(&self, object: &str) -> Result<bool, BundleError> {
        match self.store.head(&path(&self.job, object)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(BundleError::Store(error)),
        }
    }

    /// Deletes an object; says whether it was there.
    ///
    /// # Errors
    /// [`BundleError::Store`].
    pub async fn delete(&self, object: &str) -> Result<bool, BundleError> {
        self.delete_at(&path(&self.job, object)).await
    }

    /// Deletes every object of the job, also those that no record names; returns how many they were.
    ///
    /// # Errors
    /// [`BundleError::Store`]; some objects may be deleted then.
    pub async fn delete_all(&self) -> Result<u64, BundleError> {
        let prefix = Path::from(format!("{ROOT}/{}", self.job));
        let found: Vec<Path> = self
            .store
            .list(Some(&prefix))
            .map_ok(|meta| meta.location)
            .try_collect()
            .await
            .map_err(BundleError::Store)?;
        let mut deleted = 0;
        for path in found {
            deleted += u64::from(self.delete_at(&path).await?);
        }
        Ok(deleted)
    }

    async fn delete_at(&self, path: &Path) -> Result<bool, BundleError> {
        match self.store.delete(path).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(BundleError::Store(error)),
        }
    }
}

impl fmt::Debug for StoredObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredObjects").field("job", &self.job).finish_non_exhaustive()
    }
}

/// Returns where an object of a job stands.
pub(crate) fn path(job: &str, object: &str) -> Path {
    Path::from(format!("{ROOT}/{job}/{object}"))
}

fn named(location: &Path, bytes: u64) -> Option<StoredObject> {
    let (job, object) = location.as_ref().strip_prefix(ROOT)?.strip_prefix('/')?.split_once('/')?;
    Some(StoredObject { job: job.to_owned(), object: object.to_owned(), bytes })
}

/// Everything of ours stands below this name.
const ROOT: &str = "jobs";

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    async fn stored(names: &[&str]) -> Arc<dyn ObjectStore> {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for name in names {
            store.put(&Path::from(*name), "sealed".into()).await.unwrap();
        }
        store
    }

    async fn names(store: &Arc<dyn ObjectStore>) -> Vec<(String, String)> {
        let found: Vec<StoredObject> = StoredObjects::list_all(store).try_collect().await.unwrap();
        assert!(found.iter().all(|object| object.bytes == 6));
        found.into_iter().map(|object| (object.job, object.object)).collect()
    }

    #[tokio::test]
    async fn objects_are_found_under_their_jobs_and_nowhere_else() {
        let store = stored(&["jobs/a/1", "jobs/a/2", "jobs/ab/1", "jobs/loose", "jobsa/1"]).await;
        let found = names(&store).await;
        let expected = [("a", "1"), ("a", "2"), ("ab", "1")];
        assert_eq!(found, expected.map(|(job, object)| (job.to_owned(), object.to_owned())));
    }

    #[tokio::test]
    async fn deleting_a_job_leaves_its_neighbours() {
        let store = stored(&["jobs/a/1", "jobs/a/2", "jobs/ab/1"]).await;
        let objects = StoredObjects::new(Arc::clone(&store), "a");
        assert!(objects.has("1").await.unwrap() && !objects.has("3").await.unwrap());
        let listed = objects.list().await.unwrap();
        let listed: Vec<_> =
            listed.iter().map(|found| (found.object.as_str(), found.bytes)).collect();
        assert_eq!(listed, [("1", 6), ("2", 6)]);
        assert!(objects.delete("1").await.unwrap());
        assert_eq!(objects.delete_all().await.unwrap(), 1);
        assert_eq!(objects.delete_all().await.unwrap(), 0);
        assert_eq!(names(&store).await, [("ab".to_owned(), "1".to_owned())]);
    }
}
