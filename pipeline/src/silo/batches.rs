//! How do rows travel from a reader, and how does their end show?

use arrow_array::RecordBatch;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

use super::BATCHES_WAITING;
use super::guarded::Toll;
use super::memory::{Part, RowMemory};
use crate::SiloError;

/// Batches of a section in its order.
///
/// The end is what the reader answers, never a channel that closes: a reader that panicked or was never run is an error,
/// not an end after too few rows. Dropping it stops the reader at its next batch.
#[derive(Debug)]
pub struct Batches {
    receiver: Receiver<Waiting>,
    memory: watch::Sender<Option<RowMemory>>,
    /// What the batch takes up that was handed out last.
    in_hand: Option<Part>,
    reader: Option<JoinHandle<Result<(), SiloError>>>,
    toll: Option<Toll>,
    /// A batch that was charged, and the moment from which it may go on.
    held: Option<(RecordBatch, Instant)>,
}

/// A batch on its way, and the memory it takes up.
type Waiting = (RecordBatch, Option<Part>);

/// Where a reader puts its batches.
#[derive(Debug, Clone)]
pub struct BatchSender {
    sender: Sender<Waiting>,
    memory: watch::Receiver<Option<RowMemory>>,
}

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
        let mut memory = self.memory.clone();
        let held = loop {
            let Some(now) = memory.borrow_and_update().clone() else { break None };
            tokio::select! {
                biased;
                () = self.sender.closed() => return Err(NoReceiver),
                // It may be its turn now, and wait for nobody else.
                changed = memory.changed() => changed.map_err(|_| NoReceiver)?,
                held = now.hold(&batch) => break held,
            }
        };
        self.sender.send((batch, held)).await.map_err(|_| NoReceiver)
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
        let (sender, receiver, memory) = channel();
        let reader = Some(tokio::task::spawn_blocking(move || read(&sender)));
        Self { receiver, memory, in_hand: None, reader, toll: None, held: None }
    }

    /// As [`start`](Self::start) for a reader that does not block. It sees a receiver that is gone in [`BatchSender::closed`].
    pub fn spawn<F>(tasks: &TaskTracker, read: impl FnOnce(BatchSender) -> F) -> Self
    where
        F: Future<Output = Result<(), SiloError>> + Send + 'static,
    {
        let (sender, receiver, memory) = channel();
        let reader = Some(tasks.spawn(read(sender)));
        Self { receiver, memory, in_hand: None, reader, toll: None, held: None }
    }

    /// Lets batches wait until `memory` has room for them, from the next one on that the reader sends. A batch holds its part until
    /// the one behind it is asked for.
    pub(crate) fn within(&self, memory: &RowMemory) {
        self.memory.send_replace(Some(memory.clone()));
    }

    /// Lets every batch wait at `toll`, which also learns how the reading ended. The reader waits meanwhile.
    pub(in crate::silo) fn through(self, toll: Toll) -> Self {
        Self { toll: Some(toll), ..self }
    }

    /// Returns the next batch; `None` after the last.
    ///
    /// # Errors
    /// What the reader failed with; [`SiloError::Unavailable`] if it did not come to its end.
    ///
    /// # Cancel safety
    /// Dropping the future loses no batch.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, SiloError> {
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

fn channel() -> (BatchSender, Receiver<Waiting>, watch::Sender<Option<RowMemory>>) {
    let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
    let (within, memory) = watch::channel(None);
    (BatchSender { sender, memory }, receiver, within)
}

async fn receive(
    receiver: &mut Receiver<Waiting>,
    reader: &mut Option<JoinHandle<Result<(), SiloError>>>,
    in_hand: &mut Option<Part>,
) -> Result<Option<RecordBatch>, SiloError> {
    // Whoever asks for the next batch is done with the one before.
    *in_hand = None;
    if let Some((batch, held)) = receiver.recv().await {
        *in_hand = held;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::Schema;

    use super::*;

    fn empty() -> RecordBatch {
        RecordBatch::new_empty(Arc::new(Schema::empty()))
    }

    #[tokio::test]
    async fn a_reader_that_panics_is_an_error_and_not_an_end() {
        let mut batches = Batches::start(|sender| {
            sender.blocking_send(empty()).unwrap();
            panic!("canary-1723");
        });
        assert!(batches.next().await.unwrap().is_some());
        let error = batches.next().await.unwrap_err();
        assert_eq!(error, stopped());
        assert!(!error.to_string().contains("canary"));
    }

    #[tokio::test]
    async fn a_reader_that_does_not_block_ends_as_one_that_does() {
        let tasks = TaskTracker::new();
        let mut batches = Batches::spawn(&tasks, |sender| async move {
            sender.send(empty()).await.unwrap();
            panic!("canary-1724");
        });
        assert!(batches.next().await.unwrap().is_some());
        assert_eq!(batches.next().await, Err(stopped()));
        assert_eq!(batches.next().await, Ok(None));
        let (ended, wait) = tokio::sync::oneshot::channel();
        drop(Batches::spawn(&tasks, |sender| async move {
            sender.closed().await;
            ended.send(()).unwrap();
            Ok(())
        }));
        wait.await.unwrap();
    }

    #[tokio::test]
    async fn batches_wait_for_memory_and_go_on_in_their_turn() {
        let tasks = TaskTracker::new();
        let column = Arc::new(arrow_array::StringArray::from(vec!["x".repeat(4 << 10)]));
        let batch = RecordBatch::try_from_iter([("t", column as _)]).unwrap();
        let (ahead, turn) = (RowMemory::new(6 << 10), RowMemory::new(64 << 10));
        let (sent, mut seen) = watch::channel(0);
        let read = |sender: BatchSender| async move {
            for number in 1..=2 {
                sender.send(batch.clone()).await.unwrap();
                sent.send_replace(number);
            }
            Ok(())
        };
        let mut batches = Batches::spawn(&tasks, read);
        batches.within(&ahead);
        seen.wait_for(|sent| *sent == 1).await.unwrap();
        assert!(batches.next().await.unwrap().is_some());
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*seen.borrow(), 1, "the first is still in use");
        batches.within(&turn);
        seen.wait_for(|sent| *sent == 2).await.unwrap();
        assert!(batches.next().await.unwrap().is_some());
        assert_eq!(batches.next().await, Ok(None));
        let waits = Batches::spawn(&tasks, |sender| async move {
            sender.closed().await;
            assert_eq!(sender.send(empty()).await, Err(NoReceiver));
            Ok(())
        });
        drop(waits);
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn an_error_comes_after_the_batches_before_it() {
        let mut batches = Batches::start(|sender| {
            sender.blocking_send(empty()).unwrap();
            Err(SiloError::ShapeChanged)
        });
        assert!(batches.next().await.unwrap().is_some());
        assert_eq!(batches.next().await, Err(SiloError::ShapeChanged));
        assert_eq!(batches.next().await, Ok(None));
    }
}
