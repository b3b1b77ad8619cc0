//! Which jobs run in this process, and how are they told to stop?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use antumbra_jobs::{FenceToken, JobId, Lease};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The jobs that run in this process. One job may be there twice: under a lease that was lost and not put down yet, and under
/// the next one.
#[derive(Debug, Default)]
pub(crate) struct Running {
    jobs: Mutex<BTreeMap<(JobId, FenceToken), Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    halt: Halt,
    put_down: CancellationToken,
}

impl Running {
    /// Notes that a job is worked on, until the answer is dropped.
    pub(super) fn begin(self: &Arc<Self>, lease: &Lease, halt: Halt) -> Begun {
        let key = (lease.job, lease.fence);
        let put_down = CancellationToken::new();
        self.jobs().insert(key, Entry { halt, put_down: put_down.clone() });
        Begun { running: Arc::clone(self), key, put_down }
    }

    /// Says whether somebody in this process works on the job.
    pub(crate) fn has(&self, job: JobId) -> bool {
        !self.of(job).is_empty()
    }

    /// Stops whoever works on the job without keeping anything, and waits until the job was put down.
    ///
    /// Returns whether it was, within `at_most`; at once when nobody works on it.
    pub(super) async fn abandon(&self, job: JobId, at_most: Duration) -> bool {
        let entries = self.of(job);
        for entry in &entries {
            entry.halt.abandon();
        }
        let ended = entries.iter().map(|entry| entry.put_down.cancelled());
        timeout(at_most, futures::future::join_all(ended)).await.is_ok()
    }

    fn of(&self, job: JobId) -> Vec<Entry> {
        let range = (job, FenceToken(0))..=(job, FenceToken(u64::MAX));
        self.jobs().range(range).map(|(_, entry)| entry.clone()).collect()
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<(JobId, FenceToken), Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that is worked on; dropping it says that it was put down.
#[derive(Debug)]
pub(super) struct Begun {
    running: Arc<Running>,
    key: (JobId, FenceToken),
    put_down: CancellationToken,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.running.jobs().remove(&self.key);
        self.put_down.cancel();
    }
}

/// How a job that runs is told to stop, in one of two ways.
#[derive(Debug, Clone)]
pub(crate) struct Halt {
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Halt {
    /// Makes one that stops when the daemon does.
    pub(super) fn under(shutdown: &CancellationToken) -> Self {
        Self { stop: shutdown.child_token(), abandon: CancellationToken::new() }
    }

    /// Asks to commit what is complete and to put the job down.
    pub(super) const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Asks to drop everything: the job was cancelled, or is somebody else's.
    pub(super) fn abandon(&self) {
        // First, so that nobody who sees the other begins to commit.
        self.abandon.cancel();
        self.stop.cancel();
    }

    /// Waits until everything is to be dropped.
    pub(super) async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }

    /// Says whether everything is to be dropped.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandon.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use antumbra_jobs::{TenantId, WorkerId};

    use super::*;

    fn lease(job: JobId, fence: u64) -> Lease {
        Lease {
            job,
            tenant: TenantId::new("default").unwrap(),
            worker: WorkerId::generate(),
            fence: FenceToken(fence),
            fruitless: 1,
            until: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn everybody_who_works_on_a_job_is_stopped_and_waited_for() {
        let running = Arc::new(Running::default());
        let (job, other) = (JobId::generate(), JobId::generate());
        let shutdown = CancellationToken::new();
        let halts = [(job, 1), (job, 2), (other, 1)].map(|(job, fence)| {
            let halt = Halt::under(&shutdown);
            (running.begin(&lease(job, fence), halt.clone()), halt)
        });
        assert!(!running.abandon(job, Duration::from_millis(1)).await, "nobody put it down yet");
        let [(first, one), (second, two), (_third, three)] = halts;
        assert!(one.is_abandoned() && two.stop().is_cancelled() && !three.is_abandoned());
        drop(first);
        assert!(running.has(job));
        drop(second);
        assert!(!running.has(job) && running.has(other));
        assert!(running.abandon(job, Duration::ZERO).await);
    }

    #[test]
    fn a_shutdown_lets_a_job_commit_what_is_complete() {
        let shutdown = CancellationToken::new();
        let halt = Halt::under(&shutdown);
        shutdown.cancel();
        assert!(halt.stop().is_cancelled() && !halt.is_abandoned());
    }
}
