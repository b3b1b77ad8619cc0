//! `antumbra api-key`: make, list and revoke the keys of callers. Works beside a running daemon, which looks at the store for
//! every request: what is revoked here stops working there at once.

use std::sync::Arc;

use antumbra_jobs::{ApiKey, JobStore, NewApiKey, Scope, SqliteStore, SystemClock, TenantId};
use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::{ApiKeyCreateArgs, ApiKeyListArgs, ApiKeyRevokeArgs, SettingsArgs};
use super::exit::Fault;
use super::settings::Heard;
use super::table::table;
use super::{Exit, note, say, settings};
use crate::app;

/// Records a new key and prints it, once.
pub(super) async fn create(args: ApiKeyCreateArgs) -> anyhow::Result<Exit> {
    let (heard, store) = open(&args.settings).await?;
    let tenant = match args.tenant {
        Some(tenant) => tenant,
        None => TenantId::new(heard.loaded.settings.organization.tenant.as_str())?,
    };
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
    note(format_args!(
        "API key {} ({}…) of tenant {}: {}. It is shown once:",
        recorded.id.0,
        recorded.prefix,
        recorded.tenant,
        scopes_of(&recorded)
    ));
    say(text.expose())?;
    Ok(Exit::Done)
}

/// Prints the keys; of their texts only the first characters are known.
pub(super) async fn list(args: &ApiKeyListArgs) -> anyhow::Result<Exit> {
    let (_, store) = open(&args.settings).await?;
    let keys = store.api_keys(args.tenant.as_ref()).await?;
    if args.json {
        for key in &keys {
            say(as_json(key))?;
        }
    } else if !keys.is_empty() {
        say(table(&HEADINGS, keys.iter().map(row).collect()))?;
    }
    Ok(Exit::Done)
}

/// Revokes one key. One that is revoked already stays so.
///
/// # Errors
/// [`Fault::Usage`] when no key, or more than one, begins so.
pub(super) async fn revoke(args: &ApiKeyRevokeArgs) -> anyhow::Result<Exit> {
    let (_, store) = open(&args.settings).await?;
    let keys = store.api_keys(None).await?;
    let key = choose(&keys, &args.key)?;
    if let Some(at) = key.revoked_at {
        note(format_args!("API key {} is revoked since {}", key.id.0, second(at)));
        return Ok(Exit::Done);
    }
    store.revoke_api_key(key.id).await.context("cannot revoke the key")?;
    say(format_args!("revoked API key {} ({}…) of tenant {}", key.id.0, key.prefix, key.tenant))?;
    Ok(Exit::Done)
}

async fn open(args: &SettingsArgs) -> anyhow::Result<(Heard, SqliteStore)> {
    let heard = settings::load(args)?;
    let settings = &heard.loaded.settings;
    let ring = app::open_ring(&settings.keys, &heard.sources.environment).await?;
    let store = app::open_store_beside(settings, &ring, Arc::new(SystemClock))?;
    Ok((heard, store))
}

/// Finds the one key whose id or text begins so. A whole key is taken, too, and not repeated.
fn choose<'k>(keys: &'k [ApiKey], wanted: &str) -> Result<&'k ApiKey, Fault> {
    if wanted.chars().count() < SHORTEST {
        return Err(Fault::Usage(format!("give at least {SHORTEST} characters of the key")));
    }
    let fits = |key: &&ApiKey| {
        key.id.0.to_string().starts_with(&wanted.to_ascii_lowercase())
            || key.prefix.starts_with(wanted)
            || wanted.starts_with(&key.prefix)
    };
    let mut found = keys.iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(Fault::Usage("no API key has that id or begins so".to_owned())),
        (Some(_), Some(_)) => {
            Err(Fault::Usage("several API keys begin so; give the whole id".to_owned()))
        }
    }
}

fn row(key: &ApiKey) -> Vec<String> {
    let moment = |at: Option<Timestamp>| at.map_or_else(|| "–".to_owned(), second);
    vec![
        key.id.0.to_string(),
        format!("{}…", key.prefix),
        key.tenant.to_string(),
        key.name.clone(),
        scopes_of(key),
        second(key.created_at),
        moment(key.expires_at),
        moment(key.revoked_at),
    ]
}

fn as_json(key: &ApiKey) -> Value {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    json!({
        "id": key.id.0.to_string(),
        "prefix": key.prefix,
        "tenant": key.tenant.as_str(),
        "name": key.name,
        "scopes": scopes,
        "createdAt": key.created_at.to_string(),
        "expiresAt": key.expires_at.map(|at| at.to_string()),
        "revokedAt": key.revoked_at.map(|at| at.to_string()),
    })
}

fn scopes_of(key: &ApiKey) -> String {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    scopes.join(", ")
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What a caller of the Sombra routes needs.
const USUAL_SCOPES: [Scope; 3] = [Scope::RequestSubmit, Scope::RequestRead, Scope::CompilationRead];
const HEADINGS: [&str; 8] =
    ["ID", "KEY", "TENANT", "NAME", "SCOPES", "CREATED", "EXPIRES", "REVOKED"];
/// Fewer characters would name a key by chance.
const SHORTEST: usize = 6;

#[cfg(test)]
mod tests {
    use antumbra_jobs::ApiKeyId;

    use super::*;
    use crate::cli::testing::Shop;

    fn key(id: &str, prefix: &str) -> ApiKey {
        ApiKey {
            id: ApiKeyId(id.parse().unwrap()),
            tenant: TenantId::new("default").unwrap(),
            name: "a".to_owned(),
            scopes: vec![Scope::AuditRead],
            prefix: prefix.to_owned(),
            created_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            expires_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_is_chosen_by_what_it_begins_with() {
        let keys = [
            key("01900000-0000-7000-8000-000000000001", "ant_abcdef"),
            key("01900000-0000-7000-8000-000000000002", "ant_abcxyz"),
        ];
        let chosen = |wanted: &str| choose(&keys, wanted).map(|key| key.prefix.clone());
        assert_eq!(chosen("01900000-0000-7000-8000-000000000001").unwrap(), "ant_abcdef");
        assert_eq!(chosen("ant_abcd").unwrap(), "ant_abcdef");
        assert_eq!(chosen("ant_abcxyz-and-the-rest-of-the-key").unwrap(), "ant_abcxyz");
        let fault = |wanted: &str| chosen(wanted).unwrap_err().to_string();
        assert!(fault("01900000").contains("several"));
        assert!(fault("ant_abc").contains("several"));
        assert!(
            fault("secret-key").contains("no API key") && !fault("secret-key").contains("secret")
        );
        assert!(fault("ant_").contains("at least"));
    }

    #[test]
    fn a_row_shows_what_is_known_and_no_hash() {
        let row = row(&key("01900000-0000-7000-8000-000000000001", "ant_abcdef"));
        assert_eq!(row.len(), HEADINGS.len());
        assert_eq!(
            row[1..],
            ["ant_abcdef…", "default", "a", "audit:read", "2026-01-02T03:04:05Z", "–", "–"]
        );
        let json = as_json(&key("01900000-0000-7000-8000-000000000001", "ant_abcdef"));
        assert_eq!(json["revokedAt"], Value::Null);
        assert!(json.get("hash").is_none());
    }

    #[tokio::test]
    async fn a_revoked_key_is_not_found_by_a_store_that_was_open_before() {
        let shop = Shop::new().await;
        let daemon = shop.store().await;
        let text = antumbra_crypto::api_key::generate().unwrap();
        let recorded = daemon
            .create_api_key(NewApiKey {
                tenant: TenantId::new("default").unwrap(),
                name: "n".to_owned(),
                scopes: vec![Scope::AuditRead],
                hash: text.hash(),
                prefix: text.prefix().to_owned(),
                expires_at: None,
            })
            .await
            .unwrap();
        assert!(daemon.find_api_key(&text.hash()).await.unwrap().is_some());
        let args = ApiKeyRevokeArgs { key: recorded.id.0.to_string(), settings: shop.args() };
        assert_eq!(revoke(&args).await.unwrap(), Exit::Done);
        assert!(daemon.find_api_key(&text.hash()).await.unwrap().is_none());
        assert_eq!(revoke(&args).await.unwrap(), Exit::Done);
        let listed = daemon.api_keys(None).await.unwrap();
        assert!(listed[0].revoked_at.is_some());
    }
}
