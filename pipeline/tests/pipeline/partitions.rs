//! A large table that is read in parts: whatever the number of parts and sessions, whatever stops them, the content is that of one
//! stream.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use antumbra_jobs::{JobId, JobState, PART_SLICES};
use antumbra_pipeline::silo::{Cursor, Span};
use antumbra_pipeline::{Engine, SiloError, Value, Worker};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::parted::{Script, SpanRead, Trouble, engine, settings};
use crate::pg_server::{PgServer, ada, column, drain, keyed, table};
use crate::room::{Room, block_on, finish, request, work};
use crate::store::{Gate, Tricky};

#[test]
fn postgres_keys_part_a_table_evenly() {
    let server = PgServer::start();
    block_on(async {
        server
            .run(
                "create table t (email text, id int, \"Region\" text, pad text, primary key (\"Region\", id));
                 insert into t select 'ada@example.com', g, chr(97 + g % 3), 'p' from generate_series(1, 1000) g;
                 insert into t select 'bob', g, 'b', 'p' from generate_series(2001, 9000) g; analyze t;",
            )
            .await;
        let section = keyed(table("t"), &["Region", "id"]);
        let mut session = server.session().await;
        let shape = session.describe(&section, &ada()).await.unwrap();
        for rows in [shape.rows, None, Some(40), Some(16_000)] {
            let mut shape = shape.clone();
            shape.rows = rows;
            let bounds = session.bounds(&section, &ada(), &shape, 4).await.unwrap();
            assert_eq!(bounds.len(), if rows.is_none() { 0 } else { 3 }, "{rows:?}");
            let ends = bounds.iter().cloned().map(Some).chain([None]);
            let mut read = Vec::new();
            let mut after: Option<Cursor> = None;
            for until in ends {
                let span = Span { after: after.clone(), until: until.clone(), keys_only: false };
                let batches = session.read_span(&section, &ada(), &shape, span).await.unwrap();
                let ids = column(&shape, &drain(batches).await.unwrap(), "id");
                let even = bounds.is_empty() || (150..=350).contains(&ids.len());
                assert!(even, "{rows:?}: {} rows of 1000 in one of four parts", ids.len());
                read.extend(ids);
                after = until;
            }
            let mut expected: Vec<u32> = (1..=1_000).collect();
            expected.sort_by_key(|id| (id % 3, *id));
            assert!(expected.iter().map(u32::to_string).eq(read));
        }
        let from = Cursor(vec![Value::Text("b".to_owned()), Value::Integer(994)]);
        let span = Span { after: Some(from), until: None, keys_only: true };
        let batches = session.read_span(&section, &ada(), &shape, span).await.unwrap();
        let keys = drain(batches).await.unwrap();
        let names: Vec<String> =
            keys[0].schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["Region", "id"]);
        assert_eq!(keys.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), 335);
        // A shape that is no longer the table's is not read.
        let mut other = shape.clone();
        other.columns.pop();
        let refused = session.bounds(&section, &ada(), &other, 4).await;
        assert_eq!(refused, Err(SiloError::ShapeChanged));
        assert_eq!(session.bounds(&section, &ada(), &shape, 1).await, Ok(vec![]));
    });
}

/// A server with many narrow rows whose key is of two columns; and a room in whose keys parts have cuts to begin at.
struct Parted {
    server: PgServer,
    room: Room,
    objects: Tricky,
    script: Arc<Script>,
    /// The hash of what nothing disturbed makes.
    truth: [u8; 32],
    format: &'static str,
}

impl Parted {
    fn new(format: &'static str) -> Self {
        let server = PgServer::start();
        block_on(server.run(&format!(
            "create table events (region text, id bigint, email text, t time, primary key (region, id));
             insert into events select 'r' || g % 3, g, 'ada@example.com', '12:00' from generate_series(1, {ROWS}) g; analyze events;"
        )));
        let (room, objects, script) = (Room::new(), Tricky::default(), Arc::default());
        let truth = [0; 32];
        let mut parted = Self { server, room, objects, script, truth, format };
        // What cuts is secret and another one in each room: in few of them nothing stands between the even keys.
        loop {
            let engine = parted.engine(Some(7));
            let (hash, parts) = block_on(async {
                let job = parted.submit(&engine).await;
                let parts = parted.parts_of(&engine, job).await;
                (hash(&engine, job).await, parts)
            });
            drop(engine);
            if parts >= 2 {
                parted.truth = hash;
                return parted;
            }
            parted.room = Room::new();
        }
    }

    fn engine(&self, partitions: Option<u32>) -> Arc<Engine> {
        let settings = settings(&self.room, &self.server, partitions);
        engine(&self.room, settings, &self.objects, &self.script)
    }

    async fn submit(&self, engine: &Arc<Engine>) -> JobId {
        let mut request = request();
        request.formats = vec![self.format.to_owned()];
        engine.submit(request).await.unwrap().job.id
    }

    /// Works until the job is done or has committed slices of several parts; returns how many parts it has.
    async fn parts_of(&self, engine: &Arc<Engine>, job: JobId) -> usize {
        let stop = CancellationToken::new();
        let most = async {
            let mut most = 0;
            while engine.store().job(job).await.unwrap().state != JobState::Ready {
                let slices = engine.store().slices(job, 0, 0, u32::MAX).await.unwrap();
                let mut parts: Vec<u32> = slices.iter().map(part_of).collect();
                parts.dedup();
                most = most.max(parts.len());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stop.cancel();
            most
        };
        let work = Worker::new(Arc::clone(engine)).run(stop.clone());
        futures::future::join(work, most).await.1
    }

    /// Runs a job to its end with so many partitions; its hash is that of one stream. Returns what was read.
    fn same(&self, partitions: Option<u32>) -> Vec<SpanRead> {
        self.script.taken();
        let engine = self.engine(partitions);
        block_on(async {
            let job = self.submit(&engine).await;
            work(&engine, &self.room.clock, job).await;
            assert_eq!(hash(&engine, job).await, self.truth, "{partitions:?}");
            assert_eq!(engine.store().job(job).await.unwrap().fence.0, 1);
        });
        self.script.taken()
    }

    /// Has a worker stopped that committed slices of parts, and none of the first one; changes rows, given the first part's last key
    /// as SQL; and lets another go on. Says whether it read parts to the end.
    fn with_the_first_part_open(&self, change: &impl AsyncFn(&str)) -> bool {
        let engine = self.engine(Some(7));
        let went_on = block_on(async {
            let job = self.submit(&engine).await;
            self.script.makes(Some(Trouble::HoldFirst(Gate::new())));
            let begun =
                async || !engine.store().slices(job, 0, 0, u32::MAX).await.unwrap().is_empty();
            self.stopped_when(&engine, job, begun).await;
            self.script.makes(None);
            let slices = engine.store().slices(job, 0, 0, u32::MAX).await.unwrap();
            assert!(slices.iter().all(|slice| part_of(slice) > 0));
            let state: Json = serde_json::from_slice(&slices[0].state).unwrap();
            let (region, id) = (&state["bounds"][0][0]["Text"], &state["bounds"][0][1]["Integer"]);
            change(&format!("'{}', {id}", region.as_str().unwrap())).await;
            self.script.taken();
            let out = finish(&engine, &self.room.clock, job).await;
            let key = |row: &Json| (row["region"].to_string(), row["id"].as_i64().unwrap());
            let keys: Vec<_> = out.rows("events").iter().map(key).collect();
            assert!(keys.is_sorted_by(|a, b| a < b), "a key twice, or out of its place");
            assert!(out.manifest().run.resumed && out.content().outcome == "complete");
            self.script.taken().last() != Some(&SpanRead { first: true, last: true })
        });
        drop(engine);
        went_on
    }

    /// Submits a job and lets a worker begin it; it is stopped when `until` says so, or the job is done.
    #[expect(clippy::future_not_send, reason = "it is awaited where it is made")]
    async fn stopped_when(&self, engine: &Arc<Engine>, job: JobId, until: impl AsyncFn() -> bool) {
        let stop = CancellationToken::new();
        let watch = async {
            while !until().await && engine.store().job(job).await.unwrap().state != JobState::Ready
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        let work = Worker::new(Arc::clone(engine)).run(stop.clone());
        futures::future::join(work, watch).await;
    }
}

fn part_of(slice: &antumbra_jobs::SliceRecord) -> u32 {
    slice.ordinal / PART_SLICES
}

async fn hash(engine: &Arc<Engine>, job: JobId) -> [u8; 32] {
    let published = engine.store().published(job).await.unwrap();
    published.map(|published| published.content_sha256).unwrap_or_default()
}

/// Stopped by the daemon's end again and again, while settings ask for parts, for none, for fewer.
#[test]
fn postgres_parts_go_on_where_they_were_stopped() {
    let parted = Parted::new("NDJSON");
    let mut engine = parted.engine(Some(7));
    let job = block_on(parted.submit(&engine));
    let mut committed = 0;
    for partitions in [None, Some(2)] {
        parted.script.taken();
        let slices = block_on(async {
            let slices = async || engine.store().slices(job, 0, 0, u32::MAX).await.unwrap().len();
            parted.stopped_when(&engine, job, async || slices().await > committed).await;
            slices().await
        });
        assert!(slices > 0 && slices >= committed, "what is committed stays");
        committed = slices;
        let whole = parted.script.taken().iter().any(|read| read.first && read.last);
        assert!(!whole, "the parts that were begun are those that go on");
        drop(engine);
        engine = parted.engine(partitions);
    }
    block_on(async {
        work(&engine, &parted.room.clock, job).await;
        assert_eq!(hash(&engine, job).await, parted.truth);
    });
}

/// A silo that fails in one part stops the others; what they committed stays. A fault of the data is told as one stream tells it. One
/// session is enough.
#[test]
fn postgres_parts_stop_together_and_are_tried_again() {
    let parted = Parted::new("PARQUET");
    parted.script.makes(Some(Trouble::LoseLast(2)));
    let reads = parted.same(Some(7));
    let lasts = reads.iter().filter(|read| read.last).count();
    assert!(lasts == 2, "the part that failed is read again: {reads:?}");
    // One session for all parts, one after the other.
    parted.script.alone.store(true, Ordering::SeqCst);
    let reads = parted.same(Some(7));
    assert!(reads.len() > 1 && reads[0].first && reads[reads.len() - 1].last, "{reads:?}");
    // Parquet has no such time.
    block_on(parted.server.run(&format!("update events set t = '24:00' where id = {}", ROWS - 7)));
    let told = [None, Some(7)].map(|partitions| {
        let engine = parted.engine(partitions);
        block_on(async {
            let job = parted.submit(&engine).await;
            let out = finish(&engine, &parted.room.clock, job).await;
            let (code, reason) = out.fault("events");
            assert!(code == "silo_value" && reason.contains("column t"), "{code}: {reason}");
            out.manifest().content_sha256.clone()
        })
    });
    assert_eq!(told[0], told[1]);
}

/// Rows come and go between two leases: the file stays whole, and no key is there twice or out of its place.
#[test]
fn postgres_parts_over_rows_that_change_are_never_a_broken_file() {
    let parted = Parted::new("JSON");
    let first = parted.with_the_first_part_open(&async |_| {
        let change = "delete from events where id % 50 = 0;
            insert into events select 'r' || g % 4, 10000000 + g, 'ada@example.com', '12:00' from generate_series(1, 50) g;
            insert into events select 'a', g, 'ada@example.com', '12:00' from generate_series(1, 50) g;";
        parted.server.run(change).await;
    });
    assert!(first, "the parts that were begun go on");
}

/// Nothing is left of the first part: where the files begin, nothing would stand.
#[test]
fn postgres_first_part_without_rows_is_read_again_as_one_stream() {
    // With rows of its own: only where parts were seen is it known that cuts stand between the even keys.
    let parted = Parted::new("JSON");
    let first = parted.with_the_first_part_open(&async |bound| {
        let change = format!("delete from events where (region, id) <= ({bound})");
        parted.server.run(&change).await;
    });
    assert!(!first, "the section is read again, as one stream");
}

/// More than are read as one stream whatever settings say.
const ROWS: u64 = 300_000;
