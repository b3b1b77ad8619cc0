//! What would a request read? A plan that is shown and not kept.

use antumbra_config::Settings;
use antumbra_crypto::{KeyRing, Secret32};
use antumbra_jobs::{AuditEvent, NewRequest, Request, RequestStatus};

use super::build::build;
use super::fingerprint::{Fingerprint, PURPOSE};
use super::model::{Plan, Rules};
use super::outline::{Faults, Outline};
use crate::runner::Sessions;
use crate::silo::Silos;
use crate::{Engine, PipelineError};

/// Plans a request as a job would, and says what came of it. Nothing is read but what planning reads, nothing is recorded.
///
/// With the tenant's secret for plans the outline has a hash.
///
/// # Errors
/// [`PipelineError::TooManyIdentifiers`]. A silo that fails fails its sections.
pub async fn preview(
    request: &Request,
    settings: &Settings,
    silos: &Silos,
    secret: Option<&Secret32>,
) -> Result<Outline, PipelineError> {
    let mut sessions = Sessions::new(silos);
    let plan =
        build(request, &settings.silos, &mut sessions, &Rules::of(settings), &|_| false).await?;
    let faults = faults(&plan, &mut sessions).await;
    let fingerprint = secret.map(|secret| Fingerprint::of(&plan, request, secret));
    Ok(Outline::of(request, settings, &plan, &faults, fingerprint))
}

/// Returns the tenant's secret that values of identifiers are hashed with.
///
/// # Errors
/// [`PipelineError::Crypto`].
pub fn tenant_secret(ring: &KeyRing, tenant: &str) -> Result<Secret32, PipelineError> {
    Ok(ring.tenant_secret(PURPOSE, tenant)?)
}

/// Asks again what a section's silo has against it: a plan goes on without.
async fn faults(plan: &Plan, sessions: &mut Sessions) -> Faults {
    let mut faults = Faults::new();
    let unknown = plan.sections.iter().filter(|s| s.skipped.is_none() && s.shape.is_none());
    for section in unknown {
        let described = match sessions.of(&section.spec.silo).await {
            Ok(session) => session.describe(&section.spec, &plan.identifiers).await,
            Err(error) => Err(error),
        };
        if let Err(error) = described {
            faults.insert(section.spec.name(), (error.code().to_owned(), error.to_string()));
        }
    }
    faults
}

impl Engine {
    /// Plans a request that is not recorded, and notes in the audit log that somebody looked.
    ///
    /// # Errors
    /// As [`preview`]; [`PipelineError::Store`], [`PipelineError::Crypto`].
    pub async fn preview(&self, request: &NewRequest) -> Result<Outline, PipelineError> {
        let outline = self.outline(request).await?;
        let hash = outline.plan_hash.clone().unwrap_or_default();
        let event = AuditEvent {
            action: "plan.previewed",
            actor: request.actor.clone(),
            tenant: request.tenant.clone(),
            request: None,
            job: None,
            facts: [
                ("plan_sha256", hash),
                ("scope", request.scope.as_str().to_owned()),
                ("sections", outline.sections.len().to_string()),
            ]
            .into(),
        };
        self.store().audit(event).await?;
        Ok(outline)
    }

    /// Plans a request that is bound to a plan, and compares. One that is bound to none is not planned.
    ///
    /// # Errors
    /// [`PipelineError::PlanChanged`]; [`PipelineError::Section`] of a silo that may answer later; as [`preview`].
    pub async fn check_plan(&self, request: &NewRequest) -> Result<(), PipelineError> {
        if request.details.expected_plan.is_none() {
            return Ok(());
        }
        let request = self.as_recorded(request);
        let mut sessions = Sessions::new(&self.parts().silos);
        let (silos, rules) = (&self.settings().silos, Rules::of(self.settings()));
        let plan = build(&request, silos, &mut sessions, &rules, &|_| false).await?;
        self.check_made(&plan, &request)
    }

    async fn outline(&self, request: &NewRequest) -> Result<Outline, PipelineError> {
        let secret = tenant_secret(&self.ring(), request.tenant.as_str())?;
        let mut request = self.as_recorded(request);
        // Who looks is shown what failed.
        request.details.expected_plan = None;
        preview(&request, self.settings(), &self.parts().silos, Some(&secret)).await
    }

    /// Compares a plan that a job made with the one its request is bound to.
    ///
    /// # Errors
    /// [`PipelineError::PlanChanged`], [`PipelineError::Crypto`].
    pub(crate) fn check_made(&self, plan: &Plan, request: &Request) -> Result<(), PipelineError> {
        let Some(expected) = &request.details.expected_plan else { return Ok(()) };
        let secret = tenant_secret(&self.ring(), request.tenant.as_str())?;
        Fingerprint::of(plan, request, &secret).check_whole(plan, expected)
    }

    /// The request as it would be in the store.
    fn as_recorded(&self, request: &NewRequest) -> Request {
        let now = self.clock().now();
        Request {
            id: request.id,
            tenant: request.tenant.clone(),
            family: request.family,
            action: request.action.clone(),
            subject_type: request.subject_type.clone(),
            scope: request.scope,
            formats: request.formats.clone(),
            is_test: request.is_test,
            is_silent: request.is_silent,
            details: request.details.clone(),
            status: RequestStatus::RequestMade,
            created_at: now,
            updated_at: now,
        }
    }
}
