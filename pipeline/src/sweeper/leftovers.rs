//! What lies in the object store that nobody names? One pass over all of it, which also counts it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use antumbra_bundle::{BundleError, StoredObject, StoredObjects};
use antumbra_jobs::{JobId, JobState, StoreError};
use futures::TryStreamExt;

use super::disk_use::DiskUse;
use super::staged;
use super::sweep::Swept;
use crate::runner::needed_objects;
use crate::{Engine, PipelineError};

/// What earlier sweeps saw, so that this one need not look or say again.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Jobs whose objects are all needed, and how many objects they were.
    tidy: HashMap<JobId, usize>,
    /// Names under which objects stand and that are no job of the store.
    unknown: HashSet<String>,
}

/// One look at the object store.
pub(super) struct Leftovers<'a> {
    engine: &'a Engine,
    seen: &'a Mutex<Seen>,
    now: Seen,
}

/// What may be deleted of a job.
enum Verdict {
    /// Nothing: somebody may write there, or the next sweep forgets it as a whole.
    Leave,
    /// What is not needed by its bundle: nobody writes there any more.
    Unneeded,
    /// Everything: its key is destroyed.
    Everything,
    /// Nothing, and somebody should look: the store does not know it.
    Unknown,
}

/// Which objects stay.
enum Keep {
    All,
    Nothing,
    Only(BTreeSet<String>),
}

impl Keep {
    fn has(&self, object: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Only(names) => names.contains(object),
        }
    }
}

impl<'a> Leftovers<'a> {
    pub(super) fn new(engine: &'a Engine, seen: &'a Mutex<Seen>) -> Self {
        Self { engine, seen, now: Seen::default() }
    }

    /// Deletes what nobody names; answers how much is left.
    pub(super) async fn look(mut self, swept: &mut Swept) -> Result<DiskUse, PipelineError> {
        let mut used = DiskUse::default();
        let mut listed = StoredObjects::list_all(&self.engine.parts().objects);
        let mut group: Vec<StoredObject> = Vec::new();
        // Most stores list a job's objects together; where one does not, a job is looked at several times.
        while let Some(object) = listed.try_next().await? {
            if group.first().is_some_and(|first| first.job != object.job) || group.len() >= GROUP {
                self.group(&std::mem::take(&mut group), swept, &mut used).await?;
            }
            group.push(object);
        }
        self.group(&group, swept, &mut used).await?;
        self.staged(swept, &mut used).await?;
        swept.unknown = self.now.unknown.len() as u64;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = self.now;
        Ok(used)
    }

    /// Looks at objects of one job.
    async fn group(
        &mut self,
        group: &[StoredObject],
        swept: &mut Swept,
        used: &mut DiskUse,
    ) -> Result<(), PipelineError> {
        let Some(StoredObject { job, .. }) = group.first() else { return Ok(()) };
        let keep = self.keep(job, group).await?;
        let objects = StoredObjects::new(Arc::clone(&self.engine.parts().objects), job);
        let mut failed = None;
        for StoredObject { object, bytes, .. } in group {
            if !keep.has(object) {
                match objects.delete(object).await {
                    Ok(deleted) => {
                        swept.objects += u64::from(deleted);
                        continue;
                    }
                    Err(error) => failed = Some(error),
                }
            }
            used.add(1, *bytes);
        }
        if let Some(error) = failed {
            tracing::warn!(job, code = error.code(), "leftover objects stay for the next sweep");
            swept.failed += 1;
        }
        Ok(())
    }

    /// Decides which objects of a job stay.
    async fn keep(&mut self, job: &str, group: &[StoredObject]) -> Result<Keep, PipelineError> {
        let Ok(id) = job.parse() else {
            self.unknown(job);
            return Ok(Keep::All);
        };
        match self.verdict(id).await? {
            Verdict::Leave => Ok(Keep::All),
            Verdict::Everything => Ok(Keep::Nothing),
            Verdict::Unknown => {
                self.unknown(job);
                Ok(Keep::All)
            }
            Verdict::Unneeded => {
                if self.was_tidy(id, group.len()) {
                    self.now.tidy.insert(id, group.len());
                    return Ok(Keep::All);
                }
                let store = self.engine.store().as_ref();
                let Some(needed) = needed_objects(store, id).await? else { return Ok(Keep::All) };
                if group.iter().all(|object| needed.contains(&object.object)) {
                    self.now.tidy.insert(id, group.len());
                }
                Ok(Keep::Only(needed))
            }
        }
    }

    /// Looks at the uploads that the object store does not list.
    async fn staged(&mut self, swept: &mut Swept, used: &mut DiskUse) -> Result<(), PipelineError> {
        let Some(directory) = &self.engine.parts().objects_dir else { return Ok(()) };
        for staged in staged::all(directory.clone()).await.map_err(unreadable)? {
            let verdict = match staged.job.parse() {
                Ok(id) => self.verdict(id).await?,
                Err(_) => Verdict::Unknown,
            };
            match verdict {
                Verdict::Unneeded | Verdict::Everything => {
                    match staged::remove(directory.clone(), staged.job.clone()).await {
                        Ok(removed) => {
                            swept.uploads += removed;
                            continue;
                        }
                        Err(error) => {
                            tracing::warn!(job = staged.job, %error, "unfinished uploads stay for the next sweep");
                            swept.failed += 1;
                        }
                    }
                }
                Verdict::Unknown => self.unknown(&staged.job),
                Verdict::Leave => {}
            }
            used.add(0, staged.bytes);
        }
        Ok(())
    }

    async fn verdict(&self, id: JobId) -> Result<Verdict, PipelineError> {
        if self.engine.running().has(id) {
            return Ok(Verdict::Leave);
        }
        let job = match self.engine.store().job(id).await {
            Ok(job) => job,
            Err(StoreError::NotFound { .. }) => return Ok(Verdict::Unknown),
            Err(error) => return Err(error.into()),
        };
        Ok(match job.state {
            JobState::Ready | JobState::Delivered => Verdict::Unneeded,
            state if !state.is_active() && job.wrapped_key.is_none() => Verdict::Everything,
            _ => Verdict::Leave,
        })
    }

    fn was_tidy(&self, id: JobId, objects: usize) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.tidy.get(&id) == Some(&objects)
    }

    /// Says once that something stands under a name that is no job.
    fn unknown(&mut self, job: &str) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.unknown.contains(job);
        drop(seen);
        if self.now.unknown.insert(job.to_owned()) && !known {
            tracing::warn!(job, "objects of a job that the store does not know; they are left");
        }
    }
}

/// A directory that cannot be looked into is an object store that does not answer.
pub(super) fn unreadable(error: std::io::Error) -> PipelineError {
    let store = "local directory";
    let source = Box::new(error);
    BundleError::Store(object_store::Error::Generic { store, source }).into()
}

/// Objects of one job that are looked at together.
const GROUP: usize = 1024;
