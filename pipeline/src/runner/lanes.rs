//! How do all formats of a job get the same rows? Each in its lane; several lanes at the same time where there is enough to do.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use antumbra_bundle::JobObjects;
use antumbra_config::{CsvFormulas, Format};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::future::{join_all, try_join_all};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::lane::{EndedFile, Lane, LaneSlice, PackNames};
use super::state::FileState;
use crate::{PipelineError, encode};

/// The lanes of a job, in the order of its formats.
pub(super) struct Lanes {
    lanes: Vec<Slot>,
    /// Whether there is a core for more than one of them.
    several: bool,
}

/// What all lanes of a job have in common.
pub(super) struct LaneMaker {
    pub(super) formats: Vec<Format>,
    /// Deflate's.
    pub(super) level: u32,
    pub(super) formulas: CsvFormulas,
    pub(super) objects: JobObjects,
    pub(super) names: PackNames,
}

/// A lane and its thread.
struct Slot {
    place: Place,
    /// Started when there is something to do for it. Always the same: on changing threads a lane would leave freed memory behind
    /// on each of them.
    thread: Option<Thread>,
}

/// Where a lane is.
enum Place {
    Here(Box<Lane>),
    /// On its thread, until it has done what it was given.
    Away(oneshot::Receiver<Returned>),
    /// Its thread panicked, and so does whoever asks for it.
    Lost,
}

/// A thread that works for one lane. It ends when this is dropped and nothing is left to do.
struct Thread {
    orders: mpsc::Sender<Order>,
    running: JoinHandle<()>,
}

/// A lane, what it is to do, and where it goes then.
type Order = (Box<Lane>, Arc<Task>, oneshot::Sender<Returned>);

/// A lane, and what came of its task.
type Returned = (Box<Lane>, Result<Done, PipelineError>);

/// What every lane does with the same rows.
enum Task {
    /// Encode them, behind `before` of the section.
    Rows { batch: RecordBatch, before: u64 },
    /// End a slice.
    EndSlice,
}

/// What a lane did.
enum Done {
    Rows,
    Slice(LaneSlice),
}

impl Lanes {
    /// Makes a lane for each format. `beside`: how many readers have lanes at the same time; where they leave no core to spare, each
    /// works its lanes one after the other.
    pub(super) fn new(make: &LaneMaker, beside: usize) -> Self {
        let lane = |format: &Format| {
            Box::new(Lane::new(*format, (make.level, make.formulas), &make.objects, &make.names))
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            lanes: make
                .formats
                .iter()
                .map(|format| Slot { place: Place::Here(lane(format)), thread: None })
                .collect(),
            several: cores > beside && make.formats.len() > 1,
        }
    }

    /// Returns the most sealed bytes that wait for a commit in one of them.
    pub(super) fn uncommitted(&self) -> u64 {
        self.here().map(|lane| lane.uncommitted()).max().unwrap_or_default()
    }

    /// Begins, or goes on with, a section's files, or what a part of it gives to them.
    pub(super) async fn begin(
        &mut self,
        section: &str,
        schema: &SchemaRef,
        files: &[FileState],
        part: u32,
    ) -> Result<(), PipelineError> {
        // What is left of a try that was given up.
        self.gather().await;
        for (index, lane) in self.here_mut().enumerate() {
            let file = files.get(index).cloned().unwrap_or_else(|| FileState::of_part(part));
            lane.begin(section.to_owned(), schema, file, part)?;
        }
        Ok(())
    }

    /// Encodes rows, of about so many `bytes`, behind `before` rows of the section.
    pub(super) async fn rows(
        &mut self,
        batch: &RecordBatch,
        before: u64,
        bytes: u64,
    ) -> Result<(), PipelineError> {
        self.each(Task::Rows { batch: batch.clone(), before }, bytes).await?;
        Ok(())
    }

    /// Ends a slice of about so many `bytes`.
    pub(super) async fn end_slice(&mut self, bytes: u64) -> Result<Vec<LaneSlice>, PipelineError> {
        // All but Parquet's lane have made their bytes already, and that one has rows of no other.
        let done = self.each(Task::EndSlice, bytes.min(VERY_LARGE - 1)).await?;
        let slice = |done| match done {
            Done::Slice(slice) => Some(slice),
            Done::Rows => None,
        };
        Ok(done.into_iter().filter_map(slice).collect())
    }

    /// Returns each lane's format and how far its file is.
    pub(super) fn states(&self) -> impl Iterator<Item = (Format, FileState)> {
        self.here().map(|lane| (lane.format, lane.state()))
    }

    /// Says whether a file's end says something of its slices: then each is to be named between [`begin_end`](Self::begin_end) and
    /// [`end`](Self::end).
    pub(super) fn keep_of_slices(&self) -> bool {
        self.here().any(|lane| encode::keeps_of_slices(lane.format))
    }

    /// Begins the ends of files of so many slices and rows.
    pub(super) async fn begin_end(&mut self, slices: u32, rows: u64) -> Result<(), PipelineError> {
        for lane in self.here_mut() {
            lane.begin_end(slices, rows).await?;
        }
        Ok(())
    }

    /// Names the next slice; `kept` is what it left, lane by lane.
    pub(super) async fn in_end(&mut self, kept: &[Vec<u8>]) -> Result<(), PipelineError> {
        for (lane, kept) in self.here_mut().zip(kept) {
            lane.in_end(kept).await?;
        }
        Ok(())
    }

    /// Ends the files.
    pub(super) async fn end(&mut self) -> Result<Vec<(Format, EndedFile)>, PipelineError> {
        let mut ended = Vec::new();
        for lane in self.here_mut() {
            ended.push((lane.format, lane.end().await?));
        }
        Ok(ended)
    }

    /// Gives the section's files up.
    pub(super) async fn give_up(&mut self) {
        self.gather().await;
        self.here_mut().for_each(Lane::give_up);
    }

    /// Makes every open pack durable and returns their names.
    pub(super) async fn finish_packs(&mut self) -> Result<Vec<String>, PipelineError> {
        let packs = self.here_mut().filter_map(Lane::take_pack).map(async |pack| {
            let name = pack.object().to_owned();
            pack.finish().await.map_err(PipelineError::writing)?;
            Ok(name)
        });
        try_join_all(packs).await
    }

    /// Gives files and open packs up; returns how many uploads could not be removed within that time.
    pub(super) async fn abort_packs(&mut self, at_most: Duration) -> usize {
        // A lane that is away waits for nothing but its upload.
        if timeout(at_most, self.gather()).await.is_err() {
            return self.lanes.len();
        }
        self.here_mut().for_each(Lane::give_up);
        let packs = self.here_mut().filter_map(Lane::take_pack);
        let aborted = packs.map(|pack| timeout(at_most, pack.abort()));
        let left = |aborted: &Result<_, _>| !matches!(aborted, Ok(Ok(())));
        join_all(aborted).await.iter().filter(|aborted| left(aborted)).count()
    }

    /// Has every lane do the same. The error is that of the first lane that has one, whichever was first in time.
    async fn each(&mut self, task: Task, bytes: u64) -> Result<Vec<Done>, PipelineError> {
        // What is made of rows that are very large is there once, not once for each format.
        if !self.several || !(WORTH_A_THREAD..VERY_LARGE).contains(&bytes) {
            let mut all = Vec::with_capacity(self.lanes.len());
            for slot in &mut self.lanes {
                all.push(slot.done(&task).await?);
            }
            return Ok(all);
        }
        // The last one works here, the others meanwhile.
        let task = Arc::new(task);
        let last = self.lanes.len().saturating_sub(1);
        for slot in self.lanes.iter_mut().take(last) {
            slot.send(&task);
        }
        let mut all = Vec::with_capacity(self.lanes.len());
        for slot in self.lanes.iter_mut().rev() {
            all.push(slot.done(&task).await);
        }
        all.into_iter().rev().collect()
    }

    /// Waits for the lanes that are away, and drops what they answer.
    async fn gather(&mut self) {
        for slot in &mut self.lanes {
            drop(slot.back().await);
        }
    }

    fn here(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter_map(|slot| match &slot.place {
            Place::Here(lane) => Some(lane.as_ref()),
            Place::Away(_) | Place::Lost => None,
        })
    }

    fn here_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.lanes.iter_mut().filter_map(|slot| match &mut slot.place {
            Place::Here(lane) => Some(lane.as_mut()),
            Place::Away(_) | Place::Lost => None,
        })
    }
}

impl Slot {
    /// Has a lane that is here do something on its thread.
    fn send(&mut self, task: &Arc<Task>) {
        match std::mem::replace(&mut self.place, Place::Lost) {
            Place::Here(lane) => {
                let thread = self.thread.get_or_insert_with(Thread::start);
                let (answer, away) = oneshot::channel();
                // A thread that is gone drops the order, and the answer never comes.
                drop(thread.orders.try_send((lane, Arc::clone(task), answer)));
                self.place = Place::Away(away);
            }
            other => self.place = other,
        }
    }

    /// Returns what the lane did: here and now, unless it was sent away for it.
    async fn done(&mut self, task: &Task) -> Result<Done, PipelineError> {
        match self.back().await {
            Some(done) => done,
            None => match &mut self.place {
                Place::Here(lane) => lane.run(task).await,
                Place::Away(_) | Place::Lost => Err(lost()),
            },
        }
    }

    /// Waits for a lane that is away and returns what it did; `None` if it is here.
    ///
    /// # Cancel safety
    /// A dropped call can be made again.
    async fn back(&mut self) -> Option<Result<Done, PipelineError>> {
        let Place::Away(answer) = &mut self.place else { return None };
        if let Ok((lane, done)) = answer.await {
            self.place = Place::Here(lane);
            return Some(done);
        }
        self.place = Place::Lost;
        if let Some(thread) = self.thread.take()
            && let Err(error) = thread.running.await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
        // The runtime is shutting down and never began it.
        Some(Err(lost()))
    }
}

impl Thread {
    fn start() -> Self {
        let (orders, mut received) = mpsc::channel::<Order>(1);
        let runtime = Handle::current();
        let running = tokio::task::spawn_blocking(move || {
            while let Some((mut lane, task, answer)) = received.blocking_recv() {
                let done = runtime.block_on(lane.run(&task));
                // The rows are freed before anybody goes on.
                drop(task);
                // Whoever gave the order may be gone; then the lane goes, too.
                drop(answer.send((lane, done)));
            }
        });
        Self { orders, running }
    }
}

impl Lane {
    async fn run(&mut self, task: &Task) -> Result<Done, PipelineError> {
        match task {
            Task::Rows { batch, before } => self.rows(batch, *before).await.map(|()| Done::Rows),
            Task::EndSlice => self.end_slice().await.map(Done::Slice),
        }
    }
}

const fn lost() -> PipelineError {
    PipelineError::Document { what: "lane" }
}

/// Bytes of rows below which another thread costs more than it saves.
const WORTH_A_THREAD: u64 = 128 << 10;
/// Bytes of rows that one lane at a time works on: far more than a batch of usual rows has.
pub(super) const VERY_LARGE: u64 = 4 << 20;
