//! Keys of the ring that somebody changes while a daemon goes on: it hears of it when it has to, and nothing fails.

use std::sync::Arc;

use antumbra_bundle::MANIFEST_NAME;
use antumbra_crypto::{KeyRing, Retry};
use antumbra_jobs::{Actor, Job, JobState, StoreError, TenantId};
use antumbra_pipeline::{ContentEncoding, Engine, PipelineError, data_key_context};

use crate::room::{PARTIAL, Room, block_on, finish, request};
use crate::store::Tricky;

const GOOD: &str = "create table t (id integer primary key, email text);
    insert into t values (1, 'ada@example.com'), (2, 'ada@example.com');";
const ONE: &str =
    "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n";

fn tenant() -> TenantId {
    TenantId::new("default").unwrap()
}

/// Rotates, wraps everything anew and retires the key before, as a command beside the daemon would; the daemon's own ring is
/// not told. Returns the ring that the file holds afterwards.
async fn rotated(room: &Room, engine: &Engine, ring: &KeyRing) -> KeyRing {
    let old = ring.active_id().to_owned();
    let (mut ring, _) = ring.rotated("2026-03-02T12:00:00Z").await.unwrap();
    if let Some((rewrapped, _)) = ring.rewrapped().await.unwrap() {
        ring = rewrapped;
    }
    let store = engine.store();
    for key in store.keys_not_under(ring.active_id(), None, 100).await.unwrap() {
        let context = data_key_context(&key.tenant, key.job);
        let new = ring.rewrap(&key.wrapped_key, &context).await.unwrap().unwrap();
        assert!(store.replace_key(key.job, &key.wrapped_key, &new).await.unwrap());
    }
    store.retire_key(&old, &Actor::Operator, &tenant()).await.unwrap();
    let (ring, file) = ring.retired(&old).unwrap();
    room.ring_file.replace(file);
    ring
}

async fn manifest(engine: &Engine, job: &Job) -> Result<Vec<u8>, PipelineError> {
    use futures::TryStreamExt as _;
    let bundle = engine.open_bundle(job).await?;
    let stream = bundle.read_file(MANIFEST_NAME, ContentEncoding::Identity, 0..u64::MAX).unwrap();
    let pieces: Vec<bytes::Bytes> = stream.try_collect().await?;
    let zip = bundle.read_bundle(0..u64::MAX);
    let _whole: Vec<bytes::Bytes> = zip.try_collect().await?;
    Ok(pieces.concat())
}

#[test]
fn a_key_that_was_retired_elsewhere_is_replaced_by_the_new_one() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings(PARTIAL, ONE), Arc::new(Tricky::default()));
        let old = room.ring.current();
        let new = rotated(&room, &engine, &old).await;
        assert_ne!(old.active_id(), new.active_id());
        assert_eq!(room.ring.current().active_id(), old.active_id(), "nobody told the daemon");
        let job = engine.submit(request()).await.unwrap().job;
        assert_eq!(job.key_id.as_deref(), Some(new.active_id()));
        assert_eq!(room.ring.current().active_id(), new.active_id());
        let out = finish(&engine, &room.clock, job.id).await;
        assert_eq!(out.rows("t").len(), 2);
    });
}

#[test]
fn a_job_is_never_recorded_under_a_retired_key() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings(PARTIAL, ONE), Arc::new(Tricky::default()));
        let old = room.ring.current().active_id().to_owned();
        engine.store().retire_key(&old, &Actor::Operator, &tenant()).await.unwrap();
        // The file still says what it said.
        let refused = engine.submit(request()).await.unwrap_err();
        assert!(
            matches!(&refused, PipelineError::Store(StoreError::KeyRetired { key_id }) if *key_id == old),
            "{refused}"
        );
        assert_eq!(refused.retry(), Retry::Later);
        assert!(engine.store().key_use().await.unwrap().is_empty());
    });
}

/// Somebody looked at the job before its key was wrapped anew, and opens it afterwards; the daemon's ring is as old.
#[test]
fn a_job_whose_key_was_wrapped_anew_since_it_was_looked_at_still_opens() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings(PARTIAL, ONE), Arc::new(Tricky::default()));
        let id = engine.submit(request()).await.unwrap().job.id;
        let out = finish(&engine, &room.clock, id).await;
        let before = manifest(&engine, &out.job).await.unwrap();
        let mut ring = None;
        for _ in 0..3 {
            let looked_at = engine.store().job(id).await.unwrap();
            let known = room.ring.current();
            ring = Some(rotated(&room, &engine, ring.as_ref().unwrap_or(&known)).await);
            assert_eq!(manifest(&engine, &looked_at).await.unwrap(), before);
            // And again, now that the daemon knows the ring that the old key is retired in.
            assert!(room.ring.reload().await.is_ok());
            assert_eq!(manifest(&engine, &looked_at).await.unwrap(), before);
            let now = engine.store().job(id).await.unwrap();
            assert_eq!(now.state, JobState::Ready);
            assert_ne!(now.wrapped_key, looked_at.wrapped_key);
        }
    });
}

#[test]
fn a_job_whose_key_is_destroyed_while_it_waits_is_put_down() {
    let room = Room::with(GOOD);
    block_on(async {
        let objects = Tricky::default();
        let engine = room.engine(room.settings(PARTIAL, ONE), Arc::new(objects.clone()));
        let job = engine.submit(request()).await.unwrap().job.id;
        room.root.switch_off(Retry::Later);
        let destroy = async {
            room.root.refused(2).await;
            engine.store().destroy_key(job, &Actor::Operator).await.unwrap();
            room.root.switch_on();
        };
        futures::future::join(crate::room::work(&engine, &room.clock, job), destroy).await;
        let now = engine.store().job(job).await.unwrap();
        assert_eq!((now.state, now.wrapped_key, now.failure), (JobState::Cancelled, None, None));
        assert!(objects.paths().await.is_empty());
    });
}

#[test]
fn the_bundle_of_a_destroyed_key_is_gone() {
    let room = Room::with(GOOD);
    block_on(async {
        let engine = room.engine(room.settings(PARTIAL, ONE), Arc::new(Tricky::default()));
        let id = engine.submit(request()).await.unwrap().job.id;
        let looked_at = finish(&engine, &room.clock, id).await.job;
        engine.store().destroy_key(id, &Actor::Operator).await.unwrap();
        // Looked at before or after: there is nothing to open.
        for job in [looked_at, engine.store().job(id).await.unwrap()] {
            let gone = engine.open_bundle(&job).await.unwrap_err();
            assert!(matches!(gone, PipelineError::Gone { job } if job == id), "{gone}");
        }
    });
}
