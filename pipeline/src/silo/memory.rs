//! How much memory may rows take up that wait for their reader?

use std::future::pending;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that batches on their way may take up together, in as many channels as share it.
#[derive(Debug, Clone)]
pub(crate) struct RowMemory {
    free: Arc<Semaphore>,
    units: u32,
    large: Large,
}

/// The part that one batch takes up; given back when dropped.
pub(super) type Part = OwnedSemaphorePermit;

/// The right to batches that are large, of one channel, for as long as somebody has one of them.
pub(crate) type Right = Arc<OwnedSemaphorePermit>;

/// Who may send batches that are large? What is made of one is many times as much, and not counted.
#[derive(Debug, Clone)]
struct Large {
    /// Bytes from which on a batch is.
    from: u64,
    /// One channel at a time; none: nobody.
    who: Option<Arc<Semaphore>>,
}

impl RowMemory {
    /// Makes one of so many bytes, at least a kibibyte. Of the channels that share it, one at a time sends batches of `large` bytes
    /// and more: whichever is first, until nobody has one of them.
    pub(crate) fn new(bytes: u64, large: u64) -> Self {
        Self::of(bytes, Large { from: large, who: Some(Arc::new(Semaphore::new(1))) })
    }

    /// As [`new`](Self::new), but batches of `large` bytes and more wait until their channel is given another memory.
    pub(crate) fn without_large(bytes: u64, large: u64) -> Self {
        Self::of(bytes, Large { from: large, who: None })
    }

    fn of(bytes: u64, large: Large) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        let permits = usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits)), units, large }
    }

    /// Waits for the right to a batch of so many bytes, if it is large; a channel that `has` it keeps it.
    pub(super) async fn right(&self, bytes: u64, has: Option<Right>) -> Option<Right> {
        // One that is not large takes no right along: it would be had for as long as one batch waits behind another.
        if bytes < self.large.from {
            return None;
        }
        match (has, &self.large.who) {
            (Some(has), _) => Some(has),
            (None, Some(one)) => Arc::clone(one).acquire_owned().await.ok().map(Arc::new),
            (None, None) => pending().await,
        }
    }

    /// Waits until a batch fits; one that is larger than the whole waits until nothing else is there.
    pub(super) async fn hold(&self, batch: &RecordBatch) -> Option<Part> {
        let bytes = bytes_of(batch);
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        Arc::clone(&self.free).acquire_many_owned(units).await.ok()
    }
}

/// Returns the bytes that a batch takes up.
pub(super) fn bytes_of(batch: &RecordBatch) -> u64 {
    u64::try_from(batch.get_array_memory_size()).unwrap_or(u64::MAX)
}

/// Returns the bytes of a batch's values, without what its buffers share with others or have to spare.
pub(crate) fn value_bytes(batch: &RecordBatch) -> u64 {
    let column = |column: &Arc<dyn Array>| {
        column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
    };
    let total: usize = batch.columns().iter().map(column).sum();
    u64::try_from(total).unwrap_or(u64::MAX)
}

/// What is counted in: a semaphore has no room for the bytes of a large machine.
const UNIT: u64 = 1024;

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use futures::FutureExt as _;

    use super::*;

    fn batch(bytes: usize) -> RecordBatch {
        let text = "x".repeat(bytes);
        RecordBatch::try_from_iter([("t", Arc::new(StringArray::from(vec![text])) as _)]).unwrap()
    }

    #[test]
    fn batches_wait_until_they_fit() {
        let memory = RowMemory::new(100 << 10, u64::MAX);
        let first = memory.hold(&batch(60 << 10)).now_or_never().unwrap();
        assert!(memory.hold(&batch(60 << 10)).now_or_never().is_none());
        let small = memory.hold(&batch(10 << 10)).now_or_never().unwrap();
        drop(first);
        assert!(memory.hold(&batch(1 << 20)).now_or_never().is_none(), "others are there");
        drop(small);
        let alone = memory.hold(&batch(1 << 20)).now_or_never().unwrap();
        assert!(memory.hold(&batch(1)).now_or_never().is_none());
        drop(alone);
    }

    #[test]
    fn large_batches_are_those_of_one_channel_and_of_none_that_waits_for_its_turn() {
        let memory = RowMemory::new(100 << 10, 8 << 10);
        let ask = |memory: &RowMemory, bytes, has| memory.right(bytes, has).now_or_never();
        assert!(ask(&memory, 1, None).unwrap().is_none());
        let first = ask(&memory, 9 << 10, None).unwrap();
        assert!(first.is_some());
        assert!(ask(&memory, 9 << 10, None).is_none(), "somebody else has it");
        assert!(ask(&memory, 1, None).is_some(), "not large");
        assert!(ask(&memory, 1, first.clone()).unwrap().is_none(), "takes no right along");
        let again = ask(&memory, 9 << 10, first.clone()).unwrap();
        drop(first);
        assert!(ask(&memory, 9 << 10, None).is_none(), "it goes on being had");
        drop(again);
        assert!(ask(&memory, 9 << 10, None).unwrap().is_some());
        let ahead = RowMemory::without_large(100 << 10, 8 << 10);
        assert!(ask(&ahead, 1, None).is_some());
        assert!(ask(&ahead, 9 << 10, None).is_none());
    }
}
