//! Who asks?

use antumbra_jobs::{Actor, ApiKey, Scope, TenantId};

use crate::http::ApiError;

/// A caller whose keys were checked.
#[derive(Debug, Clone)]
pub(crate) struct Caller(ApiKey);

impl Caller {
    /// Takes the owner of a usable key.
    pub(super) const fn new(key: ApiKey) -> Self {
        Self(key)
    }

    /// Returns the tenant; everything else does not exist for the caller.
    pub(crate) const fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    /// Returns how the audit log names the caller.
    pub(crate) const fn actor(&self) -> Actor {
        Actor::ApiKey(self.0.id)
    }

    /// Lets the caller go on if the key has the scope.
    ///
    /// # Errors
    /// Unauthorized, naming the scope: the contract documents no 403.
    pub(super) fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.0.scopes.contains(&scope) {
            return Ok(());
        }
        Err(ApiError::scope_missing(scope))
    }
}
