//! Which commands and flags are there?

use std::path::PathBuf;

use antumbra_jobs::{InvalidId, Scope, TenantId};
use clap::{Args, Parser, Subcommand};

use super::exit;

/// A self-hosted privacy gateway and export daemon.
#[derive(Debug, Parser)]
#[command(name = "antumbra", version, disable_help_subcommand = true, after_help = exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What the command line asks for.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon: gateway and worker
    Serve(SettingsArgs),
    /// Try everything: an invented shop, one person's request, the finished bundle
    Demo(DemoArgs),
    /// Verify a bundle offline: signature, every hash, row counts
    #[command(after_help = exit::HELP)]
    Verify(VerifyArgs),
    /// Manage the daemon's keys
    #[command(subcommand, disable_help_subcommand = true)]
    Keys(KeysCommand),
    /// Manage the keys of callers
    #[command(subcommand, disable_help_subcommand = true)]
    ApiKey(ApiKeyCommand),
    /// Look at the settings
    #[command(subcommand, disable_help_subcommand = true)]
    Config(ConfigCommand),
    /// Ask a running daemon whether it is well; exits 0 or 1
    Healthcheck(HealthcheckArgs),
}

/// Where the settings come from.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SettingsArgs {
    /// Settings file [default: ./antumbra.toml, then /etc/antumbra/antumbra.toml]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Override one setting, such as listen.address=127.0.0.1:8080; may be given often
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
}

/// What the demo may be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Directory to work in, made if absent [default: antumbra/demo in the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Port to listen on; 0 takes any free one [default: 5039]
    #[arg(long, value_name = "PORT", default_value_t = 5039, hide_default_value = true)]
    pub(crate) port: u16,
    /// End after the download instead of serving until Ctrl-C
    #[arg(long)]
    pub(crate) once: bool,
    /// Page events of the busiest person, when the shop is made
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) events: Option<u32>,
}

/// What to verify.
#[derive(Debug, Clone, Args)]
pub(super) struct VerifyArgs {
    /// The bundle
    #[arg(value_name = "ZIP")]
    pub(super) zip: PathBuf,
    /// The key to trust, as the daemon publishes it; a key inside the bundle is never trusted
    #[arg(long, value_name = "PUB.PEM")]
    pub(super) key: Option<PathBuf>,
}

/// What to do with the daemon's keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make root key, key ring, gateway key and public key where the settings expect them
    ///
    /// Refuses to touch a key ring that exists. The hash of the gateway key is printed, ready for the settings.
    Generate(SettingsArgs),
}

/// What to do with the keys of callers.
#[derive(Debug, Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Make an API key and print it, once, alone on stdout
    Create(ApiKeyCreateArgs),
}

/// What the new API key is like.
#[derive(Debug, Clone, Args)]
pub(super) struct ApiKeyCreateArgs {
    /// What its owner calls it
    #[arg(long, value_name = "NAME")]
    pub(super) name: String,
    /// Whose data it reaches [default: the setting organization.tenant]
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    pub(super) tenant: Option<TenantId>,
    /// What it may do; may be given often [default: request:submit, request:read, compilation:read]
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(super) scopes: Vec<Scope>,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

/// How to look at the settings.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every fault of the settings; exits 64 if there is one
    Check(SettingsArgs),
    /// Print every setting, its value and where it came from, secrets redacted
    Show(SettingsArgs),
}

/// Which daemon to ask.
#[derive(Debug, Clone, Args)]
pub(super) struct HealthcheckArgs {
    /// The daemon's base URL [default: the address in the settings]
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

fn key_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("expected KEY=VALUE, such as listen.address=127.0.0.1:8080"),
    }
}

fn tenant(text: &str) -> Result<TenantId, InvalidId> {
    TenantId::new(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;

    /// Every command's help, by file name.
    fn helps() -> Vec<(String, String)> {
        fn add(command: &mut clap::Command, name: &str, to: &mut Vec<(String, String)>) {
            to.push((format!("{name}.txt"), command.render_long_help().to_string()));
            for sub in command.get_subcommands_mut() {
                let name = format!("{name}-{}", sub.get_name());
                add(sub, &name, to);
            }
        }
        let mut cli = Cli::command();
        cli.build();
        let mut all = Vec::new();
        add(&mut cli, "antumbra", &mut all);
        all
    }

    fn golden() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/help")
    }

    #[test]
    fn help_is_as_recorded() {
        let mut expected: Vec<String> = fs::read_dir(golden())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        expected.sort();
        let mut found = Vec::new();
        for (name, text) in helps() {
            let recorded = fs::read_to_string(golden().join(&name)).unwrap_or_default();
            assert_eq!(text, recorded, "{name}: record it again with `{RECORD}`");
            found.push(name);
        }
        found.sort();
        assert_eq!(found, expected, "commands and files in golden/help");
    }

    #[test]
    #[ignore = "records the help again"]
    fn record_help() {
        for (name, text) in helps() {
            fs::write(golden().join(name), text).unwrap();
        }
    }

    #[test]
    fn definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_are_overridden_by_key_and_value() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(key_value("a.b=c=d"), pair("a.b", "c=d"));
        assert_eq!(key_value("a="), pair("a", ""));
        assert!(key_value("=c").is_err());
        assert!(key_value("abc").is_err());
    }

    const RECORD: &str = "cargo test -p antumbra --lib record_help -- --ignored";
}
