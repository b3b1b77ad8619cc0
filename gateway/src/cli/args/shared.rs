//! Which flags do several commands have, and how are their values read?

use std::path::PathBuf;

use antumbra_jobs::{InvalidId, TenantId};
use clap::Args;

/// Where the settings come from.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct SettingsArgs {
    /// Settings file [default: ./antumbra.toml, then /etc/antumbra/antumbra.toml]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// Override one setting, such as listen.address=127.0.0.1:8080; may be given often
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) set: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("expected KEY=VALUE, such as listen.address=127.0.0.1:8080"),
    }
}

/// Reads a tenant's name.
pub(super) fn tenant(text: &str) -> Result<TenantId, InvalidId> {
    TenantId::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_overridden_by_key_and_value() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(key_value("a.b=c=d"), pair("a.b", "c=d"));
        assert_eq!(key_value("a="), pair("a", ""));
        assert!(key_value("=c").is_err());
        assert!(key_value("abc").is_err());
    }
}
