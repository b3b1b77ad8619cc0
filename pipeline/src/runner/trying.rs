//! How often is a section tried, and what becomes of it when its silo goes on failing?

use std::sync::Arc;

use antumbra_bundle::SectionContent;
use antumbra_config::OnSiloError;
use antumbra_crypto::Retry;
use antumbra_jobs::{SectionEnd, SectionOutcome};

use super::ahead::slices_up_to;
use super::backoff::wait;
use super::collect::Collector;
use super::document::{content, to_document};
use super::section::Stop;
use super::state::SectionState;
use crate::plan::{Planned, Skipped};
use crate::{PipelineError, SiloError};

impl Collector {
    /// Collects a section to its end, whatever that is; `Ok` unless the job has to stop.
    ///
    /// A silo that fails in a way that may pass is connected to again, after a pause, and the section goes on after its last
    /// slice, or from its beginning if nothing orders its rows. When that was tried often enough without getting further, the
    /// policy decides.
    pub(super) async fn section(&mut self, ordinal: u32) -> Result<(), PipelineError> {
        let plan = Arc::clone(&self.plan);
        let place = usize::try_from(ordinal).unwrap_or(usize::MAX);
        let planned = plan.sections.get(place).ok_or(PipelineError::Document { what: "plan" })?;
        if let Some(skipped) = &planned.skipped {
            return self.skip(ordinal, planned, skipped).await;
        }
        let mut tries = self.retries.tries(&planned.spec.silo);
        loop {
            let error = match self.read_section(ordinal, planned).await {
                Ok(()) => return Ok(()),
                // The daemon stops.
                Err(Stop::Job(PipelineError::Interrupted)) => {
                    self.desk.put_down().await?;
                    return Err(PipelineError::Interrupted);
                }
                Err(Stop::Job(error)) => return Err(error),
                Err(Stop::Silo(SiloError::PlanChanged)) => {
                    let changes = vec![format!("{} changed", planned.spec.name())];
                    return Err(PipelineError::PlanChanged { changes });
                }
                // As one stream it fails in the words and at the row that it fails with whatever the settings are, or not at all.
                Err(Stop::Parts(why)) => {
                    tracing::debug!(
                        job = %self.desk.lease.job, silo = planned.spec.silo, datapoint = planned.spec.datapoint,
                        why, "section read again as one stream"
                    );
                    self.forget_section(ordinal).await?;
                    self.whole.insert(ordinal);
                    continue;
                }
                Err(Stop::Silo(error)) => error,
            };
            let mut pause = None;
            let silo = planned.spec.silo.as_str();
            // One that used up the tries of a section is not waited for by each of its others.
            if error.retry() == Retry::Later && !(error.is_held() && self.given_up.contains(silo)) {
                self.desk.put_down().await?;
                pause = tries.after(&error, self.reached(ordinal).await?);
            }
            let Some(pause) = pause else {
                self.forget_section(ordinal).await?;
                if error.retry() == Retry::Later {
                    self.given_up.insert(silo.to_owned());
                }
                return self.section_failed(ordinal, planned, error).await;
            };
            tracing::warn!(
                job = %self.desk.lease.job, silo = planned.spec.silo, datapoint = planned.spec.datapoint,
                code = error.code(), "section tried again"
            );
            if self.forget_silo(&planned.spec.silo) {
                self.reconnected.insert(planned.spec.silo.clone());
            }
            if error == SiloError::ShapeChanged {
                self.forget_section(ordinal).await?;
            }
            wait(&self.halt, pause).await?;
        }
    }

    /// Returns how many slices of a section another try need not read again.
    async fn reached(&mut self, ordinal: u32) -> Result<u64, PipelineError> {
        let newest = self.desk.store.newest_slices(self.desk.lease.job, ordinal).await?;
        let Some(last) = newest.last() else { return Ok(0) };
        let keyed = SectionState::from_bytes(&last.state)?.shape.keyed;
        Ok(if keyed { newest.iter().map(|last| u64::from(slices_up_to(last))).sum() } else { 0 })
    }

    /// Ends a section that the plan leaves out.
    async fn skip(
        &mut self,
        ordinal: u32,
        planned: &Planned,
        skipped: &Skipped,
    ) -> Result<(), PipelineError> {
        let failed = skipped.outcome == "failed";
        let mut document = content(planned, None, &skipped.outcome);
        document.reason = Some(skipped.reason.clone());
        document.code.clone_from(&skipped.code);
        self.end_without_files(ordinal, &document, failed).await?;
        if failed && self.policy == OnSiloError::Fail {
            self.desk.flush().await?;
            return Err(failure(planned, SiloError::Settings { what: skipped.reason.clone() }));
        }
        Ok(())
    }

    /// Ends a section as failed, and stops the job if that is the policy; the section is named in the status either way.
    async fn section_failed(
        &mut self,
        ordinal: u32,
        planned: &Planned,
        error: SiloError,
    ) -> Result<(), PipelineError> {
        tracing::warn!(
            job = %self.desk.lease.job, silo = planned.spec.silo, datapoint = planned.spec.datapoint,
            code = error.code(), "section failed"
        );
        let mut document = content(planned, None, "failed");
        document.code = Some(error.code().to_owned());
        document.reason = Some(error.to_string());
        self.end_without_files(ordinal, &document, true).await?;
        if self.policy == OnSiloError::Fail {
            self.desk.flush().await?;
            return Err(failure(planned, error));
        }
        Ok(())
    }

    async fn end_without_files(
        &mut self,
        section: u32,
        document: &SectionContent,
        failed: bool,
    ) -> Result<(), PipelineError> {
        let outcome = if failed {
            SectionOutcome::Failed
        } else {
            SectionOutcome::Done { files: Vec::new(), segments: Vec::new() }
        };
        let document = to_document(document)?;
        self.end_section(SectionEnd { section, rows: 0, outcome, document }).await
    }

    /// Drops what is pending or committed of a section, so that it can start again or end as failed.
    pub(super) async fn forget_section(&mut self, ordinal: u32) -> Result<(), PipelineError> {
        self.desk.lanes.give_up().await;
        self.desk.pending.give_up(ordinal);
        self.desk.store.restart_section(&self.desk.lease, ordinal).await?;
        let sections = self.desk.store.sections(self.desk.lease.job).await?;
        let committed: u64 = sections.iter().map(|section| section.rows).sum();
        self.desk.ledger.progress().rows_collected = committed + self.desk.pending.rows();
        Ok(())
    }
}

fn failure(planned: &Planned, source: SiloError) -> PipelineError {
    let (silo, datapoint) = (planned.spec.silo.clone(), planned.spec.datapoint.clone());
    PipelineError::Section { silo, datapoint, source }
}
