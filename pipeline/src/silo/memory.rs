//! How much memory may rows take up that wait for their reader?

use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that batches on their way may take up together, in as many channels as share it.
#[derive(Debug, Clone)]
pub(crate) struct RowMemory {
    free: Arc<Semaphore>,
    units: u32,
}

/// The part that one batch takes up; given back when dropped.
pub(super) type Part = OwnedSemaphorePermit;

impl RowMemory {
    /// Makes one of so many bytes, at least a kibibyte.
    pub(crate) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        let permits = usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits)), units }
    }

    /// Waits until a batch fits; one that is larger than the whole waits until nothing else is there.
    pub(super) async fn hold(&self, batch: &RecordBatch) -> Option<Part> {
        let bytes = u64::try_from(batch.get_array_memory_size()).unwrap_or(u64::MAX);
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        Arc::clone(&self.free).acquire_many_owned(units).await.ok()
    }
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
        let memory = RowMemory::new(100 << 10);
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
}
