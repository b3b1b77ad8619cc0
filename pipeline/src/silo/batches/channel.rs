//! What stands between a reader and whoever takes its rows? Places for some batches, and the memory that they wait for.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow_array::RecordBatch;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

use crate::SiloError;
use crate::silo::BATCHES_WAITING;
use crate::silo::guarded::Toll;
use crate::silo::memory::{Part, Right, RowMemory, value_bytes};

/// Batches of a section in its order.
///
/// The end is what the reader answers, never a channel that closes: a reader that panicked or was never run is an error,
/// not an end after too few rows. Dropping it stops the reader at its next batch.
#[derive(Debug)]
pub struct Batches {
    receiver: Receiver<Waiting>,
    memory: watch::Sender<Within>,
    /// What the batch takes up that was handed out last.
    in_hand: Room,
    reader: Option<JoinHandle<Result<(), SiloError>>>,
    toll: Option<Toll>,
    /// A batch that was charged, and the moment from which it may go on.
    held: Option<(RecordBatch, Instant)>,
}

/// A batch on its way, and the memory it takes up.
type Waiting = (RecordBatch, Room);

/// The memory that a batch takes up, and the right to it if it is large.
type Room = (Option<Part>, Option<Right>);

/// Where a reader puts its batches.
#[derive(Debug, Clone)]
pub struct BatchSender {
    sender: Sender<Waiting>,
    memory: watch::Receiver<Within>,
    right: Rights,
}

/// What memory do batches wait for?
#[derive(Debug, Clone)]
enum Within {
    /// Nobody said so far, and nobody asked for a batch.
    Unsaid,
    /// None: whoever reads takes one after the other.
    Any,
    /// This one.
    Of(RowMemory),
}

/// The right of this channel, for as long as one of its large batches is somewhere.
type Rights = Arc<Mutex<Weak<OwnedSemaphorePermit>>>;

/// Nobody receives any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody receives the rows")]
pub struct NoReceiver;

impl BatchSender {
    /// Sends a batch once there is a place and memory for it.
    ///
    /// # Errors
    /// [`NoReceiver`].
    pub async fn send(&self, batch: RecordBatch) -> Result<(), NoReceiver> {
        let room = self.room(value_bytes(&batch), Some(&batch)).await?;
        self.sender.send((batch, room)).await.map_err(|_| NoReceiver)
    }

    /// Waits until a row of so many bytes may be taken over, and returns what is to be kept until its batch is sent. Of use to a reader
    /// whose driver has it: it is there once less meanwhile.
    ///
    /// # Errors
    /// [`NoReceiver`].
    pub(in crate::silo) async fn take_over(
        &self,
        bytes: usize,
    ) -> Result<Option<Right>, NoReceiver> {
        Ok(self.room(u64::try_from(bytes).unwrap_or(u64::MAX), None).await?.1)
    }

    /// Waits for the right to so many bytes, and for the part that a batch takes up.
    async fn room(&self, bytes: u64, batch: Option<&RecordBatch>) -> Result<Room, NoReceiver> {
        let mut within = self.memory.clone();
        loop {
            let now = within.borrow_and_update().clone();
            let has = lock(&self.right).upgrade();
            let given = async {
                match (&now, batch) {
                    (Within::Unsaid, _) => pending().await,
                    (Within::Any, _) => (None, None),
                    (Within::Of(memory), None) => (None, memory.right(bytes, has).await),
                    (Within::Of(memory), Some(batch)) => {
                        let right = memory.right(bytes, has).await;
                        (memory.hold(batch).await, right)
                    }
                }
            };
            tokio::select! {
                biased;
                () = self.sender.closed() => return Err(NoReceiver),
                // It may be its turn now, and wait for nobody else.
                changed = within.changed() => changed.map_err(|_| NoReceiver)?,
                (part, right) = given => {
                    if let Some(right) = &right {
                        *lock(&self.right) = Arc::downgrade(right);
                    }
                    return Ok((part, right));
                }
            }
        }
    }

    /// As [`send`](Self::send), on a blocking thread of a runtime.
    ///
    /// # Errors
    /// [`NoReceiver`].
    ///
    /// # Panics
    /// On a thread that drives the runtime, or that knows none.
    pub fn blocking_send(&self, batch: RecordBatch) -> Result<(), NoReceiver> {
        Handle::current().block_on(self.send(batch))
    }

    /// Waits until nobody receives any more.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}

impl Batches {
    /// Runs `read` on a blocking thread; it sends with [`BatchSender::blocking_send`] and returns when all is sent or nobody receives.
    pub fn start(
        read: impl FnOnce(&BatchSender) -> Result<(), SiloError> + Send + 'static,
    ) -> Self {
        let (sender, batches) = channel();
        let reader = Some(tokio::task::spawn_blocking(move || read(&sender)));
        Self { reader, ..batches }
    }

    /// As [`start`](Self::start) for a reader that does not block. It sees a receiver that is gone in [`BatchSender::closed`].
    pub fn spawn<F>(tasks: &TaskTracker, read: impl FnOnce(BatchSender) -> F) -> Self
    where
        F: Future<Output = Result<(), SiloError>> + Send + 'static,
    {
        let (sender, batches) = channel();
        let reader = Some(tasks.spawn(read(sender)));
        Self { reader, ..batches }
    }

    /// Lets batches wait until `memory` has room for them, from the next one on that the reader sends. A batch holds its part until
    /// the one behind it is asked for, and the right to it until nobody has that.
    pub(crate) fn within(&self, memory: &RowMemory) {
        self.memory.send_replace(Within::Of(memory.clone()));
    }

    /// Lets every batch wait at `toll`, which also learns how the reading ended. The reader waits meanwhile.
    pub(in crate::silo) fn through(self, toll: Toll) -> Self {
        Self { toll: Some(toll), ..self }
    }

    /// Returns the right to the batch that was handed out last, if it is large: whoever goes on holding what is made of it holds this.
    pub(crate) fn right(&self) -> Option<Right> {
        self.in_hand.1.clone()
    }

    /// Returns the next batch; `None` after the last.
    ///
    /// # Errors
    /// What the reader failed with; [`SiloError::Unavailable`] if it did not come to its end.
    ///
    /// # Cancel safety
    /// Dropping the future loses no batch.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, SiloError> {
        self.memory.send_if_modified(|within| {
            let unsaid = matches!(within, Within::Unsaid);
            if unsaid {
                *within = Within::Any;
            }
            unsaid
        });
        let Some(toll) = &self.toll else {
            return receive(&mut self.receiver, &mut self.reader, &mut self.in_hand).await;
        };
        if self.held.is_none() {
            let received = receive(&mut self.receiver, &mut self.reader, &mut self.in_hand).await;
            match received {
                Ok(Some(batch)) => {
                    let free = toll.charge(&batch);
                    self.held = Some((batch, free));
                }
                ended => {
                    toll.ended(&ended);
                    // What it held is free for others.
                    self.toll = None;
                    return ended;
                }
            }
        }
        if let Some((_, free)) = &self.held {
            sleep_until(*free).await;
        }
        Ok(self.held.take().map(|(batch, _)| batch))
    }
}

/// Makes both ends, still without a reader.
fn channel() -> (BatchSender, Batches) {
    let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
    let (within, memory) = watch::channel(Within::Unsaid);
    let batches = Batches {
        receiver,
        memory: within,
        in_hand: (None, None),
        reader: None,
        toll: None,
        held: None,
    };
    (BatchSender { sender, memory, right: Rights::default() }, batches)
}

fn lock(right: &Rights) -> MutexGuard<'_, Weak<OwnedSemaphorePermit>> {
    right.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(
    receiver: &mut Receiver<Waiting>,
    reader: &mut Option<JoinHandle<Result<(), SiloError>>>,
    in_hand: &mut Room,
) -> Result<Option<RecordBatch>, SiloError> {
    // Whoever asks for the next batch is done with the one before.
    *in_hand = (None, None);
    if let Some((batch, room)) = receiver.recv().await {
        *in_hand = room;
        return Ok(Some(batch));
    }
    let Some(waited) = reader.as_mut() else { return Ok(None) };
    let ended = waited.await;
    *reader = None;
    match ended {
        Ok(ended) => ended.map(|()| None),
        Err(_) => Err(stopped()),
    }
}

/// The error of a blocking call that panicked or was never run. Its message is not kept: it may quote data.
pub(in crate::silo) fn stopped() -> SiloError {
    SiloError::Unavailable { reason: "the reader stopped unexpectedly".to_owned() }
}
