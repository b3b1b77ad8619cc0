//! Where are the settings?

use std::path::{Path, PathBuf};

use antumbra_config::{Loaded, Sources};
use anyhow::Context;

use super::args::SettingsArgs;
use super::note;

/// The settings of this process, and the environment in which secrets may be.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) loaded: Loaded,
    pub(crate) sources: Sources,
}

/// Loads the settings that the command line names.
///
/// # Errors
/// [`antumbra_config::Faults`], every fault at once.
pub(super) fn load(args: &SettingsArgs) -> anyhow::Result<Heard> {
    hear(sources(args)?)
}

/// Says where the settings are that the command line names, and takes the environment, without loading anything.
///
/// # Errors
/// When a usual place cannot be looked at.
pub(super) fn sources(args: &SettingsArgs) -> anyhow::Result<Sources> {
    let file = match &args.config {
        Some(file) => Some(file.clone()),
        None => usual_file(&USUAL.map(Path::new))?,
    };
    Ok(Sources::from_process(file, args.set.clone()))
}

/// Loads settings and says what is odd about them.
///
/// # Errors
/// [`antumbra_config::Faults`], every fault at once.
pub(crate) fn hear(sources: Sources) -> anyhow::Result<Heard> {
    let loaded = antumbra_config::load(&sources)?;
    for warning in &loaded.warnings {
        note(format_args!("warning: {warning}"));
    }
    Ok(Heard { loaded, sources })
}

/// The first of the usual files that is there. One that cannot be looked at is not skipped quietly.
fn usual_file(usual: &[&Path]) -> anyhow::Result<Option<PathBuf>> {
    for path in usual {
        if path.try_exists().with_context(|| format!("cannot look for {}", path.display()))? {
            return Ok(Some(path.to_path_buf()));
        }
    }
    Ok(None)
}

const USUAL: [&str; 2] = ["antumbra.toml", "/etc/antumbra/antumbra.toml"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_usual_file_wins() {
        let dir = tempfile::tempdir().unwrap();
        let (near, far) = (dir.path().join("near.toml"), dir.path().join("far.toml"));
        assert_eq!(usual_file(&[&near, &far]).unwrap(), None);
        std::fs::write(&far, "").unwrap();
        assert_eq!(usual_file(&[&near, &far]).unwrap(), Some(far.clone()));
        std::fs::write(&near, "").unwrap();
        assert_eq!(usual_file(&[&near, &far]).unwrap(), Some(near));
    }
}
