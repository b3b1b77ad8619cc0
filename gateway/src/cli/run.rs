//! From the command line to an exit code.

use std::ffi::OsString;
use std::io;

use antumbra_config::Faults;
use clap::Parser;

use super::args::{ApiKeyCommand, AuditCommand, Command, ConfigCommand, SiloCommand};
use super::exit::Fault;
use super::{
    Cli, Exit, api_key, audit, config, export, healthcheck, keys, note, plan, request, say, serve,
    silo, verify,
};
use crate::demo;

/// Reads the command line.
///
/// # Errors
/// The code to end with, when it is wrong or asks for help only; what there is to say was said.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Exit> {
    let error = match Cli::try_parse_from(args) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    if error.use_stderr() {
        note(error.render().to_string().trim_end());
        return Err(Exit::Usage);
    }
    match say(error.render().to_string().trim_end()) {
        Ok(()) => Err(Exit::Done),
        Err(_) => Err(Exit::Failed),
    }
}

/// Says on stderr why a command failed, and returns the code for it.
#[must_use]
pub fn failed(error: &anyhow::Error) -> Exit {
    if let Some(faults) = error.downcast_ref::<Faults>() {
        note(faults);
        return Exit::Usage;
    }
    if !is_closed_stdout(error) {
        note(format_args!("antumbra: {error:#}"));
    }
    error.downcast_ref::<Fault>().map_or(Exit::Failed, Fault::exit)
}

/// Whoever reads `antumbra … | head` has seen enough. Where it matters, the error has words of its own around it.
fn is_closed_stdout(error: &anyhow::Error) -> bool {
    let bare = error.chain().count() == 1;
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    bare && error.downcast_ref().is_some_and(closed)
}

impl Cli {
    /// Runs the command to its end.
    pub async fn run(self) -> Exit {
        let ended = match self.command {
            Command::Serve(args) => Box::pin(serve::serve(&args)).await,
            Command::Demo(args) => Box::pin(demo::run(args)).await,
            Command::Export(args) => Box::pin(export::export(&args)).await,
            Command::Plan(args) => Box::pin(plan::plan(&args)).await,
            Command::Request(command) => Box::pin(request::run(command)).await,
            Command::Verify(args) => verify::verify(args).await,
            Command::Silo(SiloCommand::Check(args)) => Box::pin(silo::check(&args)).await,
            Command::Keys(command) => Box::pin(keys::run(command)).await,
            Command::ApiKey(ApiKeyCommand::Create(args)) => api_key::create(args).await,
            Command::ApiKey(ApiKeyCommand::List(args)) => api_key::list(&args).await,
            Command::ApiKey(ApiKeyCommand::Revoke(args)) => api_key::revoke(&args).await,
            Command::Audit(AuditCommand::Show(args)) => audit::show(&args).await,
            Command::Audit(AuditCommand::Verify(args)) => audit::verify(&args).await,
            Command::Config(ConfigCommand::Check(args)) => config::check(&args),
            Command::Config(ConfigCommand::Show(args)) => config::show(&args),
            Command::Config(ConfigCommand::Reference) => config::reference(),
            Command::Healthcheck(args) => Ok(healthcheck::healthcheck(args).await),
        };
        ended.unwrap_or_else(|error| failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(words: &[&str]) -> Option<Exit> {
        parse(words.iter().map(OsString::from)).err()
    }

    #[test]
    fn wrong_command_lines_end_with_64() {
        assert_eq!(exit(&["antumbra"]), Some(Exit::Usage));
        assert_eq!(exit(&["antumbra", "fly"]), Some(Exit::Usage));
        assert_eq!(exit(&["antumbra", "serve", "--set", "x"]), Some(Exit::Usage));
        assert_eq!(exit(&["antumbra", "demo", "--port", "65536"]), Some(Exit::Usage));
        let scope = ["antumbra", "api-key", "create", "--name", "n", "--scope", "everything"];
        assert_eq!(exit(&scope), Some(Exit::Usage));
    }

    #[test]
    fn help_and_version_end_with_0() {
        assert_eq!(exit(&["antumbra", "--help"]), Some(Exit::Done));
        assert_eq!(exit(&["antumbra", "verify", "--help"]), Some(Exit::Done));
        assert_eq!(exit(&["antumbra", "--version"]), Some(Exit::Done));
    }

    #[test]
    fn right_command_lines_are_taken() {
        assert_eq!(exit(&["antumbra", "demo", "--once", "--port", "0", "--events", "7"]), None);
        assert_eq!(exit(&["antumbra", "verify", "a.zip", "--key", "k.pem"]), None);
    }

    #[test]
    fn faults_end_with_their_own_code_also_inside_a_chain() {
        let unreachable = anyhow::Error::from(Fault::Unreachable("nobody".to_owned()));
        assert_eq!(failed(&unreachable.context("asking")), Exit::Unreachable);
        assert_eq!(failed(&Fault::Usage("both".to_owned()).into()), Exit::Usage);
    }

    #[test]
    fn a_reader_who_left_is_not_told() {
        let left = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_stdout(&left().into()));
        assert!(!is_closed_stdout(&anyhow::Error::from(left()).context("cannot export")));
        assert!(!is_closed_stdout(&io::Error::from(io::ErrorKind::NotFound).into()));
    }

    #[test]
    fn settings_faults_end_with_64_and_others_with_1() {
        let flags = vec![("no.such".to_owned(), "1".to_owned())];
        let sources = antumbra_config::Sources { flags, ..Default::default() };
        let faults = antumbra_config::load(&sources).unwrap_err();
        assert_eq!(failed(&faults.into()), Exit::Usage);
        assert_eq!(failed(&anyhow::anyhow!("disk full")), Exit::Failed);
    }
}
