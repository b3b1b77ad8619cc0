//! How does a run come by the data key of its job? It waits for the root of the keys, however long that does not answer.

use std::time::Duration;

use antumbra_bundle::JobObjects;
use antumbra_crypto::Retry;
use antumbra_jobs::JobId;
use tokio::time::Instant;

use super::backoff::{Pauses, wait};
use super::live::Teller;
use super::running::Halt;
use crate::{Engine, PipelineError};

/// Binds a job's unwrapped data key to its objects, as soon as the root of the keys answers.
///
/// A run does this once: what it collects, verifies and publishes afterwards needs no root. Until then nothing of the job is
/// read from a silo and nothing is written. The lease is kept meanwhile, by whoever beats for it.
///
/// # Errors
/// [`PipelineError::Interrupted`] when the job is to stop; what the root says when asking again does not help.
pub(super) async fn unlock(
    engine: &Engine,
    job: JobId,
    halt: &Halt,
) -> Result<JobObjects, PipelineError> {
    let mut waiting: Option<Waiting> = None;
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let asked = async {
            // Read again: its key may have been wrapped under another root meanwhile.
            let job = engine.store().job(job).await?;
            engine.objects_of(&job).await
        };
        let asked = tokio::select! {
            biased;
            () = halt.stop().cancelled() => return Err(PipelineError::Interrupted),
            asked = asked => asked,
        };
        match asked {
            Err(error) if may_pass(&error) => {
                if waiting.is_none() {
                    waiting = Some(Waiting::begin(engine, job, &error));
                }
                wait(halt, pauses.next()).await?;
            }
            Ok(objects) => {
                if let Some(waiting) = waiting {
                    waiting.end();
                }
                return Ok(objects);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Says whether the root of the keys did not answer, or the ring file could not be read just now, and may later.
fn may_pass(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Crypto(error) if error.retry() == Retry::Later)
}

/// A job that stands still; whoever watches it is told so until this is dropped.
struct Waiting {
    job: JobId,
    since: Instant,
    _teller: Teller,
}

impl Waiting {
    fn begin(engine: &Engine, job: JobId, error: &PipelineError) -> Self {
        let teller = Teller::of(engine, job);
        teller.waits_for_root();
        tracing::warn!(
            %job, code = error.code(), error = %super::chain::Chain(error),
            "job waits: the root of the keys does not answer"
        );
        Self { job, since: Instant::now(), _teller: teller }
    }

    fn end(self) {
        let waited = self.since.elapsed();
        tracing::info!(job = %self.job, ?waited, "job goes on: the root of the keys answers again");
    }
}

/// Bounds of the pauses: a root that is back is found within seconds, one that is not is left in peace.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
