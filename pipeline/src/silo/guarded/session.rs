//! What does a guarded session let through?

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::time::sleep_until;

use super::circuit::Pass;
use super::guard::Permit;
use super::{Guard, Toll};
use crate::silo::{
    Attached, Batches, Cursor, Explained, Held, Identifiers, SectionSpec, Session, Shape, Span,
};
use crate::{SiloError, Value};

/// A session that holds a connection of its guard's. The connection is given back when session and batches are dropped and the silo
/// has put the line down.
pub(super) struct GuardedSession {
    inner: Box<dyn Session>,
    guard: Arc<Guard>,
    permit: Arc<Permit>,
}

impl GuardedSession {
    pub(super) fn new(mut inner: Box<dyn Session>, guard: Arc<Guard>, permit: Permit) -> Self {
        let permit = Arc::new(permit);
        inner.hold(Arc::<Permit>::clone(&permit));
        Self { inner, guard, permit }
    }

    /// Lets rows through the toll. Starting is no answer yet: the rows are. But nobody waits for the one call that decides until a
    /// section that is read ahead has its turn.
    fn started(
        &self,
        pass: Pass,
        answer: Result<Batches, SiloError>,
    ) -> Result<Batches, SiloError> {
        if answer.is_err() || pass.is_trial() {
            self.guard.note(&pass, &answer);
        }
        Ok(answer?.through(Toll::new(&self.guard, pass, Arc::clone(&self.permit))))
    }
}

#[async_trait]
impl Session for GuardedSession {
    fn hold(&mut self, held: Held) {
        self.inner.hold(held);
    }

    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.distinct(section, known, columns, limit).await;
        self.guard.note(&pass, &answer);
        answer
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.describe(section, known).await;
        self.guard.note(&pass, &answer);
        answer
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.read(section, known, shape, after).await;
        self.started(pass, answer)
    }

    async fn explain(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.explain(section, known).await;
        self.guard.note(&pass, &answer);
        answer
    }

    async fn beside(&mut self) -> Result<Option<Box<dyn Session>>, SiloError> {
        let Some(permit) = self.guard.permit_now() else { return Ok(None) };
        let pass = self.guard.admit()?;
        let answer = self.inner.beside().await;
        self.guard.note(&pass, &answer);
        let beside = answer?.map(|inner| {
            Box::new(Self::new(inner, Arc::clone(&self.guard), permit)) as Box<dyn Session>
        });
        Ok(beside)
    }

    async fn bounds(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        parts: u32,
    ) -> Result<Vec<Cursor>, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.bounds(section, known, shape, parts).await;
        self.guard.note(&pass, &answer);
        answer
    }

    async fn read_span(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        span: Span,
    ) -> Result<Batches, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.read_span(section, known, shape, span).await;
        self.started(pass, answer)
    }

    async fn count_whole(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Option<u64>, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.count_whole(section, known).await;
        self.guard.note(&pass, &answer);
        answer
    }

    async fn attachments(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Vec<Attached>, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.attachments(section, known).await;
        self.guard.note(&pass, &answer);
        answer
    }

    async fn attachment(
        &mut self,
        attached: &Attached,
    ) -> Result<BoxStream<'static, Result<Bytes, SiloError>>, SiloError> {
        let pass = self.guard.admit()?;
        let answer = self.inner.attachment(attached).await;
        self.guard.note(&pass, &answer);
        let toll = Arc::new(Toll::new(&self.guard, pass, Arc::clone(&self.permit)));
        let pieces = answer?.then(move |piece| {
            let toll = Arc::clone(&toll);
            async move {
                match &piece {
                    Ok(bytes) => sleep_until(toll.charge_bytes(bytes.len())).await,
                    Err(_) => toll.ended(&piece),
                }
                piece
            }
        });
        Ok(pieces.boxed())
    }
}
