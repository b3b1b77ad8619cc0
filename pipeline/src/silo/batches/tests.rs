//! What a channel of batches promises.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::*;
use crate::SiloError;
use crate::silo::RowMemory;

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
    let ahead = RowMemory::new(6 << 10, u64::MAX);
    let turn = RowMemory::new(64 << 10, u64::MAX);
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
async fn large_batches_are_those_of_one_channel_until_nobody_has_one() {
    let tasks = TaskTracker::new();
    let column = Arc::new(arrow_array::StringArray::from(vec!["x".repeat(4 << 10)]));
    let batch = RecordBatch::try_from_iter([("t", column as _)]).unwrap();
    let ahead = RowMemory::without_large(1 << 20, 2 << 10);
    let turn = RowMemory::new(1 << 20, 2 << 10);
    let start = || {
        let batch = batch.clone();
        let (sent, seen) = watch::channel(0);
        let read = |sender: BatchSender| async move {
            sender.send(empty()).await.unwrap();
            for number in 1..=2 {
                sender.send(batch.clone()).await.unwrap();
                sent.send_replace(number);
            }
            sender.closed().await;
            Ok(())
        };
        (Batches::spawn(&tasks, read), seen)
    };
    let ((mut first, mut of_first), (mut second, mut of_second)) = (start(), start());
    for batches in [&mut first, &mut second] {
        batches.within(&ahead);
        assert_eq!(batches.next().await.unwrap(), Some(empty()), "it is not large");
    }
    first.within(&turn);
    of_first.wait_for(|sent| *sent == 2).await.unwrap();
    second.within(&turn);
    let idle = async |seen: &watch::Receiver<i32>| {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*seen.borrow(), 0);
    };
    idle(&of_second).await;
    assert_eq!(first.next().await.unwrap(), Some(batch.clone()));
    let right = first.right();
    assert_eq!(first.next().await.unwrap(), Some(batch.clone()));
    idle(&of_second).await;
    // Its reader is still there, and what was made of the batch before.
    drop(first);
    idle(&of_second).await;
    assert!(right.is_some());
    drop(right);
    of_second.wait_for(|sent| *sent == 2).await.unwrap();
    assert_eq!(second.next().await.unwrap(), Some(batch));
}

#[tokio::test]
async fn a_small_batch_behind_a_large_one_takes_no_right_along() {
    let tasks = TaskTracker::new();
    let column = Arc::new(arrow_array::StringArray::from(vec!["x".repeat(4 << 10)]));
    let large = RecordBatch::try_from_iter([("t", column as _)]).unwrap();
    let turn = RowMemory::new(1 << 20, 2 << 10);
    let start = || {
        let large = large.clone();
        let read = |sender: BatchSender| async move {
            for batch in [large, empty(), empty()] {
                sender.send(batch).await.unwrap();
            }
            sender.closed().await;
            Ok(())
        };
        let batches = Batches::spawn(&tasks, read);
        batches.within(&turn);
        batches
    };
    let mut first = start();
    assert_eq!(first.next().await.unwrap().as_ref(), Some(&large));
    // Its reader is ahead.
    assert!(first.right().is_some());
    assert_eq!(first.next().await.unwrap(), Some(empty()));
    assert!(first.right().is_none());
    let mut second = start();
    assert_eq!(second.next().await.unwrap(), Some(large));
    drop(first);
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
