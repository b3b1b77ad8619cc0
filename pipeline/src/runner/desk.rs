//! Where do the rows of one reader go? Into lanes of its own; what they made becomes true when their packs are full.

use std::sync::Arc;
use std::time::Duration;

use antumbra_config::Format;
use antumbra_jobs::{JobStore, Lease};

use super::lane::EndedFile;
use super::lanes::Lanes;
use super::ledger::Ledger;
use super::pending::Pending;
use super::stored::split_list;
use crate::{PipelineError, crash_point};

/// Lanes, and what waits for their packs.
pub(super) struct Desk {
    pub(super) store: Arc<dyn JobStore>,
    pub(super) lease: Lease,
    pub(super) lanes: Lanes,
    pub(super) pending: Pending,
    pub(super) ledger: Arc<Ledger>,
}

impl Desk {
    /// Commits what is pending, if anything is. Only between slices.
    pub(super) async fn flush(&mut self) -> Result<(), PipelineError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let objects = self.lanes.finish_packs().await?;
        crash_point("collect.sealed");
        let alone = self.ledger.committing.lock().await;
        let progress = self.ledger.progress().clone();
        let commit = self.pending.take(objects, progress);
        self.store.commit(&self.lease, commit).await?;
        drop(alone);
        self.ledger.committed();
        crash_point("collect.committed");
        Ok(())
    }

    /// Commits when enough waits: a crash then loses about this much work.
    pub(super) async fn flush_if_full(&mut self) -> Result<(), PipelineError> {
        if self.lanes.uncommitted() >= PACK_LEN {
            self.flush().await?;
        }
        Ok(())
    }

    /// Ends the files of a section of so many slices and rows. What its slices left for that is read from where they are: they may be
    /// more than there is memory.
    pub(super) async fn end_files(
        &mut self,
        section: u32,
        slices: u32,
        rows: u64,
    ) -> Result<Vec<(Format, EndedFile)>, PipelineError> {
        self.lanes.begin_end(slices, rows).await?;
        if self.lanes.keep_of_slices() {
            let waiting = u32::try_from(self.pending.slices(section).count());
            let mut committed = slices.saturating_sub(waiting.unwrap_or(u32::MAX));
            let mut from = 0;
            while committed > 0 {
                let page = self.store.slices(self.lease.job, section, from, PAGE).await?;
                let last = page.last().ok_or(PipelineError::Document { what: "slice" })?;
                from = last.ordinal.saturating_add(1);
                committed = committed.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
                for slice in &page {
                    self.lanes.in_end(&split_list(&slice.kept)?).await?;
                }
            }
            for slice in self.pending.slices(section) {
                self.lanes.in_end(&split_list(&slice.kept)?).await?;
            }
        }
        self.lanes.end().await
    }

    /// Commits the slices that are complete and drops the one that is not: the section goes on from there.
    pub(super) async fn put_down(&mut self) -> Result<(), PipelineError> {
        self.lanes.give_up().await;
        self.flush().await
    }

    /// Drops everything that is not committed and gives open uploads up; what of them cannot be removed is invisible and sealed.
    pub(super) async fn drop_uncommitted(&mut self) {
        self.pending = Pending::default();
        let left = self.lanes.abort_packs(ABORT).await;
        if left > 0 {
            tracing::warn!(job = %self.lease.job, left, "uploads are left");
        }
    }
}

/// Slices that are there at once.
const PAGE: u32 = 8;
const PACK_LEN: u64 = 4 << 20;
/// How long an object store may take to forget an upload.
pub(super) const ABORT: Duration = Duration::from_secs(1);
