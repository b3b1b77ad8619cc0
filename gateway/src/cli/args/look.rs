//! Which flags do the commands have that only look?

use std::path::PathBuf;

use antumbra_config::SiloName;
use clap::{Args, Subcommand};

use super::SettingsArgs;

/// What to verify.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// The bundle
    #[arg(value_name = "ZIP")]
    pub(in crate::cli) zip: PathBuf,
    /// The key to trust, as the daemon publishes it; a key inside the bundle is never trusted
    #[arg(long, value_name = "PUB.PEM")]
    pub(in crate::cli) key: Option<PathBuf>,
}

/// How to look at the settings.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Print every fault of the settings; exits 64 if there is one
    Check(SettingsArgs),
    /// Print every setting, its value and where it came from, secrets redacted
    Show(SettingsArgs),
    /// Print what every setting means, its type and its default
    Reference,
}

/// How to look at the silos.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SiloCommand {
    /// Connect to silos and look at every datapoint: columns, key, missing indexes
    ///
    /// Reads no data. Exits 1 if a silo or a datapoint has a fault; advice alone is no fault.
    Check(SiloCheckArgs),
}

/// Which silos to check.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SiloCheckArgs {
    /// Their names [default: all]
    #[arg(value_name = "NAME")]
    pub(in crate::cli) names: Vec<SiloName>,
    /// One JSON object a line
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// How to read the audit log.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// Print the newest entries, newest last
    Show(AuditShowArgs),
    /// Walk the chain of entries; exits 1 if one was changed, removed, added or moved
    Verify(SettingsArgs),
}

/// How much of the audit log to print.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct AuditShowArgs {
    /// How many entries at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(in crate::cli) limit: u32,
    /// One JSON object a line
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}
