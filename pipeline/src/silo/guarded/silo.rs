//! How is a guarded silo connected to?

use std::sync::Arc;

use async_trait::async_trait;

use super::Guard;
use super::guard::PATIENCE;
use super::session::GuardedSession;
use crate::SiloError;
use crate::silo::{Session, Silo};

/// A silo behind its guard.
#[derive(Debug)]
pub(in crate::silo) struct Guarded {
    inner: Arc<dyn Silo>,
    guard: Arc<Guard>,
}

impl Guarded {
    pub(in crate::silo) fn new(inner: Arc<dyn Silo>, guard: Arc<Guard>) -> Self {
        Self { inner, guard }
    }
}

#[async_trait]
impl Silo for Guarded {
    /// Waits for a free connection, in the order of asking; fails at once while the silo is left alone.
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        // Nobody queues for a silo that is left alone.
        drop(self.guard.admit()?);
        let permit = self.guard.permit(PATIENCE).await?;
        let pass = self.guard.admit()?;
        let connected = self.inner.connect().await;
        self.guard.note(&pass, &connected);
        Ok(Box::new(GuardedSession::new(connected?, Arc::clone(&self.guard), permit)))
    }
}
