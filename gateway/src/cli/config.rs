//! `antumbra config`: are the settings right, and what are they?

use super::args::SettingsArgs;
use super::{Exit, say, settings};

/// Checks the settings; faults are printed by the caller.
pub(super) fn check(args: &SettingsArgs) -> anyhow::Result<Exit> {
    let heard = settings::load(args)?;
    let file = heard.sources.file.as_ref();
    let named = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    let silos = heard.loaded.settings.silos.len();
    say(format_args!("settings are right: {named}, silos: {silos}"))?;
    Ok(Exit::Done)
}

/// Prints every setting with its origin.
pub(super) fn show(args: &SettingsArgs) -> anyhow::Result<Exit> {
    let heard = settings::load(args)?;
    say(heard.loaded.show().trim_end())?;
    Ok(Exit::Done)
}

/// Prints the reference of all settings.
pub(super) fn reference() -> anyhow::Result<Exit> {
    say(antumbra_config::REFERENCE.trim_end())?;
    Ok(Exit::Done)
}
