//! `antumbra api-key`: make a key for a caller. Works beside a running daemon.

use std::sync::Arc;

use antumbra_jobs::{JobStore, NewApiKey, Scope, SystemClock, TenantId};
use anyhow::Context;

use super::args::ApiKeyCreateArgs;
use super::{Exit, note, say, settings};
use crate::app;

/// Records a new key and prints it, once.
pub(super) async fn create(args: ApiKeyCreateArgs) -> anyhow::Result<Exit> {
    let heard = settings::load(&args.settings)?;
    let settings = &heard.loaded.settings;
    let tenant = match args.tenant {
        Some(tenant) => tenant,
        None => TenantId::new(settings.organization.tenant.as_str())?,
    };
    let ring = app::open_ring(&settings.keys, &heard.sources.environment).await?;
    let store = app::open_store_beside(settings, &ring, Arc::new(SystemClock))?;
    let text = antumbra_crypto::api_key::generate()?;
    let scopes = if args.scopes.is_empty() { USUAL_SCOPES.to_vec() } else { args.scopes };
    let recorded = store
        .create_api_key(NewApiKey {
            tenant,
            name: args.name,
            scopes,
            hash: text.hash(),
            prefix: text.prefix().to_owned(),
            expires_at: None,
        })
        .await
        .context("cannot record the key")?;
    let scopes: Vec<&str> = recorded.scopes.iter().map(|scope| scope.as_str()).collect();
    note(format_args!(
        "API key {} ({}…) of tenant {}: {}. It is shown once:",
        recorded.id.0,
        recorded.prefix,
        recorded.tenant,
        scopes.join(", ")
    ));
    say(text.expose())?;
    Ok(Exit::Done)
}

/// What a caller of the Sombra routes needs.
const USUAL_SCOPES: [Scope; 3] = [Scope::RequestSubmit, Scope::RequestRead, Scope::CompilationRead];
