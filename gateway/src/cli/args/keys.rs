//! Which flags do the commands have that manage keys?

use antumbra_jobs::{Scope, TenantId};
use clap::{Args, Subcommand};

use super::SettingsArgs;
use super::shared::tenant;

/// What to do with the daemon's keys.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeysCommand {
    /// Make root key, key ring, gateway key and public key where the settings expect them
    ///
    /// Refuses to touch a key ring that exists. The hash of the gateway key is printed, ready for the settings.
    Generate(SettingsArgs),
}

/// What to do with the keys of callers.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ApiKeyCommand {
    /// Make an API key and print it, once, alone on stdout
    Create(ApiKeyCreateArgs),
    /// List the API keys; their texts are not stored and cannot be shown
    List(ApiKeyListArgs),
    /// Revoke an API key: it stops working at once, also in a daemon that runs
    Revoke(ApiKeyRevokeArgs),
}

/// What the new API key is like.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ApiKeyCreateArgs {
    /// What its owner calls it
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: String,
    /// Whose data it reaches [default: the setting organization.tenant]
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    pub(in crate::cli) tenant: Option<TenantId>,
    /// What it may do; may be given often [default: request:submit, request:read, compilation:read]
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(in crate::cli) scopes: Vec<Scope>,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// Which API keys to list.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ApiKeyListArgs {
    /// Only the keys of one tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    pub(in crate::cli) tenant: Option<TenantId>,
    /// One JSON object a line
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// Which API key to revoke.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ApiKeyRevokeArgs {
    /// Its id, or the first characters of its id or of its text, as `list` shows them
    #[arg(value_name = "ID|PREFIX")]
    pub(in crate::cli) key: String,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}
