//! How do rows travel from a reader, and how does their end show?

use arrow_array::RecordBatch;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::BATCHES_WAITING;
use crate::SiloError;

/// Batches of a section in its order.
///
/// The end is what the reader answers, never a channel that closes: a reader that panicked or was never run is an error,
/// not an end after too few rows. Dropping it stops the reader at its next batch.
#[derive(Debug)]
pub struct Batches {
    receiver: Receiver<RecordBatch>,
    reader: Option<JoinHandle<Result<(), SiloError>>>,
}

impl Batches {
    /// Runs `read` on a blocking thread; it sends with [`Sender::blocking_send`] and returns when all is sent or nobody receives.
    pub fn start(
        read: impl FnOnce(&Sender<RecordBatch>) -> Result<(), SiloError> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
        let reader = tokio::task::spawn_blocking(move || read(&sender));
        Self { receiver, reader: Some(reader) }
    }

    /// As [`start`](Self::start) for a reader that does not block. It sees a receiver that is gone in [`Sender::closed`].
    pub fn spawn<F>(tasks: &TaskTracker, read: impl FnOnce(Sender<RecordBatch>) -> F) -> Self
    where
        F: Future<Output = Result<(), SiloError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
        Self { receiver, reader: Some(tasks.spawn(read(sender))) }
    }

    /// Returns the next batch; `None` after the last.
    ///
    /// # Errors
    /// What the reader failed with; [`SiloError::Unavailable`] if it did not come to its end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, SiloError> {
        if let Some(batch) = self.receiver.recv().await {
            return Ok(Some(batch));
        }
        let Some(reader) = self.reader.take() else { return Ok(None) };
        match reader.await {
            Ok(ended) => ended.map(|()| None),
            Err(_) => Err(stopped()),
        }
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
