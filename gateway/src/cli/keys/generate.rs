//! `antumbra keys generate`: make the daemon's keys.

use antumbra_jobs::SystemClock;

use crate::cli::args::SettingsArgs;
use crate::cli::{Exit, KeyFiles, key_files, note, say, settings};

/// Makes the keys and prints the gateway key's hash as a table of settings: `keys generate >> antumbra.toml` puts it there.
pub(super) async fn generate(args: &SettingsArgs) -> anyhow::Result<Exit> {
    let heard = settings::load(args)?;
    let keys = &heard.loaded.settings.keys;
    let hash = key_files::generate(keys, &heard.sources.environment, &SystemClock).await?;
    let files = KeyFiles::beside(&keys.ring);
    note(format_args!("root key     {}", keys.root));
    note(format_args!("key ring     {}", files.ring.display()));
    note(format_args!("public key   {}", files.public.display()));
    note(format_args!("gateway key  {} (clients present it)", files.gateway.display()));
    note("Back up root key and key ring: without both nothing that was sealed can be read.");
    note("The settings have to list the gateway key's hash:");
    say(format_args!("\n[gateway]\ninternal_key_hashes = [\"{hash}\"]"))?;
    Ok(Exit::Done)
}
