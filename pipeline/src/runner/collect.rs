//! How is a job collected? Section by section, in the order of the plan; commits happen when packs are full.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use antumbra_bundle::JobObjects;
use antumbra_config::{Format, OnSiloError};
use antumbra_crypto::Secret32;
use antumbra_jobs::{Job, Lease, Progress, SectionEnd, SectionState};

use super::ahead::{Ahead, most_ahead};
use super::backoff::RetryPolicies;
use super::desk::Desk;
use super::lane::PackNames;
use super::lanes::{LaneMaker, Lanes};
use super::ledger::Ledger;
use super::live::Teller;
use super::parting::{most_parts, partitions};
use super::parts::AtWork;
use super::pending::Pending;
use super::raw_packs::RawPacks;
use super::running::Halt;
use super::section::Stop;
use super::sessions::Sessions;
use crate::plan::Plan;
use crate::silo::{BATCH_BYTES, RowMemory};
use crate::{Engine, PipelineError};

/// Collects the sections of one leased job.
pub(super) struct Collector {
    /// Where what is read as one stream goes, and the ends of sections.
    pub(super) desk: Desk,
    /// Who reads a section in parts.
    pub(super) at_work: AtWork,
    pub(super) plan: Arc<Plan>,
    pub(super) sessions: Sessions,
    /// This run made the plan: its shapes are those of the sessions' snapshots, but for the silos in `reconnected`.
    pub(super) fresh: bool,
    /// Silos whose session was lost: what is read from them since comes from another snapshot.
    pub(super) reconnected: BTreeSet<String>,
    /// Silos that failed a section although they were asked as often as settings say.
    pub(super) given_up: BTreeSet<String>,
    /// Sections that were begun under any lease: something may be committed of them.
    pub(super) begun: BTreeSet<u32>,
    pub(super) ahead: Ahead,
    /// How many sections may be opened and not at their end.
    pub(super) most_ahead: usize,
    pub(super) memory: Memory,
    /// Makes the lanes of those who read parts.
    pub(super) lane_maker: LaneMaker,
    /// How many parts settings ask for, by silo and datapoint.
    pub(super) partitions: BTreeMap<(String, String), u32>,
    /// How many parts may be read at once.
    pub(super) most_parts: usize,
    /// Sections whose parts did not make a section: they are read as one stream.
    pub(super) whole: BTreeSet<u32>,
    pub(super) raw: RawPacks,
    pub(super) halt: Halt,
    pub(super) policy: OnSiloError,
    /// How often a section is tried whose silo fails.
    pub(super) retries: RetryPolicies,
    /// Picks natural cuts.
    pub(super) slice_key: Secret32,
    /// Hashes redacted values.
    pub(super) redact_key: Secret32,
}

/// What rows may take up that are read and not encoded. The rest of `export.max_memory` is for what drivers hold and for what is
/// encoded.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    /// Those of the section whose turn it is.
    pub(super) turn: RowMemory,
    /// Those of all sections that are read ahead.
    pub(super) ahead: RowMemory,
    /// Bytes of one row, at most.
    pub(super) row: u64,
}

/// How often a row may be there, if all are as large: eight times that of the section whose turn it is, with its driver as it came and
/// as it comes, in columns, waiting, as it is written and as it is compressed; and twice, with the driver and in columns, for each
/// of the others that are open.
pub(super) const TIMES_A_ROW: u64 = 8 + 2 * MOST_OPEN;
/// How many sections, or parts of one, are read at once at most.
pub(super) const MOST_OPEN: u64 = 8;
/// The share of a job's memory from which on a batch is large, if it is larger than usual ones.
const LARGE: u64 = 64;
/// Bytes that a batch of usual rows does not have.
const USUAL: u64 = 4 * BATCH_BYTES as u64;

impl Memory {
    fn of(bytes: u64) -> Self {
        let (eighth, large) = (bytes / 8, (bytes / LARGE).max(USUAL));
        Self {
            turn: RowMemory::new(eighth, large),
            ahead: RowMemory::without_large(eighth, large),
            row: bytes / TIMES_A_ROW,
        }
    }
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
        let max_memory = settings.export.max_memory.bytes();
        let lane_maker = LaneMaker {
            formats: formats.to_vec(),
            level,
            formulas: prepared.plan.csv_formulas,
            objects: prepared.objects.clone(),
            names: PackNames::new(lease.fence.0),
        };
        Ok(Self {
            at_work: AtWork::default(),
            sessions: prepared.sessions,
            fresh: prepared.fresh,
            reconnected: BTreeSet::new(),
            given_up: BTreeSet::new(),
            begun: BTreeSet::new(),
            ahead: Ahead::default(),
            most_ahead: most_ahead(max_memory / 2),
            memory: Memory::of(max_memory),
            most_parts: most_parts(max_memory / 2, formats),
            partitions: partitions(&settings.silos),
            whole: BTreeSet::new(),
            raw: RawPacks::new(prepared.objects, lease.fence.0, level),
            plan: prepared.plan,
            halt,
            policy: settings.export.on_silo_error,
            retries: RetryPolicies::of(settings),
            slice_key: ring.tenant_secret("slice", tenant)?,
            redact_key: ring.tenant_secret("redact", tenant)?,
            desk: Desk {
                store: Arc::clone(engine.store()),
                lease,
                lanes: Lanes::new(&lane_maker, 1),
                pending: Pending::default(),
                ledger: Arc::new(Ledger::new(Teller::of(engine, job.id))),
            },
            lane_maker,
        })
    }

    /// Collects every section that is not done. When it returns `Ok`, all sections ended and are committed.
    ///
    /// When it is interrupted, the slices that are complete are committed first. After another error it can be called again, once
    /// [`drop_uncommitted`](Self::drop_uncommitted) was: it goes on from the last commit.
    pub(super) async fn run(&mut self) -> Result<(), PipelineError> {
        let (store, job) = (&self.desk.store, self.desk.lease.job);
        let sections = store.sections(job).await?;
        let bytes = store.job(job).await?.progress.bytes_packaged;
        let done = sections.iter().filter(|section| section.state != SectionState::Open).count();
        *self.desk.ledger.progress() = Progress {
            rows_expected: self.plan.rows_expected(),
            sections_total: u32::try_from(sections.len()).unwrap_or(u32::MAX),
            rows_collected: sections.iter().map(|section| section.rows).sum(),
            bytes_packaged: bytes,
            sections_done: u32::try_from(done).unwrap_or(u32::MAX),
            ..Progress::default()
        };
        // Of a try before this one: what it committed is behind us, what it read ahead may not be.
        match self.settle(|_| true).await {
            Ok(()) => {}
            Err(Stop::Job(error)) => return Err(error),
            Err(Stop::Silo(_) | Stop::Parts(_)) => return Err(PipelineError::Interrupted),
        }
        let open: Vec<_> =
            sections.iter().filter(|section| section.state == SectionState::Open).collect();
        // A slice has rows.
        self.begun.extend(open.iter().filter(|open| open.rows > 0).map(|open| open.ordinal));
        let open: Vec<u32> = open.iter().map(|section| section.ordinal).collect();
        let mut left = &open[..];
        while let [next, later @ ..] = left {
            self.read_ahead(left).await?;
            self.rest(left);
            self.section(*next).await?;
            left = later;
        }
        // Packaging reads no silo: others may.
        self.sessions.close();
        self.desk.flush().await
    }

    pub(super) async fn end_section(&mut self, end: SectionEnd) -> Result<(), PipelineError> {
        self.desk.ledger.progress().sections_done += 1;
        self.desk.pending.end(end);
        self.desk.flush_if_full().await
    }

    /// Drops everything that is not committed and gives open uploads up; what of them cannot be removed is invisible and sealed.
    pub(super) async fn drop_uncommitted(&mut self) {
        self.at_work.give_up().await;
        self.desk.drop_uncommitted().await;
    }

    /// Returns how often something was committed.
    pub(super) fn commits(&self) -> u64 {
        self.desk.ledger.commits()
    }

    /// Says whether a silo's session was lost and another took its place.
    pub(super) fn has_reconnected(&self) -> bool {
        !self.reconnected.is_empty()
    }
}
