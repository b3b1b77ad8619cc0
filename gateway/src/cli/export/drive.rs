//! How does one request come to its end in this process? The daemon's engine works, and its job is watched.

use std::sync::Arc;
use std::time::Duration;

use antumbra_config::Settings;
use antumbra_crypto::{KeyRing, LiveRing};
use antumbra_jobs::{Actor, Job, JobState, NewRequest, Sealing, SqliteStore, SystemClock};
use antumbra_pipeline::silo::Silos;
use antumbra_pipeline::{Engine, EngineParts};
use anyhow::{Context, bail};
use object_store::local::LocalFileSystem;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::workspace::Workspace;
use crate::cli::progress::{Phase, Snapshot, Watch};

/// Why there is no bundle, although nothing of ours went wrong.
#[derive(Debug, thiserror::Error)]
#[error("the export failed ({code}): {message}")]
pub(super) struct JobFailed {
    /// The fixed word.
    pub(super) code: String,
    /// What happened; names sections, no values.
    pub(super) message: String,
}

/// Puts an engine together that keeps everything in the workspace.
///
/// Nothing here has to survive a crash of the machine, so that objects are not synced.
///
/// # Errors
/// When store or objects cannot be made.
pub(super) fn engine(
    settings: Settings,
    ring: KeyRing,
    silos: Silos,
    workspace: &Workspace,
) -> anyhow::Result<Arc<Engine>> {
    let sealing =
        Sealing { fields: ring.fields(), index: ring.index(), pseudonyms: ring.pseudonyms() };
    let clock = Arc::new(SystemClock);
    let path = workspace.path().join("jobs.db");
    let store = SqliteStore::open(&path, sealing, Arc::<SystemClock>::clone(&clock))
        .context("cannot make a job store")?;
    let directory = workspace.path().join("objects");
    std::fs::create_dir(&directory)
        .with_context(|| format!("cannot make directory {}", directory.display()))?;
    let objects = LocalFileSystem::new_with_prefix(&directory)
        .with_context(|| format!("cannot use {}", directory.display()))?;
    Ok(Arc::new(Engine::new(EngineParts {
        store: Arc::new(store),
        objects: Arc::new(objects),
        objects_dir: Some(directory),
        ring: Arc::new(LiveRing::fixed(ring)),
        settings: Arc::new(settings),
        silos,
        clock,
    })))
}

/// Submits the request and works until its job ended. `None`: `stop` came first, and the job was put down.
///
/// # Errors
/// [`JobFailed`]; when the store fails, or nobody reads the progress.
pub(super) async fn drive(
    engine: &Arc<Engine>,
    request: NewRequest,
    watch: &mut dyn Watch,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Job>> {
    let created = engine.submit(request).await?;
    let (tenant, request) = (&created.request.tenant, created.request.id);
    let lease = engine.start(tenant, request, &Actor::Operator).await?;
    let rest = stop.child_token();
    let mut work = Box::pin(engine.drive(lease, rest.clone()));
    let watched = tokio::select! {
        watched = look_on(engine, &created.job, watch) => {
            rest.cancel();
            work.await;
            watched?
        }
        () = &mut work => engine.store().job(created.job.id).await?,
    };
    let failure = watched.failure.clone();
    match (watched.state, failure) {
        (JobState::Failed, Some(failure)) => {
            Err(JobFailed { code: failure.code, message: failure.message }.into())
        }
        (state, _) if state.is_active() && stop.is_cancelled() => Ok(None),
        (state, _) if state.is_active() => bail!("the job was put down while it was {state}"),
        _ => Ok(Some(watched)),
    }
}

/// Looks at the job until it ended.
async fn look_on(engine: &Engine, job: &Job, watch: &mut dyn Watch) -> anyhow::Result<Job> {
    let mut collecting_since = None;
    loop {
        let now = engine.store().job(job.id).await?;
        if !now.state.is_active() {
            return Ok(now);
        }
        let mut snapshot = Snapshot {
            phase: Phase::of(now.state),
            section: None,
            sections_done: now.progress.sections_done,
            sections_total: now.progress.sections_total,
            rows: now.progress.rows_collected,
            rows_before: 0,
            rows_expected: now.progress.rows_expected,
            bytes: now.progress.bytes_packaged,
            bytes_expected: None,
            elapsed: Duration::ZERO,
        };
        let live = engine.live_progress(job.id);
        if live.as_ref().is_some_and(|live| live.waits_for_root) {
            snapshot.phase = Phase::Waiting;
        }
        if snapshot.phase == Phase::Collecting {
            snapshot.elapsed = collecting_since.get_or_insert_with(Instant::now).elapsed();
            // The store knows what is committed, the engine what is read: commits are far between.
            if let Some(live) = live {
                snapshot.sections_done = snapshot.sections_done.max(live.sections_done);
                snapshot.rows = snapshot.rows.max(live.rows);
                snapshot.bytes = snapshot.bytes.max(live.bytes);
                snapshot.section = Some(live.section).filter(|name| !name.is_empty());
            }
        }
        watch.show(&snapshot).context("the progress cannot be shown")?;
        sleep(POLL).await;
    }
}

const POLL: Duration = Duration::from_millis(200);
