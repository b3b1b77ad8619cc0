//! What is a download key? A signed, expiring name of a grant.
//!
//! The token alone opens nothing: tenant, request and file must be those of the recorded grant, and both have an end.
//! The same grant always gives the same key, so asking twice hands out nothing new.

use antumbra_crypto::TokenKey;
use antumbra_jobs::{Grant, GrantId, RequestId, StoreError, TenantId};
use serde::{Deserialize, Serialize};

use crate::http::{ApiError, Shared};

/// Signs the key of a grant.
///
/// # Errors
/// The signature's error.
pub(crate) fn mint(tokens: &TokenKey, grant: &Grant) -> Result<String, antumbra_crypto::Error> {
    tokens.sign(TYP, &Claims::of(grant))
}

/// Returns the grant that a download key opens.
///
/// # Errors
/// Unauthorized, when the key is altered, of another gateway, of another use or without a grant that agrees with it;
/// gone, when key or grant ended. Both messages hold the words published clients look for.
pub(crate) async fn open(shared: &Shared, key: &str) -> Result<Grant, ApiError> {
    let now = shared.now();
    let tokens = shared.engine().ring().tokens();
    let claims: Claims = tokens.verify(TYP, key).map_err(|error| invalid().because(error))?;
    if now.as_second() >= claims.exp {
        return Err(ended());
    }
    let grant = match shared.store().grant(claims.gid).await {
        Ok(grant) => grant,
        Err(error @ StoreError::NotFound { .. }) => return Err(invalid().because(error)),
        Err(error) => return Err(error.into()),
    };
    if claims != Claims::of(&grant) {
        return Err(invalid());
    }
    if grant.revoked_at.is_some() || now >= grant.expires_at {
        return Err(ended());
    }
    Ok(grant)
}

/// The claims, in the short names of a token that travels in URLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    gid: GrantId,
    ten: TenantId,
    req: RequestId,
    file: String,
    /// Seconds since 1970. Rounded down, so that a key never outlives its grant.
    exp: i64,
    iat: i64,
}

impl Claims {
    fn of(grant: &Grant) -> Self {
        Self {
            gid: grant.id,
            ten: grant.tenant.clone(),
            req: grant.request,
            file: grant.file.clone(),
            exp: grant.expires_at.as_second(),
            iat: grant.created_at.as_second(),
        }
    }
}

fn invalid() -> ApiError {
    ApiError::unauthorized("download_key_invalid", "the download key is not valid")
        .mentioning(CLIENT_WORDS)
}

fn ended() -> ApiError {
    ApiError::gone("download_key_expired", "the download key has expired or was revoked")
        .mentioning(CLIENT_WORDS)
}

/// The published client finds these words in the body and skips the file instead of failing.
pub(crate) const CLIENT_WORDS: &str = "fileMetadata#verify";

const TYP: &str = "antumbra-download";
