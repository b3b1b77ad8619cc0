//! Which flags do the commands have that manage keys?

use std::path::PathBuf;

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
    /// List the ring's keys: id, state, age, root, and how many jobs and service keys need each
    List(KeysListArgs),
    /// Make a new active key; the old one goes on reading
    ///
    /// A daemon that runs hears of it within seconds. With --rewrap goes on as `keys rewrap`. Refused where the daemon has never
    /// run: there is no audit log yet.
    Rotate(KeysRotateArgs),
    /// Wrap everything anew: the ring's keys under the root, service keys and jobs' keys under the active key
    ///
    /// Reads and writes keys only, never a job's data. Stopped at any time, it goes on where it was when it is run again. A
    /// key that cannot be unwrapped is named and left as it is; the exit code is 1 then.
    Rewrap(SettingsArgs),
    /// Destroy keys of the ring that nothing needs
    ///
    /// Refused for the active key, and while a service key or a job needs the key.
    Retire(KeysRetireArgs),
    /// Destroy one job's data key: what it collected can never be read again
    ///
    /// A job that runs is cancelled. Asks first, on a terminal; elsewhere --yes is needed. The exit code is 1 while somebody who
    /// reads the job store keeps the wrapped key in its log: run it again then.
    Destroy(KeysDestroyArgs),
    /// Hand out one job's data key as a keyset for Google's Tink
    ///
    /// For auditors who check the sealed objects with software that is not ours. Refused unless the setting
    /// `keys.allow_export` is true. The audit log knows of it before the key is shown.
    ExportTinkey(KeysExportArgs),
}

/// How to list the ring's keys.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct KeysListArgs {
    /// One JSON object a line
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// How to rotate.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct KeysRotateArgs {
    /// Wrap everything under the new key afterwards
    #[arg(long)]
    pub(in crate::cli) rewrap: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// Which keys to retire.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct KeysRetireArgs {
    /// The key's id, as `list` shows it
    #[arg(value_name = "ID", required_unless_present = "unused", conflicts_with = "unused")]
    pub(in crate::cli) key: Option<String>,
    /// Every key that is not active and that nothing needs
    #[arg(long)]
    pub(in crate::cli) unused: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// Whose data key to destroy.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct KeysDestroyArgs {
    /// The job's id; given a request's id, the error names the job
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) job: String,
    /// Do not ask
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// Whose data key to hand out, and where to.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct KeysExportArgs {
    /// The job's id; given a request's id, the error names the job
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) job: String,
    /// Where the keyset goes: a new file that only its owner can read, or - for stdout [default: stdout if that is no terminal]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// A new file for what Tink needs to know of each object: name, path, associated data, length; one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) objects: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
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
