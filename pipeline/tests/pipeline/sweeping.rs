//! What is over is destroyed: objects first, then keys and records; and what nobody names goes too.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antumbra_bundle::BundleError;
use antumbra_jobs::{Actor, Job, JobId, JobState, RequestStatus, TenantId};
use antumbra_pipeline::silo::Silos;
use antumbra_pipeline::{Engine, OpenBundle, PipelineError, Sweeper, Swept};
use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::SignedDuration;
use object_store::ObjectStoreExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use tokio_util::sync::CancellationToken;

use crate::room::{Room, block_on, finish, outcome, request};
use crate::store::{Trick, Tricky};

const GOOD: &str = "create table t (id integer primary key, email text);
    insert into t values (1, 'ada@example.com'), (2, 'ada@example.com');";
const ONE: &str =
    "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n";

/// An engine over a directory, whose sweeper sees staged uploads.
struct House {
    room: Room,
    engine: Arc<Engine>,
    objects: Tricky,
    directory: PathBuf,
    sweeper: Sweeper,
}

impl House {
    fn new() -> Self {
        let room = Room::with(GOOD);
        let directory = room.dir.path().join("objects");
        std::fs::create_dir(&directory).unwrap();
        let local = LocalFileSystem::new_with_prefix(&directory).unwrap();
        let objects = Tricky::over(Arc::new(local));
        let settings = room.settings("[data]\nsweep_interval = \"20ms\"\n", ONE);
        let silos = Silos::open(&settings.silos, &[]).unwrap();
        let dir = Some(directory.clone());
        let engine = room.engine_with(settings, Arc::new(objects.clone()), dir, silos);
        let sweeper = Sweeper::new(Arc::clone(&engine));
        Self { room, engine, objects, directory, sweeper }
    }

    /// Runs a job to READY.
    async fn ready(&self) -> JobId {
        let job = self.engine.submit(request()).await.unwrap().job.id;
        assert_eq!(finish(&self.engine, &self.room.clock, job).await.job.state, JobState::Ready);
        job
    }

    async fn job(&self, id: JobId) -> Job {
        self.engine.store().job(id).await.unwrap()
    }

    async fn sweep(&self) -> Swept {
        self.sweeper.once().await.unwrap()
    }

    /// Everything that is left in the directory, hidden or not.
    fn files(&self, job: JobId) -> Vec<String> {
        let directory = self.directory.join("jobs").join(job.to_string());
        let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    async fn put(&self, path: &str) {
        self.objects.put(&Path::from(path), "leftover".into()).await.unwrap();
    }
}

#[test]
fn a_bundle_whose_time_is_over_loses_its_objects_its_key_and_its_records() {
    let house = House::new();
    block_on(async {
        let (old, young) = (house.ready().await, house.ready().await);
        assert_eq!(house.sweep().await, Swept::default());
        let used = house.engine.disk_use().unwrap();
        assert!(used.objects > 2 && used.bytes > 0, "{used:?}");
        house.room.clock.advance(SignedDuration::from_hours(24 * 7));
        let fresh = house.ready().await;
        let swept = house.sweep().await;
        assert_eq!((swept.expired, swept.jobs, swept.failed), (2, 2, 0));
        assert!(swept.objects > 2);
        for id in [old, young] {
            let job = house.job(id).await;
            assert_eq!(job.state, JobState::Expired);
            assert!(job.wrapped_key.is_none());
            let open = house.engine.open_bundle(&job).await;
            assert!(matches!(open, Err(PipelineError::Gone { .. })), "{open:?}");
            assert!(house.files(id).is_empty());
            assert!(!house.directory.join("jobs").join(id.to_string()).try_exists().unwrap());
            assert!(house.engine.store().files(id).await.unwrap().is_empty());
            assert!(house.engine.store().published(id).await.unwrap().is_none());
            assert!(!job.timeline.is_empty(), "what happened stays known");
        }
        assert_eq!(outcome(&house.engine, fresh).await.rows("t").len(), 2);
        assert_eq!(house.sweep().await, Swept::default(), "nothing is done twice");
    });
}

#[test]
fn a_download_that_began_in_time_is_given_an_hour_to_end() {
    let house = House::new();
    block_on(async {
        let (slow, endless) = (house.ready().await, house.ready().await);
        let slow_reader = house.engine.reading(slow);
        let (first, second) = (house.engine.reading(endless), house.engine.reading(endless));
        drop(first);
        house.room.clock.advance(SignedDuration::from_hours(24 * 7));
        let swept = house.sweep().await;
        assert_eq!((swept.expired, swept.jobs, swept.failed), (2, 0, 0));
        assert!(!house.files(slow).is_empty() && !house.files(endless).is_empty());
        drop(slow_reader);
        assert_eq!(house.sweep().await.jobs, 1);
        assert!(house.files(slow).is_empty() && !house.files(endless).is_empty());
        house.room.clock.advance(SignedDuration::from_hours(1));
        assert_eq!(house.sweep().await.jobs, 1);
        assert!(house.files(endless).is_empty() && house.job(endless).await.wrapped_key.is_none());
        drop(second);
    });
}

#[test]
fn a_destroyed_key_leaves_no_hour_to_whoever_reads() {
    let house = House::new();
    block_on(async {
        let (destroyed, other) = (house.ready().await, house.ready().await);
        let readers = [destroyed, other].map(|job| house.engine.reading(job));
        let bundle = house.engine.open_bundle(&house.job(destroyed).await).await.unwrap();
        assert!(read(&bundle).await.is_ok());
        house.room.clock.advance(SignedDuration::from_hours(24 * 7));
        house.engine.store().destroy_key(destroyed, &Actor::Operator).await.unwrap();
        let swept = house.sweep().await;
        assert_eq!((swept.expired, swept.jobs, swept.failed), (1, 1, 0), "the other may end");
        assert!(house.files(destroyed).is_empty() && !house.files(other).is_empty());
        assert!(house.engine.store().forgettable(9).await.unwrap().iter().all(|j| j.id == other));
        // Who had opened it before cannot take the end for the end of the file.
        assert_eq!(read(&bundle).await.unwrap_err().code(), "object_lost");
        drop(readers);
    });
}

async fn read(bundle: &OpenBundle) -> Result<Vec<Bytes>, BundleError> {
    bundle.read_bundle(0..bundle.bundle_len()).try_collect().await
}

#[test]
fn requests_are_emptied_when_their_retention_is_over_and_no_earlier() {
    let house = House::new();
    block_on(async {
        let id = house.ready().await;
        let tenant = TenantId::new("default").unwrap();
        let request = house.job(id).await.request;
        house.room.clock.advance(SignedDuration::from_hours(24 * 8));
        assert_eq!(house.sweep().await.requests, 0);
        let kept = house.engine.store().request(&tenant, request).await.unwrap();
        assert!(kept.details.email.is_some());
        house.room.clock.advance(SignedDuration::from_hours(24 * 31));
        assert_eq!(house.sweep().await.requests, 1);
        let emptied = house.engine.store().request(&tenant, request).await.unwrap();
        assert_eq!(emptied.status, RequestStatus::Archived);
        assert!(emptied.details == antumbra_jobs::RequestDetails::default());
    });
}

#[test]
fn jobs_that_failed_or_were_cancelled_are_forgotten_and_active_ones_are_not() {
    let house = House::new();
    block_on(async {
        let store = Arc::clone(house.engine.store());
        let failed = house.engine.submit(request()).await.unwrap().job.id;
        house.objects.play(Trick::FailAlways);
        crate::room::work(&house.engine, &house.room.clock, failed).await;
        house.objects.play(Trick::None);
        let cancelled = house.engine.submit(request()).await.unwrap();
        let tenant = TenantId::new("default").unwrap();
        let id = cancelled.request.id;
        house.engine.cancel(&tenant, id, &Actor::System).await.unwrap();
        // A worker that came back from the dead wrote once more.
        house.put(&format!("jobs/{}/0009-00001-json", cancelled.job.id)).await;
        let active = house.engine.submit(request()).await.unwrap().job.id;
        house.put(&format!("jobs/{active}/0001-00001-json")).await;
        let staged = house.directory.join(format!("jobs/{active}/0001-00002-json#1"));
        std::fs::write(&staged, "sealed").unwrap();

        let swept = house.sweep().await;
        assert_eq!((swept.jobs, swept.objects), (2, 1));
        for id in [failed, cancelled.job.id] {
            assert!(store.job(id).await.unwrap().wrapped_key.is_none());
            assert!(house.files(id).is_empty());
        }
        assert!(store.job(active).await.unwrap().wrapped_key.is_some());
        assert_eq!(house.files(active).len(), 2, "somebody may be writing there");
        assert_eq!(store.job(failed).await.unwrap().failure.unwrap().code, "package_write_failed");
        // And once more, after it was forgotten.
        house.put(&format!("jobs/{}/0009-00002-json", cancelled.job.id)).await;
        assert_eq!(house.sweep().await.objects, 1);
    });
}

#[test]
fn leftovers_of_a_published_job_go_and_its_bundle_stays() {
    let house = House::new();
    block_on(async {
        let id = house.ready().await;
        let before = house.files(id).len();
        house.sweep().await;
        house.put(&format!("jobs/{id}/0007-00001-json")).await;
        let staged = house.directory.join(format!("jobs/{id}/0007-00002-json#1"));
        std::fs::write(staged, "sealed").unwrap();
        let stranger = JobId::generate();
        house.put(&format!("jobs/{stranger}/0001-00001-json")).await;
        house.put("jobs/notes/read-me").await;
        let swept = house.sweep().await;
        assert_eq!((swept.objects, swept.uploads, swept.unknown), (1, 1, 2));
        assert_eq!(house.files(id).len(), before);
        assert_eq!(outcome(&house.engine, id).await.rows("t").len(), 2);
        assert_eq!(house.files(stranger).len(), 1, "what nobody knows is left to the operator");
        let again = house.sweep().await;
        assert_eq!((again.objects, again.uploads, again.unknown), (0, 0, 2));
        let used = house.engine.disk_use().unwrap();
        assert_eq!(used.objects, before as u64 + 2);
    });
}

#[test]
fn what_cannot_be_deleted_keeps_its_key_until_it_is() {
    let house = House::new();
    block_on(async {
        let id = house.ready().await;
        house.room.clock.advance(SignedDuration::from_hours(24 * 7));
        house.objects.play(Trick::FailDeletes);
        let swept = house.sweep().await;
        assert_eq!((swept.expired, swept.jobs, swept.failed), (1, 0, 1));
        let job = house.job(id).await;
        assert!(job.wrapped_key.is_some(), "nothing is forgotten while an object is left");
        assert!(matches!(house.engine.open_bundle(&job).await, Err(PipelineError::Gone { .. })));
        house.objects.play(Trick::None);
        let swept = house.sweep().await;
        assert_eq!((swept.expired, swept.jobs, swept.failed), (0, 1, 0));
        assert!(house.job(id).await.wrapped_key.is_none());
        assert!(house.files(id).is_empty());
    });
}

#[test]
fn a_store_that_cannot_be_listed_ends_the_sweep_with_an_error_and_the_next_one_goes_on() {
    let house = House::new();
    block_on(async {
        let id = house.ready().await;
        let hidden = house.room.dir.path().join("hidden");
        std::fs::rename(&house.directory, &hidden).unwrap();
        std::fs::write(&house.directory, "no directory").unwrap();
        assert_eq!(house.sweeper.once().await.unwrap_err().code(), "object_store");
        std::fs::remove_file(&house.directory).unwrap();
        std::fs::rename(&hidden, &house.directory).unwrap();
        house.sweep().await;
        assert_eq!(outcome(&house.engine, id).await.rows("t").len(), 2);
    });
}

#[test]
fn a_running_sweeper_sweeps_again_and_again_until_it_is_stopped() {
    let house = House::new();
    block_on(async {
        let id = house.ready().await;
        house.room.clock.advance(SignedDuration::from_hours(24 * 7));
        let stop = CancellationToken::new();
        let sweeper = Sweeper::new(Arc::clone(&house.engine));
        let watch = async {
            while house.job(id).await.wrapped_key.is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let next = house.engine.submit(request()).await.unwrap();
            let tenant = TenantId::new("default").unwrap();
            house.engine.cancel(&tenant, next.request.id, &Actor::System).await.unwrap();
            while house.job(next.job.id).await.wrapped_key.is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        futures::future::join(sweeper.run(stop.clone()), watch).await;
    });
}
