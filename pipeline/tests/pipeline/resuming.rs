//! Interruptions, crashes and workers that come back from the dead: the content is that of an undisturbed run.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use antumbra_jobs::{JobId, JobState, SectionState};
use antumbra_pipeline::{Engine, Worker};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::room::{Outcome, PARTIAL, Room, block_on, finish, outcome, request};
use crate::store::{Gate, Trick, Tricky};

/// Three sections: one of several slices whose order is its key, one that cannot be resumed, one that is small.
pub(crate) const POINTS: &str = "[[silo.datapoint]]\nname = \"events\"\ntable = \"events\"\nmatch = { email = \"email\" }
    redact = { note = \"hash\" }\n
    [[silo.datapoint]]\nname = \"loose\"\nquery = \"select note from events where email in (:email) and id <= 200\"\n
    [[silo.datapoint]]\nname = \"small\"\nquery = \"select id from events where email in (:email) and id < 9\"\nkey = [\"id\"]\n";

/// The rows of every test here, made once; about 36 MiB.
static SOURCE: LazyLock<Room> = LazyLock::new(|| {
    Room::with(
        "create table events (id integer primary key, email text, note text, body text);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 9000)
         insert into events select i, 'ada@example.com', nullif(i % 7, 0), iif(i % 5, '', '=') || hex(randomblob(2000)) from n;",
    )
});

/// Rows of each slice of `events` in a [`source_room`].
const SLICES: [u64; 3] = [4_156, 4_156, 688];

/// A room with a copy of the rows, and keys under which slices always end at the same rows.
pub(crate) fn source_room() -> Room {
    let room = Room::of_known_keys();
    std::fs::copy(SOURCE.silo_path(), room.silo_path()).unwrap();
    room
}

/// What an undisturbed run finds in these rows, with the keys of `room`.
struct Disturbed {
    room: Room,
    engine: Arc<Engine>,
    objects: Tricky,
    undisturbed: String,
}

impl Disturbed {
    /// A room with the rows.
    fn new() -> Self {
        let room = source_room();
        let objects = Tricky::default();
        let engine = room.engine(room.settings(PARTIAL, POINTS), Arc::new(objects.clone()));
        Self { room, engine, objects, undisturbed: String::new() }
    }

    /// The same, after a run that nothing disturbed.
    fn after_a_run() -> Self {
        let mut made = Self::new();
        let out = block_on(async {
            let job = made.engine.submit(request()).await.unwrap().job.id;
            let out = finish(&made.engine, &made.room.clock, job).await;
            let slices = made.engine.store().slices(job, 0, 0, u32::MAX).await.unwrap();
            let rows: Vec<u64> = slices.iter().map(|slice| slice.rows).collect();
            assert_eq!(rows, SLICES);
            out
        });
        assert_eq!(out.job.fence.0, 1);
        made.undisturbed.clone_from(&out.manifest().content_sha256);
        made
    }

    /// Submits a job and lets a worker begin it; it is stopped when the n-th part is uploaded.
    async fn stopped_at(&self, job: JobId, part: u64) -> bool {
        let stop = CancellationToken::new();
        self.objects.play(Trick::Cancel(part, stop.clone()));
        let watch = async {
            while !stop.is_cancelled() {
                if self.engine.store().job(job).await.unwrap().state == JobState::Ready {
                    stop.cancel();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        futures::future::join(Worker::new(Arc::clone(&self.engine)).run(stop.clone()), watch).await;
        let stopped = self.objects.played();
        self.objects.play(Trick::None);
        stopped
    }

    fn same(&self, out: &Outcome) {
        assert_eq!(out.content().outcome, "complete");
        assert_eq!(out.manifest().content_sha256, self.undisturbed);
        assert_eq!(out.manifest().run.resumed, out.job.fence.0 > 1);
        assert_eq!(out.section("events").rows, 9_000);
        // One in five, counted across all runs.
        let notes = &out.section("events").notes;
        assert!(notes.iter().any(|note| note.starts_with("1800 cells of the CSV")), "{notes:?}");
    }
}

/// Stopped after every few uploads, again and again, always by a new worker.
#[test]
fn a_job_that_is_stopped_again_and_again_ends_with_the_same_content() {
    let disturbed = Disturbed::after_a_run();
    block_on(async {
        let job = disturbed.engine.submit(request()).await.unwrap().job.id;
        let mut stops = 0;
        let mut slices = 0;
        for part in [6, 40, 4, 5, 10, 22, 42].into_iter().cycle().take(30) {
            if !disturbed.stopped_at(job, part).await {
                break;
            }
            stops += 1;
            slices = slices
                .max(disturbed.engine.store().slices(job, 0, 0, u32::MAX).await.unwrap().len());
        }
        assert!(stops >= 4 && slices >= 2, "{stops} stops, {slices} slices committed");
        let out = finish(&disturbed.engine, &disturbed.room.clock, job).await;
        assert!(out.manifest().run.resumed);
        disturbed.same(&out);
    });
}

/// A worker's process is frozen in the middle of an upload; another takes the job over; the first wakes up when all is done.
#[test]
fn a_worker_that_comes_back_from_the_dead_changes_nothing() {
    let disturbed = Disturbed::after_a_run();
    block_on(async {
        for part in [1, 52] {
            let job = disturbed.engine.submit(request()).await.unwrap().job.id;
            let gate = Gate::new();
            disturbed.objects.play(Trick::Hang(part, Arc::clone(&gate)));
            let (thaw, frozen) = std::sync::mpsc::channel();
            let (engine, stop) = (Arc::clone(&disturbed.engine), CancellationToken::new());
            let dead = std::thread::spawn({
                let (stop, gate) = (stop.clone(), Arc::clone(&gate));
                move || frozen_at(&gate, &frozen, Worker::new(engine).run(stop))
            });
            gate.reached().await;
            disturbed.room.clock.advance(SignedDuration::from_mins(1));
            let out = finish(&disturbed.engine, &disturbed.room.clock, job).await;
            assert_eq!(out.job.fence.0, 2);
            disturbed.same(&out);
            thaw.send(()).unwrap();
            stop.cancel();
            tokio::task::spawn_blocking(move || dead.join().unwrap()).await.unwrap();
            let after = outcome(&disturbed.engine, job).await;
            assert_eq!(after.manifest(), out.manifest());
            assert_eq!(after.job.fence.0, 2);
        }
    });
}

/// Works on a runtime of one thread, which does nothing at all from the gate until the channel says so: heartbeats and timers
/// stand still as those of a stopped process do.
fn frozen_at(gate: &Gate, frozen: &std::sync::mpsc::Receiver<()>, work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let freeze = async {
        gate.reached().await;
        frozen.recv().unwrap();
        gate.open.send_replace(true);
    };
    runtime.block_on(async { futures::future::join(work, freeze).await });
}

/// The process ends in the middle of an upload: the runtime goes, the store's file and the objects stay.
#[test]
fn a_runtime_that_is_dropped_in_the_middle_loses_nothing_that_was_committed() {
    let disturbed = Disturbed::after_a_run();
    let Disturbed { room, mut engine, objects, undisturbed } = disturbed;
    for part in [9, 52] {
        let job = block_on(engine.submit(request())).unwrap().job.id;
        let gate = Gate::new();
        objects.play(Trick::Hang(part, Arc::clone(&gate)));
        block_on(async {
            let work = Worker::new(Arc::clone(&engine)).run(CancellationToken::new());
            let mut arrived = gate.arrived.subscribe();
            tokio::select! {
                () = work => unreachable!("nobody stops it"),
                _ = arrived.wait_for(|arrived| *arrived) => {}
            }
            // The runtime waits for its blocking threads, so the upload is let go; the store answers nothing any more.
            gate.open.send_replace(true);
        });
        drop(engine);
        objects.play(Trick::None);
        room.clock.advance(SignedDuration::from_mins(1));
        engine = room.engine(room.settings(PARTIAL, POINTS), Arc::new(objects.clone()));
        let out = block_on(finish(&engine, &room.clock, job));
        assert_eq!(out.manifest().content_sha256, undisturbed, "dropped at part {part}");
        assert_eq!(out.content().outcome, "complete");
    }
}

#[test]
fn a_section_whose_shape_changed_between_two_runs_starts_again_and_is_right() {
    for change in [
        "alter table events add more text; update events set more = 'new' where id = 7;",
        "update events set note = 'word' where id = 8000;",
    ] {
        let disturbed = Disturbed::new();
        block_on(async {
            let job = disturbed.engine.submit(request()).await.unwrap().job.id;
            assert!(disturbed.stopped_at(job, 52).await);
            let begun = disturbed.engine.store().sections(job).await.unwrap().remove(0);
            assert!(begun.rows > 0 && begun.state == SectionState::Open, "{begun:?}");
            disturbed.room.silo().execute_batch(change).unwrap();
            let out = finish(&disturbed.engine, &disturbed.room.clock, job).await;
            let fresh = disturbed.engine.submit(request()).await.unwrap().job.id;
            let fresh = finish(&disturbed.engine, &disturbed.room.clock, fresh).await;
            assert_eq!(out.content(), fresh.content(), "{change}");
            assert_eq!(out.section("events").rows, 9_000);
            assert_eq!(out.content().outcome, "complete");
        });
    }
}

#[test]
fn rows_that_are_not_text_after_a_resume_are_numbered_from_the_beginning() {
    let disturbed = Disturbed::new();
    block_on(async {
        disturbed
            .room
            .silo()
            .execute("update events set body = cast(x'ff' as text) where id = 8900", [])
            .unwrap();
        let job = disturbed.engine.submit(request()).await.unwrap().job.id;
        assert!(disturbed.stopped_at(job, 52).await);
        assert!(!disturbed.engine.store().slices(job, 0, 0, u32::MAX).await.unwrap().is_empty());
        let out = finish(&disturbed.engine, &disturbed.room.clock, job).await;
        assert_eq!(out.fault("events").1, "row 8900, column body: text that is not UTF-8");
    });
}
