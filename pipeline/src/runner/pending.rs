//! What waits for its packs before it may become true?

use antumbra_jobs::{Commit, Progress, SectionEnd, SliceCommit};

/// Slices and section ends whose bytes are in packs that are still open.
#[derive(Debug, Default)]
pub(super) struct Pending {
    slices: Vec<SliceCommit>,
    ends: Vec<SectionEnd>,
    /// Packs that are durable already.
    sealed: Vec<String>,
}

impl Pending {
    pub(super) fn slice(&mut self, slice: SliceCommit) {
        self.slices.push(slice);
    }

    pub(super) fn end(&mut self, end: SectionEnd) {
        self.ends.push(end);
    }

    /// Names a pack that is durable already.
    pub(super) fn sealed(&mut self, object: String) {
        self.sealed.push(object);
    }

    /// Forgets the slices of a section that failed.
    pub(super) fn give_up(&mut self, section: u32) {
        self.slices.retain(|slice| slice.section != section);
    }

    /// Returns the slices of a section that wait, in order.
    pub(super) fn slices(&self, section: u32) -> impl Iterator<Item = &SliceCommit> {
        self.slices.iter().filter(move |slice| slice.section == section)
    }

    /// Returns the rows of all slices that wait.
    pub(super) fn rows(&self) -> u64 {
        self.slices.iter().map(|slice| slice.rows).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty() && self.ends.is_empty()
    }

    /// Turns everything into one commit; `objects` are the packs that were finished for it.
    pub(super) fn take(&mut self, mut objects: Vec<String>, progress: Progress) -> Commit {
        let slices = std::mem::take(&mut self.slices);
        let ends = std::mem::take(&mut self.ends);
        objects.append(&mut self.sealed);
        Commit { slices, ends, objects, progress }
    }
}
