//! May this caller in? Both keys, checked; every doubt is a no.

use antumbra_crypto::api_key;
use antumbra_jobs::Scope;
use http::{HeaderMap, HeaderName, header};

use super::Caller;
use super::bearer::{BearerFault, bearer};
use crate::http::{ApiError, Shared};

/// The header that carries the gateway key.
pub(crate) const X_SOMBRA_AUTHORIZATION: HeaderName =
    HeaderName::from_static("x-sombra-authorization");

/// Admits a caller with both keys and a scope.
///
/// The gateway key is looked at first: whoever has none costs the store nothing.
///
/// # Errors
/// Unauthorized, when a key is missing, repeated, malformed, unlisted, unknown, revoked or expired, or lacks the
/// scope. The store's error, when it does not answer.
pub(crate) async fn admit(
    shared: &Shared,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Caller, ApiError> {
    check_gateway_key(shared, headers)?;
    let caller = find_caller(shared, headers).await?;
    caller.require(scope)?;
    Ok(caller)
}

/// Admits a caller of the compliance API: the API key with its scope, and the gateway key too where settings demand it.
///
/// # Errors
/// As [`admit`].
pub(crate) async fn admit_compliance(
    shared: &Shared,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    if shared.settings().compliance.requires_gateway_key {
        check_gateway_key(shared, headers)?;
    }
    let caller = find_caller(shared, headers).await?;
    caller.require(Scope::AuditRead)?;
    Ok(caller)
}

fn check_gateway_key(shared: &Shared, headers: &HeaderMap) -> Result<(), ApiError> {
    let presented = bearer(headers, &X_SOMBRA_AUTHORIZATION)
        .map_err(|fault| refused(GATEWAY_KEY_INVALID, "gateway", &X_SOMBRA_AUTHORIZATION, fault))?;
    // Without listed keys nobody is let in.
    if shared.gateway_keys().is_some_and(|keys| keys.admits(presented)) {
        Ok(())
    } else {
        let message = "the gateway key in `x-sombra-authorization` is not listed";
        Err(ApiError::unauthorized(GATEWAY_KEY_INVALID, message))
    }
}

async fn find_caller(shared: &Shared, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let presented = bearer(headers, &header::AUTHORIZATION)
        .map_err(|fault| refused(API_KEY_INVALID, "API", &header::AUTHORIZATION, fault))?;
    let unknown = || ApiError::unauthorized(API_KEY_INVALID, "API key invalid");
    if !api_key::is_well_formed(presented) {
        return Err(unknown());
    }
    // Found by its hash: how long the search takes says nothing about any key's text.
    let key = shared.store().find_api_key(&api_key::hash(presented)).await?;
    key.map(Caller::new).ok_or_else(unknown)
}

fn refused(code: &'static str, which: &str, header: &HeaderName, fault: BearerFault) -> ApiError {
    let fault = match fault {
        BearerFault::Missing => "is missing",
        BearerFault::Repeated => "occurs more than once",
        BearerFault::Malformed => "is not `Bearer` and a key",
    };
    ApiError::unauthorized(code, format!("no {which} key: the header `{header}` {fault}"))
}

const API_KEY_INVALID: &str = "api_key_invalid";
const GATEWAY_KEY_INVALID: &str = "gateway_key_invalid";
