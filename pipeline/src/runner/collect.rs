//! How is a job collected? Section by section, in the order of the plan; commits happen when packs are full.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use antumbra_bundle::JobObjects;
use antumbra_config::{Format, OnSiloError};
use antumbra_crypto::Secret32;
use antumbra_jobs::{Job, JobStore, Lease, Progress, SectionEnd, SectionState};
use tokio::time::timeout;

use super::backoff::Tries;
use super::lane::Lane;
use super::live::Teller;
use super::pending::Pending;
use super::running::Halt;
use super::sessions::Sessions;
use crate::plan::Plan;
use crate::{Engine, PipelineError, crash_point};

/// Collects the sections of one leased job.
pub(super) struct Collector {
    pub(super) store: Arc<dyn JobStore>,
    pub(super) lease: Lease,
    pub(super) objects: JobObjects,
    pub(super) plan: Arc<Plan>,
    pub(super) sessions: Sessions,
    /// This run made the plan: its shapes are those of the sessions' snapshots, but for the silos in `reconnected`.
    pub(super) fresh: bool,
    /// Silos whose session was lost: what is read from them since comes from another snapshot.
    pub(super) reconnected: BTreeSet<String>,
    pub(super) lanes: Vec<Lane>,
    pub(super) pending: Pending,
    pub(super) progress: Progress,
    pub(super) teller: Teller,
    pub(super) halt: Halt,
    pub(super) policy: OnSiloError,
    /// How often a section is tried whose silo fails, and the first pause.
    silo_tries: (u32, Duration),
    /// Picks natural cuts.
    pub(super) slice_key: Secret32,
    /// Hashes redacted values.
    pub(super) redact_key: Secret32,
    packs: u32,
    commits: u64,
}

/// A plan, the sessions it is read with, and where what is read goes.
pub(super) struct Prepared {
    pub(super) plan: Arc<Plan>,
    pub(super) objects: JobObjects,
    pub(super) sessions: Sessions,
    /// This run made the plan.
    pub(super) fresh: bool,
}

impl Collector {
    pub(super) fn new(
        engine: &Engine,
        lease: Lease,
        job: &Job,
        prepared: Prepared,
        formats: &[Format],
        halt: Halt,
    ) -> Result<Self, PipelineError> {
        let settings = engine.settings();
        let level = u32::from(settings.export.deflate_level.get());
        let (ring, tenant) = (engine.ring(), job.tenant.as_str());
        Ok(Self {
            store: Arc::clone(engine.store()),
            objects: prepared.objects,
            sessions: prepared.sessions,
            fresh: prepared.fresh,
            reconnected: BTreeSet::new(),
            lanes: formats
                .iter()
                .map(|format| Lane::new(*format, level, prepared.plan.csv_formulas))
                .collect(),
            plan: prepared.plan,
            pending: Pending::default(),
            progress: Progress::default(),
            teller: Teller::of(engine, job.id),
            halt,
            policy: settings.export.on_silo_error,
            silo_tries: (
                settings.export.silo_attempts.get(),
                settings.export.silo_backoff.duration(),
            ),
            slice_key: ring.tenant_secret("slice", tenant)?,
            redact_key: ring.tenant_secret("redact", tenant)?,
            packs: 0,
            commits: 0,
            lease,
        })
    }

    /// Collects every section that is not done. When it returns `Ok`, all sections ended and are committed.
    ///
    /// When it is interrupted, the slices that are complete are committed first. After another error it can be called again, once
    /// [`drop_uncommitted`](Self::drop_uncommitted) was: it goes on from the last commit.
    pub(super) async fn run(&mut self) -> Result<(), PipelineError> {
        let sections = self.store.sections(self.lease.job).await?;
        self.progress.rows_expected = self.plan.rows_expected();
        self.progress.sections_total = u32::try_from(sections.len()).unwrap_or(u32::MAX);
        self.progress.rows_collected = sections.iter().map(|section| section.rows).sum();
        self.progress.bytes_packaged =
            self.store.job(self.lease.job).await?.progress.bytes_packaged;
        let done = sections.iter().filter(|section| section.state != SectionState::Open).count();
        self.progress.sections_done = u32::try_from(done).unwrap_or(u32::MAX);
        for section in sections {
            if section.state == SectionState::Open {
                self.section(section.ordinal).await?;
            }
        }
        self.flush().await
    }

    /// Commits what is pending, if anything is. Only between slices.
    pub(super) async fn flush(&mut self) -> Result<(), PipelineError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut objects = Vec::new();
        for lane in &mut self.lanes {
            if let Some(pack) = lane.take_pack() {
                objects.push(pack.object().to_owned());
                pack.finish().await.map_err(PipelineError::writing)?;
            }
        }
        crash_point("collect.sealed");
        let commit = self.pending.take(objects, self.progress.clone());
        self.store.commit(&self.lease, commit).await?;
        self.commits += 1;
        crash_point("collect.committed");
        Ok(())
    }

    /// Commits when enough waits: a crash then loses about this much work.
    pub(super) async fn flush_if_full(&mut self) -> Result<(), PipelineError> {
        if self.lanes.iter().any(|lane| lane.uncommitted() >= PACK_LEN) {
            self.flush().await?;
        }
        Ok(())
    }

    pub(super) async fn end_section(&mut self, end: SectionEnd) -> Result<(), PipelineError> {
        self.progress.sections_done += 1;
        self.pending.end(end);
        self.flush_if_full().await
    }

    /// Commits the slices that are complete and drops the one that is not: the section goes on from there.
    pub(super) async fn put_down(&mut self) -> Result<(), PipelineError> {
        for lane in &mut self.lanes {
            lane.give_up();
        }
        self.flush().await
    }

    /// Drops everything that is not committed and gives open uploads up; what of them cannot be removed is invisible and sealed.
    pub(super) async fn drop_uncommitted(&mut self) {
        self.pending = Pending::default();
        for lane in &mut self.lanes {
            lane.give_up();
            let Some(pack) = lane.take_pack() else { continue };
            match timeout(ABORT, pack.abort()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(job = %self.lease.job, code = error.code(), "an upload is left");
                }
                Err(_) => tracing::warn!(job = %self.lease.job, "an upload is left: no answer"),
            }
        }
    }

    /// Counts the tries of one section.
    pub(super) fn tries(&self) -> Tries {
        Tries::new(self.silo_tries.0, self.silo_tries.1)
    }

    /// Returns how often something was committed.
    pub(super) const fn commits(&self) -> u64 {
        self.commits
    }

    /// Says whether a silo's session was lost and another took its place.
    pub(super) fn has_reconnected(&self) -> bool {
        !self.reconnected.is_empty()
    }

    /// Splits the borrow: lanes, objects, and a maker of pack names that are never used twice.
    pub(super) fn lanes(&mut self) -> (&mut [Lane], &JobObjects, PackNames<'_>) {
        let names = PackNames { fence: self.lease.fence.0, packs: &mut self.packs };
        (&mut self.lanes, &self.objects, names)
    }
}

/// Makes names of packs: the fence makes them new for each lease.
pub(super) struct PackNames<'a> {
    fence: u64,
    packs: &'a mut u32,
}

impl PackNames<'_> {
    pub(super) fn next(&mut self, format: Format) -> String {
        *self.packs += 1;
        format!("{:04}-{:05}-{}", self.fence, self.packs, format.as_str().to_lowercase())
    }
}

const PACK_LEN: u64 = 4 << 20;
/// How long an object store may take to forget an upload.
const ABORT: Duration = Duration::from_secs(1);
