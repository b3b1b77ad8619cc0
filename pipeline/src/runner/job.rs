//! How is one leased job done, from wherever it stands?

use std::sync::Arc;

use antumbra_config::Format;
use antumbra_jobs::{FenceToken, JobState, Lease, NewSection, Progress, Request};
use tokio_util::sync::CancellationToken;

use super::collect::{Collector, Prepared};
use super::package;
use super::sessions::Sessions;
use crate::plan::{self, Plan};
use crate::{Engine, PipelineError, crash_point};

/// Plans unless there is a plan, collects what is not collected, packages.
pub(super) async fn run(
    engine: &Arc<Engine>,
    lease: Lease,
    cancel: CancellationToken,
) -> Result<(), PipelineError> {
    if lease.fence.0 > MOST_LEASES {
        return Err(PipelineError::TooManyLeases { leases: lease.fence.0 });
    }
    let store = engine.store();
    let job = store.job(lease.job).await?;
    let request = store.request_of(lease.job).await?;
    let mut sessions = Sessions::new(&engine.settings().silos);
    let (plan, fresh) = match store.plan(lease.job).await? {
        Some(bytes) => (Plan::from_bytes(&bytes)?, false),
        None => {
            let made = tokio::select! {
                biased;
                made = make_plan(engine, &lease, &request, &mut sessions) => made,
                () = cancel.cancelled() => Err(PipelineError::Interrupted),
            };
            (made?, true)
        }
    };
    let plan = Arc::new(plan);
    if job.state != JobState::Packaging {
        let formats = formats(&request)?;
        let prepared = Prepared { plan: Arc::clone(&plan), sessions, fresh };
        Collector::new(engine, lease.clone(), &job, prepared, &formats, cancel.clone())?
            .run()
            .await?;
    }
    crash_point("package.begin");
    package::package(engine, &lease, &request, &job, &plan, &cancel).await
}

async fn make_plan(
    engine: &Arc<Engine>,
    lease: &Lease,
    request: &Request,
    sessions: &mut Sessions,
) -> Result<Plan, PipelineError> {
    crash_point("plan.begin");
    let settings = engine.settings();
    let limit = usize::try_from(settings.export.max_identifier_values.get()).unwrap_or(usize::MAX);
    let patient = lease.fence.0 < MAX_LEASES;
    let formulas = settings.export.csv_formulas;
    let plan = plan::build(request, &settings.silos, sessions, limit, patient, formulas).await?;
    crash_point("plan.made");
    let sections: Vec<NewSection> = (0..)
        .zip(&plan.sections)
        .map(|(ordinal, section)| NewSection {
            ordinal,
            silo: section.spec.silo.clone(),
            datapoint: section.spec.datapoint.clone(),
        })
        .collect();
    let progress = Progress {
        rows_expected: plan.rows_expected(),
        sections_total: u32::try_from(sections.len()).unwrap_or(u32::MAX),
        ..Progress::default()
    };
    engine.store().save_plan(lease, &plan.to_bytes()?, &sections, &progress).await?;
    crash_point("plan.saved");
    Ok(plan)
}

fn formats(request: &Request) -> Result<Vec<Format>, PipelineError> {
    request
        .formats
        .iter()
        .map(|format| format.parse().map_err(|_| PipelineError::Document { what: "format" }))
        .collect()
}

/// Says whether a job that stopped on an error is left for another lease, after this many of them.
pub(super) fn may_retry(error: &PipelineError, leases: FenceToken) -> bool {
    error.retry() == antumbra_crypto::Retry::Later && leases.0 < MAX_LEASES
}

/// Leases after which a job is given up that never came to an end nor to an error: it may be what brings its workers down.
const MOST_LEASES: u64 = 32;
/// Leases after which a passing fault counts as a lasting one.
const MAX_LEASES: u64 = 8;
